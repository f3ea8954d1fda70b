"""A small subset of the accuracy bench: bars far looser than those that the whole bench is held to."""

from __future__ import annotations

import pytest

from benchmarks.accuracy.running import run
from benchmarks.accuracy.scores import CaseScore
from benchmarks.accuracy.subset import SUBSET
from benchmarks.accuracy.tables import line_of


@pytest.fixture(scope="module")
def scores() -> list[CaseScore]:
    found = []
    for recipe in SUBSET:
        case = recipe.make()
        found.append(run(case, recipe.setting))
    return found


def told(scores: list[CaseScore]) -> str:
    return "\n".join(line_of(s) for s in scores)


def test_every_treated_vertebra_is_found_and_none_is_invented(scores: list[CaseScore]) -> None:
    assert all(v.found for s in scores for v in s.vertebrae), told(scores)
    assert not any(s.invented for s in scores), told(scores)


def test_cement_volumes_are_right_to_a_tenth(scores: list[CaseScore]) -> None:
    for score in scores:
        for v in score.vertebrae:
            assert v.ml == pytest.approx(v.true_ml, rel=0.1), line_of(score)


def test_filling_rates_are_right_to_a_tenth_where_the_scan_before_is_given(scores: list[CaseScore]) -> None:
    (before,) = [s for s in scores if s.with_pre]
    for v in before.vertebrae:
        assert v.filling == pytest.approx(v.true_filling, abs=0.1), line_of(before)


def test_leaks_are_found_as_what_they_are_and_none_besides(scores: list[CaseScore]) -> None:
    for score in scores:
        assert all(k.found_ml is not None for k in score.leaks), line_of(score)
        assert not [f for f in score.false_leaks if f.volume_ml >= 0.05], line_of(score)
