"""What a lesion takes of the bone's rim, which outline it is looked for in, and which wall it is held to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from cementct.core.image import Region
from cementct.segmentation.lesion import Before, lesion_from_before, outlined_after
from cementct.segmentation.lesion.bone import prepare_bone
from cementct.segmentation.lesion.cortex import destroyed_rim
from cementct.segmentation.model import Registration

STILL = Registration(rotation=np.eye(3), translation_mm=np.zeros(3), ok=True, residual_mm=0.1, pre_number=101)


def before_of(made):
    return Before(made.volume, made.spine, made.spine.vertebrae[0], STILL)


def plate(top_mm):
    """Return a flat-topped lesion under the upper endplate, which lies at 11 mm."""
    return lambda x, y, z: (np.hypot(x, y) < 9.0) & (z < top_mm) & (z > -4.0)


@pytest.mark.parametrize("top_mm", [8.5, 12.0])
def test_a_rim_is_lesion_as_far_as_it_is_darker_than_sound_rim(build_spine, top_mm):
    made = build_spine(lesion=plate(top_mm))
    bone = prepare_bone(made.volume, made.spine.vertebrae[0])
    local = bone.local_mm()
    column = (np.hypot(local[..., 0], local[..., 1]) < 7.0) & (np.abs(local[..., 2]) < 12.0) & bone.outline
    share = destroyed_rim(bone, column.astype(np.float32), 50.0)
    layer = column & ~bone.interior & (local[..., 2] > 9.2)
    assert layer.any()
    mean = float(share[layer].mean())
    assert mean > 0.85 if top_mm > 11 else mean < 0.4


def test_an_outline_that_was_raised_into_the_disc_is_not_carried_back(build_spine):
    made = build_spine()
    upper = made.spine.vertebrae[0]
    inside = upper.body.in_box(made.volume.grid.box)
    raised = inside | np.roll(inside, 3, axis=0)
    taller = replace(upper, body=Region.of(raised))
    assert outlined_after(before_of(made), taller, made.volume.grid).body is None


def test_a_poor_outline_before_injection_gives_way_to_a_good_one_from_after_it(build_spine):
    made = build_spine()
    upper = made.spine.vertebrae[0]
    inside = upper.body.in_box(made.volume.grid.box)
    short = replace(upper, body=Region.of(ndimage.binary_erosion(inside, iterations=2)))
    poor = replace(before_of(made), vertebra=short)
    told = outlined_after(poor, upper, made.volume.grid)
    assert told.body is not None
    assert told.body.count == pytest.approx(upper.body.count, rel=0.02)


def test_the_wall_of_outlines_from_after_injection_is_the_one_that_counts(build_spine):
    made = build_spine(lesion=lambda x, y, z: x**2 + (y - 6.0) ** 2 + z**2 < 7.5**2)
    upper = made.spine.vertebrae[0]
    wall = replace(upper.posterior_wall, height_mm=upper.posterior_wall.height_mm - 4.0)
    before = replace(before_of(made), vertebra=replace(upper, posterior_wall=wall))
    told = outlined_after(before, upper, made.volume.grid)
    further = replace(upper.posterior_wall, height_mm=upper.posterior_wall.height_mm + 3.0)
    away = replace(upper, posterior_wall=further)
    assert lesion_from_before(told, made.volume.grid).posterior_wall_involved is True
    assert lesion_from_before(told, made.volume.grid, away).posterior_wall_involved is False
