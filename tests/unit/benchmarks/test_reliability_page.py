"""The page on reliability says when and on what each of its figures was measured."""

from __future__ import annotations

from benchmarks.reliability import page

FUZZED = {
    "cases": 30,
    "first": 700,
    "minutes": 30.0,
    "processor_minutes": 11.0,
    "by_seed": {"nifti": {"read": 20, "refused": 9, "hang": 1}},
    "found": "* Nothing.",
}


def test_date_and_machine_stand_below_the_heading() -> None:
    lines = page({"fuzzing": FUZZED, "when": {"fuzzing": "2026-12-01, 2 cores"}}).splitlines()
    heading = lines.index("## Fuzzing of the readers")
    assert lines[heading + 2] == "*2026-12-01, 2 cores*"


def test_what_was_neither_read_nor_refused_is_a_finding() -> None:
    text = page({"fuzzing": FUZZED})
    assert "30 cases, numbers from 700 on" in text
    assert "| nifti | 30 | 20 | 9 | 0 | 1 |" in text
