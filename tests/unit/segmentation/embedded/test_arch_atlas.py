"""Where vertebrae have bone behind their bodies: in pedicles and arches."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import FloatArray
from cementct.segmentation.vertebrae.embedded.arch_atlas import NODES_MM, Arch
from cementct.segmentation.vertebrae.embedded.block import Placement
from cementct.segmentation.vertebrae.embedded.posterior_wall import PosteriorWall

UP, BACK, LEFT = np.eye(3)
# Back coordinates of the wall and of the canal's middle.
WALL_MM, CANAL_MM = 15.0, 23.0


def arch(spacing_mm: float) -> Arch:
    placement = Placement(np.zeros(3), LEFT, BACK, UP)
    wall = PosteriorWall(np.array([WALL_MM, 0.0, 0.0, 0.0, 0.0]), 1.0, (11.0, 10.0))
    return Arch(placement, spacing_mm, CANAL_MM, wall)


def places(aside_mm: float, behind_wall_mm: float) -> FloatArray:
    """Return places at all heights of a vertebra, (3, n)."""
    up = np.arange(-10.0, 10.5, 0.5)
    back, left = np.full_like(up, WALL_MM + behind_wall_mm), np.full_like(up, aside_mm)
    return np.stack([up, back, left]).astype(np.float32)


def test_beside_the_canal_lie_pedicles() -> None:
    own, _, _, recess, hollow = arch(NODES_MM[-1]).shares_at(places(17.0, 1.0))
    assert own.max() > 150
    assert recess.all()
    assert not hollow.any()


def test_laminae_lie_behind_the_canal() -> None:
    own, _, behind, _, _ = arch(NODES_MM[-1]).shares_at(places(2.0, 20.0))
    assert own.max() > 100
    assert behind[own > 0].all()


def test_nothing_of_an_arch_lies_in_front_of_the_posterior_wall() -> None:
    own, _, _, recess, _ = arch(NODES_MM[-1]).shares_at(places(17.0, -1.0))
    assert not own.any()
    assert not recess.any()
