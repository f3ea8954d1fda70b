"""Truth beside result: runs every case under every setting and writes docs/accuracy.md and .json.

Usage: ``python -m benchmarks.accuracy [--phantoms N] [--jobs N]``. Cases and results are cached in
``.cache/accuracy``; an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.accuracy.cases import (
    FIRST_REPORTING_SEED,
    Case,
    Recipe,
    implant_recipes,
    load,
    phantom_recipes,
)
from benchmarks.accuracy.scoring import Score, score
from benchmarks.accuracy.tables import render
from benchmarks.accuracy.untouched import look_at_untouched
from cementct import __version__
from cementct.core.findings import Software
from cementct.core.image import Volume
from cementct.core.levels import LabelScheme
from cementct.io.scan import scan_of
from cementct.pipeline.steps import Subject
from cementct.pipeline.study import ReportOrigin, analyze_volumes
from cementct.pipeline.study_input import StudyInput
from cementct.segmentation.vertebrae.embedded import segment_vertebrae
from cementct.segmentation.vertebrae.label_file import labels_from_file

DOCS = Path(__file__).resolve().parents[2] / "docs"
SETTINGS = ("labels+pre", "embedded+pre", "labels", "embedded")


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phantoms", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--settings", nargs="*", default=list(SETTINGS))
    parser.add_argument("--write", action="store_true", help="write docs/accuracy.md and docs/accuracy.json")
    wanted = parser.parse_args()
    recipes = [*implant_recipes(), *phantom_recipes(wanted.phantoms)]
    scores: list[Score] = []
    with ProcessPoolExecutor(wanted.jobs) as pool:
        for results in pool.map(partial(run_all, settings=tuple(wanted.settings)), recipes):
            scores += results
            for result in results:
                print(_line(result), flush=True)
    facts = {
        "date": datetime.now(UTC).date().isoformat(),
        "version": __version__,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "python": platform.python_version(),
        "first_seed": FIRST_REPORTING_SEED,
        "phantoms": wanted.phantoms,
    }
    untouched = look_at_untouched()
    text = render(scores, untouched, facts)
    print(text)
    if wanted.write:
        (DOCS / "accuracy.md").write_text(text, encoding="utf-8")
        data = {
            "facts": facts,
            "scores": [asdict(s) for s in scores],
            "untouched": [asdict(u) for u in untouched],
        }
        (DOCS / "accuracy.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def run_all(recipe: Recipe, *, settings: tuple[str, ...]) -> list[Score]:
    """Analyse one case under every setting; nothing where the case has no room for what was wanted."""
    case = load(recipe)
    return [run(case, setting) for setting in settings] if case is not None else []


def run(case: Case, setting: str) -> Score:
    """Analyse one case under one setting and score it."""
    pre = case.pre if setting.endswith("+pre") else None
    from_labels = setting.startswith("labels")

    def from_file(volume: Volume) -> object:
        del volume
        return labels_from_file(case.vertebrae, LabelScheme.VERSE)

    post = scan_of(case.post.hu, case.post.grid)
    study = StudyInput(post, post.report("The case."))
    subject = Subject(
        post=case.post,
        pre=pre,
        find_vertebrae=from_file if from_labels else segment_vertebrae,  # type: ignore[arg-type]
        find_vertebrae_before=segment_vertebrae,
        carries_bodies=not from_labels,
    )
    started = time.perf_counter()
    origin = ReportOrigin(Software(name="cementct", version=__version__, config_sha256=""), None)
    report = analyze_volumes(study, subject, origin, tell=lambda _: None).report
    result = score(case.name, setting, case.truth, report)
    result.seconds = time.perf_counter() - started
    return result


def _line(result: Score) -> str:
    volumes = ", ".join(f"{true:.2f}→{found:.2f} ml" for true, found, _, _ in result.volumes)
    leaks = ", ".join(
        f"{kind} {true:.3f}→{'missed' if found is None else f'{found:.3f}'}"
        for kind, true, found in result.leaks
    )
    false = ", ".join(f"{kind} {volume:.3f}" for kind, volume in result.false_leaks)
    fill = ", ".join(f"{t:.0%}→{f:.0%}" for t, f, *_ in result.fillings)
    return (
        f"{result.case} [{result.setting}] {result.found}/{result.treated} treated, "
        f"{result.invented} invented; {volumes}; filling {fill}; leaks: {leaks or 'none'}; "
        f"false: {false or 'none'} ({result.seconds:.0f} s)"
    )


if __name__ == "__main__":
    sys.exit(main())
