"""docs/accuracy.md and docs/accuracy.json."""

from __future__ import annotations

import json
import math
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np

from benchmarks.accuracy.cases import CASES_VERSION, ROOT, Family, Half, Recipe
from benchmarks.accuracy.figures import LARGE_ML, LEAK_VOLUMES_ML, Scores
from benchmarks.accuracy.growth import curves, growth_tables
from benchmarks.accuracy.limit import LimitPoint, limits_of
from benchmarks.accuracy.phantoms import COUNT, FIRST_SEED
from benchmarks.accuracy.plots import draw_all
from benchmarks.accuracy.scores import CaseScore
from benchmarks.accuracy.tables import (
    bars_table,
    cases_table,
    category_confusion_table,
    families_table,
    leak_confusion_table,
    row,
    settings_of,
    table_head,
)
from benchmarks.machine import machine_class
from cementct import __version__

DOCS = ROOT / "docs"
IMAGES = "images/accuracy"

PREFACE = """\
Every figure stands with the number of things it was made from in brackets; `*`: the bar of the column
*asked* is not reached. *labels*: vertebrae from a label file, *embedded*: from the embedded engine, *+pre*:
with the scan before injection. {about}

A vertebra is the true one where the centres of the bodies lie within 12 mm. A leak is found where a definite
leak of the same type, given to the same vertebra or its neighbour, has its centroid within 15 mm or covers
three tenths of the true one's voxels; further pieces of a found leak are no false ones. Where a leak of
another type lies in its place, it is missed as its own type and false as the other. What is not given though
there is one counts as wrong for destruction, wall and compression, and as missed elsewhere."""

ABOUT: dict[Half, str] = {
    "tuning": """\
**This is the half that was tuned on.**""",
    "reporting": """\
Nothing was tuned on these cases: the phantoms
have other seeds than those that were looked at, and cement was put into other vertebrae of the real scans
(lumbar L1, L3, L5; chest T6, T7, T9, T10, T12) and into CT simulated from other masks (verse010,
healthivert_0007, gl017). The untouched real scans have been seen before: there are no others. What the
embedded engine outlines was mended in 2026-11 on CT that others had simulated from the same masks, with
other cement.""",
}


def write_docs(
    scores: list[CaseScore], half: Half, recipes: Sequence[Recipe], *, jobs: int, whole: int
) -> None:
    """Write tables, pictures, and the figures for machines; `whole`: number of cases that the half has."""
    facts = {**facts_of(half), "cases": f"{len({s.case for s in scores})} of {whole}"}
    own = _by_family(scores, independent=False)
    pictures = draw_all(own, DOCS / IMAGES)
    limits = limits_of(recipes, jobs=jobs)
    lines = render(scores, facts, pictures, limits)
    (DOCS / "accuracy.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    data = {
        "facts": facts,
        "curves": {s: [asdict(c) for c in curves(_of(own, s))] for s in settings_of(own)},
        "limits": [asdict(p) for p in limits],
        "scores": [_without_defaults(s) for s in scores],
    }
    (DOCS / "accuracy.json").write_text(json.dumps(_plain(data)) + "\n", encoding="utf-8")


def facts_of(half: Half) -> dict[str, str]:
    """Return what has to be known to make the figures again."""
    first = FIRST_SEED[half]
    return {
        "half": half,
        "date": datetime.now(UTC).date().isoformat(),
        "version": __version__,
        "commit": commit(),
        "python": platform.python_version(),
        "machine": machine_class(),
        "cases_version": str(CASES_VERSION),
        "phantom_seeds": f"{first}–{first + COUNT[half] - 1}",
    }


