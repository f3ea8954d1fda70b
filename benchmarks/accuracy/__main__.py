"""Truth beside result: analyses every case under every setting, prints tables, writes docs/accuracy.

Usage: ``python -m benchmarks.accuracy --half tuning|reporting [--family NAME ...] [--only TEXT]
[--settings NAME ...] [--jobs N] [--scored] [--write]``, or with ``--make-only`` to make the cases. Cases and
scores are kept in ``.cache/accuracy``: an interrupted run goes on where it stopped, and scores are kept
until the code changes.
"""

from __future__ import annotations

import argparse
import os
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from functools import partial

for _name in (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    "CEMENTCT_THREADS",
):
    os.environ.setdefault(_name, "1")

from benchmarks.accuracy.cases import Family, Half, Recipe, cache_file, load
from benchmarks.accuracy.catalogue import recipes
from benchmarks.accuracy.document import write_docs
from benchmarks.accuracy.limit import limits_of
from benchmarks.accuracy.running import SCORES, SETTINGS, code_digest, run_recipe
from benchmarks.accuracy.scores import CaseScore
from benchmarks.accuracy.tables import (
    bars_table,
    category_confusion_table,
    families_table,
    leak_confusion_table,
    line_of,
    settings_of,
)

# From so many scores on confusion matrices are printed.
MATRICES_FROM = 12
HALVES: tuple[Half, ...] = ("tuning", "reporting")


def main() -> None:
    """Make or run, print and write."""
    wanted = _arguments()
    families = tuple(Family(f) for f in wanted.family)
    chosen = [r for r in recipes(wanted.half, families) if wanted.only in r.name]
    whole = len(chosen)
    if wanted.scored:
        chosen = [r for r in chosen if _is_scored(r, wanted.settings[-1])]
    if wanted.list:
        for recipe in chosen:
            print(recipe.name, "made" if cache_file(recipe).is_file() else "not made")
        return
    if wanted.make_only:
        make_all(chosen, wanted.jobs)
        limits_of(chosen, jobs=wanted.jobs)
        return
    scores = run_all(chosen, tuple(wanted.settings), wanted.jobs)
    for line in summary(scores):
        print(line)
    if wanted.write:
        write_docs(scores, wanted.half, chosen, jobs=wanted.jobs, whole=whole)


def _is_scored(recipe: Recipe, last_setting: str) -> bool:
    """Tell whether a case was analysed by this very code under the last of the settings, and so under all."""
    return (SCORES / f"{cache_file(recipe).stem}-{last_setting}-{code_digest()}.score").is_file()


def make_all(chosen: list[Recipe], jobs: int) -> None:
    """Make cases that are not in the cache yet, a line for each."""
    missing = [r for r in chosen if not cache_file(r).is_file()]
    print(f"{len(chosen)} cases, {len(missing)} to make", flush=True)
    with ProcessPoolExecutor(jobs) as pool:
        for line in pool.map(_make, missing):
            print(line, flush=True)


def run_all(chosen: list[Recipe], settings: tuple[str, ...], jobs: int) -> list[CaseScore]:
    """Analyse every case, a line for each."""
    scores: list[CaseScore] = []
    with ProcessPoolExecutor(jobs) as pool:
        for results in pool.map(partial(_run, settings=settings), chosen):
            scores += results
            for result in results:
                print(line_of(result), flush=True)
    return scores


def _run(recipe: Recipe, settings: tuple[str, ...]) -> list[CaseScore]:
    """Return the scores of one case; one that cannot be made or scored says so and stops no others."""
    try:
        return run_recipe(recipe, settings)
    except Exception:  # noqa: BLE001 - said in full
        print(f"{recipe.name} broke:\n{traceback.format_exc()}", flush=True)
        return []


def summary(scores: list[CaseScore]) -> list[str]:
    """Return the tables of one half as text."""
    out = ["", *families_table(scores), "", *bars_table(scores)]
    for setting in settings_of(scores) if len(scores) >= MATRICES_FROM else ():
        mine = [s for s in scores if s.setting == setting]
        out += ["", f"{setting}: leak types, filling categories", *leak_confusion_table(mine)]
        out += category_confusion_table(mine)
    return out


def _make(recipe: Recipe) -> str:
    started = time.process_time()
    case = load(recipe)
    words = f"{case.description}; shape {case.post.hu.shape}" if case else "no room"
    return f"{recipe.name} ({time.process_time() - started:.0f} s): {words}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=HALVES, default="tuning")
    parser.add_argument(
        "--family", nargs="*", choices=[f.value for f in Family], default=[f.value for f in Family]
    )
    parser.add_argument("--only", default="", help="part of the names of the wanted cases")
    parser.add_argument("--settings", nargs="*", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    parser.add_argument("--make-only", action="store_true", help="make the cases and stop")
    parser.add_argument("--scored", action="store_true", help="only cases that this code has scored")
    parser.add_argument("--write", action="store_true", help="write docs/accuracy.md, .json and pictures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
