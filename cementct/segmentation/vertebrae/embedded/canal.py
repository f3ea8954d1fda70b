"""How far each point of the coarse volume looks like the middle of the spinal canal.

A ring of bone of a canal's size surrounds it; a vertebral body lies in front; left mirrors right. The marrow
of an iliac wing and an osteoporotic body inside its cortex pass the first test only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray, IntArray
from cementct.segmentation.vertebrae.embedded.box_sum import box_sum
from cementct.segmentation.vertebrae.embedded.coarse import CoarseVolume
from cementct.segmentation.vertebrae.embedded.rings import find_rings

# Both are tried and the better track kept: with 180 alone osteopenic spines are lost, with 130 alone the
# foramina of dense ones close. Found on the public CT volumes of the project.
BONE_THRESHOLDS_HU = (130.0, 180.0)
# Standard deviation of the smoothing before thresholds: noise of 60 HU falls below 20.
SMOOTHING_MM = 1.5
# Smaller pieces of bone are noise, calcification or contrast.
SMALLEST_BONE_MM3 = 1000.0
# Bone within this distance above or below closes the ring where a foramen opens it.
ALONG_SPINE_MM = 4.0
# In a square of this side around the canal there is at least this share of bone.
NEAR_BONE_MM = 40.0
LEAST_BONE_NEAR = 0.1
# Cord, cerebrospinal fluid and epidural fat, smoothed; myelographic contrast is not foreseen.
SOFT_HU = (-60.0, 160.0)
# From the middle of the canal to the middle of the body, in front; bodies are 15 to 38 mm deep.
BODY_DISTANCE_MM = 22.0
# Above this a smoothed voxel may belong to a body, an osteoporotic one included.
BODY_BONE_HU = 90.0
# Along z, y and x: what lies in the middle of a body.
BODY_BLOCK_MM = np.array([24.0, 14.0, 14.0])
SMALLEST_BODY_SHARE = 0.3
# Left and right are compared in means over such blocks, between these.
MIRROR_BLOCK_MM = np.array([9.0, 5.0, 5.0])
MIRROR_HU = (-100.0, 500.0)
SMALLEST_SYMMETRY = 0.0
# Cord, fluid and fat, smoothed, stay below the first (middles of canals on public CT lay below 65 HU);
# marrow inside its cortex, and vessels with contrast medium, are nearer to the second.
BRIGHT_HU = (60.0, 110.0)

# Weights of the parts of the score, set on the public CT volumes; the ring itself counts up to 1.
WEIGHT_BODY = 0.5
WEIGHT_SYMMETRY = 0.3
WEIGHT_BRIGHT = 0.7


@dataclass(frozen=True)
class Surroundings:
    """What the search asks of the surroundings of a point, whatever counts as bone.

    Attributes
    ----------
    smoothed_hu
        Smoothed coarse volume, (z, y, x).
    spacing_mm
        Its spacing along z, y and x.
    body_share
        Share of what may be body in a block around each voxel.
    blurred_hu
        Means over small blocks, of which left and right are compared.
    """

    smoothed_hu: Float32Array
    spacing_mm: FloatArray
    body_share: Float32Array
    blurred_hu: Float32Array


def smooth(coarse: CoarseVolume) -> Float32Array:
    """Return the coarse volume smoothed by `SMOOTHING_MM`."""
    from scipy import ndimage

    return np.asarray(ndimage.gaussian_filter(coarse.hu, SMOOTHING_MM / coarse.spacing_mm), dtype=np.float32)


def describe_surroundings(smoothed_hu: Float32Array, spacing_mm: FloatArray) -> Surroundings:
    """Return what the search needs of a smoothed coarse volume."""
    size = _elements(BODY_BLOCK_MM, spacing_mm)
    body = box_sum((smoothed_hu > BODY_BONE_HU).astype(np.uint16), size) * np.float32(1 / np.prod(size))
    size = _elements(MIRROR_BLOCK_MM, spacing_mm)
    blurred = np.clip(box_sum(smoothed_hu, size) * np.float32(1 / np.prod(size)), *MIRROR_HU)
    return Surroundings(smoothed_hu, spacing_mm, body, blurred)


def measure_canal_likeness(around: Surroundings, bone_hu: float) -> Float32Array:
    """Return a score of at most about 1.4 per voxel; NaN where a canal cannot be.

    Parameters
    ----------
    around
        What surrounds each voxel.
    bone_hu
        What counts as bone.
    """
    bone = _large_bones(around, bone_hu)
    candidates = _candidates(around, bone)
    body = _body_share(around, candidates)
    good = body > SMALLEST_BODY_SHARE
    candidates, body = candidates[good], body[good]
    ringed, score = find_rings(bone, candidates, around.spacing_mm)
    candidates, body = candidates[ringed], body[ringed]
    symmetry = _symmetry(around, candidates)
    score = score + WEIGHT_BODY * (body - 0.5) + WEIGHT_SYMMETRY * (symmetry - 0.5)
    score = score - WEIGHT_BRIGHT * _brightness(around, candidates)
    good = symmetry > SMALLEST_SYMMETRY
    likeness = np.full(bone.shape, np.nan, dtype=np.float32)
    likeness[tuple(candidates[good].T)] = score[good]
    return likeness


def _large_bones(around: Surroundings, bone_hu: float) -> BoolArray:
    """Return bone, small pieces left out, stretched along the spine so that foramina close."""
    import cc3d

    bone = around.smoothed_hu > bone_hu
    where = np.flatnonzero(bone)
    piece = cc3d.connected_components(bone, connectivity=6).ravel()[where]
    large = np.bincount(piece, minlength=1) * float(np.prod(around.spacing_mm)) > SMALLEST_BONE_MM3
    kept = np.zeros(bone.shape, dtype=np.bool_)
    kept.ravel()[where] = large[piece]
    stretched = kept.copy()
    for shift in range(1, min(round(ALONG_SPINE_MM / around.spacing_mm[0]), len(kept) - 1) + 1):
        stretched[shift:] |= kept[:-shift]
        stretched[:-shift] |= kept[shift:]
    return stretched


def _candidates(around: Surroundings, bone: BoolArray) -> IntArray:
    """Return the indices of soft voxels with at least some bone around them."""
    size = [1, *_elements(np.full(2, NEAR_BONE_MM), around.spacing_mm[1:])]
    near = box_sum(bone.astype(np.uint16), size) > LEAST_BONE_NEAR * np.prod(size)
    near &= (around.smoothed_hu > SOFT_HU[0]) & (around.smoothed_hu < SOFT_HU[1]) & ~bone
    return np.asarray(np.argwhere(near), dtype=np.intp)


def _body_share(around: Surroundings, candidates: IntArray) -> Float32Array:
    """Return the share of bone where a body would be, in front or (wrong header) behind, the larger."""
    best = np.zeros(len(candidates), dtype=np.float32)
    for side in (-1.0, 1.0):
        for turn in np.radians([-15.0, 0.0, 15.0]):
            back = round(side * BODY_DISTANCE_MM * np.cos(turn) / around.spacing_mm[1])
            aside = round(BODY_DISTANCE_MM * np.sin(turn) / around.spacing_mm[2])
            rows, columns = candidates[:, 1] + back, candidates[:, 2] + aside
            np.maximum(best, _looked_up(around.body_share, candidates[:, 0], rows, columns), out=best)
    return best


def _brightness(around: Surroundings, candidates: IntArray) -> Float32Array:
    """Return how far each candidate is brighter than what a canal holds, 0 to 1."""
    darkest, brightest = BRIGHT_HU
    hu = around.smoothed_hu[tuple(candidates.T)]
    return np.asarray(np.clip((hu - darkest) / (brightest - darkest), 0, 1), dtype=np.float32)


def _symmetry(around: Surroundings, candidates: IntArray) -> Float32Array:
    """Return the correlation between what lies left and right of each candidate within 30 mm."""
    blurred, spacing_mm = around.blurred_hu, around.spacing_mm
    _, height, width = blurred.shape
    flat = blurred.ravel()
    total, squares, products = (np.zeros(len(candidates), dtype=np.float32) for _ in range(3))
    count = 0
    for back_mm in np.arange(-24.0, 25.0, 6.0):
        rows = np.clip(candidates[:, 1] + round(back_mm / spacing_mm[1]), 0, height - 1)
        row_start = (candidates[:, 0] * height + rows) * width
        for aside_mm in np.arange(4.0, 33.0, 4.0):
            aside = round(aside_mm / spacing_mm[2])
            left = flat.take(row_start + np.minimum(candidates[:, 2] + aside, width - 1))
            right = flat.take(row_start + np.maximum(candidates[:, 2] - aside, 0))
            total += left + right
            squares += left * left + right * right
            products += left * right
            count += 1
    mean = total / (2 * count)
    spread = squares / (2 * count) - mean**2
    return np.asarray((products / count - mean**2) / np.maximum(spread, np.float32(50.0**2)))


def _looked_up(values: Float32Array, slices: IntArray, rows: IntArray, columns: IntArray) -> Float32Array:
    """Return values at indices, 0 beyond the array."""
    inside = (rows >= 0) & (rows < values.shape[1]) & (columns >= 0) & (columns < values.shape[2])
    found = values[slices, np.clip(rows, 0, values.shape[1] - 1), np.clip(columns, 0, values.shape[2] - 1)]
    return np.asarray(np.where(inside, found, 0), dtype=np.float32)


def _elements(size_mm: FloatArray, spacing_mm: FloatArray) -> list[int]:
    return [int(n) for n in np.maximum(1, np.round(size_mm / spacing_mm))]
