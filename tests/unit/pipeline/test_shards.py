"""A batch in shards does every study once, and its merged summary is that of one run."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cementct.core.errors import StudyRefused, UsageError
from cementct.core.outcome import StudyOutcome, StudyState
from cementct.pipeline.shards import Shard, merge_shards, parse_shard
from cementct.report.summary import Summary


def outcomes(count: int) -> list[StudyOutcome]:
    return [StudyOutcome(f"study-{i}", StudyState.REFUSED, why=f"reason {i}") for i in range(count)]


@given(st.integers(0, 40), st.integers(1, 12))
def test_every_study_is_in_one_shard_and_shards_are_alike_in_size(studies: int, count: int) -> None:
    shards = [Shard(i, count).of(range(studies)) for i in range(1, count + 1)]

    assert sorted(k for shard in shards for k in shard) == list(range(studies))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


@pytest.mark.parametrize(("studies", "count"), [(7, 3), (2, 5), (0, 2)])
def test_the_merged_summary_is_that_of_one_run(tmp_path: Path, studies: int, count: int) -> None:
    whole = outcomes(studies)
    for index in range(1, count + 1):
        shard = Shard(index, count)
        Summary.of(shard.of(whole)).write(tmp_path, shard.summary_stem)

    merge_shards(tmp_path)

    assert (tmp_path / "summary.json").read_bytes() == Summary.of(whole).as_json()
    assert (tmp_path / "summary.csv").read_bytes() == Summary.of(whole).as_csv()


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    for index in (1, 3):
        Summary.of(outcomes(1)).write(tmp_path, Shard(index, 4).summary_stem)

    with pytest.raises(StudyRefused, match="of 4 shards, shard 2, 4 is missing"):
        merge_shards(tmp_path)


def test_shards_of_different_batches_are_not_merged(tmp_path: Path) -> None:
    Summary.of(outcomes(1)).write(tmp_path, Shard(1, 1).summary_stem)
    Summary.of(outcomes(1)).write(tmp_path, Shard(2, 2).summary_stem)

    with pytest.raises(StudyRefused, match="batches of 1 and 2 shards"):
        merge_shards(tmp_path)


def test_a_damaged_summary_is_named(tmp_path: Path) -> None:
    (tmp_path / "summary-1-of-1.json").write_text("{}")

    with pytest.raises(StudyRefused, match=r"summary-1-of-1\.json: expected the summary of a shard"):
        merge_shards(tmp_path)


@pytest.mark.parametrize("word", ["", "3", "0/4", "5/4", "1/0", "a/b", "1/2/3", "-1/2"])
def test_what_names_no_shard_is_a_usage_error(word: str) -> None:
    with pytest.raises(UsageError, match="--shard: expected I/N"):
        parse_shard(word)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(["a", "c"], ["aa", "c"], id="one came, and one is in both"),
        pytest.param(["a"], ["b", "d"], id="one went, and one is in none"),
    ],
)
def test_shards_of_inputs_that_changed_between_them_are_not_merged(
    tmp_path: Path, first: list[str], second: list[str]
) -> None:
    for number, names in enumerate((first, second), start=1):
        told = Summary.of([StudyOutcome(name, StudyState.REFUSED, why="why") for name in names])
        told.write(tmp_path, Shard(number, 2).summary_stem)
    with pytest.raises(StudyRefused, match="came or went between the shards"):
        merge_shards(tmp_path)
    assert not (tmp_path / "summary.json").exists()
