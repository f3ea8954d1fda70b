"""How far each point of the coarse volume looks like the middle of the spinal canal.

Rays in the axial plane meet bone within a few millimetres on all sides, in opposite pairs; a vertebral body
lies in front; left mirrors right. The marrow of an iliac wing and an osteoporotic body inside its cortex pass
the first test only.
"""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray, IntArray
from cementct.segmentation.vertebrae.embedded.coarse import CoarseVolume

BONE_THRESHOLDS_HU = (130.0, 180.0)
# Both are tried and the better track kept: with 180 alone osteopenic spines are lost, with 130 alone the
# foramina of dense ones close. Found on the public CT volumes of the project.
SMOOTHING_MM = 1.5
# Standard deviation of the smoothing before thresholds: noise of 60 HU falls below 20.
SMALLEST_BONE_MM3 = 1000.0
# Smaller pieces of bone are noise, calcification or contrast.
ALONG_SPINE_MM = 4.0
# Bone within this distance above or below closes the ring where a foramen opens it.
REACH_MM = 18.0
# No wall of a canal lies farther from its middle.
DIRECTIONS = 16
LARGEST_DIAMETER_MM = 28.0
LARGEST_MEAN_RAY_MM = 10.0
SMALLEST_MEAN_RAY_MM = 5.0
# Lumbar canals are up to 27 mm wide and 22 mm deep, thoracic ones down to 14 mm (Panjabi 1991, 1992).
SOFT_HU = (-60.0, 160.0)
# Cord, cerebrospinal fluid and epidural fat, smoothed; myelographic contrast is not foreseen.
BODY_DISTANCE_MM = 22.0
# From the middle of the canal to the middle of the body, in front; bodies are 15 to 38 mm deep.
BODY_BONE_HU = 90.0
# Above this a smoothed voxel may belong to a body, an osteoporotic one included.
SMALLEST_BODY_SHARE = 0.3
SMALLEST_SYMMETRY = 0.0
LEAST_RING_SCORE = 0.2

WEIGHT_SIZE_PER_MM = 0.06
WEIGHT_OFF_CENTRE_PER_MM = 0.02
WEIGHT_BODY = 0.5
WEIGHT_SYMMETRY = 0.3
# Weights of the parts of the score, set on the public CT volumes; the ring itself counts up to 1.


def smooth(coarse: CoarseVolume) -> Float32Array:
    """Return the coarse volume smoothed by `SMOOTHING_MM`."""
    from scipy import ndimage

    return np.asarray(ndimage.gaussian_filter(coarse.hu, SMOOTHING_MM / coarse.spacing_mm), dtype=np.float32)


def measure_canal_likeness(smoothed_hu: Float32Array, spacing_mm: FloatArray, bone_hu: float) -> Float32Array:
    """Return a score of at most about 1.4 per voxel; NaN where a canal cannot be.

    Parameters
    ----------
    smoothed_hu
        Smoothed coarse volume, (z, y, x).
    spacing_mm
        Its spacing along z, y and x.
    bone_hu
        What counts as bone.
    """
    bone = _large_bones(smoothed_hu, spacing_mm, bone_hu)
    candidates = _candidates(smoothed_hu, bone, spacing_mm)
    score = _ring_score(_ray_lengths(bone, candidates, spacing_mm))
    good = score > LEAST_RING_SCORE
    candidates, score = candidates[good], score[good]
    body = _body_share(smoothed_hu, candidates, spacing_mm)
    symmetry = _symmetry(smoothed_hu, candidates, spacing_mm)
    score = score + WEIGHT_BODY * (body - 0.5) + WEIGHT_SYMMETRY * (symmetry - 0.5)
    good = (body > SMALLEST_BODY_SHARE) & (symmetry > SMALLEST_SYMMETRY)
    likeness = np.full(smoothed_hu.shape, np.nan, dtype=np.float32)
    likeness[tuple(candidates[good].T)] = score[good]
    return likeness


def _large_bones(smoothed_hu: Float32Array, spacing_mm: FloatArray, bone_hu: float) -> BoolArray:
    """Return bone, small pieces left out, stretched along the spine so that foramina close."""
    import cc3d
    from scipy import ndimage

    pieces = cc3d.connected_components(smoothed_hu > bone_hu, connectivity=6)
    large = np.bincount(pieces.ravel()) * float(np.prod(spacing_mm)) > SMALLEST_BONE_MM3
    large[0] = False
    reach = round(ALONG_SPINE_MM / spacing_mm[0])
    stretched = ndimage.maximum_filter1d(large[pieces].astype(np.uint8), 2 * reach + 1, axis=0)
    return np.asarray(stretched, dtype=np.bool_)


def _candidates(smoothed_hu: Float32Array, bone: BoolArray, spacing_mm: FloatArray) -> IntArray:
    """Return the indices of soft voxels with at least some bone within 20 mm."""
    from scipy import ndimage

    size = [1, max(1, round(40 / spacing_mm[1])), max(1, round(40 / spacing_mm[2]))]
    share = ndimage.uniform_filter(bone.astype(np.float32), size=size)
    soft = (smoothed_hu > SOFT_HU[0]) & (smoothed_hu < SOFT_HU[1])
    return np.asarray(np.argwhere(soft & ~bone & (share > 0.1)), dtype=np.intp)


