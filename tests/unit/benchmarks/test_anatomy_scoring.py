"""The anatomy bench measures what it says, on blocks whose distances are known exactly."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.anatomy.bars import Figure, Form, Measure, least, most, slice_class
from benchmarks.anatomy.body_truth import bodies_of_masks
from benchmarks.anatomy.canal_truth import canal_of_column, middle_by_slice
from benchmarks.anatomy.shaping import Scene, merge_slices, narrow_box, thin_bone, turn_scene
from benchmarks.anatomy.surfaces import Face, body_frame, distances_mm, face_points, surface_of
from cementct.core.arrays import BoolArray, as_floats
from cementct.core.frame import Frame
from cementct.core.grid import Box, Grid
from cementct.core.image import PADDING_HU, LabelMap, Volume
from cementct.testing.realspine import RealVertebra, borders_of_real

GRID = Grid((60, 70, 70), (1.5, 0.8, 0.8), (0.0, 0.0, 0.0))
UP, BACK = as_floats([0.0, 0.0, 1.0]), as_floats([0.0, 1.0, 0.0])


def block(z: tuple[int, int], y: tuple[int, int], x: tuple[int, int]) -> BoolArray:
    mask = np.zeros(GRID.shape, dtype=np.bool_)
    mask[slice(*z), slice(*y), slice(*x)] = True
    return mask


TRUE = block((20, 40), (20, 50), (15, 55))


def mean_distances(found: BoolArray, whole: BoolArray = TRUE) -> dict[Face, float]:
    surface = surface_of(TRUE, GRID)
    frame = body_frame(surface, UP, BACK)
    faces = face_points(surface, frame, whole, GRID)
    return {face: float(distances_mm(points, found, GRID).mean()) for face, points in faces.items()}


def test_a_body_lies_at_no_distance_from_itself() -> None:
    assert all(abs(d) < 0.06 for d in mean_distances(TRUE).values())


def test_each_face_is_measured_on_its_own_and_with_its_sign() -> None:
    raised = mean_distances(block((20, 42), (20, 50), (15, 55)))
    assert raised[Face.SUPERIOR] == pytest.approx(2 * 1.5, abs=0.15)
    assert raised[Face.INFERIOR] == pytest.approx(0.0, abs=0.15)
    assert raised[Face.WALL] == pytest.approx(0.0, abs=0.15)
    assert mean_distances(block((20, 40), (20, 47), (15, 55)))[Face.WALL] == pytest.approx(-3 * 0.8, abs=0.15)


def test_an_endplate_beyond_the_found_body_is_as_far_off_as_its_nearest_point() -> None:
    shorter = mean_distances(block((20, 40), (20, 47), (15, 55)))
    assert -0.3 < shorter[Face.SUPERIOR] < 0.0


def test_what_is_far_off_counts_as_the_reach() -> None:
    nothing = np.zeros(GRID.shape, dtype=np.bool_)
    assert mean_distances(nothing)[Face.WALL] == pytest.approx(-8.0)


def test_the_wall_lies_only_where_no_pedicle_goes_on_behind_it() -> None:
    pedicles = block((30, 40), (50, 60), (15, 25)) | block((30, 40), (50, 60), (45, 55))
    surface = surface_of(TRUE, GRID)
    wall = face_points(surface, body_frame(surface, UP, BACK), TRUE | pedicles, GRID)[Face.WALL]
    z, _, x = np.moveaxis(GRID.to_index(wall.points_lps_mm), -1, 0)
    assert not np.any((z > 30) & ((x < 24.5) | (x > 45.5)))
    assert np.any((z > 30) & (np.abs(x - 35) < 5))


def test_a_frame_follows_tilted_endplates() -> None:
    z, y, _ = np.meshgrid(
        *(np.arange(n) * s for n, s in zip(GRID.shape, GRID.spacing_mm, strict=True)), indexing="ij"
    )
    height = z - 45 + np.tan(np.deg2rad(15)) * (y - 28)
    tilted = (np.abs(height) < 10) & TRUE
    frame = body_frame(surface_of(tilted, GRID), UP, BACK)
    lean = np.rad2deg(np.arctan2(frame.superior[1], frame.superior[2]))
    assert lean == pytest.approx(15, abs=2)


def test_a_mask_is_cut_at_the_wall_and_not_at_its_pedicles() -> None:
    # A body, two pedicles behind it, a lamina that closes the ring, and rims 1.6 mm behind the waist's wall.
    body = block((20, 40), (20, 50), (15, 55))
    rims = block((20, 25), (50, 52), (15, 55)) | block((36, 40), (50, 52), (15, 55))
    arch = (
        block((26, 38), (50, 65), (15, 23))
        | block((26, 38), (50, 65), (47, 55))
        | block((26, 38), (65, 68), (15, 55))
    )
    labels = LabelMap((body | rims | arch).astype(np.uint8) * 22, GRID)
    centre = tuple(float(c) for c in GRID.to_lps((29.5, 34.5, 34.5)))
    frame = Frame.from_axes(centre, UP, BACK)
    vertebra = RealVertebra(22, frame, 12.4, -12.0, 16.0, 15.0, 12.0, 9.6, 16.0, 3.0, -4.0, 10.0)
    found = np.asarray(bodies_of_masks(labels, [vertebra]).labels > 0)
    wrong = found ^ (body | rims)
    assert np.count_nonzero(wrong) / np.count_nonzero(body) < 0.03
    assert not found[:, 54:].any()


def scene() -> Scene:
    rng = np.random.default_rng(1)
    hu = rng.normal(100, 5, GRID.shape).astype(np.int16)
    hu[:, :5] = PADDING_HU
    labels = LabelMap(TRUE.astype(np.uint8) * 21, GRID)
    return Scene(Volume(hu, GRID), {"vertebrae": labels, "bodies": labels}, np.zeros((0, 3)))


def test_merged_slices_keep_place_and_volume() -> None:
    thick = merge_slices(scene(), 2)
    assert thick.volume.grid.spacing_mm[0] == 3.0
    before, after = (np.argwhere(s.maps["bodies"].labels > 0).mean(axis=0) for s in (scene(), thick))
    assert np.allclose(GRID.to_lps(before), thick.volume.grid.to_lps(after), atol=0.8)
    volumes = [np.count_nonzero(s.maps["bodies"].labels) * s.volume.grid.voxel_ml for s in (scene(), thick)]
    assert volumes[0] == pytest.approx(volumes[1], rel=0.02)
    assert np.all(thick.volume.hu[:, :5] == PADDING_HU)


def test_turning_keeps_what_lies_in_the_middle() -> None:
    turned = turn_scene(scene(), (0.0, 0.0, 15.0))
    counts = [np.count_nonzero(s.maps["bodies"].labels) for s in (scene(), turned)]
    assert counts[0] == pytest.approx(counts[1], rel=0.03)
    assert not np.array_equal(scene().maps["bodies"].labels, turned.maps["bodies"].labels)


def test_a_narrow_view_is_as_narrow_as_wanted() -> None:
    box = narrow_box(scene(), 10.0)
    assert box.shape[0] == GRID.shape[0]
    assert all(abs(n * 0.8 - 20.0) < 2.0 for n in box.shape[1:])


def test_thin_bone_loses_half_of_its_inside_and_nothing_outside() -> None:
    thin = thin_bone(scene().volume, scene().maps["vertebrae"])
    assert thin.hu[30, 35, 35] == pytest.approx(scene().volume.hu[30, 35, 35] / 2, abs=1)
    assert np.array_equal(thin.hu[~TRUE], scene().volume.hu[~TRUE])


def test_the_middle_of_a_canal_is_the_middle_of_its_slices() -> None:
    points = middle_by_slice(block((10, 12), (30, 41), (30, 41)), GRID)
    assert np.allclose(points, GRID.to_lps([[11, 35, 35], [10, 35, 35]]))


def test_a_figure_short_of_its_bar_is_bold() -> None:
    low = Measure("Dice", least(0.9, 0.8, 0.7), Form.SHARE, lambda _: Figure(0.85, 3))
    assert low.cell([], 0) == "**0.850 of 3** (≥ 0.900)"
    assert low.cell([], 1) == "0.850 of 3 (≥ 0.800)"
    assert low.cell([], 3) == "0.850 of 3"
    high = Measure("leak", most(0.03, 0.04, 0.06), Form.PERCENT, lambda _: Figure(0.035, 2))
    assert high.cell([], 0) == "**3.5 % of 2** (≤ 3.0 %)"


def test_slice_classes_hold_their_limits() -> None:
    assert [slice_class(s) for s in (0.7, 1.5, 2.0, 2.5, 3.0, 5.0)] == [0, 0, 1, 1, 2, 3]


def test_a_cropped_scene_keeps_its_places() -> None:
    box = Box((10, 10, 10), (50, 60, 60))
    part = scene().crop(box)
    assert np.allclose(part.volume.grid.to_lps((0, 0, 0)), GRID.to_lps((10, 10, 10)))


def test_the_canal_is_judged_where_laminae_close_it() -> None:
    bodies = {21: block((42, 58), (10, 40), (15, 55)), 22: block((22, 38), (10, 40), (15, 55))}
    column, labels = [], np.zeros(GRID.shape, dtype=np.uint8)
    for number, body in bodies.items():
        z = np.argwhere(body)[:, 0]
        arch = block((z.min(), z.min() + 8), (56, 60), (15, 55))
        labels[body | arch] = number
        x, y, height = (float(c) for c in GRID.to_lps(np.argwhere(body).mean(axis=0)))
        frame = Frame.from_axes((x, y, height), UP, BACK)
        column.append(RealVertebra(number, frame, 12.0, -12.0, 16.0, 12.0, 14.0, 9.0, 15.0, 3.0, -4.0, 10.0))
    points = canal_of_column(LabelMap(labels, GRID), column, borders_of_real(column))
    z, y, x = np.moveaxis(GRID.to_index(points), -1, 0)
    # From one body's middle to the other's, only the upper one's lamina lies between; 16 voxels before it.
    assert sorted(z) == list(range(42, 50))
    assert np.allclose(y, (40 + 55) / 2, atol=0.6)
    assert np.allclose(x, 34.5, atol=0.6)
