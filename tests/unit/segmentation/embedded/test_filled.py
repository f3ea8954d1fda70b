"""A body full of cement is a vertebra, though its pattern is not seen."""

from __future__ import annotations

import numpy as np
import pytest

from cementct.segmentation.vertebrae.embedded.column import BodyColumn
from cementct.segmentation.vertebrae.embedded.filled import WORTH, with_filled_bodies
from cementct.segmentation.vertebrae.embedded.pattern import Match
from cementct.segmentation.vertebrae.embedded.straighten import CanalCurve, StraightSpine

LENGTH, BEYOND, SPACINGS = 90, 10, np.array([26, 30])
BACK_MM, LEFT_MM = np.arange(-45.0, 20.0), np.arange(-30.0, 31.0)
COLUMN = BodyColumn(np.full(LENGTH, -8.0), np.full(LENGTH, 30.0))
NO_MATCH = Match(np.full((LENGTH + 2 * BEYOND, 2), -0.2), np.ones((LENGTH + 2 * BEYOND, 2)))


def spine_with_cement(first: int, last: int, hu: float = 2500.0) -> StraightSpine:
    """Return a straight spine with cement of 14 by 14 mm in its bodies between two steps."""
    values = np.full((LENGTH, len(BACK_MM), len(LEFT_MM)), 50.0, dtype=np.float32)
    rows, columns = (BACK_MM >= -30) & (BACK_MM < -16), np.abs(LEFT_MM) <= 7
    values[first:last, np.flatnonzero(rows)[:, None], np.flatnonzero(columns)] = hu
    axis = np.stack([np.arange(LENGTH, dtype=float), np.zeros(LENGTH), np.zeros(LENGTH)], axis=1)
    curve = CanalCurve(axis, *(np.tile(row, (LENGTH, 1)) for row in np.eye(3)))
    return StraightSpine(values, curve, BACK_MM, LEFT_MM)


def gain(spine: StraightSpine, match: Match = NO_MATCH) -> np.ndarray:
    return np.asarray(with_filled_bodies(match, spine, COLUMN, SPACINGS).score - match.score)


def test_a_stretch_with_cement_in_its_middle_is_worth_as_much_as_half_a_vertebra() -> None:
    gained = gain(spine_with_cement(30, 42))
    # From 21 to 51, the middle of the cement.
    assert gained[BEYOND + 21, 1] == pytest.approx(WORTH)
    assert gained[BEYOND + 36, 1] == 0
    assert gained[BEYOND + 5, 1] == 0


@pytest.mark.parametrize(
    ("first", "last", "hu"), [(30, 34, 2500.0), (30, 42, 800.0)], ids=["little", "faint"]
)
def test_little_cement_and_dense_bone_tell_nothing(first: int, last: int, hu: float) -> None:
    assert not gain(spine_with_cement(first, last, hu)).any()


def test_a_vertebra_that_is_seen_gains_nothing() -> None:
    seen = Match(np.ones_like(NO_MATCH.score), NO_MATCH.seen)
    assert not gain(spine_with_cement(30, 42), seen).any()
