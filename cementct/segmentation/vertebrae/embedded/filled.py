"""Bodies that cement fills: with broken endplates and no marrow in sight they look like no vertebra."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cementct.core.arrays import FloatArray
from cementct.segmentation.vertebrae.embedded.column import BodyColumn
from cementct.segmentation.vertebrae.embedded.pattern import Match
from cementct.segmentation.vertebrae.embedded.straighten import StraightSpine

# Brighter than any bone over some millimetres; within the column of bodies, and so far to both sides.
CEMENT_HU = 1100.0
HALF_WIDTH_MM = 16.0
# A body that holds so much cement in its middle part, with the middle of all cement near its own (shares of
# the spacing), is a vertebra although its pattern is not seen: that is worth so much of a sound one's match.
LEAST_ML = 1.0
MIDDLE_PART, OFF_MIDDLE = 0.6, 0.15
MIDDLE_HOLDS = 0.75
WORTH = 0.6


def with_filled_bodies(
    match: Match,
    spine: StraightSpine,
    column: BodyColumn,
    spacings_mm: np.ndarray[tuple[int, ...], np.dtype[np.int_]],
) -> Match:
    """Return the match of stretches of the spine, better where cement fills the middle of one.

    Parameters
    ----------
    match
        Over (step of the lower disc, spacing), from outside the straightened spine on.
    spine, column
        The straightened spine, and where its bodies lie.
    spacings_mm
        Lengths from disc to disc.
    """
    steps = len(match.score)
    area = np.pad(_cement_mm2(spine, column), (steps - spine.length) // 2)
    if not area.any():
        return match
    mass, moment = (np.append(0.0, np.cumsum(of)) for of in (area, area * np.arange(steps)))
    lower = np.arange(steps)[:, None]
    upper = np.minimum(lower + spacings_mm, steps)
    rim = (0.5 * (1 - MIDDLE_PART) * spacings_mm).astype(np.intp)
    inner = mass[np.maximum(upper - rim, lower)] - mass[np.minimum(lower + rim, upper)]
    whole = mass[upper] - mass[lower]
    middle = (moment[upper] - moment[lower]) / np.maximum(whole, 1e-6)
    filled = (inner >= 1000 * LEAST_ML) & (inner >= MIDDLE_HOLDS * whole)
    filled &= np.abs(middle - (lower + 0.5 * spacings_mm)) <= OFF_MIDDLE * spacings_mm
    # A vertebra whose pattern is seen all the same is none the better for its cement.
    gain = np.clip(1.0 - match.score, 0.0, WORTH)
    return replace(match, score=match.score + np.where(filled, gain * match.seen, 0.0))


def _cement_mm2(spine: StraightSpine, column: BodyColumn) -> FloatArray:
    """Return how much of the bodies' cross-section cement takes up at each step."""
    beside = np.abs(spine.left_mm) <= HALF_WIDTH_MM
    wall, front = column.wall_mm[:, None], (column.wall_mm - column.depth_mm)[:, None]
    within = (spine.back_mm <= wall) & (spine.back_mm >= front)
    dense = spine.hu[:, :, beside] > CEMENT_HU
    return np.asarray((dense.sum(axis=2) * within).sum(axis=1), dtype=np.float64)
