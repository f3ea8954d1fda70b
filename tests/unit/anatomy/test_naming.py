"""Names of vertebrae, and when they are withheld."""

from __future__ import annotations

import pytest

from cementct.anatomy.describe import describe_spine
from cementct.anatomy.naming import Landmarks, LevelHints, Names, name_levels, name_treated, renumber
from cementct.core.findings import LevelSource
from cementct.core.flags import Flag
from cementct.core.levels import Level


def landmarks(count: int, **known) -> Landmarks:
    values = {
        "given": (None,) * count,
        "given_source": LevelSource.UNKNOWN,
        "whole": (True,) * count,
        "bears_ribs": (None,) * count,
        "last_above_sacrum": None,
    }
    return Landmarks(**{**values, **known})


def flags(names: Names) -> set[Flag]:
    return {f.flag for f in names.flags}


def test_nothing_is_named_without_a_landmark():
    names = name_levels(landmarks(3), LevelHints())
    assert names.levels == (None, None, None)
    assert flags(names) == {Flag.LEVEL_UNKNOWN}


def test_the_sacrum_alone_names_levels_with_a_caution():
    names = name_levels(landmarks(3, last_above_sacrum=2), LevelHints())
    assert names.levels == (Level.L3, Level.L4, Level.L5)
    assert names.source is LevelSource.SACRUM
    assert flags(names) == {Flag.LEVEL_ONE_LANDMARK}


def test_the_last_ribs_name_levels_with_a_caution():
    names = name_levels(landmarks(3, bears_ribs=(True, True, False)), LevelHints())
    assert names.levels == (Level.T11, Level.T12, Level.L1)
    assert names.source is LevelSource.RIBS
    assert flags(names) == {Flag.LEVEL_ONE_LANDMARK}


def test_ribs_whose_end_is_not_in_view_name_nothing():
    assert name_levels(landmarks(2, bears_ribs=(True, True)), LevelHints()).levels == (None, None)


def test_ribs_and_sacrum_that_agree_need_no_caution():
    ribs = (True, False, False, False, False, False)
    names = name_levels(landmarks(6, bears_ribs=ribs, last_above_sacrum=5), LevelHints())
    assert names.levels[0] is Level.T12
    assert names.levels[-1] is Level.L5
    assert not names.flags


def test_a_sixth_vertebra_below_the_last_ribs_is_not_called_sacrum():
    names = name_levels(landmarks(7, bears_ribs=(True, *[False] * 6)), LevelHints())
    assert names.levels[:6] == (Level.T12, Level.L1, Level.L2, Level.L3, Level.L4, Level.L5)
    assert names.levels[6] is None


@pytest.mark.parametrize("without_ribs", [3, 5])
def test_ribs_seen_on_one_level_only_still_contradict_the_count_from_the_sacrum(without_ribs):
    ribs = [None] * 7
    position = 6 - without_ribs
    ribs[position] = without_ribs < 5
    names = name_levels(landmarks(7, bears_ribs=tuple(ribs), last_above_sacrum=6), LevelHints())
    assert set(names.levels) == {None}
    assert flags(names) == {Flag.LEVEL_CONFLICT}


@pytest.mark.parametrize("lumbar", [4, 6])
def test_four_or_six_lumbar_bodies_are_not_forced_into_a_scheme(lumbar):
    ribs = (True, *[False] * lumbar)
    names = name_levels(landmarks(lumbar + 1, bears_ribs=ribs, last_above_sacrum=lumbar), LevelHints())
    assert set(names.levels) == {None}
    assert flags(names) == {Flag.LEVEL_CONFLICT}


def test_the_users_level_is_that_of_the_uppermost_whole_body():
    names = name_levels(landmarks(3, whole=(False, True, True)), LevelHints(top_level=Level.L1))
    assert names.levels == (Level.T12, Level.L1, Level.L2)
    assert names.source is LevelSource.USER


def test_a_user_who_contradicts_the_sacrum_is_believed_but_warned():
    names = name_levels(landmarks(3, last_above_sacrum=2), LevelHints(top_level=Level.T10))
    assert names.levels[0] is Level.T10
    assert Flag.LEVEL_CONFLICT in flags(names)


def test_a_label_file_comes_before_the_user():
    given = (Level.L1, Level.L2)
    marks = landmarks(2, given=given, given_source=LevelSource.LABEL_FILE)
    names = name_levels(marks, LevelHints(top_level=Level.T1))
    assert names.levels == given
    assert names.source is LevelSource.LABEL_FILE


@pytest.fixture(scope="module")
def spine(exact):
    case = exact(3, spacing_mm=(2.0, 1.5, 1.5))
    return describe_spine(case.volume, case.labels)


def test_treated_levels_name_the_whole_spine(spine):
    named = name_treated(spine, [0, 2], [Level.L4, Level.L2])
    assert [v.level for v in named.vertebrae] == [Level.L2, Level.L3, Level.L4]
    assert [v.number for v in named.vertebrae] == [21, 22, 23]
    assert Flag.LEVEL_UNKNOWN not in {f.flag for f in named.flags}


def test_another_number_of_treated_vertebrae_withholds_all_names(spine):
    named = name_treated(spine, [1], [Level.L2, Level.L4])
    assert [v.level for v in named.vertebrae] == [None, None, None]
    assert [v.number for v in named.vertebrae] == [101, 102, 103]
    assert Flag.TREATED_COUNT_CONTRADICTS_LEVELS in {f.flag for f in named.flags}


def test_treated_levels_too_far_apart_withhold_all_names(spine):
    named = name_treated(spine, [0, 1], [Level.L2, Level.L4])
    assert {v.level for v in named.vertebrae} == {None}
    assert Flag.LEVEL_CONFLICT in {f.flag for f in named.flags}


def test_renaming_changes_names_and_numbers_only(spine):
    names = Names((Level.T12, Level.L1, Level.L2), LevelSource.USER)
    named = renumber(spine, names)
    assert [v.number for v in named.vertebrae] == [19, 20, 21]
    assert named.compartments is spine.compartments
    assert renumber(named, names) == named
