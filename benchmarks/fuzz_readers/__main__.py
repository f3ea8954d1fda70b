"""Damage sound files in every way at hand, read them, and tell what went wrong.

Usage: ``python -m benchmarks.fuzz_readers [--minutes M] [--start N] [--out DIR] [--only NAME]``;
``--case NAME NUMBER --out DIR`` writes the files of one case again. A case is a seed and a number, and the
same each time.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.reliability import store

from .found import FOUND
from .mutate import damaged
from .seeds import Seed, make_seeds
from .watch import Watched


def main() -> None:
    """Fuzz for a while, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--start", type=int, default=0, help="number of the first case")
    parser.add_argument("--only", default="", help="names of seeds, comma-separated")
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"))
    parser.add_argument("--write", action="store_true", help="renew docs/reliability.md")
    parser.add_argument("--case", nargs=2, metavar=("NAME", "NUMBER"))
    wanted = parser.parse_args()
    seeds = tuple(s for s in make_seeds() if not wanted.only or s.name in wanted.only.split(","))
    wanted.out.mkdir(parents=True, exist_ok=True)
    if wanted.case:
        _write(next(s for s in seeds if s.name == wanted.case[0]), int(wanted.case[1]), wanted.out)
        return
    told = _fuzz(seeds, wanted.start, wanted.minutes, wanted.out)
    if wanted.write:
        store("fuzzing", {**told, "found": FOUND})


def _processor_s() -> float:
    used, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime + children.ru_utime + children.ru_stime


def _write(seed: Seed, number: int, folder: Path) -> None:
    for name, data in damaged(seed, number).items():
        (folder / name).write_bytes(data)


def _fuzz(seeds: tuple[Seed, ...], start: int, minutes: float, out: Path) -> dict[str, Any]:
    counts: dict[str, Counter[str]] = {seed.name: Counter() for seed in seeds}
    findings: dict[tuple[str, str], dict[str, object]] = {}
    watched = Watched(seeds)
    began, number = time.monotonic(), start
    while time.monotonic() - began < 60 * minutes:
        for index, seed in enumerate(seeds):
            result = watched.run(index, number)
            counts[seed.name][result.kind] += 1
            key = (result.kind, seed.name if result.kind == "noise" else result.detail)
            if result.is_finding and key not in findings:
                findings[key] = {
                    "seed": seed.name,
                    "number": number,
                    "kind": result.kind,
                    "detail": result.detail,
                }
                print(f"{seed.name} {number}: {result.kind}: {result.detail}", flush=True)
                folder = out / f"{seed.name}-{number}"
                folder.mkdir(exist_ok=True)
                _write(seed, number, folder)
        number += 1
    watched.stop()
    told = {
        "first": start,
        "minutes": round((time.monotonic() - began) / 60, 1),
        "processor_minutes": round(_processor_s() / 60, 1),
        "cases": sum(sum(c.values()) for c in counts.values()),
        "by_seed": {name: dict(c) for name, c in counts.items()},
        "findings": list(findings.values()),
    }
    (out / "fuzz.json").write_text(json.dumps(told, indent=2) + "\n")
    print(f"{told['cases']} cases in {told['minutes']} minutes, {len(findings)} findings")
    return told


if __name__ == "__main__":
    main()
