"""Distances in a column of blocks, where every wall is a plane whose place is known."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from cementct.anatomy.model import Compartment, CompartmentMap
from cementct.core.flags import Flag
from cementct.core.grid import Triple
from cementct.metrics.distances import Distances, measure_distances
from cementct.metrics.leaks import measure_leaks
from cementct.testing.block_spine import BlockSpine, Shape, ball, block, build_block_spine, join

L2 = 21


@cache
def column(spacing_mm: Triple = (1.0, 0.7, 0.7)) -> BlockSpine:
    return build_block_spine(spacing_mm, offset_mm=(0.23, 0.41, 0.12))


def distances(shape: Shape, spacing_mm: Triple = (1.0, 0.7, 0.7)) -> Distances:
    spine = column(spacing_mm)
    cement = spine.cement_of(shape)
    found = measure_leaks(cement, spine.spine, spine.volume_with(cement))
    return measure_distances(cement, spine.spine, leaks=found)[L2]


@pytest.mark.parametrize("spacing_mm", [(0.8, 0.6, 0.6), (3.0, 0.8, 0.8)])
@pytest.mark.parametrize("gap_mm", [1.0, 5.0])
def test_the_distance_to_the_posterior_wall_is_that_of_the_surfaces(
    gap_mm: float, spacing_mm: Triple
) -> None:
    found = distances(block((-5, 4, -5), (5, 16 - gap_mm, 5)), spacing_mm)

    assert found.posterior_wall_mm == pytest.approx(gap_mm, abs=0.55)


def test_a_ball_is_as_far_from_the_wall_as_its_nearest_point() -> None:
    assert distances(ball((0, 0, 0), 9)).posterior_wall_mm == pytest.approx(7.0, abs=0.55)


def test_cement_that_touches_the_wall_or_leaks_epidurally_is_at_no_distance() -> None:
    touching = block((-8, -4, -7), (8, 16, 7))
    leaking = join(block((-8, -6, -7), (8, 8, 7)), block((2, 17, -8), (8, 20, 8)))

    assert distances(touching).posterior_wall_mm == 0.0
    assert distances(leaking).posterior_wall_mm == 0.0


def test_the_foramina_are_measured_on_each_side() -> None:
    found = distances(block((-4, -6, -10), (10, 10, -4)))

    # Foramina begin 6 mm behind it; 1 mm to its left, and 7 mm to its right. Blur rounds its edges.
    assert found.foramen_mm.left == pytest.approx(np.hypot(6, 1), abs=1.0)
    assert found.foramen_mm.right == pytest.approx(np.hypot(6, 7), abs=1.0)


def test_cement_in_a_foramen_is_at_no_distance_from_it() -> None:
    found = distances(join(block((-8, -6, -7), (8, 4, 7)), block((13, 18, -10), (18, 24, -4))))

    assert found.foramen_mm.left == 0.0


@pytest.mark.parametrize(("gap_mm", "near"), [(4.0, True), (7.5, False)])
def test_the_papers_rule_asks_for_less_than_five_millimetres(gap_mm: float, near: bool) -> None:  # noqa: FBT001
    assert distances(block((-3, -8, -4), (3, 16 - gap_mm, 4))).within_5mm is near


def test_a_missing_foramen_gives_no_distance_and_says_why() -> None:
    spine = column()
    borders = spine.spine.compartments
    without = np.where(
        borders.compartment == Compartment.FORAMEN_RIGHT, Compartment.ELSEWHERE, borders.compartment
    ).astype(np.uint8)
    blind = replace(spine.spine, compartments=CompartmentMap(borders.box, without, borders.place))
    cement = spine.cement_of(ball((0, -2, 0), 6))

    found = measure_distances(cement, blind, leaks=measure_leaks(cement, blind, spine.volume_with(cement)))[
        L2
    ]

    assert found.foramen_mm.right is None
    assert found.foramen_mm.left is not None
    assert found.within_5mm is None
    assert [flag.flag for flag in found.flags] == [Flag.FORAMEN_NOT_ASSESSABLE]
