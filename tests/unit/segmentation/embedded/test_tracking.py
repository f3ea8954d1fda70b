import numpy as np

from cementct.core.grid import Grid
from cementct.core.image import Volume
from cementct.segmentation.vertebrae.embedded import segment_vertebrae
from cementct.segmentation.vertebrae.embedded.canal import describe_surroundings, measure_canal_likeness
from cementct.segmentation.vertebrae.embedded.tracking import find_best_chain

SPACING = np.array([2.5, 2.0, 2.0])


def test_a_chain_follows_a_leaning_line_and_ends_where_it_ends() -> None:
    likeness = np.full((30, 40, 40), np.nan, dtype=np.float32)
    truth = [(z, 15 + z // 4, 20 - z // 5) for z in range(5, 25)]
    for place in truth:
        likeness[place] = 1.0
    _, path = find_best_chain(likeness, SPACING)
    assert (path[0][0], path[-1][0]) == (5, 24)
    assert np.abs(path - np.array(truth)).max() <= 1


def test_a_gap_of_one_slice_is_crossed() -> None:
    likeness = np.full((20, 10, 10), np.nan, dtype=np.float32)
    likeness[:, 5, 5] = 1.0
    likeness[9] = np.nan
    _, path = find_best_chain(likeness, SPACING)
    assert len(path) == 20


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