def _ray_lengths(bone: BoolArray, candidates: IntArray, spacing_mm: FloatArray) -> Float32Array:
    """Return the distance to bone along each axial direction; infinite beyond `REACH_MM`."""
    step_mm = float(min(spacing_mm[1:]))
    margin = int(np.ceil(REACH_MM / step_mm)) + 1
    padded = np.pad(bone, ((0, 0), (margin, margin), (margin, margin)))
    _, height, width = padded.shape
    place = (candidates[:, 0] * height + candidates[:, 1] + margin) * width + candidates[:, 2] + margin
    flat = padded.ravel()
    lengths = np.full((DIRECTIONS, len(candidates)), np.inf, dtype=np.float32)
    for ray in range(DIRECTIONS):
        angle = 2 * np.pi * ray / DIRECTIONS
        for radius in np.arange(step_mm, REACH_MM + 1e-6, step_mm)[::-1]:
            rows = round(radius * np.cos(angle) / spacing_mm[1])
            columns = round(radius * np.sin(angle) / spacing_mm[2])
            lengths[ray][flat[place + rows * width + columns]] = radius
    return lengths


def _ring_score(lengths: Float32Array) -> Float32Array:
    """Return how far the rays describe a closed ring of a canal's size around its middle."""
    half = DIRECTIONS // 2
    met = np.isfinite(lengths)
    bounded = np.where(met, lengths, np.float32(REACH_MM))
    pairs = met[:half] & met[half:] & (bounded[:half] + bounded[half:] <= LARGEST_DIAMETER_MM)
    mean = bounded.mean(axis=0)
    size_error = np.maximum(0, mean - LARGEST_MEAN_RAY_MM) + np.maximum(0, SMALLEST_MEAN_RAY_MM - mean)
    off_centre = np.abs(bounded[:half] - bounded[half:]).mean(axis=0)
    score = 0.5 * met.mean(axis=0) + 0.5 * pairs.mean(axis=0)
    return np.asarray(score - WEIGHT_SIZE_PER_MM * size_error - WEIGHT_OFF_CENTRE_PER_MM * off_centre)


def _body_share(smoothed_hu: Float32Array, candidates: IntArray, spacing_mm: FloatArray) -> Float32Array:
    """Return the share of bone where a body would be, in front or (wrong header) behind, the larger."""
    from scipy import ndimage

    block = np.maximum(1, np.round(np.array([24.0, 14.0, 14.0]) / spacing_mm)).astype(int)
    share = ndimage.uniform_filter((smoothed_hu > BODY_BONE_HU).astype(np.float32), size=tuple(block))
    best = np.zeros(len(candidates), dtype=np.float32)
    for side in (-1.0, 1.0):
        for turn in np.radians([-15.0, 0.0, 15.0]):
            rows = candidates[:, 1] + round(side * BODY_DISTANCE_MM * np.cos(turn) / spacing_mm[1])
            columns = candidates[:, 2] + round(BODY_DISTANCE_MM * np.sin(turn) / spacing_mm[2])
            best = np.maximum(best, _looked_up(share, candidates[:, 0], rows, columns))
    return best


def _symmetry(smoothed_hu: Float32Array, candidates: IntArray, spacing_mm: FloatArray) -> Float32Array:
    """Return the correlation between what lies left and right of each candidate within 30 mm."""
    from scipy import ndimage

    block = np.maximum(1, np.round(np.array([9.0, 5.0, 5.0]) / spacing_mm)).astype(int)
    blurred = np.clip(ndimage.uniform_filter(smoothed_hu, size=tuple(block)), -100, 500)
    left, right = [], []
    for back_mm in np.arange(-24.0, 25.0, 6.0):
        rows = np.clip(candidates[:, 1] + round(back_mm / spacing_mm[1]), 0, blurred.shape[1] - 1)
        for aside_mm in np.arange(4.0, 33.0, 4.0):
            aside = round(aside_mm / spacing_mm[2])
            last = blurred.shape[2] - 1
            left.append(blurred[candidates[:, 0], rows, np.clip(candidates[:, 2] + aside, 0, last)])
            right.append(blurred[candidates[:, 0], rows, np.clip(candidates[:, 2] - aside, 0, last)])
    one, other = np.array(left), np.array(right)
    mean = (one.mean(axis=0) + other.mean(axis=0)) / 2
    one, other = one - mean, other - mean
    spread = ((one**2).mean(axis=0) + (other**2).mean(axis=0)) / 2
    return np.asarray((one * other).mean(axis=0) / np.maximum(spread, 50.0**2))


def _looked_up(values: Float32Array, slices: IntArray, rows: IntArray, columns: IntArray) -> Float32Array:
    """Return values at indices, 0 beyond the array."""
    inside = (rows >= 0) & (rows < values.shape[1]) & (columns >= 0) & (columns < values.shape[2])
    found = values[slices, np.clip(rows, 0, values.shape[1] - 1), np.clip(columns, 0, values.shape[2] - 1)]
    return np.asarray(np.where(inside, found, 0), dtype=np.float32)
