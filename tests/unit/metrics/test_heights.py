"""Height loss against neighbours on both sides, and on one side only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cementct.anatomy.model import HeightField, Spine
from cementct.core.levels import Level
from cementct.metrics.heights import USUAL_HEIGHT_MM, measure_heights
from cementct.testing.block_spine import build_block_spine


def plate(height_mm: float) -> HeightField:
    across, along = np.arange(-18.0, 19.0), np.arange(-13.0, 14.0)
    return HeightField(across, along, np.full((across.size, along.size), height_mm))


def spine_of(levels: tuple[Level, ...]) -> Spine:
    """Return bodies of one height, 24 mm, under the names of some levels."""
    spine = build_block_spine((2.0, 1.5, 1.5)).spine
    named = [
        replace(v, level=level, complete=True, superior_endplate=plate(12.0), inferior_endplate=plate(-12.0))
        for v, level in zip(spine.vertebrae, levels, strict=False)
    ]
    return replace(spine, vertebrae=tuple(named))


def test_a_body_between_two_sound_ones_is_compared_with_both():
    spine = spine_of((Level.L1, Level.L2, Level.L3))
    assert measure_heights(spine.vertebrae[1], spine).height_loss == pytest.approx(0.0, abs=1e-6)


def test_with_a_sound_neighbour_on_one_side_only_bodies_are_expected_to_grow_downwards():
    levels = (Level.T9, Level.T10, Level.T11)
    spine = spine_of(levels)
    low, high = spine.vertebrae[2], spine.vertebrae[0]
    growth = USUAL_HEIGHT_MM[Level.T11] / USUAL_HEIGHT_MM[Level.T9]
    found = measure_heights(low, spine, treated=(1,)).height_loss
    assert found == pytest.approx(1 - 1 / growth, abs=1e-6)
    assert measure_heights(high, spine, treated=(1,)).height_loss == pytest.approx(1 - growth, abs=1e-6)
