"""Label files: what their numbers mean."""

from __future__ import annotations

import numpy as np
import pytest

from cementct.core.errors import StudyRefused, UsageError
from cementct.core.findings import LevelSource
from cementct.core.grid import Grid
from cementct.core.image import LabelMap, Volume
from cementct.core.levels import LabelScheme, Level
from cementct.segmentation.vertebrae import totalsegmentator
from cementct.segmentation.vertebrae.label_file import labels_from_file

GRID = Grid((4, 3, 5), (2.0, 1.0, 0.5), (10.0, -20.0, 30.0))


def label_map(*numbers: int) -> LabelMap:
    array = np.zeros(GRID.shape, dtype=np.uint16)
    array.ravel()[: len(numbers)] = numbers
    return LabelMap(array, GRID)


@pytest.mark.parametrize(
    ("scheme", "number", "level"),
    [
        (LabelScheme.VERSE, 21, Level.L2),
        (LabelScheme.VERSE, 28, Level.T13),
        (LabelScheme.VERSE, 25, Level.L6),
        (LabelScheme.TOTALSEGMENTATOR, 27, Level.L5),
        (LabelScheme.TOTALSEGMENTATOR, 32, Level.T12),
        (LabelScheme.TOTALSEGMENTATOR, 50, Level.C1),
        (LabelScheme.SPINEPS, 24, Level.L5),
    ],
)
def test_the_same_number_means_another_level_in_each_scheme(scheme, number, level):
    labels = labels_from_file(label_map(number), scheme)
    assert labels.levels == {level.verse_number: level}
    assert labels.vertebrae.numbers() == [level.verse_number]
    assert labels.level_source is LevelSource.LABEL_FILE


def test_discs_and_endplates_of_a_spineps_file_are_left_out():
    labels = labels_from_file(label_map(22, 23, 122, 222), LabelScheme.SPINEPS)
    assert labels.vertebrae.numbers() == [22, 23]
    assert not labels.notes


def test_other_organs_of_a_totalsegmentator_map_are_left_out_and_the_sacrum_is_kept():
    labels = labels_from_file(label_map(27, 26, 25, 52, 79), LabelScheme.TOTALSEGMENTATOR)
    assert set(labels.levels.values()) == {Level.L5, Level.S1}
    assert labels.sacrum is not None
    assert np.count_nonzero(labels.sacrum.voxels) == 1


def test_unknown_numbers_are_left_out_with_a_note():
    labels = labels_from_file(label_map(20, 77), LabelScheme.VERSE)
    assert labels.vertebrae.numbers() == [20]
    assert "77" in labels.notes[0]


@pytest.mark.parametrize("numbers", [(), (1, 2)])
def test_a_map_without_a_vertebra_of_the_scheme_is_refused_with_both_sides_named(numbers):
    with pytest.raises(StudyRefused, match=r"expected vertebrae numbered 27.*found"):
        labels_from_file(label_map(*numbers), LabelScheme.TOTALSEGMENTATOR)


def test_a_spineps_subregion_file_is_told_from_an_instance_file():
    with pytest.raises(StudyRefused, match="subregion file, the instance file is needed"):
        labels_from_file(label_map(41, 42, 49), LabelScheme.SPINEPS)


class FakeImage:
    """What an in-memory NIfTI image offers."""

    def __init__(self, dataobj: np.ndarray) -> None:
        self.dataobj = dataobj


def test_totalsegmentator_gets_the_scan_in_ras_and_its_answer_is_laid_back_on_the_grid():
    volume = Volume(np.arange(60, dtype=np.int16).reshape(GRID.shape), GRID)
    seen = {}

    def segmenter(image, **options):
        seen.update(image=image, **options)
        answer = np.zeros((5, 3, 4), dtype=np.uint8)
        answer[4, 2, 3], answer[0, 0, 0] = 28, 5
        return FakeImage(answer)

    labels = totalsegmentator.segment_vertebrae(volume, segmenter=segmenter)
    assert labels.levels == {23: Level.L4}
    assert labels.vertebrae.labels[3, 2, 4] == 23
    assert seen["task"] == "total"
    image = seen["image"]
    assert np.array_equal(np.asarray(image.dataobj), volume.hu.T)
    corner = image.affine @ [4, 2, 3, 1]
    assert np.allclose(corner[:3] * [-1, -1, 1], GRID.to_lps((3, 2, 4)))


def test_an_answer_on_another_grid_is_refused():
    volume = Volume(np.zeros(GRID.shape, dtype=np.int16), GRID)
    with pytest.raises(StudyRefused, match="expected TotalSegmentator's answer"):
        totalsegmentator.segment_vertebrae(volume, segmenter=lambda *_, **__: FakeImage(np.zeros((2, 2, 2))))


def test_without_the_package_the_user_is_told_how_to_install_it():
    try:
        import totalsegmentator as installed  # noqa: F401
    except ImportError:
        volume = Volume(np.zeros(GRID.shape, dtype=np.int16), GRID)
        with pytest.raises(UsageError, match=r"cementct\[totalsegmentator\]"):
            totalsegmentator.segment_vertebrae(volume)
    else:
        pytest.skip("TotalSegmentator is installed here")
