"""Pieces of chalk around one lumen before the spine are an artery's; cords of cement are none."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from cementct.core.arrays import FloatArray, IntArray
from cementct.segmentation.cement.calcified_artery import find_plaques
from cementct.segmentation.cement.scene import Scene, view_scene
from tests.unit.segmentation.column_of_blocks import blocks

# Aortas of the middle vertebra: where their axis runs (left, posterior), the body's front being at -16 mm.
AORTA_MM, RADIUS_MM = (8.0, -27.0), 10.0
HEIGHTS_MM = np.arange(-3.0, 3.1, 0.8)


@cache
def scene() -> Scene:
    volume = blocks().volume_without_cement()
    return view_scene(volume, volume.grid.box)


def on_grid(points_mm: FloatArray) -> IntArray:
    """Return the voxels of points in the middle vertebra's frame; they may lie beside the block."""
    index = scene().grid.to_index(blocks().middle.frame.to_lps(points_mm))
    return np.unique(np.round(index).astype(np.intp), axis=0)


def plaque(angle_deg: float, *, wide_deg: float = 20.0, axis_mm: tuple[float, float] = AORTA_MM) -> IntArray:
    """Return a plate in the wall of an aorta, 2 mm thick."""
    angle, radius, up = np.meshgrid(
        np.radians(angle_deg + np.linspace(-wide_deg / 2, wide_deg / 2, 9)),
        RADIUS_MM + np.array([-1.0, 0.0, 1.0]),
        HEIGHTS_MM,
    )
    x, y = axis_mm[0] + radius * np.cos(angle), axis_mm[1] + radius * np.sin(angle)
    return on_grid(np.stack([x, y, up], axis=-1).reshape(-1, 3))


def cord(*points_mm: tuple[float, float, float]) -> IntArray:
    """Return a cord of 3 mm along a line."""
    share = np.linspace(0.0, 1.0, 60)[:, None]
    ends = np.asarray(points_mm, dtype=np.float64)
    line = np.concatenate([a + share * (b - a) for a, b in pairwise(ends)])
    around = np.array(
        [(x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1)], dtype=np.float64
    )
    return on_grid((line[:, None] + around[None]).reshape(-1, 3))


def plaques(*pieces: IntArray) -> set[int]:
    places = dict(enumerate(pieces, start=1))
    return set(find_plaques(scene(), places, (blocks().middle,)))


@pytest.mark.parametrize("angles", [(10, 110, 230), (20, 80, 150, 230), (-60, 60, 180)])
def test_plaques_around_a_lumen_are_an_arterys(angles: tuple[float, ...]) -> None:
    assert plaques(*(plaque(a) for a in angles)) == set(range(1, len(angles) + 1))


def test_one_plate_nearly_all_around_is_an_arterys() -> None:
    assert plaques(plaque(90.0, wide_deg=270.0)) == {1}


def test_plaques_on_one_side_of_a_lumen_may_be_a_cord() -> None:
    assert plaques(plaque(20), plaque(90), plaque(160)) == set()


def test_two_pieces_lie_on_a_circle_always() -> None:
    assert plaques(plaque(10), plaque(170)) == set()


def test_cords_of_cement_along_a_body_surround_nothing() -> None:
    around_body = cord((-26.0, 0.0, 2.0), (-18.0, -20.0, 0.0), (0.0, -22.0, 0.0), (18.0, -20.0, 0.0))
    upwards = cord((20.0, -24.0, -20.0), (22.0, -26.0, 22.0))
    assert plaques(around_body, upwards, cord((30.0, 0.0, 0.0), (34.0, 8.0, 4.0))) == set()


def test_cement_beside_an_artery_is_left() -> None:
    leak = cord((-14.0, -19.0, 0.0), (-30.0, -14.0, 4.0))
    assert plaques(plaque(10), plaque(110), leak, plaque(230)) == {1, 2, 4}


def test_what_is_dense_in_the_lumen_speaks_against_an_artery() -> None:
    dense = on_grid(np.random.default_rng(0).normal((*AORTA_MM, 0.0), 1.2, (600, 3)))
    assert plaques(plaque(10), plaque(110), plaque(230), dense) == set()


def test_nothing_is_no_plaque() -> None:
    assert plaques() == set()
