"""The surroundings of one treated vertebra: everything that placing and judging cement there needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray, Float32Array, IntArray
from cementct.core.frame import Frame
from cementct.core.grid import Box, Grid
from cementct.testing.borders import ByteArray
from cementct.testing.measures import Measures
from cementct.testing.shapes import Coordinates

# Pieces smaller than this share of the largest one do not stay.
CRUMB_SHARE = 0.12


__all__ = ["Measures", "Site", "grow"]


@dataclass(frozen=True)
class Site:
    """A block of a fine lattice around one vertebra.

    Attributes
    ----------
    number
        Of the vertebra.
    box, grid
        The block within the fine lattice, and its own grid.
    frame, measures
        Of the vertebra.
    at
        Local coordinates of the block.
    vertebrae
        Numbers of all vertebrae in it.
    compartments, places
        Where leaks are placed, as `Borders.compartments` gives them.
    by_contract
        Where the contract says that they lie, as `Borders.by_contract` gives it.
    body_depth_mm
        Signed distance to the surface of the body: negative inside.
    outline_mm
        Signed distance to the body's side walls.
    behind_front_mm
        Distance behind the posterior surface of bodies and discs (good near the canal's front).
    lesion
        Where this vertebra is destroyed.
    solid
        Where nothing can flow: other bones, ribs, metal.
    foramen_mm
        Width of the mouth of its basivertebral foramen; 0: none is open.
    """

    number: int
    box: Box
    grid: Grid
    frame: Frame
    measures: Measures
    at: Coordinates
    vertebrae: ByteArray
    compartments: ByteArray
    by_contract: ByteArray
    places: ByteArray
    body_depth_mm: Float32Array
    outline_mm: Float32Array
    behind_front_mm: Float32Array
    lesion: BoolArray
    solid: BoolArray
    foramen_mm: float = 0.0

    @property
    def own(self) -> BoolArray:
        """Where this vertebra is."""
        return np.asarray(self.vertebrae == self.number)

    @property
    def own_body(self) -> BoolArray:
        """Where the body of this vertebra is."""
        return np.asarray(self.own & (self.compartments == Compartment.BODY))

    def points(self, where: BoolArray) -> Coordinates:
        """Return the local coordinates of the voxels in a mask, one value each."""
        left, posterior, superior = (a[where] for a in self.at)
        return left, posterior, superior

    def voxels_of(self, volume_ml: float) -> int:
        """Return the number of voxels of a volume."""
        return round(volume_ml / self.grid.voxel_ml)


def grow(field: Float32Array, allowed: BoolArray, count: int) -> BoolArray:
    """Return the `count` allowed voxels with the smallest `field`, loose crumbs replaced or left out.

    Parameters
    ----------
    field
        One value for each allowed voxel, in the order of ``allowed.ravel()``.
    allowed
        Where voxels may be chosen.
    count
        How many are wanted.

    Raises
    ------
    ValueError
        Where there are fewer allowed voxels.
    """
    inside = np.flatnonzero(allowed)
    if count > inside.size:
        raise ValueError(f"there is room for {inside.size} voxels, {count} were wanted")
    chosen = np.zeros(allowed.shape, dtype=np.bool_)
    if count == 0:
        return chosen
    values = field.astype(np.float64)
    for _ in range(6):
        picked = inside[np.argpartition(values, count - 1)[:count]]
        crumbs = _crumbs(picked, allowed.shape)
        if crumbs.size == 0:
            break
        values[np.searchsorted(inside, crumbs)] += 1e6
    chosen.ravel()[np.setdiff1d(picked, crumbs)] = True
    return chosen


def _crumbs(picked: IntArray, shape: tuple[int, ...]) -> IntArray:
    """Return those of the flat indices that lie in pieces much smaller than the largest one."""
    from scipy import ndimage

    index = np.stack(np.unravel_index(picked, shape))
    low = index.min(axis=1, keepdims=True)
    local = tuple(index - low)
    block = np.zeros([int(a.max()) + 1 for a in local], dtype=np.bool_)
    block[local] = True
    pieces, number = ndimage.label(block, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(pieces.ravel(), minlength=number + 1)[1:]
    small = np.flatnonzero(sizes < CRUMB_SHARE * sizes.max()) + 1
    return np.asarray(picked[np.isin(pieces[local], small)], dtype=np.intp)
