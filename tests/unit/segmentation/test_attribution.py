"""Cement of two treated neighbours that meets in the disc between them: each keeps its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cementct.core.arrays import FloatArray
from cementct.segmentation.cement.attribution import attribute
from cementct.segmentation.cement.scene import view_scene
from cementct.segmentation.cement.surroundings import describe_surroundings
from cementct.segmentation.model import Cement
from cementct.testing.block_spine import block, cord, join
from tests.unit.segmentation.column_of_blocks import L1, L2, blocks, cement_of, cement_of_opacities

# Cement in L2, up to the endplate at 13 mm, and in L1, down to the endplate at 21 mm.
IN_L2 = block((-7, -7, -5), (7, 7, 13))
IN_L1 = block((-7, -7, 21), (7, 7, 38))


def heights_mm(cement: Cement, number: int) -> FloatArray:
    """Return how high the drawn cement of a vertebra lies above the middle of L2."""
    drawn = np.argwhere(cement.region & (cement.owner == number))
    return blocks().middle.frame.to_local(blocks().spine.grid.crop(cement.box).to_lps(drawn))[:, 2]


def test_leaks_that_meet_in_a_disc_are_parted_half_way_and_flagged() -> None:
    cement = cement_of(join(IN_L2, IN_L1, block((-4, -4, 13), (4, 4, 21))))

    assert abs(float(heights_mm(cement, L2).max()) - 17.0) < 1.5
    assert abs(float(heights_mm(cement, L1).min()) - 17.0) < 1.5
    for number in (L1, L2):
        assert "attribution-uncertain" in {f.flag.value for f in cement.flags[number]}


def test_a_leak_that_only_touches_the_neighbours_cement_stays_with_its_source() -> None:
    cement = cement_of(join(IN_L2, IN_L1, block((-4, -4, 13), (4, 4, 19.8))))

    assert float(heights_mm(cement, L2).max()) > 18.5
    assert float(heights_mm(cement, L1).min()) > 18.5


def test_a_leak_as_faint_as_its_source_is_not_followed_from_an_opaque_neighbour() -> None:
    faint = join(IN_L2, block((-4, -4, 13), (4, 4, 21.5)))

    cement = cement_of_opacities((faint, 1400.0), (IN_L1, 3000.0))

    assert float(heights_mm(cement, L2).max()) > 18.5
    assert float(heights_mm(cement, L1).min()) > 18.5


def test_a_leak_too_bright_for_the_cement_it_touches_came_from_elsewhere() -> None:
    # A cord of the opaque cement of L1 lies against faint cement that bulges out of the back of L2.
    bulging = join(IN_L2, block((-7, 7, -5), (7, 16.5, 5)))
    opaque = cord([(0.0, 19.0, -6.0), (0.0, 19.0, 20.0)], 6.0)

    cement = cement_of_opacities((bulging, 1300.0), (IN_L1, 2600.0), (opaque, 2600.0))

    behind = heights_mm(cement, L1)
    assert float(behind.min()) < -3.0


def test_a_leak_against_the_neighbours_wall_makes_that_one_no_treated_vertebra() -> None:
    # Up the canal, which begins at 16 mm, and 1.5 mm into the wall of L1: labels are wrong by
    # as much.
    through_wall = join(block((-7, -7, -5), (7, 17, 6)), block((-7, 16, -5), (7, 20, 40)))
    leaked = join(through_wall, block((-7, 14.5, 30), (7, 17, 40)))

    assert set(np.unique(cement_of(leaked).owner)) == {0, L2}


def test_cement_deep_in_a_small_body_makes_it_treated_beside_much_more() -> None:
    small = join(IN_L2, block((-5, -5, 26), (5, 5, 33)))

    assert set(np.unique(cement_of(small).owner)) == {0, L1, L2}


@pytest.mark.parametrize(("half_mm", "treated"), [(3.0, {L2}), (8.0, {L1, L2})])
def test_much_cement_makes_a_body_treated_though_thick_slices_show_none_of_it_deep(
    half_mm: float, treated: set[int]
) -> None:
    spine = blocks()
    in_l1 = block((-half_mm, -half_mm, 28), (half_mm, half_mm, 36))
    made = spine.cement_of(join(block((-16, -13, -12), (16, 13, 12)), in_l1))
    scene = view_scene(spine.volume_with(made), spine.spine.grid.box)
    around = describe_surroundings(scene, spine.spine, None)
    shallow = np.where(around.owner == L1, np.minimum(around.bone_depth_mm, 1.5), around.bone_depth_mm)
    share = np.zeros(scene.hu.shape, dtype=np.float32)
    share[made.box.slices] = made.fraction

    found = attribute(scene, spine.spine, replace(around, bone_depth_mm=shallow), share, treated=(L1, L2))

    assert set(found.treated) == treated
