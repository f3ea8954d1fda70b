"""The surroundings of one treated vertebra: everything that placing and judging cement there needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray, Float32Array, IntArray
from cementct.core.frame import Frame
from cementct.core.grid import Box, Grid
from cementct.testing.borders import ByteArray
from cementct.testing.shapes import Coordinates

# Pieces smaller than this share of the largest one do not stay.
CRUMB_SHARE = 0.12


@dataclass(frozen=True)
class Measures:
    """Lengths of the vertebra in its own frame, in millimetres.

    Attributes
    ----------
    width_mm, depth_mm, height_mm
        Of the body.
    wall_mm
        Posterior coordinate of the posterior wall.
    half_canal_mm, canal_depth_mm
        Left coordinate of the pedicles' medial border; depth of the canal.
    pedicle_left_mm, pedicle_superior_mm
        Middle of the left pedicle.
    spacing_above_mm, spacing_below_mm
        Distance to the centres of the neighbouring bodies.
    """

    width_mm: float
    depth_mm: float
    height_mm: float
    wall_mm: float
    half_canal_mm: float
    canal_depth_mm: float
    pedicle_left_mm: float
    pedicle_superior_mm: float
    spacing_above_mm: float
    spacing_below_mm: float


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
        The contract's borders, as `Borders.compartments` gives them.
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
    """

    number: int
    box: Box
    grid: Grid
    frame: Frame
    measures: Measures
    at: Coordinates
    vertebrae: ByteArray
    compartments: ByteArray
    places: ByteArray
    body_depth_mm: Float32Array
    outline_mm: Float32Array
    behind_front_mm: Float32Array
    lesion: BoolArray
    solid: BoolArray

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
