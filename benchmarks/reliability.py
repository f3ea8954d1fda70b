"""The page on reliability: figures that the benches leave in ``docs/reliability.json``, drawn up as text.

Usage: ``python -m benchmarks.reliability`` writes ``docs/reliability.md`` anew from the figures;
``python -m benchmarks.hostile --write``, ``python -m benchmarks.batch --write`` and
``python -m benchmarks.fuzz_readers --minutes 30 --write`` renew theirs first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.machine import when_and_where

DOCS = Path(__file__).resolve().parents[1] / "docs"
FIGURES, PAGE = DOCS / "reliability.json", DOCS / "reliability.md"

_HEAD = """# Reliability

What happens with thousands of studies, and with bad ones. Made by commands of this repository from
`docs/reliability.json`; what is promised and why stands in [SECURITY.md](../SECURITY.md).

* A study is written whole or not at all, also where the process is killed or the disk is full.
* In a batch each study has a process of its own with one thread, which is killed after `--study-timeout`
  seconds (an hour where no time is named); `--study-memory` bounds what it may take. One that hangs or dies
  ends alone.
* An interrupted batch goes on with `--skip-existing`: reports of the same input, version and configuration
  count.
* Compressed pixels, headers out of the ordinary, multi-frame groups, segmentations, NRRD and MetaImage are
  read in a child with limits on time and memory. Plain CT never leaves the process.
* `--shard I/N` and `cementct merge`, or `--scheduler`, spread a batch over machines: `deploy/slurm`,
  `deploy/kubernetes`.
"""


def store(part: str, figures: Any) -> None:
    """Keep the figures of one bench, with date and machine, and write the page anew."""
    held = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    held[part] = figures
    held.setdefault("when", {})[part] = when_and_where()
    FIGURES.write_text(
        json.dumps(held, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    PAGE.write_text(page(held), encoding="utf-8")


def renewed(part: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that are kept of one bench, those of a run of only some of them put in their place."""
    new = {row["what"]: row for row in rows}
    return [new.get(row["what"], row) for row in json.loads(FIGURES.read_text(encoding="utf-8"))[part]]


def page(held: dict[str, Any]) -> str:
    """Return the page of some figures."""
    parts = [_HEAD]
    for name, lines in (("batch", _batch), ("hostile", _hostile), ("fuzzing", _fuzzing)):
        if name in held:
            heading, *rest = lines(held[name])
            when = held.get("when", {}).get(name)
            parts.append("\n".join([heading, *(["", f"*{when}*"] if when else []), *rest]))
    return "\n".join(parts) + "\n"


def _batch(told: dict[str, Any]) -> Iterator[str]:
    yield f"## A batch of {told['studies']} small studies"
    yield ""
    yield f"`python -m benchmarks.batch --studies {told['studies']} --jobs {told['jobs']}`: {told['what']}"
    yield ""
    yield "| | |"
    yield "|---|---|"
    yield f"| studies per hour | {told['studies_per_hour']:.0f} |"
    yield f"| a study, median | {told['study_s']:.2f} s |"
    yield f"| of it the batch itself: process, queue, summary | {told['overhead_s']:.3f} s |"
    yield f"| before the first study: finding them, starting | {told['start_s']:.1f} s |"
    yield f"| the same batch again with `--skip-existing` | {told['again_s']:.1f} s |"
    yield f"| largest memory of all processes together | {told['peak_mb']:.0f} MB |"
    tenths = " · ".join(f"{mb:.0f}" for mb in told["tenths_mb"])
    yield f"| median memory of all processes, tenth by tenth of the batch | {tenths} MB |"
    tenths = " · ".join(f"{mb:.0f}" for mb in told["parent_mb"])
    yield f"| median memory of the batch's own process | {tenths} MB |"
    yield ""


def _hostile(told: list[dict[str, Any]]) -> Iterator[str]:
    yield f"## Bad input: {len(told)} kinds"
    yield ""
    yield "`python -m benchmarks.hostile`: each bad study is made by code, and run alone, in a process with"
    yield "1.5 GB of memory beyond the program. A refusal is one line without a traceback and without a word"
    yield "of the header's patient; nothing half-written stays; and in a batch of all of them the sound"
    yield "studies are done."
    yield ""
    yield "| input | exit | what is said | time | memory |"
    yield "|---|---|---|---|---|"
    for one in told:
        said = one["says"].replace("|", "\\|").replace("<", "&lt;") or "–"
        fault = "".join(f" **{fault}**" for fault in one["faults"])
        yield f"| {one['what']} | {one['status']} | {said}{fault} | {one['s']:.1f} s | {one['mb']:.0f} MB |"
    yield ""


def _fuzzing(told: dict[str, Any]) -> Iterator[str]:
    yield "## Fuzzing of the readers"
    yield ""
    yield "`python -m benchmarks.fuzz_readers`: sound files of every kind damaged in one to a few places"
    yield "(bytes, lengths, elements, words and numbers of headers, inside compression too), then read as the"
    yield "command would, in a child with limits. Whatever is not read has to be refused by an error of this"
    yield "tool, in one line without the patient, with nothing printed beside it."
    took = f"{told['minutes']:.0f} minutes, {told['processor_minutes']:.0f} of them processor time"
    first = f", numbers from {told['first']} on" if "first" in told else ""
    yield f"{told['cases']} cases{first}, in {took}."
    yield ""
    yield "| kind of file | cases | read | refused | a reader crashed in its child | findings |"
    yield "|---|---|---|---|---|---|"
    for name, counts in told["by_seed"].items():
        total = sum(counts.values())
        good = [counts.get(kind, 0) for kind in ("read", "refused", "contained")]
        yield f"| {name} | {total} | {good[0]} | {good[1]} | {good[2]} | {total - sum(good)} |"
    yield ""
    yield "What it has found, all of it mended, with tests in `tests/unit/io/test_fuzz_findings.py`:"
    yield ""
    yield told["found"].strip()
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(FIGURES.read_text(encoding="utf-8"))), encoding="utf-8")
