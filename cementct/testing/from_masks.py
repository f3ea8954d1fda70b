"""CT simulated from real vertebra masks alone: real shapes, invented tissue."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.frame import Frame
from cementct.core.grid import Grid
from cementct.core.image import LabelMap, Region, Volume
from cementct.testing.bone import ARCH_CORTEX_MM, COARSE_TEXTURE, CORTEX_HU, FINE_TEXTURE
from cementct.testing.column import ColumnCoordinates, local_coordinates
from cementct.testing.noise import smooth_noise
from cementct.testing.realspine import RealVertebra, measure_real_vertebrae, real_bodies, real_discs
from cementct.testing.sampling import Lattices, doubled
from cementct.testing.scanner import scan_volume
from cementct.testing.shapes import coverage
from cementct.testing.spec import Scanner
from cementct.testing.tissue import CORD_HU, CSF_HU, DISC_HU, EPIDURAL_FAT_HU, FAT_HU, MUSCLE_HU

# Smoothing of the masks' steps before their surface is taken.
SMOOTHING_MM = 0.8
# Tissue around the masks that is scanned as well.
MARGIN_MM = 25.0


def simulate_from_masks(
    vertebrae: LabelMap,
    *,
    scanner: Scanner | None = None,
    seed: int = 0,
    marrow_hu: float = 150.0,
    cortex_mm: float = 0.6,
) -> tuple[Volume, LabelMap]:
    """Return a CT of the masks' vertebrae in soft tissue, and the masks on its grid.

    The scan covers the masks with a margin.

    Parameters
    ----------
    vertebrae
        Whole vertebrae in VerSe numbers, canonical order, two or more.
    scanner
        None: the default scanner.
    seed
        Of texture and noise.
    marrow_hu, cortex_mm
        Of the bone.

    Raises
    ------
    ValueError
        Where fewer than two vertebrae can be measured.
    """
    vertebrae = _cropped(vertebrae)
    measured = measure_real_vertebrae(vertebrae)
    if len(measured) < 2:
        raise ValueError(f"two or more whole vertebrae are needed, got {len(measured)}")
    scanner = scanner or Scanner()
    spacing = (scanner.slice_spacing_mm, scanner.pixel_mm, scanner.pixel_mm)
    lattices = Lattices.of(vertebrae.grid.resized(spacing))
    depth = _resampled(_surface_distance(vertebrae), vertebrae.grid, lattices.coarse)
    labels = _nearest(vertebrae, lattices.coarse)
    body = _nearest(real_bodies(vertebrae, measured), lattices.coarse)
    discs = real_discs(labels, body, lattices.coarse.spacing_mm[0])
    soft = _soft_tissue(lattices.coarse, measured, discs, seed)
    thickness = np.where(body > 0, cortex_mm, ARCH_CORTEX_MM * cortex_mm / 0.6).astype(np.float32)
    marrow = _marrow(lattices.coarse, marrow_hu, seed)
    shape = lattices.fine.shape
    voxel = float(np.mean(lattices.fine.spacing_mm))
    distance = doubled(depth, shape)
    outer = coverage(distance, voxel)
    inner = coverage(distance + doubled(thickness, shape), voxel)
    hu = doubled(soft, shape) * (1 - outer) + CORTEX_HU * (outer - inner) + doubled(marrow, shape) * inner
    image = scan_volume(np.asarray(hu, dtype=np.float32), lattices, scanner, seed=seed)
    return Volume(image, lattices.scan), LabelMap(_nearest(vertebrae, lattices.scan), lattices.scan)


def _cropped(vertebrae: LabelMap) -> LabelMap:
    region = Region.of(np.asarray(vertebrae.labels > 0))
    if region.is_empty:
        return vertebrae
    box = vertebrae.grid.expand(region.box, MARGIN_MM)
    return LabelMap(vertebrae.labels[box.slices], vertebrae.grid.crop(box))


def _surface_distance(vertebrae: LabelMap) -> Float32Array:
    """Return the signed distance to the nearest vertebra's surface, negative inside."""
    from scipy import ndimage

    bone = np.asarray(vertebrae.labels > 0)
    spacing = vertebrae.grid.spacing_mm
    half = float(np.mean(spacing)) / 2
    outside = ndimage.distance_transform_edt(~bone, sampling=spacing) - half
    inside = ndimage.distance_transform_edt(bone, sampling=spacing) - half
    distance = np.where(bone, -inside, outside).astype(np.float32)
    return np.asarray(ndimage.gaussian_filter(distance, [SMOOTHING_MM / s for s in spacing]))


def _resampled(values: Float32Array, source: Grid, target: Grid) -> Float32Array:
    from scipy import ndimage

    step = source.to_index(target.to_lps(np.eye(3))) - source.to_index(target.to_lps(np.zeros(3)))
    start = source.to_index(target.to_lps(np.zeros(3)))
    out = ndimage.affine_transform(values, step.T, start, target.shape, order=1, mode="nearest")
    return np.asarray(out, dtype=np.float32)


def _nearest(labels: LabelMap, target: Grid) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    from scipy import ndimage

    source = labels.grid
    step = source.to_index(target.to_lps(np.eye(3))) - source.to_index(target.to_lps(np.zeros(3)))
    start = source.to_index(target.to_lps(np.zeros(3)))
    return np.asarray(
        ndimage.affine_transform(labels.labels, step.T, start, target.shape, order=0, mode="constant"),
        dtype=np.uint8,
    )


def _marrow(grid: Grid, marrow_hu: float, seed: int) -> Float32Array:
    world = Frame((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    at = local_coordinates(grid, world)
    fine = smooth_noise(at, seed=(seed, 2), scale_mm=1.2)
    wide = smooth_noise(at, seed=(seed, 3), scale_mm=4.0)
    pattern = 1 + np.float32(FINE_TEXTURE) * fine + np.float32(COARSE_TEXTURE) * wide
    return np.asarray(np.float32(marrow_hu) * pattern, dtype=np.float32)


def _soft_tissue(grid: Grid, measured: Sequence[RealVertebra], discs: BoolArray, seed: int) -> Float32Array:
    """Return fat, muscle beside and behind the column, discs, and the canal's contents."""
    at = ColumnCoordinates.on(grid, measured)
    rng = np.random.default_rng([seed, 81])
    hu = np.full(grid.shape, FAT_HU, dtype=np.float32)
    side, behind = np.abs(at.left_mm), at.behind_wall_mm
    width = at.interpolate([v.half_width_mm for v in measured])
    muscle = ((side - 27) / 25) ** 2 + ((behind - 38) / 21) ** 2 < 1
    muscle |= ((side - width - 15) / 14) ** 2 + ((behind + 16) / 17) ** 2 < 1
    hu[muscle] = MUSCLE_HU + rng.normal(0, 4)
    hu[discs] = DISC_HU
    half = at.interpolate([v.half_canal_mm for v in measured])
    depth = at.interpolate([v.canal_depth_mm for v in measured])
    hu[(side < half + 8) & (behind > 0) & (behind < depth) & ~discs] = EPIDURAL_FAT_HU
    hu[(side / (0.8 * half)) ** 2 + ((behind - depth / 2) / (0.43 * depth)) ** 2 < 1] = CSF_HU
    hu[(side / 4.8) ** 2 + ((behind - 0.52 * depth) / 3.7) ** 2 < 1] = CORD_HU
    return hu
