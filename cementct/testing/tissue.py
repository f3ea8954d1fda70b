"""Soft tissue around the column: canal contents, muscles, vessels, lungs and fat, as Hounsfield units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.grid import Grid
from cementct.core.levels import Level
from cementct.testing.column import ColumnCoordinates, PlacedVertebra

# Usual intensities without contrast, rounded (any CT textbook).
FAT_HU = -100.0
EPIDURAL_FAT_HU = -80.0
MUSCLE_HU = 55.0
BLOOD_HU = 42.0
CONTRAST_BLOOD_HU = 190.0
ORGAN_HU = 48.0
LUNG_HU = -860.0
AIR_HU = -1000.0
CSF_HU = 8.0
CORD_HU = 38.0
NERVE_HU = 28.0
LIGAMENT_HU = 65.0
DISC_HU = 85.0
# Distance from the posterior wall to the skin of the back, and thickness of the fat under it.
BACK_DEPTH_MM = 78.0
BACK_FAT_MM = 16.0


def soft_tissue_hu(
    grid: Grid,
    column: Sequence[PlacedVertebra],
    at: ColumnCoordinates,
    *,
    seed: int,
    contrast: bool = False,
) -> Float32Array:
    """Return the intensities of everything but bone, discs, cement and metal.

    Parameters
    ----------
    grid
        Where they are wanted.
    column
        The vertebrae that `at` refers to.
    at
        Column coordinates of the grid.
    seed
        Of the tissue's texture.
    contrast
        Whether vessels are enhanced.
    """
    texture = _texture(grid, seed)
    hu = np.full(grid.shape, FAT_HU, dtype=np.float32) + np.float32(5.0) * texture
    _paint_trunk(hu, column, at, texture)
    _paint_vessels(hu, column, at, contrast=contrast)
    _paint_canal(hu, column, at, texture)
    hu[at.behind_wall_mm > BACK_DEPTH_MM] = AIR_HU
    return hu


def _paint_trunk(
    hu: Float32Array, column: Sequence[PlacedVertebra], at: ColumnCoordinates, texture: Float32Array
) -> None:
    width = at.interpolate([v.shape.size.width_mm / 2 for v in column])
    depth = at.interpolate([v.shape.size.depth_mm for v in column])
    thoracic = at.interpolate([_chest_share(v.level) for v in column])
    side, behind = np.abs(at.left_mm), at.behind_wall_mm
    muscle = MUSCLE_HU + 9 * texture - np.where(texture > 1.5, 90.0, 0.0).astype(np.float32)
    organ = ORGAN_HU + 6 * texture
    lumbar = 1.0 - thoracic
    # Front of the column: mediastinum or bowel, with fat between.
    front = (behind < -depth - 26 - 6 * texture) & (side < 60)
    hu[front] = organ[front]
    for inside in (
        _oval(side, behind, (width + 15, -depth * 0.45), (4 + 13 * lumbar, 5 + 15 * lumbar)),  # psoas
        _oval(side, behind, (width + 44, 8.0), (19.0, 11.0)) & (lumbar > 0.4),  # quadratus lumborum
        _oval(side, behind, (27.0, 40.0), (25.0, 21.0)),  # erector spinae and multifidus
        (thoracic > 0.4) & (behind > 10) & (behind < 34) & (side > 30),  # chest wall
    ):
        hu[inside] = muscle[inside]
    kidney = _oval(side, behind, (width + 46, -26.0), (23.0, 21.0)) & (lumbar > 0.45) & (lumbar < 1.01)
    hu[kidney & (at.place < _index(column, Level.L3))] = 36.0
    lung = _oval(side, behind, (70.0, -52.0), (52.0, 70.0)) & (side > width + 6)
    # The diaphragm's dome: the lung ends higher up near the column.
    lung &= thoracic > 0.85 - 0.006 * np.minimum(side, 75.0) + 0.02 * texture
    hu[lung] = LUNG_HU + 25 * texture[lung]
    skin = behind > BACK_DEPTH_MM - 2.0
    hu[skin] = 30.0
    under_skin = (behind > BACK_DEPTH_MM - BACK_FAT_MM) & ~skin
    hu[under_skin] = FAT_HU + 5 * texture[under_skin]


def _chest_share(level: Level) -> float:
    if not level.is_thoracic:
        return 0.0
    return {Level.T11: 0.75, Level.T12: 0.4, Level.T13: 0.2}.get(level, 1.0)


def _paint_vessels(
    hu: Float32Array, column: Sequence[PlacedVertebra], at: ColumnCoordinates, *, contrast: bool
) -> None:
    depth = at.interpolate([v.shape.size.depth_mm for v in column])
    thoracic = at.interpolate([_chest_share(v.level) for v in column])
    aorta_left = at.interpolate([aorta_left_mm(v.level) for v in column])
    blood = CONTRAST_BLOOD_HU if contrast else BLOOD_HU
    aorta = _oval(at.left_mm, at.behind_wall_mm, (aorta_left, -depth - 12 + 8 * thoracic), (10.5, 10.5))
    cava = _oval(at.left_mm, at.behind_wall_mm, (-17.0 + 0 * depth, -depth - 11), (12.0, 9.0)) & (
        thoracic < 0.7
    )
    azygos = _oval(at.left_mm, at.behind_wall_mm, (-5.0 + 0 * depth, -depth - 5), (3.2, 3.2)) & (
        thoracic > 0.6
    )
    hu[cava | azygos] = blood * 0.95
    hu[aorta] = blood


def aorta_left_mm(level: Level) -> float:
    """Return how far to the left of the midline the aorta's middle runs."""
    if level.is_thoracic:
        return 22.0 if level.rank < Level.T9.rank else 13.0
    return 9.0


