"""Surfaces of a body are moved to where its cortex ends."""

from __future__ import annotations

import numpy as np
import pytest

from cementct.core.arrays import BoolArray, FloatArray
from cementct.segmentation.vertebrae.embedded.cortex_profiles import Cortex, UsualCortex
from cementct.segmentation.vertebrae.embedded.settling import (
    FLUSH_SHARE,
    HIDDEN_INWARDS_MM,
    LEAST_WALL_SHARE,
    NEAR_MM,
    OUT_OF_LINE_MM,
    OUTSIDE_MM,
    SHARE_LIKE_EXPECTED,
    _back_in_line_mm,
    _bend_of,
    _seen_gaps,
    _shift_mm,
    _Surface,
    _terms,
)

USUAL = UsualCortex(brightest_hu=700.0, thickest_mm=2.5)
PLACES = 100


def surface(
    gap_mm: FloatArray, *, width_mm: FloatArray | float = 1.5, flush_mm: FloatArray | None = None
) -> _Surface:
    """Return a surface whose cortex ends at `gap_mm`, NaN where none is seen."""
    top = np.where(np.isfinite(gap_mm), 500.0, np.nan)
    nothing = np.full(PLACES, np.nan)
    return _Surface(
        np.zeros((PLACES, 3)),
        Cortex(gap_mm, top, np.broadcast_to(width_mm, PLACES).astype(float)),
        nothing if flush_mm is None else flush_mm,
    )


def first(share: float) -> BoolArray:
    """Return the first places."""
    return np.arange(PLACES) < share * PLACES


def test_a_surface_is_moved_to_its_cortex_as_far_as_it_is_off() -> None:
    assert _shift_mm(surface(np.full(PLACES, -1.5)), USUAL) == pytest.approx(-1.5 - OUTSIDE_MM + NEAR_MM)
    assert _shift_mm(surface(np.full(PLACES, OUTSIDE_MM + 0.3)), USUAL) == 0.0


def test_plain_cortex_says_where_a_surface_is_that_a_leak_covers_for_the_most_part() -> None:
    """A leak as dilute as cortex makes it look thick, and ends 1.5 mm further out."""
    covered = ~first(0.4)
    gap, width = np.where(covered, 1.5, -1.2), np.where(covered, 4.0, 1.5)
    assert _shift_mm(surface(gap, width_mm=width), USUAL) == pytest.approx(-1.2 - OUTSIDE_MM + NEAR_MM)


def test_where_all_cortex_is_thick_it_is_believed() -> None:
    assert _shift_mm(surface(np.full(PLACES, -1.2), width_mm=4.0), USUAL) < -0.5


def test_cement_before_a_destroyed_wall_does_not_move_it_against_its_cortex() -> None:
    """What is left of the wall lies where it was drawn; soft tumour lies between it and the cement."""
    left_over = first(0.12)
    before = surface(np.where(left_over, 0.3, np.nan), flush_mm=np.where(left_over, np.nan, -3.0))
    assert _shift_mm(before, USUAL, LEAST_WALL_SHARE) == 0.0


def test_only_an_endplate_is_told_by_cement_alone() -> None:
    hidden = surface(np.full(PLACES, np.nan), flush_mm=np.where(first(FLUSH_SHARE + 0.1), -2.0, np.nan))
    assert _shift_mm(hidden, USUAL) == 0.0
    assert len(list(_seen_gaps(hidden, USUAL, enough_flush=FLUSH_SHARE))) == 1


def test_an_endplate_is_tilted_and_dished_as_most_places_say() -> None:
    left, back = (a.ravel() for a in np.meshgrid(np.arange(-9.0, 9.1, 1.5), np.arange(-6.0, 6.1, 1.5)))
    terms, true = _terms(left, back), np.array([-2.0, 0.6, -0.3, 1.8])
    off = terms @ true + np.random.default_rng(1).normal(0, 0.1, len(terms))
    off[::6] = 2.5
    assert _terms(left, back) @ _bend_of(terms, off) == pytest.approx(terms @ true, abs=0.35)


def test_a_hidden_wall_behind_its_neighbours_curve_is_moved_onto_it() -> None:
    assert _back_in_line_mm(2.5, 0.0, None, 0.0) == pytest.approx(-2.5)
    assert _back_in_line_mm(9.0, 0.0, None, 0.0) == -HIDDEN_INWARDS_MM


def test_a_wall_near_the_curve_or_before_it_stays() -> None:
    """Fragments and bulging walls are seen; where a wall is not, the curve says how far back it may lie."""
    assert _back_in_line_mm(OUT_OF_LINE_MM, 0.0, None, 0.0) == 0.0
    assert _back_in_line_mm(-3.0, 0.0, None, 0.0) == 0.0


def test_plain_cortex_weighs_against_the_curve() -> None:
    assert _back_in_line_mm(1.0, 0.0, 1.0, SHARE_LIKE_EXPECTED) == 0.0
    assert _back_in_line_mm(2.0, 0.0, 1.0, SHARE_LIKE_EXPECTED) == pytest.approx(-1.5)
