"""Levels have names, an order and numbers in three schemes."""

from __future__ import annotations

import pytest

from cementct.core.levels import LabelScheme, Level, level_of_number, regular_sequence


def test_verse_numbers_are_the_published_ones() -> None:
    numbers = {level: level.verse_number for level in Level}
    assert [numbers[Level(name)] for name in ("C1", "C7", "T1", "T12", "L1", "L6", "S1", "T13")] == [
        1, 7, 8, 19, 20, 25, 26, 28,
    ]  # fmt: skip


def test_totalsegmentator_numbers_run_upwards_from_the_sacrum() -> None:
    scheme = LabelScheme.TOTALSEGMENTATOR
    found = [level_of_number(n, scheme) for n in (26, 27, 31, 32, 43, 44, 50)]
    assert found == [Level(name) for name in ("S1", "L5", "L1", "T12", "T1", "C7", "C1")]


def test_other_structures_of_totalsegmentator_are_no_vertebrae() -> None:
    assert level_of_number(25, LabelScheme.TOTALSEGMENTATOR) is None
    assert level_of_number(52, LabelScheme.TOTALSEGMENTATOR) is None


def test_discs_and_endplates_of_spineps_are_no_vertebrae() -> None:
    assert level_of_number(20, LabelScheme.SPINEPS) is Level.L1
    assert level_of_number(120, LabelScheme.SPINEPS) is None
    assert level_of_number(220, LabelScheme.SPINEPS) is None


def test_the_regular_sequence_passes_from_thorax_to_loin_to_sacrum() -> None:
    names = regular_sequence(Level.T11, 8)
    assert [level.value for level in names] == ["T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"]


@pytest.mark.parametrize(("first", "second"), [(Level.T13, Level.L1), (Level.L6, Level.S1)])
def test_a_supernumerary_vertebra_starts_its_own_sequence(first: Level, second: Level) -> None:
    assert regular_sequence(first, 2) == [first, second]


def test_a_sequence_beyond_the_sacrum_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        regular_sequence(Level.L4, 4)
