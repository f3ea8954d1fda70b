"""What lies beyond the reach of single vertebrae, compared with the scan before and with its like."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cementct.core.grid import Grid
from cementct.core.image import Volume
from cementct.segmentation.cement.companions import find_companions
from cementct.segmentation.cement.piece_rules import is_cement, is_new
from cementct.segmentation.model import Registration
from cementct.segmentation.seen_before import SOFT_TISSUE_MOVES_MM, SeenBefore
from tests.unit.segmentation.test_cement_pieces import CORD

GRID = Grid((40, 40, 40), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
# What was there before, at 20 mm along each axis, and where it lies since the patient moved.
CHALK_HU, MOVED_MM = 700, np.array([3.0, 0.0, 0.0])
# Far from bone, dilute, small: by itself it may be a calcification.
FRAGMENT = replace(
    CORD,
    volume_ml=0.06,
    peak_excess_hu=500.0,
    share_of_source=0.2,
    share_of_cortex=0.5,
    gap_to_seeds_mm=30.0,
    gap_to_treated_mm=25.0,
    gap_to_body_mm=25.0,
    mean_bone_depth_mm=-15.0,
    reach_away_mm=15.0,
)


def seen_before() -> SeenBefore:
    hu = np.full(GRID.shape, 40, dtype=np.int16)
    hu[20, 20, 20] = CHALK_HU
    moved = Registration(rotation=np.eye(3), translation_mm=MOVED_MM, ok=True, residual_mm=0.1)
    return SeenBefore(Volume(hu, GRID), np.array([[20.0, 20.0, 20.0]]), (moved,))


@pytest.mark.parametrize(("away_mm", "brightest_hu"), [(0.0, CHALK_HU), (5.0, CHALK_HU), (8.0, 40)])
def test_the_brightest_thing_within_the_reach_of_soft_tissue_is_told(
    away_mm: float, brightest_hu: float
) -> None:
    place = np.array([[20.0, 20.0 + away_mm, 20.0]]) + MOVED_MM
    assert (away_mm > SOFT_TISSUE_MOVES_MM) == (brightest_hu == 40)
    assert seen_before().brightest_near(place) == brightest_hu


def test_nothing_is_told_of_places_that_the_earlier_scan_hardly_shows() -> None:
    assert seen_before().brightest_near(np.array([[20.0, 20.0, 38.5]]) + MOVED_MM) is None


def test_a_fragment_that_was_not_there_before_is_cement() -> None:
    assert not is_cement(FRAGMENT)
    assert is_cement(replace(FRAGMENT, rise_since_before=450.0))


@pytest.mark.parametrize(
    "change",
    [{"bone_contact": 0.2}, {"length_mm": 90.0}, {"share_other": 0.5}, {"rise_since_before": 100.0}],
)
def test_what_touches_bone_is_long_or_rises_little_is_not_new(change: dict[str, float]) -> None:
    piece = replace(FRAGMENT, rise_since_before=450.0)
    assert is_new(piece)
    assert not is_new(replace(piece, **change))


def companions(fragment: object, *, gap_mm: int, chosen: int = 1) -> list[int]:
    """Return which of a row of pieces so far apart follow the first ones, which are cement."""
    pieces = dict.fromkeys(range(1, chosen + 1), CORD) | {9: fragment}
    places = {number: np.array([[0, 40 * number, 0]]) for number in pieces}
    places[9] = np.array([[gap_mm, 40, 0]])
    known = np.zeros(10, dtype=np.bool_)
    known[1 : chosen + 1] = True
    return find_companions(pieces, places, known, (1.0, 1.0, 1.0))


AS_BRIGHT = replace(FRAGMENT, peak_excess_hu=CORD.peak_excess_hu)


def test_a_fragment_beside_cement_of_the_same_brightness_is_cement() -> None:
    assert companions(AS_BRIGHT, gap_mm=6) == [9]
    assert companions(FRAGMENT, gap_mm=6) == []
    assert companions(replace(AS_BRIGHT, like_other_side=1.1), gap_mm=6) == []


def test_farther_away_it_takes_several_pieces_that_are_as_bright() -> None:
    assert companions(AS_BRIGHT, gap_mm=18) == []
    assert companions(AS_BRIGHT, gap_mm=18, chosen=2) == [9]
    assert companions(AS_BRIGHT, gap_mm=30, chosen=2) == []
