"""Bone in bands beside and behind the canal, and how it changes along the spine.

Endplates, pedicles, foramina, laminae and facets come and go with each vertebra. What changes along the
spine, band by band, is kept; averages that do not change drop out, so that neither contrast medium nor
osteopenia nor cement in one body disturbs much.
"""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray, IntArray
from cementct.core.image import NOT_MEASURED_BELOW_HU
from cementct.segmentation.vertebrae.embedded.column import BodyColumn
from cementct.segmentation.vertebrae.embedded.straighten import StraightSpine

# Bands in front of the canal, in shares of the depth of the body, from its posterior wall.
DEPTH_BANDS = ((-1.3, -1.0), (-1.0, -0.75), (-0.75, -0.5), (-0.5, -0.25), (-0.25, 0.0))
# The foremost band reaches no farther than this in front of the body.
FARTHEST_IN_FRONT_MM = 8.0
# Bands at and behind the canal, from its middle.
BACK_BANDS_MM = ((-7, -3), (-3, 1), (1, 5), (5, 9), (9, 14), (14, 20), (20, 28))
# Bands left and right of the midline, averaged over both sides.
ASIDE_BANDS_MM = ((0, 5), (6, 9), (10, 13), (14, 18), (19, 24), (25, 34))
BAND_COUNT = (len(DEPTH_BANDS) + len(BACK_BANDS_MM)) * len(ASIDE_BANDS_MM)
# Intensities count as bone from 0 to 1 between these: cortex wholly, marrow partly, cement as cortex.
BONE_HU = (60.0, 240.0)
# Of a band that has to be measured at a step.
LEAST_SEEN_SHARE = 0.3
# Standard deviation of the window whose average is taken away: half a vertebra.
TREND_MM = 12.0
# The change along the spine is scaled to unit strength, but noise is not scaled up beyond this.
STRENGTH_MM = 20.0
WEAKEST = 0.25


def describe_bands(spine: StraightSpine, column: BodyColumn) -> FloatArray:
    """Return the scaled change of bone along the spine in each band, (along, band); 0 where not measured."""
    low, high = BONE_HU
    share = np.clip((spine.hu - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    seen = spine.hu > NOT_MEASURED_BELOW_HU
    share *= seen
    bone = _summed_backwards(_strips(share))
    count = _summed_backwards(_strips(seen.astype(np.float32)))
    width = np.array([2 * (high - low + 1) - (low == 0) for low, high in ASIDE_BANDS_MM])
    steps = np.arange(spine.length)
    means, present = [], []
    for low_mm, high_mm in _edges(column):
        first, last = _row(spine, low_mm), _row(spine, high_mm)
        last = np.maximum(first, last)
        amount = count[steps, last] - count[steps, first]
        means.append((bone[steps, last] - bone[steps, first]) / np.maximum(amount, 1))
        present.append(amount > LEAST_SEEN_SHARE * (last - first)[:, None] * width)
    measured = spine.measured()[:, None]
    return _changes(np.concatenate(means, axis=1), np.concatenate(present, axis=1) & measured)


def _strips(values: Float32Array) -> Float32Array:
    """Return the sums over the strips beside the midline, both sides together, (along, back, strip)."""
    middle = values.shape[2] // 2
    folded = values[:, :, middle:].copy()
    folded[:, :, 1:] += values[:, :, middle - 1 :: -1]
    return np.stack([folded[:, :, low : high + 1].sum(axis=2) for low, high in ASIDE_BANDS_MM], axis=2)


def _summed_backwards(strips: Float32Array) -> Float32Array:
    """Return the sums over all rows in front of each row."""
    return np.concatenate([np.zeros_like(strips[:, :1]), np.cumsum(strips, axis=1)], axis=1)


def _edges(column: BodyColumn) -> list[tuple[FloatArray, FloatArray]]:
    """Return the back coordinates between which each band lies at each step."""
    in_front = [
        (
            column.wall_mm + np.maximum(low * column.depth_mm, -column.depth_mm - FARTHEST_IN_FRONT_MM),
            column.wall_mm + high * column.depth_mm,
        )
        for low, high in DEPTH_BANDS
    ]
    zero = np.zeros_like(column.wall_mm)
    return in_front + [(zero + low, zero + high) for low, high in BACK_BANDS_MM]


def _row(spine: StraightSpine, back_mm: FloatArray) -> IntArray:
    rows = np.ceil(back_mm - spine.back_mm[0]).astype(np.intp)
    return np.asarray(np.clip(rows, 0, len(spine.back_mm)))


def _changes(bands: FloatArray, present: BoolArray) -> FloatArray:
    """Return bands less their trend along the spine, scaled to unit strength."""
    from scipy import ndimage

    weight = present.astype(np.float64)

    def average(values: FloatArray, width: float) -> FloatArray:
        amount = ndimage.gaussian_filter1d(weight, width, axis=0)
        sums = ndimage.gaussian_filter1d(values * weight, width, axis=0)
        return np.asarray(sums / np.maximum(amount, 1e-3))

    change = (bands - average(bands, TREND_MM)) * weight
    strength = np.sqrt(average(change**2, STRENGTH_MM).sum(axis=1, keepdims=True))
    return np.asarray(change / np.maximum(strength, WEAKEST))
