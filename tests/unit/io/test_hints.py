"""What a file of anatomy given by hand may hold, and what is refused by its key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cementct.core.errors import StudyRefused, UnreadableFile
from cementct.core.grid import Grid
from cementct.core.levels import Level
from cementct.io.hints import read_hints

GRID = Grid((50, 60, 70), (2.0, 1.0, 1.0), (-35.0, -30.0, 100.0))


def written(folder: Path, document: object) -> Path:
    path = folder / "anatomy.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path


def test_a_vertebra_has_a_name_a_centre_and_points_on_its_walls(tmp_path: Path) -> None:
    entry = {
        "level": "l2",
        "centre_lps_mm": [0, 1.5, 150],
        "superior_endplate_lps_mm": [[0, 0, 163], [5, 0, 163.5], [0, 8, 162]],
        "inferior_endplate_lps_mm": [0, 0, 137],
    }
    (given,) = read_hints(written(tmp_path, {"vertebrae": [entry]}), GRID).vertebrae
    assert given.level is Level.L2
    assert given.centre_lps_mm == (0.0, 1.5, 150.0)
    assert given.superior_endplate_lps_mm.shape == (3, 3)
    assert given.inferior_endplate_lps_mm.tolist() == [[0.0, 0.0, 137.0]]
    assert given.posterior_wall_lps_mm.shape == (0, 3)


def test_two_endplates_say_where_the_middle_is(tmp_path: Path) -> None:
    entry = {
        "level": None,
        "superior_endplate_lps_mm": [0, 0, 160],
        "inferior_endplate_lps_mm": [4, 0, 140],
    }
    (given,) = read_hints(written(tmp_path, {"vertebrae": [entry]}), GRID).vertebrae
    assert given.middle_lps_mm is not None
    assert given.middle_lps_mm.tolist() == [2.0, 0.0, 150.0]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("not json", "expected JSON, found a fault in line 1, column 1"),
        ("[]", 'expected a JSON object with a list under "vertebrae", found \\[\\]'),
        ({"vertebrae": []}, "vertebrae: expected at least one entry, found none"),
        ({"vertebrae": [3]}, r"vertebrae\[0\]: expected a JSON object, found 3"),
        ({"vertebrae": [{"level": "L2"}]}, r"vertebrae\[0\]: expected one of centre_lps_mm, .* found none"),
        (
            {"vertebrae": [{"center": [0, 0, 150]}]},
            r"vertebrae\[0\].center: expected only the keys level, centre_lps_mm",
        ),
        (
            {"vertebrae": [{"level": "L9", "centre_lps_mm": [0, 0, 150]}]},
            r'vertebrae\[0\].level: expected a level such as T12 or L3, or null, found "L9"',
        ),
        (
            {"vertebrae": [{"centre_lps_mm": [0, 0]}]},
            r"vertebrae\[0\].centre_lps_mm: expected three numbers \[x, y, z\] \(LPS, mm\), found \[0, 0\]",
        ),
        ('{"vertebrae": [{"centre_lps_mm": [0, NaN, 1]}]}', "expected three numbers"),
        ('{"vertebrae": [], "vertebrae": []}', "expected each key once, found vertebrae twice"),
        (
            {"vertebrae": [{"superior_endplate_lps_mm": [[0, 0, 150], [1, "2", 3]]}]},
            r"vertebrae\[0\].superior_endplate_lps_mm\[1\]: expected three numbers",
        ),
    ],
)
def test_a_fault_is_refused_with_its_file_and_key(tmp_path: Path, document: object, says: str) -> None:
    with pytest.raises(UnreadableFile, match=says) as error:
        read_hints(written(tmp_path, document), GRID)
    assert str(error.value).startswith("anatomy.json: ")
    assert "\n" not in str(error.value)


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    entries = [{"centre_lps_mm": "here"}, {"level": 3, "centre_lps_mm": [0, 0, 150]}]
    with pytest.raises(UnreadableFile, match=r"vertebrae\[0\]\.centre_lps_mm.*; vertebrae\[1\]\.level"):
        read_hints(written(tmp_path, {"vertebrae": entries}), GRID)


def test_a_point_outside_the_scan_is_refused(tmp_path: Path) -> None:
    entries = [{"centre_lps_mm": [0, 0, 500]}]
    with pytest.raises(
        StudyRefused, match=r"vertebrae\[0\].centre_lps_mm: .* found \(0, 0, 500\) outside it"
    ):
        read_hints(written(tmp_path, {"vertebrae": entries}), GRID)


def test_one_name_for_two_vertebrae_is_refused(tmp_path: Path) -> None:
    entries = [{"level": "L2", "centre_lps_mm": [0, 0, z]} for z in (120, 160)]
    with pytest.raises(StudyRefused, match=r"vertebrae\[1\].level: L2 is already vertebrae\[0\].level"):
        read_hints(written(tmp_path, {"vertebrae": entries}), GRID)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "anatomy.json"
    path.write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(UnreadableFile, match="expected JSON, found something else"):
        read_hints(path, GRID)
