"""Evidence for discs: planes through the column of bodies that are dark between two bright plates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray
from cementct.core.image import NOT_MEASURED_BELOW_HU
from cementct.segmentation.vertebrae.embedded.column import BodyColumn
from cementct.segmentation.vertebrae.embedded.straighten import StraightSpine

# Tilts of discs against the plane at right angles to the canal: straightening leaves little, L5/S1 the most.
SAGITTAL_TILTS = np.tan(np.radians(np.arange(-30.0, 31.0, 5.0)))
CORONAL_TILTS = np.tan(np.radians(np.arange(-15.0, 16.0, 5.0)))
TILT_COST_PER_DEG2 = 5e-4
# Where a plane is looked at: shares of the body's depth in front of its posterior wall; beside the midline.
DEPTH_SHARES = np.linspace(0.12, 0.85, 8)
ASIDES_MM = np.linspace(-11, 11, 7)
# No plane through a step reaches farther than this along the spine.
BEYOND_MM = 45
# Discs are 3 to 13 mm thick, at most this share of the body's depth; thicker ones are bodies between discs.
THICKNESSES_MM = np.array([2, 3, 4, 6, 8, 10, 13])
THICKEST_OF_DEPTH = 0.3
TOO_THICK_HU_PER_MM = 30.0
# Of a plane that has to be measured.
LEAST_SEEN_SHARE = 0.3
CLIPPED_HU = (-150.0, 500.0)
# The drop counts relative to the local contrast of the column, held between these.
CONTRAST_HU = (60.0, 300.0)
# Evidence where a disc or one of its plates is not in view.
NEITHER = 0.0


@dataclass(frozen=True)
class DiscEvidence:
    """How much a plane at each step looks like the middle of a disc.

    Attributes
    ----------
    score
        Between -0.5 and 1, the best over thickness and tilt.
    by_tilt
        The best over thickness, (sagittal, coronal, along).
    """

    score: FloatArray
    by_tilt: Float32Array


@dataclass(frozen=True)
class Planes:
    """Mean intensities on planes of every tilt through every step, (sagittal, coronal, along).

    Attributes
    ----------
    mean_hu
        Of what was measured.
    seen
        Share of the plane that was measured.
    """

    mean_hu: Float32Array
    seen: Float32Array

    @property
    def untilted(self) -> tuple[FloatArray, BoolArray]:
        """Means of the planes at right angles to the canal, and where enough of them was measured."""
        middle = len(SAGITTAL_TILTS) // 2, len(CORONAL_TILTS) // 2
        return self.mean_hu[middle].astype(np.float64), self.seen[middle] > LEAST_SEEN_SHARE


def measure_discs(spine: StraightSpine, column: BodyColumn) -> DiscEvidence:
    """Return the evidence for a disc at each step along the straightened spine."""
    planes = average_over_planes(spine, column)
    drop = (_drops(planes, column) / _contrast(planes)).astype(np.float32)
    sagittal = np.degrees(np.arctan(SAGITTAL_TILTS))
    coronal = np.degrees(np.arctan(CORONAL_TILTS))
    drop -= (TILT_COST_PER_DEG2 * (sagittal[:, None] ** 2 + coronal[None] ** 2))[..., None]
    unseen = planes.seen <= LEAST_SEEN_SHARE
    drop[unseen] = np.minimum(drop[unseen], NEITHER)
    score = np.clip(drop.max(axis=(0, 1)), -0.5, 1.0)
    return DiscEvidence(np.asarray(score, dtype=np.float64), drop)


def average_over_planes(spine: StraightSpine, column: BodyColumn) -> Planes:
    """Return the means of the column's intensities on planes of every tilt."""
    steps = np.arange(spine.length)
    back = column.wall_mm[:, None] - DEPTH_SHARES * column.depth_mm[:, None]
    rows = np.clip(np.round(back - spine.back_mm[0]).astype(int), 0, len(spine.back_mm) - 1)
    columns = np.round(ASIDES_MM - spine.left_mm[0]).astype(int)
    hu = spine.hu[steps[:, None, None], rows[:, :, None], columns]
    seen = (hu > NOT_MEASURED_BELOW_HU).astype(np.float32)
    both = _extended(np.stack([np.clip(hu, *CLIPPED_HU) * seen, seen], axis=-1))
    from_middle = back - (column.wall_mm - column.depth_mm / 2)[:, None]
    depths = np.arange(len(DEPTH_SHARES))
    size = len(DEPTH_SHARES) * len(ASIDES_MM)
    shape = (len(SAGITTAL_TILTS), len(CORONAL_TILTS), spine.length)
    mean, share = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.float32)
    for c, coronal in enumerate(CORONAL_TILTS):
        lines = _extended(_summed_over_asides(both, coronal, spine.length))
        for s, sagittal in enumerate(SAGITTAL_TILTS):
            place = steps[:, None] + sagittal * from_middle + BEYOND_MM
            below = place.astype(int)
            part = (place - below)[..., None].astype(np.float32)
            sums = (lines[below, depths] * (1 - part) + lines[below + 1, depths] * part).sum(axis=1)
            share[s, c] = sums[:, 1] / size
            mean[s, c] = sums[:, 0] / np.maximum(sums[:, 1], 1e-3)
    return Planes(mean, share)


