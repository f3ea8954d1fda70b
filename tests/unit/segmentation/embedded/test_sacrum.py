"""How the sacrum is told from a further vertebra, on columns drawn into a straightened spine."""

from __future__ import annotations

import numpy as np
import pytest

from cementct.segmentation.vertebrae.embedded.levels import DiscPlane, Levels
from cementct.segmentation.vertebrae.embedded.sacrum import find_sacral_disc
from cementct.segmentation.vertebrae.embedded.straighten import CanalCurve, StraightSpine

BACK_MM, LEFT_MM = np.arange(-62.0, 46.0), np.arange(-40.0, 41.0)
LENGTH, LOWEST_DISC, SPACING = 170, 70, 34
BODY_MM, WALL_MM = 34.0, -8.0


def spine(depth_mm, *, wings: bool = False) -> StraightSpine:
    """Return a straightened spine whose column of bone is so deep at each step."""
    in_front = (BACK_MM[None] <= WALL_MM) & (BACK_MM[None] > WALL_MM - np.asarray(depth_mm)[:, None])
    bone = in_front[:, :, None] & (np.abs(LEFT_MM) <= 22)
    if wings:
        below = np.arange(LENGTH)[:, None, None] < LOWEST_DISC + SPACING
        bone |= below & (BACK_MM[:, None] > -30) & (BACK_MM[:, None] < 0) & (np.abs(LEFT_MM) < 40)
    line = np.stack([np.arange(LENGTH, dtype=float), np.zeros(LENGTH), np.zeros(LENGTH)], axis=1)
    axes = (np.tile(np.eye(3)[axis], (LENGTH, 1)) for axis in range(3))
    return StraightSpine(
        np.where(bone, 220.0, 40.0).astype(np.float32), CanalCurve(line, *axes), BACK_MM, LEFT_MM
    )


def levels(spacing_mm: float = SPACING) -> Levels:
    discs = tuple(DiscPlane(LOWEST_DISC + n * spacing_mm, 0.0, 0.0) for n in range(3))
    return Levels(discs, (1.0, 1.0), (1.0, 1.0), 2.0)


def depth_with(end_mm: float) -> np.ndarray:
    """Return depths of a column that tapers to `end_mm` from 50 to 100 % of a spacing below the disc."""
    below = (LOWEST_DISC - np.arange(LENGTH)) / SPACING
    return BODY_MM + (end_mm - BODY_MM) * np.clip((below - 0.5) / 0.5, 0, 1)


def test_bone_that_begins_as_a_body_and_tapers_off_is_the_sacrum():
    assert find_sacral_disc(spine(depth_with(14.0)), levels()) == 0


def test_bone_that_stays_as_deep_is_a_further_vertebra():
    assert find_sacral_disc(spine(depth_with(BODY_MM)), levels()) is None


def test_a_further_vertebra_with_nothing_below_it_is_not_the_sacrum():
    ends = np.where(np.arange(LENGTH) < LOWEST_DISC - 0.85 * SPACING, 0.0, BODY_MM)
    assert find_sacral_disc(spine(ends), levels()) is None


def test_bone_that_tapers_off_below_a_body_with_a_bright_vessel_before_it_is_not_judged():
    before = np.where(np.arange(LENGTH) > LOWEST_DISC, 47.5, depth_with(14.0))
    assert find_sacral_disc(spine(before), levels()) is None


def test_nothing_below_the_last_disc_is_no_sacrum():
    nothing = np.where(np.arange(LENGTH) < LOWEST_DISC, 0.0, BODY_MM)
    assert find_sacral_disc(spine(nothing), levels()) is None


def test_short_vertebrae_are_too_high_up_for_the_sacrum():
    assert find_sacral_disc(spine(depth_with(14.0)), levels(spacing_mm=19.0)) is None


@pytest.mark.parametrize(("wings", "disc"), [(True, 1), (False, None)])
def test_the_lowest_vertebra_of_the_chain_is_s1_where_it_has_wings(wings, disc):
    assert find_sacral_disc(spine(np.full(LENGTH, BODY_MM), wings=wings), levels()) == disc
