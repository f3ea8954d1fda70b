"""The pattern that every vertebra repeats along the spine, and how well a stretch of spine matches it.

Bone in bands beside and behind the canal comes and goes with each vertebra: endplates, pedicles, foramina,
laminae, facets. What changes along the spine, band by band, is compared with that of measured vertebrae
(`pattern.npz`, made by benchmarks/make_vertebra_pattern.py). Averages that do not change along the spine drop
out, so that neither contrast medium nor osteopenia nor cement in one body disturbs much.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np

from cementct.core.arrays import BoolArray, FloatArray
from cementct.segmentation.vertebrae.embedded.column import BodyColumn
from cementct.segmentation.vertebrae.embedded.straighten import StraightSpine

PHASES = np.linspace(-0.15, 1.15, 27)
# Places along one vertebra, 0 being the middle of the disc below it and 1 that of the disc above.
DEPTH_BANDS = ((-1.3, -1.0), (-1.0, -0.75), (-0.75, -0.5), (-0.5, -0.25), (-0.25, 0.0))
# Bands in front of the canal, in shares of the depth of the body, from its posterior wall.
BACK_BANDS_MM = ((-7, -3), (-3, 1), (1, 5), (5, 9), (9, 14), (14, 20), (20, 28))
# Bands at and behind the canal, from its middle.
ASIDE_BANDS_MM = ((0, 5), (6, 9), (10, 13), (14, 18), (19, 24), (25, 34))
# Bands left and right of the midline, averaged over both sides.
BONE_HU = (60.0, 240.0)
# Intensities count as bone from 0 to 1 between these: cortex wholly, marrow partly, cement as cortex.
TREND_MM = 12.0
# Standard deviation of the window whose average is taken away: half a vertebra.
STRENGTH_MM = 20.0
WEAKEST = 0.25
# The change along the spine is scaled to unit strength, but noise is not scaled up beyond this.

LEAST_STRENGTH = 0.8
# A stretch of which less than this share of the usual change is in view cannot match fully.


def describe_bands(spine: StraightSpine, column: BodyColumn) -> tuple[FloatArray, BoolArray]:
    """Return the scaled change of bone along the spine in each band, (along, band), and where measured."""
    share = np.clip((spine.hu - BONE_HU[0]) / (BONE_HU[1] - BONE_HU[0]), 0, 1)
    seen = (spine.hu > -1500).astype(np.float32)
    aside = np.abs(spine.left_mm)
    strips = [(aside >= low) & (aside <= high) for low, high in ASIDE_BANDS_MM]
    bone = np.stack([(share * seen)[:, :, strip].sum(axis=2) for strip in strips], axis=2)
    count = np.stack([seen[:, :, strip].sum(axis=2) for strip in strips], axis=2)
    bands, present = [], []
    for rows in _rows_of_bands(spine, column):
        amount = (count * rows[..., None]).sum(axis=1)
        bands.append((bone * rows[..., None]).sum(axis=1) / np.maximum(amount, 1))
        present.append(amount > 0.3 * rows.sum(axis=1)[:, None] * [s.sum() for s in strips])
    measured = spine.measured()
    return _changes(
        np.concatenate(bands, axis=1), np.concatenate(present, axis=1) & measured[:, None]
    ), measured


def _rows_of_bands(spine: StraightSpine, column: BodyColumn) -> list[BoolArray]:
    """Return for each band the (along, back) samples in it."""
    back = spine.back_mm[None]
    rows = []
    for low, high in DEPTH_BANDS:
        start = np.maximum(low * column.depth_mm, -column.depth_mm - 8)
        inside = (back >= (column.wall_mm + start)[:, None]) & (
            back < (column.wall_mm + high * column.depth_mm)[:, None]
        )
        rows.append(inside)
    for first, last in BACK_BANDS_MM:
        rows.append(np.repeat((back >= first) & (back < last), spine.length, axis=0))
    return rows


def _changes(bands: FloatArray, present: BoolArray) -> FloatArray:
    """Return bands less their trend along the spine, scaled to unit strength."""
    from scipy import ndimage

    weight = present.astype(np.float64)

    def average(values: FloatArray, width: float) -> FloatArray:
        amount = ndimage.gaussian_filter1d(weight, width, axis=0)
        return np.asarray(
            ndimage.gaussian_filter1d(values * weight, width, axis=0) / np.maximum(amount, 1e-3)
        )

    change = (bands - average(bands, TREND_MM)) * weight
    strength = np.sqrt(average(change**2, STRENGTH_MM).sum(axis=1, keepdims=True))
    return np.asarray(change / np.maximum(strength, WEAKEST))


def match_pattern(changes: FloatArray, spacings: np.ndarray) -> FloatArray:
    """Return how well a vertebra fits that begins at each step and is as long as each spacing.

    Returns
    -------
    FloatArray
        Correlation between -1 and 1, shape (along, spacing); the step is the middle of the disc below.
    """
    return np.asarray(np.max([_correlate(changes, pattern, spacings) for pattern in _patterns()], axis=0))


def _correlate(changes: FloatArray, pattern: FloatArray, spacings: np.ndarray) -> FloatArray:
    response = changes @ (pattern / np.linalg.norm(pattern)).T
    energy = (changes**2).sum(axis=1)
    seen = energy[energy > 0]
    floor = LEAST_STRENGTH * np.sqrt(len(PHASES) * float(np.median(seen) if seen.size else 1.0))
    length = len(changes)
    phase = np.arange(len(PHASES))
    scores = np.empty((length, len(spacings)))
    for number, spacing in enumerate(spacings):
        place = np.round(np.arange(length)[:, None] + PHASES * spacing).astype(int)
        inside = (place >= 0) & (place < length)
        place = np.clip(place, 0, length - 1)
        fit = (response[place, phase] * inside).sum(axis=1)
        norm = np.sqrt((energy[place] * inside).sum(axis=1))
        scores[:, number] = fit / np.maximum(norm, floor)
    return scores


@cache
def _patterns() -> tuple[FloatArray, ...]:
    """Return the measured patterns: thoracic, lumbar and the mean of both."""
    with (files(__package__) / "pattern.npz").open("rb") as stream:
        stored = np.load(stream)
        thoracic, lumbar = stored["thoracic"].astype(np.float64), stored["lumbar"].astype(np.float64)
    return thoracic, lumbar, thoracic + lumbar
