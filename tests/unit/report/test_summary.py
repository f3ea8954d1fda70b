"""The summary of a batch."""

import csv
import io
import json
from pathlib import Path

import pytest

from cementct.core.findings import StudyReport
from cementct.core.outcome import StudyOutcome, StudyState
from cementct.report.summary import Summary, read_summary


@pytest.fixture
def outcomes(report: StudyReport) -> list[StudyOutcome]:
    return [
        StudyOutcome("first", StudyState.DONE, report=report),
        StudyOutcome("second", StudyState.REFUSED, why="expected a CT, found an MR in a/b.dcm"),
        StudyOutcome("third", StudyState.TIMEOUT, why="stopped after 60 s"),
    ]


def test_the_table_has_one_row_a_vertebra_of_every_study(outcomes: list[StudyOutcome]) -> None:
    rows = list(csv.DictReader(io.StringIO(Summary.of([*outcomes, outcomes[0]]).as_csv().decode())))

    assert len(rows) == 10
    assert [row["study"] for row in rows] == ["first"] * 10
    assert rows[3]["level"] == "L2"


def test_each_study_has_its_state_and_why_it_did_not_end_well(outcomes: list[StudyOutcome]) -> None:
    summary = json.loads(Summary.of(outcomes).as_json())

    assert [study["state"] for study in summary["studies"]] == ["done", "refused", "timeout"]
    assert summary["studies"][1]["why"] == "expected a CT, found an MR in a/b.dcm"
    assert summary["studies"][0]["treated"] == ["T12", "L2"]
    assert summary["counts"]["studies"] == {"done": 1, "refused": 1, "failed": 0, "timeout": 1}


def test_lesions_with_and_without_a_scan_before_injection_are_counted_apart(
    outcomes: list[StudyOutcome],
) -> None:
    counts = json.loads(Summary.of(outcomes).as_json())["counts"]

    assert counts["treated_vertebrae_by_lesion_source"] == {"pre": 1, "post": 1, "mask": 0, "none": 0}


def test_all_three_files_are_written_and_nothing_else(outcomes: list[StudyOutcome], tmp_path: Path) -> None:
    Summary.of(outcomes).write(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "summary.csv",
        "summary.json",
        "summary.parquet",
    ]


def test_a_summary_that_was_written_reads_as_the_same_summary(outcomes: list[StudyOutcome]) -> None:
    summary = Summary.of(outcomes)
    again = read_summary(summary.as_json())

    assert again.as_json() == summary.as_json()
    assert again.as_csv() == summary.as_csv()


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"studies": [], "vertebrae": [{"study": "a"}]}'])
def test_another_file_is_no_summary(data: bytes) -> None:
    with pytest.raises(ValueError, match="it "):
        read_summary(data)
