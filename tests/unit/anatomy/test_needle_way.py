"""What lies on the way of a needle into a body, and what veins and ribs beside it do not."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from cementct.anatomy.model import Vertebra
from cementct.anatomy.needle_way import lies_on_a_needles_way
from cementct.core.arrays import FloatArray
from cementct.testing.block_spine import Shape, ball, build_block_spine, cord

# Beyond the arch of the block spine, whose left pedicle runs from 11 to 20 mm beside the middle.
STRAIGHT_BACK = ((15.0, 45.0, 5.0), (15.0, 62.0, 5.0))
FROM_THE_SIDE = ((26.0, 45.0, 6.0), (34.0, 58.0, 9.0))


@cache
def vertebra() -> Vertebra:
    return build_block_spine((1.0, 1.0, 1.0)).middle


def points_of(shape: Shape) -> FloatArray:
    axes = [np.arange(-60.0, 75.0, 0.8), np.arange(-40.0, 75.0, 0.8), np.arange(-30.0, 30.0, 0.8)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return points[shape(points)]


def on_the_way(shape: Shape) -> bool:
    points = points_of(shape)
    return lies_on_a_needles_way(points, np.ones(len(points)), vertebra())


@pytest.mark.parametrize("ends", [STRAIGHT_BACK, FROM_THE_SIDE])
def test_a_straight_cord_behind_a_pedicle_lies_on_a_needles_way(ends) -> None:
    assert on_the_way(cord(ends, 3.0))


@pytest.mark.parametrize(
    "ends",
    [
        ((15.0, 50.0, -12.0), (15.0, 50.0, 12.0)),
        ((5.0, 50.0, 5.0), (28.0, 50.0, 5.0)),
        ((45.0, 45.0, 5.0), (45.0, 62.0, 5.0)),
        ((1.0, 45.0, 5.0), (1.0, 62.0, 5.0)),
        ((26.0, -5.0, 5.0), (26.0, 20.0, 5.0)),
    ],
    ids=["up and down", "across", "far to the side", "in the middle", "beside the body"],
)
def test_other_cords_do_not(ends) -> None:
    assert not on_the_way(cord(ends, 3.0))


def test_neither_a_lump_nor_a_short_stump_has_a_direction() -> None:
    assert not on_the_way(ball((15.0, 52.0, 5.0), 5.0))
    assert not on_the_way(cord(((15.0, 48.0, 5.0), (15.0, 52.0, 5.0)), 1.0))