def commit() -> str:
    """Return the commit that was measured, shortened; "unknown" outside a repository."""
    command = ["git", "rev-parse", "--short=7", "HEAD"]
    done = subprocess.run(command, cwd=DOCS.parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def render(
    scores: Scores,
    facts: dict[str, str],
    pictures: Sequence[tuple[str, str]],
    limits: Sequence[LimitPoint],
) -> list[str]:
    """Return docs/accuracy.md as lines."""
    about = next(words for half, words in ABOUT.items() if half == facts["half"])
    everything, scores = scores, _by_family(scores, independent=False)
    others = _by_family(everything, independent=True)
    lines = [
        "# Accuracy",
        "",
        (
            f"The {facts['half']} half, {facts['cases']} cases, made by `make accuracy` on {facts['date']}, "
            f"version {facts['version']} at commit {facts['commit']}, "
            f"Python {facts['python']}, {facts['machine']}; seeds of the random phantoms "
            f"{facts['phantom_seeds']}. The same figures for machines: [accuracy.json](accuracy.json)."
        ),
        "",
        PREFACE.format(about=about),
        "",
        *families_table(everything),
        "",
        "## Against the bars",
        "",
        *bars_table(scores),
        "",
        *(["## On cases of others", "", OTHERS, "", *bars_table(others), ""] if others else []),
        "## Pictures",
        "",
    ]
    for title, name in pictures:
        lines += [f"![{title}]({IMAGES}/{name})", ""]
    for setting in settings_of(scores):
        mine = _of(scores, setting)
        lines += [
            f"## Confusion: {setting}",
            "",
            "Types of leaks of 0.05 ml and more, true ones in rows.",
            "",
        ]
        lines += [*leak_confusion_table(mine), "", "Filling categories, true ones in rows.", ""]
        lines += [*category_confusion_table(mine), ""]
    lines += ["## How errors grow", "", GROWTH, ""]
    for setting in settings_of(scores):
        lines += [f"### {setting}", "", *growth_tables(_of(scores, setting))]
    lines += ["## The physical limit", "", LIMIT, "", *limit_table(scores, limits), ""]
    return [*lines, "## Every case", "", *cases_table(everything)]


OTHERS = """\
The independent cases, which stand in none of the other tables and pictures: whoever wrote them knew the
contract, medicine and physics, and neither the algorithms nor the phantoms above. There are spines after
textbooks (`benchmarks/independent_spines`), and cement in the real scans and in CT simulated from masks
(`benchmarks/independent_implants`; subjects and levels are parted as above). They are harsher: sheets of
cement flush on cortex, arches as dense as dilute cement, scoliosis, plaques, lesions little darker than
marrow. And their truth differs in one respect: a deposit that thins out ends where it is half as opaque as
its middle, and a rim more opaque than that counts in full, while the tool counts shares."""

GROWTH = """\
Median of absolute relative errors with quartiles, or share of leaks found with its 95 % interval; the number
of things stands behind each bin. Volumes by slice and by noise: deposits of 2 ml and more."""

LIMIT = """\
An estimator that knows the true region, plateau, background and point-spread function, and estimates by
least squares from the noisy image how much of each deposit's own difference there is; beside it one that
knows the same but adds up the difference over the deposit's surroundings (`benchmarks/accuracy/limit.py`),
both on every fifth random phantom; and the error of the tool on the same cases. What lies between is what
has to be estimated from the picture: region, plateau and background."""


def limit_table(scores: Scores, limits: Sequence[LimitPoint]) -> list[str]:
    """Return the median errors of the estimator that knows everything beside those of the tool."""
    if not limits:
        return ["Not measured in this run."]
    settings = settings_of(scores)
    cases = {p.case for p in limits}
    lines = table_head(["deposits", "limit: least squares", "limit: sum", *settings])
    low, high = LEAK_VOLUMES_ML
    groups = (
        (f"cement of a vertebra ≥ {LARGE_ML:g} ml", LARGE_ML, 99.0, False),
        (f"leaks {low:g}–{high:g} ml", low, high, True),
        (f"leaks 0.02–{low:g} ml", 0.02, low, True),
    )
    for name, first, last, leaked in groups:
        mine = [p for p in limits if first <= p.true_ml < last and (p.kind != "cement") is leaked]
        cells = [
            _median([abs(p.ml / p.true_ml - 1) for p in mine]),
            _median([abs(p.sum_ml / p.true_ml - 1) for p in mine]),
        ]
        for setting in settings:
            some = [s for s in _of(scores, setting) if s.case in cases]
            cells.append(_median(_errors(some, first, last, leaked=leaked)))
        lines.append(row([name, *cells]))
    return lines


def _errors(scores: Scores, low: float, high: float, *, leaked: bool) -> list[float]:
    if leaked:
        pairs = [(k.volume_ml, k.found_ml) for s in scores for k in s.leaks]
    else:
        pairs = [(v.true_ml, v.ml) for s in scores for v in s.vertebrae]
    return [abs(found / true - 1) for true, found in pairs if found is not None and low <= true < high]


def _median(errors: Sequence[float]) -> str:
    return f"{np.median(errors):.2%} ({len(errors)})" if errors else "–"


def _by_family(scores: Scores, *, independent: bool) -> list[CaseScore]:
    return [s for s in scores if (s.family is Family.INDEPENDENT) is independent]


def _of(scores: Scores, setting: str) -> list[CaseScore]:
    return [s for s in scores if s.setting == setting]


def _without_defaults(score: CaseScore) -> dict[str, object]:
    """Return a score as data without what is empty, to keep the file small."""
    return {key: value for key, value in asdict(score).items() if value not in ((), "", None)}


def _plain(value: object) -> object:
    """Return numbers rounded, and None for those that do not exist."""
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
