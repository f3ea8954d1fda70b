"""What behind the bodies is bone, and what is too dense and too thick for it."""

from __future__ import annotations

import numpy as np

from cementct.core.grid import Box, Grid
from cementct.core.image import Volume
from cementct.segmentation.vertebrae.embedded import leaks_apart
from cementct.segmentation.vertebrae.embedded.coarse_region import CoarseRegion, coarsen, repeated
from cementct.segmentation.vertebrae.embedded.posterior_elements import (
    _core,
    _in_front_of_canal,
    share_out_bone,
)

SHAPE = (24, 24, 24)
GRID = Grid(SHAPE, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
EVERYTHING = Box((0, 0, 0), SHAPE)
NOTHING = np.zeros(SHAPE, dtype=np.uint8)
NOWHERE = np.zeros(SHAPE, dtype=np.bool_)


def region(hu: np.ndarray, canal: np.ndarray = NOWHERE, coarsest_mm: float = 1.5) -> CoarseRegion:
    return coarsen(Volume(hu, GRID), EVERYTHING, NOTHING, canal, coarsest_mm=coarsest_mm)


def near_cement(hu: np.ndarray) -> np.ndarray:
    coarse = region(hu)
    return np.asarray(
        leaks_apart.near_cement(coarse, leaks_apart.average_over_cortex(coarse) > leaks_apart.CEMENT_HU)
    )


def test_a_ball_of_cement_and_its_blur_are_no_cortex() -> None:
    hu = np.full(SHAPE, 60, dtype=np.int16)
    hu[9:14, 9:14, 9:14] = 2000
    found = near_cement(hu)
    assert found[11, 11, 11]
    assert found[11, 11, 15]
    assert not found[11, 11, 20]


def test_bright_cortex_is_too_thin_for_cement() -> None:
    hu = np.full(SHAPE, 60, dtype=np.int16)
    hu[:, :, 12] = 1400
    assert not near_cement(hu).any()


def test_the_outermost_millimetre_of_the_canal_may_be_its_wall() -> None:
    canal = np.zeros(SHAPE, dtype=np.bool_)
    canal[:, 6:18, 6:18] = True
    core = _core(region(np.full(SHAPE, 60, dtype=np.int16), canal))
    assert core[12, 12, 12]
    assert not core[12, 6, 12]
    assert core[0, 12, 12]


def test_between_canal_and_body_lies_no_bone_but_beside_the_canal_lie_pedicles() -> None:
    canal, body = np.zeros(SHAPE, dtype=np.bool_), NOTHING.copy()
    canal[:, 12:20, 6:18] = True
    body[:, :8] = 1
    hu = np.full(SHAPE, 60, dtype=np.int16)
    found = _in_front_of_canal(coarsen(Volume(hu, GRID), EVERYTHING, body, canal, coarsest_mm=1.5))
    assert found[12, 8:12, 12].all()
    assert not found[12, :8].any()
    assert not found[12, 17:, 12].any()
    assert not found[12, :, :7].any()
    assert not found[12, :, 17:].any()


def test_without_a_canal_nothing_lies_in_front_of_it() -> None:
    assert not _in_front_of_canal(region(np.full(SHAPE, 60, dtype=np.int16))).any()


def test_coarse_voxels_hold_the_mean_of_those_they_replace_and_lie_in_their_middle() -> None:
    hu = np.random.default_rng(3).integers(0, 1000, SHAPE).astype(np.int16)
    coarse = region(hu, coarsest_mm=2.0)
    assert coarse.steps == (2, 2, 2)
    np.testing.assert_allclose(coarse.hu[1, 2, 3], hu[2:4, 4:6, 6:8].mean())
    np.testing.assert_allclose(coarse.first_mm, (0.5, 0.5, 0.5))
    assert repeated(coarse.body, coarse.steps, (23, 24, 24)).shape == (23, 24, 24)


def test_without_vertebrae_there_is_no_bone_to_share_out() -> None:
    shared = share_out_bone(Volume(np.full(SHAPE, 500, dtype=np.int16), GRID), [], NOTHING, NOWHERE)
    assert not shared.vertebrae.any()
    assert not shared.other.any()
