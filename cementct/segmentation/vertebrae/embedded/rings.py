"""The ring of bone around the canal: rays in the axial plane meet it on all sides, in opposite pairs."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray, IntArray

# No wall of a canal lies farther from its middle.
REACH_MM = 18.0
DIRECTIONS = 16
# Lumbar canals are up to 27 mm wide and 22 mm deep, thoracic ones down to 14 mm (Panjabi 1991, 1992).
LARGEST_DIAMETER_MM = 28.0
LARGEST_MEAN_RAY_MM = 10.0
SMALLEST_MEAN_RAY_MM = 5.0
# Weights of the parts of the score, set on the public CT volumes; the ring itself counts up to 1.
WEIGHT_SIZE_PER_MM = 0.06
WEIGHT_OFF_CENTRE_PER_MM = 0.02
# Rays followed so far, and the score they have to reach for the others to be followed. On the public CT
# volumes the first two leave a quarter of the points, with 99 % of those that pass the last.
LEAST_RING_SCORE = 0.2
STAGES = ((4, -0.2), (8, 0.0), (DIRECTIONS, LEAST_RING_SCORE))


def find_rings(bone: BoolArray, points: IntArray, spacing_mm: FloatArray) -> tuple[IntArray, Float32Array]:
    """Return which points bone surrounds as it does a canal, and how well.

    Parameters
    ----------
    bone
        What rays end at, (z, y, x).
    points
        Indices (z, y, x), one a row, in rising order.
    spacing_mm
        Along z, y and x.
    """
    flat, place, width = _with_margin(bone, points, spacing_mm)
    left = np.arange(len(points))
    lengths = np.empty((DIRECTIONS, len(points)), dtype=np.float32)
    followed: set[int] = set()
    for count, least in STAGES:
        rays = range(0, DIRECTIONS, DIRECTIONS // count)
        for ray in rays:
            if ray not in followed:
                lengths[ray] = _ray_lengths(
                    flat, place[left], width, 2 * np.pi * ray / DIRECTIONS, spacing_mm
                )
        followed.update(rays)
        score = measure_ring(lengths[rays.start : rays.stop : rays.step])
        good = score > least
        left, score, lengths = left[good], score[good], lengths[:, good]
    return left, score


def measure_ring(lengths: Float32Array) -> Float32Array:
    """Return how far rays, (direction, point), describe a closed ring of a canal's size around its middle."""
    half = len(lengths) // 2
    met = np.isfinite(lengths)
    bounded = np.where(met, lengths, np.float32(REACH_MM))
    pairs = met[:half] & met[half:] & (bounded[:half] + bounded[half:] <= LARGEST_DIAMETER_MM)
    mean = bounded.mean(axis=0)
    size_error = np.maximum(0, mean - LARGEST_MEAN_RAY_MM) + np.maximum(0, SMALLEST_MEAN_RAY_MM - mean)
    off_centre = np.abs(bounded[:half] - bounded[half:]).mean(axis=0)
    score = 0.5 * met.mean(axis=0) + 0.5 * pairs.mean(axis=0)
    return np.asarray(
        score - WEIGHT_SIZE_PER_MM * size_error - WEIGHT_OFF_CENTRE_PER_MM * off_centre, dtype=np.float32
    )


def _with_margin(
    bone: BoolArray, points: IntArray, spacing_mm: FloatArray
) -> tuple[BoolArray, IntArray, int]:
    """Return bone with room for rays on all sides, flattened, with its row length.

    The points' places are those of the corner of a square of rays around each, so that none is negative.
    """
    margin = _margin(spacing_mm)
    padded = np.pad(bone, ((0, 0), (margin, margin), (margin, margin)))
    _, height, width = padded.shape
    place = (points[:, 0] * height + points[:, 1]) * width + points[:, 2]
    return padded.ravel(), place, width


def _ray_lengths(
    bone: BoolArray, place: IntArray, width: int, angle: float, spacing_mm: FloatArray
) -> Float32Array:
    """Return the distance to bone in one axial direction; infinite beyond `REACH_MM`."""
    step_mm = float(min(spacing_mm[1:]))
    margin = _margin(spacing_mm)
    lengths = np.full(len(place), np.inf, dtype=np.float32)
    for radius in np.arange(step_mm, REACH_MM + 1e-6, step_mm)[::-1]:
        row = margin + round(radius * np.cos(angle) / spacing_mm[1])
        column = margin + round(radius * np.sin(angle) / spacing_mm[2])
        np.copyto(lengths, np.float32(radius), where=bone[row * width + column :].take(place))
    return lengths


def _margin(spacing_mm: FloatArray) -> int:
    return int(np.ceil(REACH_MM / float(min(spacing_mm[1:])))) + 1
