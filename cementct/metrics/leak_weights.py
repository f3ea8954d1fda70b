"""How much of each voxel's cement belongs to a leak: blurred rims and voxels cut by a wall are divided."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cementct.core.arrays import BoolArray, FloatArray
from cementct.core.morphology import bounds_of
from cementct.metrics.penetration import find_inner_rim, share_behind_walls
from cementct.metrics.surroundings import Kind, Surroundings

_FACE_NEIGHBOURS = ndimage.generate_binary_structure(3, 1)


def share_out(drawn: NDArray[np.int32], around: Surroundings) -> tuple[NDArray[np.int32], FloatArray]:
    """Return the part that each voxel's cement belongs to, and how much of the voxel that cement fills.

    A voxel outside the outline belongs to the drawn cement nearest to it. Where cement passes through a wall
    or an endplate in one piece, the voxels that the surface cuts are divided in proportion.

    Parameters
    ----------
    drawn
        Number of the part of each drawn voxel outside the vertebra, 0 elsewhere.
    around
        The cement, and what lies around it.
    """
    if not around.region.any():
        return np.zeros_like(drawn), np.zeros(drawn.shape)
    rim = find_inner_rim(around, drawn > 0)
    owns_mass = around.region & ~rim
    # All cement lies in this block, and so does what is nearest to it.
    cement = around.fraction > 0
    block = bounds_of(cement | around.region)
    nearest = ndimage.distance_transform_edt(
        ~owns_mass[block], sampling=around.spacing_mm, return_distances=False, return_indices=True
    )
    number = np.zeros(drawn.shape, dtype=np.int32)
    number[block] = np.where(cement[block], drawn[block][tuple(nearest)], 0)
    filled = np.where(number > 0, around.fraction, 0.0).astype(np.float64)
    inside = owns_mass & (drawn == 0) & (around.kind == Kind.INSIDE)
    leaked = drawn > 0
    cut_outside = leaked & ndimage.binary_dilation(inside, _FACE_NEIGHBOURS)
    cut_inside = inside & ndimage.binary_dilation(leaked, _FACE_NEIGHBOURS)
    _divide(cut_outside, around.kind, around, filled)
    beside = _largest_beside(drawn, cut_inside)
    number[cut_inside] = beside[cut_inside]
    filled[cut_inside] = around.fraction[cut_inside]
    kind_beside = np.zeros_like(around.kind)
    kind_beside[cut_inside] = _kind_of_number(drawn, around)[beside[cut_inside]]
    _divide(cut_inside, kind_beside, around, filled)
    return number, filled


def _kind_of_number(drawn: NDArray[np.int32], around: Surroundings) -> NDArray[np.uint16]:
    """Return the kind in which most voxels of each number lie."""
    kinds = np.zeros(int(drawn.max()) + 1, dtype=np.uint16)
    for number in range(1, kinds.size):
        kinds[number] = np.bincount(around.kind[drawn == number]).argmax()
    return kinds


def _largest_beside(drawn: NDArray[np.int32], where: BoolArray) -> NDArray[np.int32]:
    """Return the largest part number among the neighbours of chosen voxels."""
    highest = ndimage.maximum_filter(drawn, footprint=_FACE_NEIGHBOURS)
    return np.where(where, highest, 0).astype(np.int32)


def _divide(where: BoolArray, kind: NDArray[np.uint16], around: Surroundings, filled: FloatArray) -> None:
    """Keep of chosen voxels the share that lies beyond the posterior wall or endplate that borders `kind`.

    Where no surface is known, borders run between voxels: those inside keep nothing, those outside all.
    """
    points = np.argwhere(where)
    if points.size == 0:
        return
    kinds = kind[tuple(points.T)]
    share = share_behind_walls(around, points, kinds)
    by_voxel = (around.kind[tuple(points.T)] != Kind.INSIDE).astype(np.float64)
    filled[tuple(points.T)] *= np.where(np.isfinite(share), share, by_voxel)
