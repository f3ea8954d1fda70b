import numpy as np
import pytest

from cementct.core.grid import Grid
from cementct.core.image import Volume
from cementct.segmentation.vertebrae.embedded import segment_vertebrae
from cementct.segmentation.vertebrae.embedded.canal import describe_surroundings, measure_canal_likeness
from cementct.segmentation.vertebrae.embedded.column import BodyColumn
from cementct.segmentation.vertebrae.embedded.engine import FoundSpine, measure_worth
from cementct.segmentation.vertebrae.embedded.levels import DiscPlane, Levels
from cementct.segmentation.vertebrae.embedded.straighten import CanalCurve, StraightSpine
from cementct.segmentation.vertebrae.embedded.tracking import (
    CanalTrack,
    find_best_chain,
    track_canal,
)

SPACING = np.array([2.5, 2.0, 2.0])


def test_a_chain_follows_a_leaning_line_and_ends_where_it_ends() -> None:
    likeness = np.full((30, 40, 40), np.nan, dtype=np.float32)
    truth = [(z, 15 + z // 4, 20 - z // 5) for z in range(5, 25)]
    for place in truth:
        likeness[place] = 1.0
    _, path = find_best_chain(likeness, SPACING)
    assert (path[0][0], path[-1][0]) == (5, 24)
    assert np.abs(path - np.array(truth)).max() <= 1


@pytest.mark.parametrize("spacing_mm", [(1.6, 2.26, 2.26), (1.5, 2.2, 2.2), (1.0, 2.4, 2.4), (1.6, 1.8, 2.3)])
def test_a_chain_leans_however_thin_slices_are(spacing_mm: tuple[float, float, float]) -> None:
    """At 0.8 and 1.5 mm with pixels of some 0.56 mm no step aside had been allowed, and L5 was lost."""
    likeness = np.full((48, 40, 40), np.nan, dtype=np.float32)
    for z in range(48):
        row = 10 + round(0.45 * z * spacing_mm[0] / spacing_mm[1])
        likeness[z, row - 1 : row + 2, 19:22] = 0.9
        likeness[z, row, 20] = 1.2
    _, path = find_best_chain(likeness, np.array(spacing_mm))
    assert (path[0][0], path[-1][0]) == (0, 47)
    assert abs(path[-1][1] - row) <= 1


def test_a_gap_of_one_slice_is_crossed() -> None:
    likeness = np.full((20, 10, 10), np.nan, dtype=np.float32)
    likeness[:, 5, 5] = 1.0
    likeness[9] = np.nan
    _, path = find_best_chain(likeness, SPACING)
    assert len(path) == 20


def test_a_chain_ends_at_a_wall_of_bone_behind_which_something_else_looks_like_a_canal() -> None:
    likeness = np.full((24, 20, 20), np.nan, dtype=np.float32)
    likeness[:14, 10, 10] = 1.0
    likeness[17:, 12, 10] = 1.0
    wall = np.zeros(likeness.shape, dtype=np.bool_)
    wall[14:17] = True
    _, through_soft_tissue = find_best_chain(likeness, SPACING)
    _, path = find_best_chain(likeness, SPACING, bone=wall)
    assert through_soft_tissue[-1][0] == 23
    assert path[-1][0] == 13


def test_a_chain_goes_on_past_cement_that_fills_the_canal() -> None:
    likeness = np.full((30, 20, 20), np.nan, dtype=np.float32)
    likeness[:, 10, 10] = 1.0
    cement = np.zeros(likeness.shape, dtype=np.bool_)
    cement[14:17, 8:13, 8:13] = True
    likeness[cement] = np.nan
    _, path = find_best_chain(likeness, SPACING, bone=cement)
    assert len(path) == 30


def test_a_bony_ring_with_a_body_in_front_looks_like_a_canal_and_a_ring_alone_does_not() -> None:
    rows, columns = np.meshgrid(np.arange(60) * 2.0, np.arange(60) * 2.0, indexing="ij")

    def draw(*, with_body: bool) -> np.ndarray:
        plane = np.full((60, 60), 40.0, dtype=np.float32)
        if with_body:
            plane[np.hypot((rows - 45) / 16, (columns - 60) / 20) < 1] = 250
        distance = np.hypot(rows - 70, columns - 60)
        plane[(distance > 9) & (distance < 14)] = 500
        return np.repeat(plane[None], 12, axis=0)

    with_body, alone = (
        measure_canal_likeness(describe_surroundings(draw(with_body=shown), SPACING), 180)
        for shown in (True, False)
    )
    assert with_body[6, 35, 30] > 0.7
    assert np.isnan(alone[6, 35, 30])


def test_marrow_in_its_cortex_behind_an_aorta_looks_less_like_a_canal_than_cord_does() -> None:
    rows, columns = np.meshgrid(np.arange(60) * 2.0, np.arange(60) * 2.0, indexing="ij")

    def likeness_of(content_hu: float) -> np.float32:
        plane = np.full((60, 60), 40.0, dtype=np.float32)
        plane[np.hypot((rows - 45) / 16, (columns - 60) / 20) < 1] = 160
        distance = np.hypot(rows - 70, columns - 60)
        plane[distance < 14] = 500
        plane[distance < 9] = content_hu
        around = describe_surroundings(np.repeat(plane[None], 12, axis=0), SPACING)
        return np.float32(measure_canal_likeness(around, 130)[6, 35, 30])

    assert likeness_of(110.0) < likeness_of(30.0) - 0.6
    assert abs(likeness_of(45.0) - likeness_of(0.0)) < 0.05


def test_the_track_of_an_osteopenic_spine_runs_on_where_only_thin_bone_surrounds_the_canal() -> None:
    rows, columns = np.meshgrid(np.arange(60) * 2.0, np.arange(60) * 2.0, indexing="ij")
    bone_hu = np.where(np.arange(40) < 20, 250.0, 122.0)[:, None, None]
    distance = np.hypot(rows - 70, columns - 60)
    body = np.hypot((rows - 42) / 18, (columns - 60) / 22) < 1
    hu = np.where(body | (distance < 20), bone_hu, 40.0)
    hu[:, distance < 9] = 30.0
    grid = Grid((40, 60, 60), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
    track = track_canal(Volume(hu.astype(np.int16), grid))
    assert track is not None
    assert track.points_mm[0, 0] <= 4
    assert track.points_mm[-1, 0] >= 74
    assert np.abs(track.points_mm[:, 1:] - [70, 60]).max() <= 6


def test_an_aorta_from_where_vertebrae_are_seen_is_worth_less_than_the_canal_behind_them() -> None:
    plane = DiscPlane(0.0, 0.0, 0.0)
    nowhere = np.zeros((1, 3))
    curve = CanalCurve(nowhere, nowhere, nowhere, nowhere)
    spine = StraightSpine(np.zeros((1, 1, 1), dtype=np.float32), curve, np.zeros(1), np.zeros(1))
    column = BodyColumn(np.zeros(1), np.zeros(1))

    def found(score: float) -> FoundSpine:
        return FoundSpine(spine, Levels((plane, plane), (score,), (1.0,), score), column)

    canal, aorta = (CanalTrack(nowhere, score) for score in (48.0, 20.0))
    assert measure_worth(canal, found(1.6)) > measure_worth(aorta, found(2.2))
    assert measure_worth(canal, None) == 0


def test_nothing_is_found_in_water_noise_or_air() -> None:
    grid = Grid((40, 80, 80), (2.0, 1.5, 1.5), (0.0, 0.0, 0.0))
    noise = np.random.default_rng(1).normal(40, 50, grid.shape).astype(np.int16)
    for hu in (np.zeros(grid.shape, dtype=np.int16), np.full(grid.shape, -1000, dtype=np.int16), noise):
        labels = segment_vertebrae(Volume(hu, grid))
        assert labels.vertebrae.numbers() == []
        assert not labels.frames


def test_a_volume_of_three_slices_is_no_error() -> None:
    grid = Grid((3, 64, 64), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    assert segment_vertebrae(Volume(np.full(grid.shape, 300, dtype=np.int16), grid)).vertebrae.numbers() == []
