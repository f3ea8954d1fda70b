"""The embedded engine on public CT volumes, which are not part of the project."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cementct.anatomy.labels import SpineLabels
from cementct.core.grid import Box
from cementct.core.image import LabelMap, Volume
from cementct.io.files import read_labels, read_volume
from cementct.segmentation.vertebrae.embedded import segment_vertebrae

LUMBAR = "totalsegmentator_lumbar_3mm"


@pytest.fixture(scope="module")
def lumbar(real_data: Path) -> tuple[Volume, LabelMap, LabelMap]:
    volume = read_volume(real_data / LUMBAR / "ct.nii.gz").volume
    levels = read_labels(real_data / LUMBAR / "vertebrae_totalsegmentator_ids.nii.gz")
    bodies = read_labels(real_data / LUMBAR / "bodies_and_discs.nii.gz")
    return volume, levels, bodies


@pytest.fixture(scope="module")
def found(lumbar: tuple[Volume, LabelMap, LabelMap]) -> SpineLabels:
    return segment_vertebrae(lumbar[0])


def _true_numbers(labels: LabelMap, truth: np.ndarray) -> list[int]:
    return [int(np.bincount(truth[labels.labels == n]).argmax()) for n in labels.numbers()]


def test_a_lumbar_spine_has_its_five_vertebrae_and_t12_in_order(
    lumbar: tuple[Volume, LabelMap, LabelMap], found: SpineLabels
) -> None:
    assert found.bodies is not None
    assert _true_numbers(found.bodies, lumbar[1].labels) == [32, 31, 30, 29, 28, 27]


def test_its_sacrum_is_seen_and_the_last_rib_is_that_of_t12(found: SpineLabels) -> None:
    assert found.last_above_sacrum == 6
    assert found.sacrum is not None
    assert found.rib_bearing[1]
    assert not found.rib_bearing[2]


def test_its_bodies_agree_with_the_labelled_ones(
    lumbar: tuple[Volume, LabelMap, LabelMap], found: SpineLabels
) -> None:
    assert found.bodies is not None
    truth = np.where(lumbar[2].labels == 1, lumbar[1].labels, 0)
    for number, level in zip(range(2, 7), (31, 30, 29, 28, 27), strict=True):
        mine, true = found.bodies.labels == number, truth == level
        assert 2 * np.count_nonzero(mine & true) / (mine.sum() + true.sum()) > 0.88


def test_front_and_back_exchanged_are_noticed(lumbar: tuple[Volume, LabelMap, LabelMap]) -> None:
    volume = lumbar[0].crop(Box((40, 20, 20), (100, 101, 100)))
    swapped = Volume(np.ascontiguousarray(volume.hu[:, ::-1]), volume.grid)
    frames = segment_vertebrae(swapped).frames
    assert len(frames) >= 4
    assert all(frame.posterior[1] < -0.7 for frame in frames.values())


def test_the_same_input_gives_the_same_bytes(lumbar: tuple[Volume, LabelMap, LabelMap]) -> None:
    volume = lumbar[0].crop(Box((60, 35, 40), (95, 90, 85)))
    one, other = segment_vertebrae(volume), segment_vertebrae(volume)
    assert one.vertebrae.numbers()
    assert one.vertebrae.labels.tobytes() == other.vertebrae.labels.tobytes()
    assert one.confidence == other.confidence
