"""What the user may ask for, and what is refused in words."""

from pathlib import Path

import pytest

from cementct.core.errors import StudyRefused, UsageError
from cementct.core.formats import ReportFormat
from cementct.core.levels import LabelScheme, Level
from cementct.pipeline.options import (
    Engine,
    RunOptions,
    existing_file,
    parse_formats,
    parse_label_scheme,
    parse_level,
    parse_levels,
    parse_vertebrae,
)


def test_levels_come_in_any_order_and_case_and_go_from_top_to_bottom() -> None:
    assert parse_levels("l2, T12") == (Level.T12, Level.L2)


@pytest.mark.parametrize(
    ("text", "says"), [("L9", "got 'L9'"), ("", "got nothing"), ("L2,l2", "L2 more than once")]
)
def test_levels_that_mean_nothing_are_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_levels(text)


def test_a_level_names_the_option_it_was_given_for() -> None:
    with pytest.raises(UsageError, match="--top-level: expected a level such as T12 or L3, got 'X'"):
        parse_level("X", option="--top-level")


def test_formats_come_in_the_order_of_the_registry() -> None:
    assert parse_formats("html,json") == (ReportFormat.JSON, ReportFormat.HTML)
    with pytest.raises(UsageError, match="got 'doc'"):
        parse_formats("json,doc")


def test_an_engine_is_named_by_its_word_and_a_file_by_its_path(tmp_path: Path) -> None:
    labels = tmp_path / "labels.nii.gz"
    labels.touch()

    assert parse_vertebrae("embedded") == (Engine.EMBEDDED, None)
    assert parse_vertebrae(str(labels))[1] == labels
    with pytest.raises(StudyRefused, match=r"found nothing at missing\.nii\.gz"):
        parse_vertebrae(str(tmp_path / "missing.nii.gz"))
    with pytest.raises(UsageError, match="got 'embeded'"):
        parse_vertebrae("embeded")


def test_a_label_file_needs_a_scheme_and_a_dicom_one_brings_its_own() -> None:
    with pytest.raises(UsageError, match="--label-scheme"):
        RunOptions(vertebra_file=Path("labels.nii.gz"))
    RunOptions(vertebra_file=Path("labels.nii.gz"), label_scheme=LabelScheme.VERSE)
    RunOptions(vertebra_file=Path("seg.dcm"))
    assert parse_label_scheme("VerSe") is LabelScheme.VERSE


def test_what_names_one_study_is_refused_with_several() -> None:
    options = RunOptions(levels=(Level.L2,), post_uid="1.2.3", anatomy_file=Path("anatomy.json"))

    options.check_study_count(1)
    with pytest.raises(UsageError, match="--levels, --post, --anatomy: expected one study"):
        options.check_study_count(2)
    RunOptions(label_scheme=LabelScheme.VERSE).check_study_count(9)


def test_numbers_have_to_make_sense() -> None:
    with pytest.raises(UsageError, match="--jobs"):
        RunOptions(jobs=0)
    with pytest.raises(UsageError, match="--study-timeout"):
        RunOptions(study_timeout_s=0.0)


def test_a_mask_has_to_be_a_file_that_is_there(tmp_path: Path) -> None:
    with pytest.raises(StudyRefused, match=r"--lesion: expected a file, found nothing at mask\.nii"):
        existing_file(str(tmp_path / "mask.nii"), option="--lesion")
    with pytest.raises(StudyRefused, match="found a folder"):
        existing_file(str(tmp_path), option="--lesion")
