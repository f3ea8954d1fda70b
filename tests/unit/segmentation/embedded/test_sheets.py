"""A sheet follows the edges it has, ignores false ones, and is held where it has none."""

from __future__ import annotations

import numpy as np
import pytest

from cementct.segmentation.vertebrae.embedded.sheets import Expectation, fit_sheet

LEFT, UP = (a.ravel() for a in np.meshgrid(np.arange(-8.0, 9.0), np.arange(-10.0, 11.0), indexing="ij"))
TERMS = np.stack([np.ones(LEFT.size), LEFT, UP], axis=1)
USUAL = Expectation(np.array([10.0, 0.0, 0.0]), np.array([0.8, 0.05, 0.05]))


def test_a_sheet_with_all_its_edges_lies_on_them_wherever_it_was_expected() -> None:
    edges = 14.0 + 0.1 * LEFT
    sheet = fit_sheet(TERMS, edges, np.ones(LEFT.size), USUAL)
    assert sheet.coefficients == pytest.approx([14.0, 0.1, 0.0], abs=0.15)


def test_a_sheet_without_any_edge_lies_where_it_was_expected() -> None:
    sheet = fit_sheet(TERMS, np.zeros(LEFT.size), np.zeros(LEFT.size), USUAL)
    assert sheet.coefficients == pytest.approx([10.0, 0.0, 0.0], abs=1e-6)


def test_a_patch_of_false_edges_far_behind_does_not_draw_the_sheet_along() -> None:
    false = np.hypot(LEFT - 3, UP + 4) < 4
    edges = np.where(false, 16.0, 10.5)
    sheet = fit_sheet(TERMS, edges, np.ones(LEFT.size), USUAL, start=USUAL.aim)
    assert sheet.coefficients[0] == pytest.approx(10.5, abs=0.2)
    assert sheet.apart_mm[false].min() > 4


def test_what_agrees_with_more_edges_scores_higher() -> None:
    near, far = (fit_sheet(TERMS, np.full(LEFT.size, at), np.ones(LEFT.size), USUAL) for at in (10.0, 16.0))
    assert near.score > far.score > 0
