"""One scan around one vertebra, brought to the scale at which it is compared with the other scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cementct.anatomy.model import Spine
from cementct.core.arrays import BoolArray, Float32Array, FloatArray
from cementct.core.distances import within
from cementct.core.grid import Box, Grid
from cementct.core.image import NOT_MEASURED_BELOW_HU, Volume

# Intensities outside this range say nothing about bone: fat is above, cement and metal below its ends.
COMPARED_HU = (-200.0, 1000.0)
# What is brighter than the brightest bone is taken for cement or metal and left out, at
# least and at most this: cortex on sharp thin slices reaches 1400 and is needed, dilute cement starts at 900.
CEMENT_HU = (1000.0, 1500.0)
# Percentile of a vertebra's voxels that is its brightest bone; noise and islands lie above.
BRIGHTEST_BONE_PERCENT = 99.9
# A voxel of the comparison's lattice is left out where this much of it is that dense.
DENSE_SHARE = 0.15
# Left out around them: partial volume, overshoot and dark streaks of beam hardening reach about this far.
CEMENT_RIM_MM = 2.5
# Standard deviation of the smoothing as a share of the scale; a lattice of that scale can just carry it.
BLUR_PER_SCALE = 0.5
# A smoothed voxel is compared where this much of what went into it is clear of cement.
LEAST_KNOWN_SHARE = 0.7


# A scan and its vertebrae.
Scanned = tuple[Volume, Spine]


@dataclass(frozen=True)
class Scene:
    """A block of a scan at one scale.

    Attributes
    ----------
    hu
        Smoothed intensities, clipped to `COMPARED_HU`, shape (z, y, x).
    usable
        Where they may be compared: measured, and clear of cement.
    grid
        Where they lie.
    """

    hu: Float32Array
    usable: BoolArray
    grid: Grid


def cement_above_hu(before: Scanned, after: Scanned) -> float:
    """Return the intensity above which nothing is bone, by the bone of both scans.

    Parameters
    ----------
    before, after
        Each scan with its vertebrae. After injection the darkest vertebra counts, for others hold cement;
        before it those that no cement of old makes brighter than any bone.
    """
    without_cement = [hu for hu in _brightest_bone_hu(*before) if hu <= CEMENT_HU[1]]
    brightest = [*without_cement[-1:], *_brightest_bone_hu(*after)[:1]]
    return float(np.clip(max(brightest, default=0.0), *CEMENT_HU))


def _brightest_bone_hu(volume: Volume, spine: Spine) -> list[float]:
    """Return the brightest bone of each vertebra, in rising order."""
    wholes = [v.whole for v in spine.vertebrae if not v.whole.is_empty]
    bone = (volume.hu[whole.box.slices][whole.voxels] for whole in wholes)
    return sorted(float(np.percentile(hu, BRIGHTEST_BONE_PERCENT)) for hu in bone)


def prepare_scene(volume: Volume, box: Box, scale_mm: float, *, cement_hu: float = CEMENT_HU[0]) -> Scene:
    """Return the block `box` of a scan, averaged and smoothed to `scale_mm`, cement and its rim marked.

    Parameters
    ----------
    volume
        The scan.
    box
        The block that is needed.
    scale_mm
        Distance of neighbouring samples aimed at; spacings above it are kept.
    cement_hu
        What is brighter is no bone (`cement_above_hu`).
    """
    crop = volume.crop(box)
    raw = crop.hu.astype(np.float32)
    factor = [max(1, int(scale_mm / spacing + 1e-6)) for spacing in crop.grid.spacing_mm]
    factor = [min(f, n) for f, n in zip(factor, raw.shape, strict=True)]
    measured = raw > NOT_MEASURED_BELOW_HU
    dense, grid = _averaged((raw > cement_hu).astype(np.float32), crop.grid, factor)
    seen, _ = _averaged(measured.astype(np.float32), crop.grid, factor)
    weight = np.where(_with_rim(dense > DENSE_SHARE, grid), np.float32(0), seen)
    weighted, _ = _averaged(np.where(measured, np.clip(raw, *COMPARED_HU), np.float32(0)), crop.grid, factor)
    weighted = np.where(weight > 0, weighted, np.float32(0))
    sigma = [BLUR_PER_SCALE * scale_mm / spacing for spacing in grid.spacing_mm]
    sigma = [value if value > 0.3 else 0.0 for value in sigma]
    blurred = ndimage.gaussian_filter(weighted, sigma, mode="nearest", truncate=3.0)
    share = ndimage.gaussian_filter(weight, sigma, mode="nearest", truncate=3.0)
    hu = blurred / np.maximum(share, 0.05)
    usable = (share >= LEAST_KNOWN_SHARE) & (weight >= 0.5)
    return Scene(np.asarray(hu, dtype=np.float32), usable, grid)


def _with_rim(dense: BoolArray, grid: Grid) -> BoolArray:
    if not dense.any():
        return dense
    rim_mm = max(CEMENT_RIM_MM, 1.01 * max(grid.spacing_mm))
    return within(dense, rim_mm, grid.spacing_mm)


def _averaged(array: Float32Array, grid: Grid, factor: list[int]) -> tuple[Float32Array, Grid]:
    """Return means over blocks of `factor` voxels, and their grid; a remainder at the far ends is dropped."""
    if factor == [1, 1, 1]:
        return array, grid
    z, y, x = (n // f for n, f in zip(array.shape, factor, strict=True))
    fz, fy, fx = factor
    blocks = array[: z * fz, : y * fy, : x * fx].reshape(z, fz, y, fy, x, fx)
    first: FloatArray = grid.to_lps([(f - 1) / 2 for f in factor])
    coarse = Grid(
        (z, y, x),
        (grid.spacing_mm[0] * fz, grid.spacing_mm[1] * fy, grid.spacing_mm[2] * fx),
        (float(first[0]), float(first[1]), float(first[2])),
        grid.direction,
    )
    return np.asarray(blocks.mean(axis=(1, 3, 5)), dtype=np.float32), coarse
