"""How far apart matching bone surfaces of two scans lie after one was moved onto the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cementct.core.arrays import FloatArray
from cementct.segmentation.registration.movement import Movement
from cementct.segmentation.registration.refine import Samples, Target

# Points on the steepest edges that are measured; their mean is steadier than 0.02 mm.
SURFACE_POINTS = 1_500
# A profile reaches this far to both sides of a surface: cortex and what lies on both sides of it.
PROFILE_MM = 2.0
# Surfaces further apart than this are not found again.
SEARCH_MM = 3.0
# Distance of the samples along a profile.
STEP_MM = 0.25
# Profiles that resemble each other less show no common surface: cement, a new fracture, noise.
MATCHING_CORRELATION = 0.85
# Matching surfaces that lie apart by more than this belong to a part that moved on its own.
INLIER_MM = 1.5
# Distances are averaged over the nearest points of like orientation, so that noise of single profiles
# (0.2 mm at 1.5 mm voxels, 0.7 mm at 3 mm) does not pass for displacement.
PATCH_POINTS = 20
# Distance that opposite orientations count as when patches are formed, halved: two sides of a plate stay
# apart.
NORMAL_WEIGHT_MM = 10.0


@dataclass(frozen=True)
class SurfaceMatch:
    """What the comparison of surfaces gave.

    Attributes
    ----------
    residual_mm
        Root mean square distance of the matching surfaces along their normals, or None where too few match.
    matching_share
        Share of the readable surface points that were found again within `INLIER_MM`.
    readable
        Number of surface points that cement and the scan's edge left readable.
    """

    residual_mm: float | None
    matching_share: float
    readable: int


def measure_surface_match(
    samples: Samples, before: Target, after: Target, movement: Movement
) -> SurfaceMatch:
    """Return how far bone surfaces of `before`, moved, lie from those of `after`.

    Parameters
    ----------
    samples
        Points on the vertebra in the pre-injection scan.
    before, after
        The two scans at the same scale.
    movement
        From the pre- to the post-injection scan.
    """
    points, normals = _steepest(samples, before)
    reach = np.arange(-PROFILE_MM - SEARCH_MM, PROFILE_MM + SEARCH_MM + STEP_MM / 2, STEP_MM)
    margin = round(SEARCH_MM / STEP_MM)
    lines = points[:, None, :] + reach[:, None] * normals[:, None, :]
    first, _ = before.sample(lines[:, margin:-margin].reshape(-1, 3))
    second, usable = after.sample(movement.apply(lines.reshape(-1, 3)))
    first = first.reshape(len(points), -1)
    second = second.reshape(len(points), -1)
    readable = usable.reshape(len(points), -1).min(axis=1) > 0
    if np.count_nonzero(readable) < 50:
        return SurfaceMatch(None, 0.0, int(np.count_nonzero(readable)))
    shift, correlation = _best_shift(first[readable], second[readable])
    found = (correlation > MATCHING_CORRELATION) & (np.abs(shift) < INLIER_MM)
    share = float(np.mean(found))
    if np.count_nonzero(found) < 25:
        return SurfaceMatch(None, share, int(np.count_nonzero(readable)))
    residual = _patchwise_rms(points[readable][found], normals[readable][found], shift[found])
    return SurfaceMatch(residual, share, int(np.count_nonzero(readable)))


def _patchwise_rms(points: FloatArray, normals: FloatArray, shift: FloatArray) -> float:
    """Return the root mean square of the mean shifts of small patches of surface."""
    from scipy.spatial import cKDTree

    place = np.concatenate([points, NORMAL_WEIGHT_MM * normals], axis=1)
    _, neighbours = cKDTree(place).query(place, k=min(PATCH_POINTS, len(place)))
    return float(np.sqrt(np.mean(shift[neighbours].mean(axis=1) ** 2)))


def _steepest(samples: Samples, before: Target) -> tuple[FloatArray, FloatArray]:
    gradient = before.gradient(samples.points_lps_mm)
    steepness = np.linalg.norm(gradient, axis=1)
    chosen = np.argsort(-steepness, kind="stable")[: min(SURFACE_POINTS, samples.hu.size // 3)]
    return samples.points_lps_mm[chosen], gradient[chosen] / np.maximum(steepness[chosen], 1e-6)[:, None]


def _best_shift(first: FloatArray, second: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return how far along its normal each profile is found again, in mm, and how like it is there."""
    length = first.shape[1]
    windows = np.lib.stride_tricks.sliding_window_view(second, length, axis=1)
    a = first - first.mean(axis=1, keepdims=True)
    b = windows - windows.mean(axis=2, keepdims=True)
    norm = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=2)
    correlation = np.einsum("nl,nwl->nw", a, b) / np.maximum(norm, 1e-6)
    correlation = ndimage.gaussian_filter1d(correlation, 0.5, axis=1)
    best = np.clip(correlation.argmax(axis=1), 1, correlation.shape[1] - 2)
    row = np.arange(len(best))
    left, middle, right = (correlation[row, best + step] for step in (-1, 0, 1))
    bend = np.minimum(left - 2 * middle + right, -1e-6)
    offset = np.clip(0.5 * (left - right) / bend, -0.5, 0.5)
    return (best + offset - correlation.shape[1] // 2) * STEP_MM, middle