def _extended(values: Float32Array) -> Float32Array:
    return np.pad(values, [(BEYOND_MM, BEYOND_MM), *[(0, 0)] * (values.ndim - 1)])


def _summed_over_asides(extended: Float32Array, tilt: float, length: int) -> Float32Array:
    """Return the sums across the column along lines that rise to the left by `tilt`."""
    total = np.zeros((length, *extended.shape[1:2], 2), dtype=np.float32)
    for number, aside in enumerate(ASIDES_MM):
        rise = tilt * aside
        whole = int(np.floor(rise))
        part = np.float32(rise - whole)
        first = BEYOND_MM + whole
        total += extended[first : first + length, :, number] * (1 - part)
        total += extended[first + 1 : first + 1 + length, :, number] * part
    return total


def _drops(planes: Planes, column: BodyColumn) -> FloatArray:
    """Return how far each plane lies below the plates on both sides, the best over thickness."""
    reach = int(THICKNESSES_MM[-1])
    weight = planes.seen * (planes.seen > LEAST_SEEN_SHARE)
    sums, amounts = (_running_sums(values, reach) for values in (planes.mean_hu * weight, weight))
    along = np.arange(planes.seen.shape[2]) + reach

    def mean(first: np.ndarray, last: np.ndarray) -> tuple[FloatArray, FloatArray]:
        amount = amounts[..., last] - amounts[..., first]
        return (sums[..., last] - sums[..., first]) / np.maximum(amount, 1e-3), amount / (last - first)

    best = np.full(planes.seen.shape, -np.inf)
    for thickness in THICKNESSES_MM:
        half = thickness / 2
        thin = int(thickness <= 3)
        inside, inside_seen = mean(along - int(half) + 1 - thin, along + int(np.ceil(half)) + thin)
        away = round(half + 2)
        above, above_seen = mean(along + away - 1, along + away + 2)
        below, below_seen = mean(along - away - 1, along - away + 2)
        drop = (np.minimum(above, below) + 0.3 * np.maximum(above, below)) / 1.3 - inside
        in_view = np.minimum(np.minimum(above_seen, below_seen), inside_seen) > LEAST_SEEN_SHARE
        too_thick = np.maximum(0, thickness - THICKEST_OF_DEPTH * column.depth_mm)
        best = np.maximum(best, np.where(in_view, drop, NEITHER) - TOO_THICK_HU_PER_MM * too_thick)
    return best


def _running_sums(values: Float32Array, reach: int) -> FloatArray:
    longer = np.pad(values, ((0, 0), (0, 0), (reach + 1, reach + 1)))
    return np.cumsum(longer, axis=2, dtype=np.float64)


def _contrast(planes: Planes) -> FloatArray:
    """Return the local spread of the untilted profile along the spine."""
    from scipy import ndimage

    profile, known = planes.untilted
    if known.any():
        steps = np.flatnonzero(known)
        profile = profile[steps[np.clip(np.searchsorted(steps, np.arange(len(known))), 0, len(steps) - 1)]]
    bright = ndimage.percentile_filter(profile, 90, size=41)
    dark = ndimage.percentile_filter(profile, 15, size=41)
    return np.clip(ndimage.gaussian_filter1d(bright - dark, 10), *CONTRAST_HU).astype(np.float64)
