"""Two runs of the bench are compared on the cases that both have, and on these alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from benchmarks.accuracy.cases import Family
from benchmarks.accuracy.compare import compare, read_scores
from benchmarks.accuracy.scores import CaseScore, VertebraScore

NAMES = ("aaaaaaa", "bbbbbbb")


def score(case: str, ml: float) -> CaseScore:
    vertebra = VertebraScore("L2", found=True, clipped=False, true_ml=4.0, ml=ml)
    return CaseScore(case, "labels", Family.PHANTOMS, "tuning", "", 1.0, 0.5, 10.0, vertebrae=(vertebra,))


def median_row(lines: list[str]) -> list[str]:
    return next([c.strip() for c in line.split("|")] for line in lines if "median absolute error" in line)


def test_a_measure_stands_before_and_after():
    assert median_row(compare([score("a", 4.4)], [score("a", 4.2)], names=NAMES))[3:5] == [
        "10.0 % * (1)",
        "5.0 % * (1)",
    ]


def test_a_case_of_one_run_only_changes_nothing_and_is_counted():
    lines = compare([score("a", 4.4)], [score("a", 4.2), score("b", 8.0)], names=NAMES)
    assert lines[0] == "results in both: 1; left out: 0 of aaaaaaa, 1 of bbbbbbb"
    assert median_row(lines)[4] == "5.0 % * (1)"


def test_a_case_under_another_setting_is_another_case():
    other = replace(score("a", 4.2), setting="labels+pre")
    assert compare([score("a", 4.4)], [other], names=NAMES)[0].startswith("results in both: 0;")


def test_the_file_of_the_docs_can_be_read_again():
    docs = Path(__file__).resolve().parents[3] / "docs" / "accuracy.json"
    facts, scores = read_scores(docs)
    assert facts["half"] == "reporting"
    assert {s.family for s in scores} >= {Family.PHANTOMS, Family.TRAPS}


def test_something_else_is_refused(tmp_path: Path):
    file = tmp_path / "other.json"
    file.write_text(json.dumps({"facts": {}, "scores": [{"case": 7}]}), encoding="utf-8")
    with pytest.raises(msgspec.ValidationError):
        read_scores(file)
