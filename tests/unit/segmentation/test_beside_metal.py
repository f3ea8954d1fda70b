"""Beside metal: cement goes up to it, its streaks in muscle are no leaks, and old cement's rim is not new."""

from __future__ import annotations

import numpy as np
import pytest

from cementct.core.grid import Grid
from cementct.core.image import Volume
from cementct.segmentation.cement.beside_metal import blurred_metal, carry_to_metal
from cementct.segmentation.cement.rims import without_rims
from cementct.segmentation.cement.scene import Scene, view_scene
from cementct.segmentation.cement.seeds import Seeds
from cementct.segmentation.cement.streaks import streaks_of_metal
from cementct.segmentation.cement.surroundings import Surroundings

SHAPE = (12, 40, 40)
GRID = Grid(SHAPE, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
METAL = (slice(2, 10), slice(18, 22), slice(18, 22))
BRIGHT_HU = 1750.0


def block(
    *, hu: np.ndarray | None = None, before: np.ndarray | None = None, in_bone: bool = True
) -> tuple[Scene, Surroundings]:
    """Return a scene and surroundings of one vertebra's bone, or of muscle beside it."""
    scene = view_scene(Volume(np.full(SHAPE, 40.0, np.float32) if hu is None else hu, GRID), GRID.box)
    nothing = np.zeros(SHAPE, dtype=np.uint8)
    around = Surroundings(
        compartment=nothing,
        place=nothing,
        owner=np.full(SHAPE, 21, dtype=np.uint16),
        bone_depth_mm=np.full(SHAPE, 5.0 if in_bone else -5.0, dtype=np.float32),
        expected_hu=np.full(SHAPE, 150.0, np.float32) if before is None else before,
        known=np.full(SHAPE, before is not None),
    )
    return scene, around


def mask(*where: slice) -> np.ndarray:
    found = np.zeros(SHAPE, dtype=np.bool_)
    found[where] = True
    return found


def test_cement_round_a_screw_reaches_it_and_the_screw_stays_free() -> None:
    scene, _ = block()
    metal = mask(*METAL)
    blurred = blurred_metal(scene, metal)
    share = np.where(blurred, 0.0, 1.0).astype(np.float32)
    carried = carry_to_metal(share, scene, metal=metal, blurred=blurred)
    assert not carried[metal].any()
    assert carried[~metal].min() == pytest.approx(1.0)


def test_nothing_is_carried_to_metal_in_muscle() -> None:
    scene, _ = block()
    metal = mask(*METAL)
    share = np.zeros(SHAPE, dtype=np.float32)
    assert not carry_to_metal(share, scene, metal=metal, blurred=blurred_metal(scene, metal)).any()


@pytest.mark.parametrize(("hu", "is_streak"), [(500.0, True), (2500.0, False)])
def test_a_faint_piece_that_touches_metal_in_muscle_is_its_streak(hu: float, *, is_streak: bool) -> None:
    piece = mask(slice(4, 7), slice(19, 21), slice(24, 34))
    scene, around = block(hu=np.where(piece, hu, 40.0).astype(np.float32), in_bone=False)
    metal = blurred_metal(scene, mask(*METAL))
    nothing = np.zeros(SHAPE, dtype=np.bool_)
    found = streaks_of_metal(scene, around, piece, seeds=nothing, metal=metal)
    assert bool(found.any()) is is_streak


@pytest.mark.parametrize(("thickness", "treated"), [(1, ()), (8, (21,))])
def test_the_rim_of_old_cement_is_old_and_a_mass_beside_it_is_new(
    thickness: int, treated: tuple[int, ...]
) -> None:
    before = np.full(SHAPE, 150.0, dtype=np.float32)
    before[:, 10:20, 10:20] = 2500.0
    scene, around = block(before=before)
    new = mask(slice(0, 12), slice(10, 20), slice(20, 20 + thickness))
    seeds = without_rims(scene, around, Seeds(new, (21,), (), BRIGHT_HU))
    assert seeds.treated == treated
    assert bool(seeds.mask.any()) is bool(treated)