def _paint_canal(
    hu: Float32Array, column: Sequence[PlacedVertebra], at: ColumnCoordinates, texture: Float32Array
) -> None:
    half = at.interpolate([v.shape.size.canal_width_mm / 2 for v in column])
    depth = at.interpolate([v.shape.size.canal_depth_mm for v in column])
    side, behind = np.abs(at.left_mm), at.behind_wall_mm
    near = (side < half + 14) & (behind > -4) & (behind < depth * 1.05)
    hu[near] = EPIDURAL_FAT_HU + 8 * texture[near]
    flavum = (side < half + 3) & (behind > depth * 0.9) & (behind < depth + 4)
    hu[flavum] = LIGAMENT_HU
    sac = _oval(side, behind, (0 * half, 0.50 * depth), (0.80 * half, 0.43 * depth))
    hu[sac] = CSF_HU + 4 * texture[sac]
    conus = _index(column, Level.L1) + 0.3
    cord = _oval(side, behind, (0 * half, 0.52 * depth), (4.8, 3.7)) & (at.place < conus)
    hu[cord] = CORD_HU
    roots = _oval(side, behind, (0 * half, 0.62 * depth), (0.6 * half, 0.25 * depth)) & (at.place >= conus)
    hu[roots] = NERVE_HU + 6 * texture[roots]
    # The nerve roots leave just under the pedicles: about 0.4 of the way to the next body's centre.
    under = at.place - np.floor(at.place)
    root = ((under - 0.42) * 32 - 0.15 * (side - half)) ** 2 + (
        behind - 6.5 + 0.25 * (side - half)
    ) ** 2 < 9.5
    root &= (side > 0.75 * half) & (side < half + 26)
    hu[root] = NERVE_HU + 8


def _index(column: Sequence[PlacedVertebra], level: Level) -> float:
    """Return the fractional index of a level in a piece of the column that may not hold it."""
    return float(sum(v.level.rank < level.rank for v in column))


def _oval(
    across: Float32Array,
    along: Float32Array,
    centre: tuple[Float32Array | float, Float32Array | float],
    radii: tuple[Float32Array | float, Float32Array | float],
) -> BoolArray:
    return np.asarray(((across - centre[0]) / radii[0]) ** 2 + ((along - centre[1]) / radii[1]) ** 2 < 1.0)


def _texture(grid: Grid, seed: int) -> Float32Array:
    """Return smooth noise of zero mean and unit spread, about 4 mm coarse."""
    from scipy import ndimage

    rng = np.random.default_rng([seed, 11])
    shape = [int(np.ceil(n * s / 3.0)) + 3 for n, s in zip(grid.shape, grid.spacing_mm, strict=True)]
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), 0.9)
    noise /= noise.std()
    steps = [np.arange(n) * s / 3.0 + 1 for n, s in zip(grid.shape, grid.spacing_mm, strict=True)]
    wide = noise.astype(np.float32)
    for axis, at in enumerate(steps):
        low = np.floor(at).astype(int)
        share = (at - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
        wide = np.take(wide, low, axis) * (1 - share) + np.take(wide, low + 1, axis) * share
    return np.asarray(wide, dtype=np.float32)
