"""Height loss against neighbours on both sides, and on one side only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cementct.anatomy.model import HeightField, Spine, Vertebra
from cementct.core.arrays import FloatArray
from cementct.core.levels import Level
from cementct.metrics.heights import USUAL_HEIGHT_MM, measure_heights
from cementct.testing.block_spine import build_block_spine


def plate(height_mm: float) -> HeightField:
    across, along = np.arange(-18.0, 19.0), np.arange(-13.0, 14.0)
    return HeightField(across, along, np.full((across.size, along.size), height_mm))


def with_plates(vertebra: Vertebra, shape: Callable[[FloatArray], FloatArray]) -> Vertebra:
    """Return a vertebra whose plates lie at ±12 mm times a shape over the depth."""
    field = plate(12.0)
    upper = field.height_mm * shape(field.second_mm)
    return replace(
        vertebra,
        superior_endplate=replace(field, height_mm=upper),
        inferior_endplate=replace(field, height_mm=-upper),
    )


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


def test_where_all_bodies_are_dished_each_depth_is_compared_with_the_neighbours():
    spine = spine_of((Level.L1, Level.L2, Level.L3))

    def dished(depth_mm: FloatArray) -> FloatArray:
        return np.where(np.abs(depth_mm) < 6.0, 0.75, 1.0)

    bodies = [with_plates(v, dished) for v in spine.vertebrae[:3]]
    bodies[1] = with_plates(bodies[1], lambda depth: dished(depth) * np.where(depth < 0, 0.6, 1.0))
    spine = replace(spine, vertebrae=tuple(bodies))
    assert measure_heights(bodies[1], spine).height_loss == pytest.approx(0.4, abs=0.03)
    # Beside a sound body, one that is dished is no measure.
    beside = replace(spine, vertebrae=(spine_of((Level.L1,)).vertebrae[0], *bodies[1:]))
    assert measure_heights(bodies[2], beside).height_loss == pytest.approx(0.25, abs=0.05)


def test_wedged_neighbours_are_no_measure_even_where_all_are():
    spine = spine_of((Level.L1, Level.L2, Level.L3))
    bodies = tuple(
        with_plates(v, lambda depth: np.where(depth < -6.0, 0.72, 1.0)) for v in spine.vertebrae[:3]
    )
    assert measure_heights(bodies[1], replace(spine, vertebrae=bodies)).height_loss is None


def test_osteophytes_that_overhang_the_disc_in_front_are_no_height_of_the_body():
    spine = spine_of((Level.L1, Level.L2, Level.L3))
    spurred = with_plates(spine.vertebrae[1], lambda depth: np.where(depth < -8.5, 1.8, 1.0))
    spine = replace(spine, vertebrae=(spine.vertebrae[0], spurred, spine.vertebrae[2]))
    assert measure_heights(spurred, spine).heights_mm.anterior == pytest.approx(24.0, abs=1.5)
