"""A batch in shards, as job arrays run it: which studies are a shard's, and the summary of all shards."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import TypeVar

from cementct.core.errors import StudyRefused, UsageError
from cementct.report.csv import Cell
from cementct.report.summary import SUMMARY, Summary, read_summary

_Item = TypeVar("_Item")

_CHANGED = "studies came or went between the shards; run all of them again, with --skip-existing"
_FILE = re.compile(rf"{SUMMARY}-(\d+)-of-(\d+)\.json")


@dataclass(frozen=True)
class Shard:
    """One share of a batch.

    Attributes
    ----------
    index
        Which one, from 1.
    count
        How many there are.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise UsageError(f"--shard: expected I/N with I from 1 to N, got {self.index}/{self.count}")

    def of(self, items: Sequence[_Item]) -> tuple[_Item, ...]:
        """Return every `count`-th item: neighbours, alike in size, go to different shards."""
        return tuple(items[self.index - 1 :: self.count])

    @property
    def summary_stem(self) -> str:
        """Name of this shard's summary files, without suffix."""
        return f"{SUMMARY}-{self.index}-of-{self.count}"


def parse_shard(text: str) -> Shard:
    """Return the shard that a word such as '2/8' names.

    Raises
    ------
    UsageError
        Where it names none.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if match is None:
        raise UsageError(f"--shard: expected I/N, such as 2/8; got '{text.strip()}'")
    return Shard(int(match[1]), int(match[2]))


def merge_shards(out: Path) -> Summary:
    """Write the summary of all shards of a batch, as one run would have written it, and return it.

    Raises
    ------
    StudyRefused
        Where summaries of shards are missing, of different batches, or damaged; or where the studies below
        the inputs changed between the shards, so that some are in two of them or in none.
    """
    found = {(int(m[1]), int(m[2])): p for p in sorted(out.glob("*.json")) if (m := _FILE.fullmatch(p.name))}
    counts = sorted({count for _, count in found})
    if len(counts) != 1:
        what = f"those of batches of {' and '.join(map(str, counts))} shards" if counts else "none"
        raise StudyRefused(f"expected the summaries of all shards of one batch, found {what}")
    count = counts[0]
    missing = [str(i) for i in range(1, count + 1) if (i, count) not in found]
    if missing:
        raise StudyRefused(f"expected the summaries of {count} shards, shard {', '.join(missing)} is missing")
    shards = [_read(found[i, count]) for i in range(1, count + 1)]
    _check_of_one_batch(shards)
    merged = _interleave(shards)
    merged.write(out)
    return merged


def _check_of_one_batch(shards: Sequence[Summary]) -> None:
    """Refuse shards of inputs that changed between them."""
    names = Counter(str(study["study"]) for shard in shards for study in shard.studies)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise StudyRefused(f"expected each study in one shard, found {twice[0]} in several: {_CHANGED}")
    lengths = [len(shard.studies) for shard in shards]
    if lengths != sorted(lengths, reverse=True) or lengths[0] - lengths[-1] > 1:
        raise StudyRefused(
            f"expected shards of equal size, the first ones larger by one at most, found {lengths} studies: "
            f"{_CHANGED}"
        )


def _read(path: Path) -> Summary:
    try:
        return read_summary(path.read_bytes())
    except (OSError, ValueError) as error:
        raise StudyRefused(f"{path.name}: expected the summary of a shard, {error}") from error


def _interleave(shards: Sequence[Summary]) -> Summary:
    """Return all studies in the order in which one run would have found them."""
    turns = zip_longest(*(shard.studies for shard in shards))
    order = [study for study in chain.from_iterable(turns) if study is not None]
    rows: dict[str, list[Mapping[str, Cell]]] = {}
    for shard in shards:
        for row in shard.vertebrae:
            rows.setdefault(str(row["study"]), []).append(row)
    vertebrae = chain.from_iterable(rows.get(str(study["study"]), ()) for study in order)
    return Summary(tuple(order), tuple(vertebrae))
