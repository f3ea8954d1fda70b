"""Truth beside result: runs the embedded engine on every case, prints tables, writes docs/anatomy-accuracy.

Usage: ``python -m benchmarks.anatomy [--half tuning|reporting] [--only PATTERN] [--jobs N] [--write]``, or
``--make tuning|reporting`` to make the cases alone. Cases are kept in ``.cache/anatomy``; an interrupted run
goes on where it stopped. `--fresh` makes them anew.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("CEMENTCT_THREADS", "1")

import numpy as np

from benchmarks.anatomy.cases import REAL_DATA, Half, Recipe, cache_file, load
from benchmarks.anatomy.catalogue import recipes
from benchmarks.anatomy.pictures import draw_case
from benchmarks.anatomy.scores import CaseScore
from benchmarks.anatomy.scoring import failed_score, run_case
from benchmarks.anatomy.tables import case_grade, print_half, render, worst_cases
from benchmarks.machine import machine_class
from cementct import __version__

DOCS = Path(__file__).resolve().parents[2] / "docs"
HALVES: tuple[Half, ...] = ("tuning", "reporting")


def main() -> None:
    """Make or run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=HALVES)
    parser.add_argument("--make", choices=HALVES, help="make the cases of one half, and nothing else")
    parser.add_argument("--only", default="*", help="names of cases, as a shell pattern")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="make cases anew that are in the cache")
    parser.add_argument("--pictures", type=Path, help="draw every case into this folder")
    parser.add_argument("--write", action="store_true", help="write docs/anatomy-accuracy.md and .json")
    wanted = parser.parse_args()
    halves = [h for h in HALVES if h == (wanted.make or wanted.half or h)]
    chosen = [r for half in halves for r in recipes(half) if fnmatch(r.name, wanted.only) and is_possible(r)]
    if wanted.fresh:
        for recipe in chosen:
            cache_file(recipe).unlink(missing_ok=True)
    if wanted.make:
        make_all(chosen, wanted.jobs)
        return
    scores = run_all(chosen, wanted.jobs, wanted.pictures)
    for half in halves:
        mine = [s for s in scores if s.half == half]
        print(f"\n{half}: {len(mine)} cases\n\n{print_half(mine)}", flush=True)
    if wanted.write:
        write_docs(scores, chosen)


def is_possible(recipe: Recipe) -> bool:
    """Tell whether the files that a recipe needs are there; phantoms need none."""
    return REAL_DATA.is_dir() or recipe.name.startswith("phantom")


def make_all(chosen: list[Recipe], jobs: int) -> None:
    """Make cases that are not in the cache yet, a line for each."""
    with ProcessPoolExecutor(jobs) as pool:
        for line in pool.map(_make, chosen):
            print(line, flush=True)


def _make(recipe: Recipe) -> str:
    started = time.perf_counter()
    case = load(recipe)
    words = f"{case.description}; shape {case.post.hu.shape}" if case else "no room"
    return f"{recipe.name} ({time.perf_counter() - started:.0f} s): {words}"


def run_all(chosen: list[Recipe], jobs: int, pictures: Path | None) -> list[CaseScore]:
    """Run the engine on every case, a line for each."""
    scores = []
    with ProcessPoolExecutor(jobs) as pool:
        for score in pool.map(_run, chosen, [pictures] * len(chosen)):
            if score is not None:
                scores.append(score)
                print(line_of(score), flush=True)
    return scores


def _run(recipe: Recipe, pictures: Path | None = None) -> CaseScore | None:
    case = load(recipe)
    if case is None:
        return None
    try:
        result = run_case(case)
    except Exception as error:  # noqa: BLE001 - a case that breaks the engine is a result, the worst one
        return failed_score(case, repr(error))
    if pictures:
        draw_case(case, result, pictures / f"{case.name}.png")
    return result.score


def line_of(score: CaseScore) -> str:
    """Return a case's score in one line."""
    worst = min(score.vertebrae, key=lambda v: v.body_dice, default=None)
    treated = ", ".join(f"{v.true_name} {v.body_dice:.3f}" for v in score.vertebrae if v.treated)
    names = [v for v in score.vertebrae if v.name]
    parts = [
        f"{score.name}: {score.found}/{score.whole}",
        f"missed {', '.join(score.missed)}" if score.missed else "",
        f"invented {score.invented}, doubled {score.doubled}" if score.invented or score.doubled else "",
        "" if score.in_order else "out of order",
        f"grade {case_grade(score):.3f}",
        f"worst {worst.true_name} {worst.body_dice:.3f}" if worst else "",
        f"treated {treated}" if treated else "",
        ", ".join(f"{kind} leak inside {share:.0%}" for kind, share in score.leaked_inside_share.items()),
        f"cement outside {score.cement_outside_share:.1%}" if score.cement_outside_share is not None else "",
        f"canal {np.percentile(score.canal_mm, 95):.1f} mm" if score.canal_mm else "",
        f"named {len(names)}, wrong {sum(v.name != v.true_name for v in names)}",
        f"{score.engine_seconds:.1f} + {score.describe_seconds:.1f} s",
        score.error,
    ]
    return "; ".join(p for p in parts if p)


def write_docs(scores: list[CaseScore], chosen: list[Recipe]) -> None:
    """Write the tables, the figures for machines, and pictures of the five worst reporting cases."""
    by_name = {(r.half, r.name): r for r in chosen}
    pictures = []
    reporting = [s for s in scores if s.half == "reporting"]
    for place, score in enumerate(worst_cases(reporting), start=1):
        case = load(by_name[score.half, score.name])  # type: ignore[index]
        if case is not None and not score.error:
            draw_case(case, run_case(case), DOCS / "images" / f"anatomy-worst-{place}.png")
            pictures.append((score.name, f"images/anatomy-worst-{place}.png"))
    facts = {
        "command": "make anatomy",
        "date": datetime.now(UTC).date().isoformat(),
        "version": __version__,
        "machine": machine_class(),
        "python": platform.python_version(),
        "seeds": "tuning 300–314 and 401–414, reporting 9000–9032 and 9500–9617",
    }
    (DOCS / "anatomy-accuracy.md").write_text(render(scores, facts, pictures), encoding="utf-8")
    data = {"facts": facts, "scores": [_record(s) for s in scores]}
    (DOCS / "anatomy-accuracy.json").write_text(json.dumps(_plain(data), indent=1) + "\n", encoding="utf-8")


def _record(score: CaseScore) -> dict[str, object]:
    """Return a score as data, the canal's errors summed up."""
    record = asdict(score)
    errors = record.pop("canal_mm")
    record["canal_95th_percentile_mm"] = float(np.percentile(errors, 95)) if errors else None
    return record


def _plain(value: object) -> object:
    """Return numbers rounded, and None for those that do not exist."""
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


if __name__ == "__main__":
    main()
