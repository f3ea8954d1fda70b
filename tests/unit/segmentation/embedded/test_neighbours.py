"""A vertebra's posterior wall is expected on the curve through those of its neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from cementct.segmentation.vertebrae.embedded.block import Placement
from cementct.segmentation.vertebrae.embedded.neighbours import Neighbour, expected_wall, nearest
from cementct.segmentation.vertebrae.embedded.place import PlacedVertebra
from cementct.segmentation.vertebrae.embedded.posterior_wall import PosteriorWall
from cementct.segmentation.vertebrae.embedded.side_wall import SideWall

SPACING_MM = 30.0
RADIUS_MM = 400.0


def vertebra(level: int, *, canal_back_mm: float = 22.0) -> Neighbour:
    """Return a vertebra of a spine that is bent along a circle, its wall 15 mm behind its centre."""
    angle = level * SPACING_MM / RADIUS_MM
    up, back = np.array([np.cos(angle), np.sin(angle), 0.0]), np.array([-np.sin(angle), np.cos(angle), 0.0])
    centre = RADIUS_MM * np.array([np.sin(angle), 1 - np.cos(angle), 0.0]) - 15 * back
    placement = Placement(centre, np.array([0.0, 0.0, 1.0]), back, up)
    placed = PlacedVertebra(
        placement, SPACING_MM, 30.0, 0.5, cut_above=False, cut_below=False, canal_back_mm=canal_back_mm
    )
    bend = 1 / (2 * RADIUS_MM)
    wall = PosteriorWall(np.array([15.0, 0.0, 0.0, 0.0, bend]), 1.0, (11.0, 12.0))
    side = SideWall(np.full((60, 17), 16.0), np.linspace(-12, 12, 17), 0.0, np.ones((60, 17)))
    return Neighbour(placed, wall, side)


def test_between_two_neighbours_the_wall_lies_on_their_common_curve() -> None:
    expected = expected_wall(vertebra(0).placed, 1, {0: vertebra(1), 2: vertebra(-1)})
    assert expected is not None
    assert expected.aim[0] == pytest.approx(15.0, abs=0.2)
    assert expected.aim[3] == pytest.approx(0.0, abs=0.01)


def test_at_the_end_of_a_spine_the_canal_tells_and_less_surely() -> None:
    between = expected_wall(vertebra(0).placed, 1, {0: vertebra(1), 2: vertebra(-1)})
    beside = expected_wall(vertebra(0, canal_back_mm=24.0).placed, 2, {0: vertebra(2), 1: vertebra(1)})
    assert between is not None
    assert beside is not None
    assert beside.aim[0] == pytest.approx(17.0)
    assert beside.spread[0] > between.spread[0]


def test_without_a_sound_vertebra_near_nothing_is_expected() -> None:
    assert expected_wall(vertebra(0).placed, 5, {0: vertebra(1)}) is None


def test_the_nearest_neighbours_come_first() -> None:
    sound = {n: vertebra(-n) for n in (0, 1, 3, 4, 6)}
    assert nearest(sound, 2)[:2] == [1, 3]
