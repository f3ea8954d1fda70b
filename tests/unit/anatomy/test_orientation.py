"""A header that has two directions of the patient exchanged is noticed by the bone itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cementct.anatomy.describe import describe_spine
from cementct.anatomy.labels import SpineLabels
from cementct.anatomy.model import Spine
from cementct.anatomy.orientation import rough_frames, shown_upside_down
from cementct.core.findings import LevelSource
from cementct.core.frame import Frame
from cementct.core.image import LabelMap, Volume
from cementct.core.levels import Level
from tests.unit.anatomy.conftest import ExactSpine

# What a header may exchange, as steps along z, y and x: a scanner writes rotations, software mirrors too.
TURNED = {
    "head and feet, left and right": (-1, 1, -1),
    "front and back, left and right": (1, -1, -1),
    "head and feet, front and back": (-1, -1, 1),
    "head and feet": (-1, 1, 1),
    "front and back": (1, -1, 1),
}


@pytest.fixture(scope="module")
def spine(exact: Callable[..., ExactSpine]) -> ExactSpine:
    return exact(3, spacing_mm=(2.0, 1.5, 1.5))


def turned(array: np.ndarray, steps: tuple[int, int, int]) -> np.ndarray:
    z, y, x = steps
    return np.ascontiguousarray(array[::z, ::y, ::x])


def described(spine: ExactSpine, steps: tuple[int, int, int], **known: object) -> Spine:
    grid = spine.volume.grid
    labels = LabelMap(turned(spine.labels.vertebrae.labels, steps), grid)
    return describe_spine(Volume(spine.volume.hu, grid), replace(SpineLabels(labels), **known))


def test_the_header_that_is_right_is_believed(spine: ExactSpine) -> None:
    found = described(spine, (1, 1, 1))
    assert not found.orientation_contradicts_anatomy
    assert found.vertebrae[0].body.box.start[0] > found.vertebrae[2].body.box.start[0]


@pytest.mark.parametrize("steps", TURNED.values(), ids=TURNED.keys())
def test_labels_without_names_show_what_is_exchanged(spine: ExactSpine, steps: tuple[int, int, int]) -> None:
    found = described(spine, steps)
    assert found.orientation_contradicts_anatomy
    for vertebra in found.vertebrae:
        assert vertebra.frame.superior[2] * steps[0] > 0.9
        assert vertebra.frame.posterior[1] * steps[1] > 0.9
    heights = [v.frame.centre_lps_mm[2] * steps[0] for v in found.vertebrae]
    assert heights == sorted(heights, reverse=True)


def test_the_frames_of_an_engine_say_which_end_is_up(spine: ExactSpine) -> None:
    grid = spine.volume.grid
    steps = (-1, 1, -1)
    frames = {}
    for number, vertebra in enumerate(spine.vertebrae, start=1):
        index = grid.to_index(vertebra.frame.centre_lps_mm)
        index[[0, 2]] = np.asarray(grid.shape)[[0, 2]] - 1 - index[[0, 2]]
        frames[number] = Frame.from_axes(grid.to_lps(index), (0, 0, -1), (0, 1, 0))
    found = described(spine, steps, frames=frames)
    assert found.orientation_contradicts_anatomy
    assert found.vertebrae[0].frame.superior[2] < -0.9
    assert found.vertebrae[0].frame.centre_lps_mm[2] < found.vertebrae[2].frame.centre_lps_mm[2]


def test_names_of_a_label_file_that_run_upwards_contradict_the_header(spine: ExactSpine) -> None:
    levels = {1: Level.L1, 2: Level.L2, 3: Level.L3}
    source = LevelSource.LABEL_FILE
    assert described(spine, (-1, 1, -1), levels=levels, level_source=source).orientation_contradicts_anatomy
    upright = described(spine, (1, 1, 1), levels=levels, level_source=source)
    assert not upright.orientation_contradicts_anatomy


def test_organs_on_the_wrong_side_show_that_the_voxels_were_mirrored(spine: ExactSpine) -> None:
    left, right = np.array([[70.0, -60.0, 0.0], [50.0, -80.0, -30.0]]), np.array([[-60.0, -60.0, 0.0]])
    upright = (1, 1, 1)
    as_it_is = described(spine, upright, left_organs=left, right_organs=right)
    assert not as_it_is.orientation_contradicts_anatomy
    mirrored = described(spine, upright, left_organs=left * (-1, 1, 1), right_organs=right * (-1, 1, 1))
    assert mirrored.orientation_contradicts_anatomy
    # A stomach drawn over to the right by an operation is no mirror.
    displaced = np.array([[70.0, -60.0, 0.0], [-50.0, -80.0, -30.0]])
    assert not described(spine, upright, left_organs=displaced).orientation_contradicts_anatomy


def test_one_odd_vertebra_or_small_ones_say_nothing() -> None:
    assert not shown_upside_down([(-0.2, 30.0)])
    assert not shown_upside_down([(-0.2, 30.0), (0.05, 30.0), (-0.2, 30.0)])
    assert not shown_upside_down([(-0.2, 16.0), (-0.3, 16.0)])
    assert shown_upside_down([(-0.2, 30.0), (-0.1, 28.0)])


def test_a_sacrum_labelled_with_one_wing_only_does_not_tilt_the_vertebra_above(
    exact: Callable[..., ExactSpine],
) -> None:
    def with_wing(local: np.ndarray, whole: np.ndarray, number: int) -> np.ndarray:
        wing = (local[..., 0] > 8) & (local[..., 1] > -30) & (local[..., 1] < 60) & (local[..., 2] < 14)
        return whole | wing if number == 3 else whole

    made = exact(3, spacing_mm=(2.0, 1.5, 1.5), edit=with_wing)
    grid, labelled = made.volume.grid, made.labels.vertebrae.regions()
    regions = [labelled[n] for n in (1, 2, 3)]
    tilts = []
    for sacral in ((), (2,)):
        lowest = rough_frames(grid, regions, sacral=sacral)[1]
        assert lowest is not None
        tilts.append(float(np.degrees(np.arccos(lowest.superior[2]))))
    assert tilts[0] > 8.0
    assert tilts[1] < 2.0
