"""Cortex along the normals of a body's surfaces: where it ends, where cement hides it or passes for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, FloatArray, as_floats
from cementct.core.image import Volume
from cementct.segmentation.vertebrae.embedded.body import BodyOutline

# A surface is looked at along its normals, from so far inside to so far outside.
ALONG_MM = np.arange(-6.0, 5.01, 0.25)
# Cortex is the outermost bright place up to here, brighter by so much than the darkest within a reach of it.
FARTHEST_OUT_MM, LEAST_DROP_HU, DARK_WITHIN_MM = 2.5, 150.0, 2.5
# Beside gas in a disc, or lung, soft tissue drops by as much: gas counts like fat, and cortex is brighter
# than any soft tissue.
FAT_HU, LEAST_CORTEX_HU = -100.0, 190.0
# It is the brightest within this distance on both sides; cement and metal are brighter than it.
PEAK_WITHIN_MM, BRIGHTEST_HU = 0.75, 1000.0
# Dilute cement is not, but brighter by so much than the cortex of this scan (a percentile of each body's, and
# of those again a low one: many may have cement on them), or thicker with what it lies on by so much than its
# cortex alone, from half way up to half way down. Fewer places with cortex do not tell.
BRIGHTER_BY, BRIGHT_PERCENTILE, THICKER_BY_MM, FEWEST_TOPS = 1.3, 90.0, 1.0, 25
BODIES_PERCENTILE = 25.0
# Where bright cement lies flush on a surface, it leaves for soft tissue within a blur, and has so much cortex
# over it still.
BLUR_MM, SOFT_BELOW_HU, CORTEX_OVER_CEMENT_MM = 1.5, 250.0, 0.9

_STEP_MM = float(ALONG_MM[1] - ALONG_MM[0])


@dataclass(frozen=True)
class Places:
    """Places on a surface of a body and the directions outwards: (left, back, up), shape (n, 3)."""

    points_mm: FloatArray
    outwards: FloatArray


@dataclass(frozen=True)
class Cortex:
    """What profiles show of cortex, shape (n,).

    Attributes
    ----------
    gap_mm
        How far outside its surface each is half way down from cortex; NaN where it shows none.
    top_hu
        Its intensity; NaN where there is none.
    width_mm
        From half way up to half way down; infinite where there is none, or it does not drop inwards.
    """

    gap_mm: FloatArray
    top_hu: FloatArray
    width_mm: FloatArray

    @property
    def is_seen(self) -> BoolArray:
        """Whether a profile shows cortex."""
        return np.isfinite(self.gap_mm)

    def is_plain(self, usual: UsualCortex) -> BoolArray:
        """Tell where it is no brighter and no thicker than the cortex of its scan."""
        bright = self.top_hu >= usual.brightest_hu
        return self.is_seen & ~bright & (self.width_mm <= usual.thickest_mm)


@dataclass(frozen=True)
class UsualCortex:
    """What the cortex of one kind of surface does not exceed in a scan."""

    brightest_hu: float = BRIGHTEST_HU
    thickest_mm: float = float("inf")

    @classmethod
    def of(cls, bodies: Iterable[Cortex]) -> UsualCortex:
        """Return it from that kind of surface of every body."""
        tops, widths = [], []
        for cortex in bodies:
            seen = cortex.is_seen & np.isfinite(cortex.width_mm)
            if np.count_nonzero(seen) >= FEWEST_TOPS:
                tops.append(float(np.percentile(cortex.top_hu[seen], BRIGHT_PERCENTILE)))
                widths.append(float(np.median(cortex.width_mm[seen])))
        if not tops:
            return cls()
        top, width = (float(np.percentile(values, BODIES_PERCENTILE)) for values in (tops, widths))
        return cls(min(BRIGHTEST_HU, BRIGHTER_BY * top), width + THICKER_BY_MM)


def sample_profiles(volume: Volume, outline: BodyOutline, places: Places) -> FloatArray:
    """Return intensities along the normals, shape (n, steps)."""
    from scipy import ndimage

    points = places.points_mm[:, None] + places.outwards[:, None] * ALONG_MM[:, None]
    grid_mm = outline.placed.placement.to_grid_mm(points[..., 0], points[..., 1], points[..., 2])
    index = np.moveaxis(grid_mm / as_floats(volume.grid.spacing_mm), -1, 0)
    return np.asarray(ndimage.map_coordinates(volume.hu, index, order=1, mode="nearest", output=np.float64))


def flush_mm(profile_hu: FloatArray) -> FloatArray:
    """Return how far outside its surface each profile leaves cement for soft tissue; NaN where it does not.

    Only what lies inside says where the surface is: further out cement has leaked.
    """
    bright = (profile_hu >= BRIGHTEST_HU) & (ALONG_MM <= 0.0)
    last_mm = ALONG_MM[profile_hu.shape[1] - 1 - bright[:, ::-1].argmax(axis=1)]
    beyond = (last_mm[:, None] + BLUR_MM < ALONG_MM) & (ALONG_MM <= FARTHEST_OUT_MM)
    is_soft = np.where(beyond, profile_hu, -np.inf).max(axis=1) < SOFT_BELOW_HU
    return np.where(bright.any(axis=1) & is_soft, last_mm + CORTEX_OVER_CEMENT_MM, np.nan)


def find_cortex(profile_hu: FloatArray) -> Cortex:
    """Return what profiles show of cortex, from intensities at `ALONG_MM`, shape (n, steps)."""
    from scipy import ndimage

    profile_hu = np.maximum(profile_hu, FAT_HU)
    peak, reach = round(PEAK_WITHIN_MM / _STEP_MM), round(DARK_WITHIN_MM / _STEP_MM)
    highest = profile_hu >= ndimage.maximum_filter1d(profile_hu, 2 * peak + 1, axis=1)
    # The darkest from here outwards.
    dark = ndimage.minimum_filter1d(profile_hu, reach + 1, axis=1, origin=-(reach // 2))
    cortex = highest & (profile_hu - dark >= LEAST_DROP_HU) & (ALONG_MM <= FARTHEST_OUT_MM)
    cortex &= profile_hu >= LEAST_CORTEX_HU
    cortex[:, :peak] = False
    place = cortex.shape[1] - 1 - cortex[:, ::-1].argmax(axis=1)
    rows, steps = np.arange(len(profile_hu)), np.arange(profile_hu.shape[1])
    top = profile_hu[rows, place]
    found = cortex.any(axis=1) & (top < BRIGHTEST_HU)
    half = 0.5 * (top + dark[rows, place])
    low = profile_hu < half[:, None]
    beyond, within = low & (steps > place[:, None]), low & (steps < place[:, None])
    after, before = beyond.argmax(axis=1), steps[-1] - within[:, ::-1].argmax(axis=1)
    found &= beyond.any(axis=1)
    outer = ALONG_MM[after] - _STEP_MM * (1 - _part(profile_hu, rows, after - 1, after, half))
    inner = ALONG_MM[before] + _STEP_MM * (1 - _part(profile_hu, rows, before + 1, before, half))
    return Cortex(
        gap_mm=np.where(found, outer, np.nan),
        top_hu=np.where(found, top, np.nan),
        width_mm=np.where(found & within.any(axis=1), outer - inner, np.inf),
    )


def _part(
    profile_hu: FloatArray,
    rows: np.ndarray[tuple[int], np.dtype[np.intp]],
    high: np.ndarray[tuple[int], np.dtype[np.intp]],
    low: np.ndarray[tuple[int], np.dtype[np.intp]],
    level: FloatArray,
) -> FloatArray:
    """Return which part of the step from a high place to a low one a level lies at."""
    high_hu, low_hu = profile_hu[rows, np.minimum(high, profile_hu.shape[1] - 1)], profile_hu[rows, low]
    return np.asarray((high_hu - level) / np.maximum(high_hu - low_hu, 1e-6))
