"""Grids place voxels in the patient."""

from __future__ import annotations

import numpy as np
import pytest

from cementct.core.grid import Box, Grid, canonical

SAGITTAL = Grid(
    shape=(4, 5, 6),
    spacing_mm=(3.0, 0.5, 0.7),
    origin_lps_mm=(40.0, -20.0, 300.0),
    direction=((-1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
)


def test_the_first_voxel_lies_at_the_origin() -> None:
    assert np.allclose(SAGITTAL.to_lps([0, 0, 0]), SAGITTAL.origin_lps_mm)


def test_a_step_along_an_axis_moves_by_its_spacing_in_its_direction() -> None:
    step = SAGITTAL.to_lps([1, 0, 0]) - SAGITTAL.to_lps([0, 0, 0])
    assert np.allclose(step, [-3.0, 0.0, 0.0])


def test_a_grid_made_from_its_own_affine_is_itself() -> None:
    assert Grid.from_affine(SAGITTAL.affine_lps, SAGITTAL.shape).is_close(SAGITTAL)


def test_the_origin_of_a_crop_is_where_its_first_voxel_was() -> None:
    crop = SAGITTAL.crop(Box((1, 2, 3), (4, 5, 6)))
    assert np.allclose(crop.to_lps([0, 0, 0]), SAGITTAL.to_lps([1, 2, 3]))


def test_a_canonical_grid_runs_to_the_head_the_back_and_the_left() -> None:
    turned, _ = canonical(SAGITTAL)
    assert np.allclose(turned.direction, [[0, 0, 1], [0, 1, 0], [1, 0, 0]])


def test_reorientation_keeps_every_voxel_where_it_is() -> None:
    turned, turn = canonical(SAGITTAL)
    values = np.arange(np.prod(SAGITTAL.shape)).reshape(SAGITTAL.shape)
    for index in np.ndindex(*SAGITTAL.shape):
        place = np.rint(turned.to_index(SAGITTAL.to_lps(index))).astype(int)
        assert turn.apply(values)[tuple(place)] == values[index]


def test_reorientation_is_undone_exactly() -> None:
    _, turn = canonical(SAGITTAL)
    values = np.arange(np.prod(SAGITTAL.shape)).reshape(SAGITTAL.shape)
    assert np.array_equal(turn.undo(turn.apply(values)), values)


def test_resizing_keeps_the_outer_faces() -> None:
    resized = SAGITTAL.resized((1.0, 1.0, 0.7))
    assert np.allclose(resized.to_lps([-0.5, -0.5, -0.5]), SAGITTAL.to_lps([-0.5, -0.5, -0.5]))


def test_a_box_grown_by_a_margin_stays_within_the_grid() -> None:
    grown = SAGITTAL.expand(Box((1, 1, 1), (2, 2, 2)), margin_mm=100.0)
    assert grown == SAGITTAL.box


def test_a_point_outside_the_outer_faces_is_not_contained() -> None:
    assert SAGITTAL.contains(SAGITTAL.to_lps([-0.4, 0, 0]))
    assert not SAGITTAL.contains(SAGITTAL.to_lps([-0.6, 0, 0]))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"spacing_mm": (0.0, 1.0, 1.0)}, "positive"),
        ({"shape": (0, 1, 1)}, "at least one voxel"),
        ({"origin_lps_mm": (np.nan, 0.0, 0.0)}, "finite"),
        ({"direction": ((0, 0, 1), (0, 1, 0), (0.5, 0, 0.8))}, "right angles"),
    ],
)
def test_an_impossible_grid_is_refused(change: dict[str, object], complaint: str) -> None:
    usual: dict[str, object] = {"shape": (2, 2, 2), "spacing_mm": (1, 1, 1), "origin_lps_mm": (0, 0, 0)}
    with pytest.raises(ValueError, match=complaint):
        Grid(**(usual | change))  # type: ignore[arg-type]


def test_the_common_block_of_disjoint_boxes_is_empty() -> None:
    assert Box((0, 0, 0), (2, 2, 2)).intersection(Box((3, 3, 3), (4, 4, 4))).is_empty
