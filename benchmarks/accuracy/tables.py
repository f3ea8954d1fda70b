"""Scores as the tables of docs/accuracy.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.accuracy.bars import MEASURES
from benchmarks.accuracy.cases import Family
from benchmarks.accuracy.figures import CATEGORIES, KINDS, Scores, category_pairs, leak_confusion
from benchmarks.accuracy.running import SETTINGS
from benchmarks.accuracy.scores import CaseScore


def settings_of(scores: Scores) -> list[str]:
    """Return the settings that scores were made with, in their order."""
    used = {s.setting for s in scores}
    return [s for s in SETTINGS if s in used]


def bars_table(scores: Scores) -> list[str]:
    """Return the issue's table: each bar beside what was reached, ``*`` where short."""
    settings = settings_of(scores)
    lines = table_head(["measure", "asked: label file; embedded", *settings])
    for measure in MEASURES:
        cells = [measure.cell(scores, setting) for setting in settings]
        if any(c != "–" for c in cells):
            lines.append(row([measure.name, measure.bar_text(), *cells]))
    return lines


def families_table(scores: Scores) -> list[str]:
    """Return how many cases, treated vertebrae and leaks each family has."""
    lines = table_head(
        ["family", "cases", "treated vertebrae", *[f"{k} ≥ 0.05 ml" for k in KINDS], "0.02–0.05 ml"]
    )
    for family in Family:
        one = {s.case: s for s in scores if s.family is family}
        if not one:
            continue
        leaks = [k for s in one.values() for k in s.leaks]
        big = [sum(k.kind == kind and k.volume_ml >= 0.05 for k in leaks) for kind in KINDS]
        treated = sum(len(s.vertebrae) for s in one.values())
        lines.append(row([family.value, len(one), treated, *big, sum(k.volume_ml < 0.05 for k in leaks)]))
    return lines


def leak_confusion_table(scores: Scores) -> list[str]:
    """Return the confusion matrix of leak types, from 0.05 ml."""
    counts = leak_confusion(scores)
    columns = [*KINDS, "missed"]
    lines = table_head(["true", *columns])
    for true in [*KINDS, "none"]:
        lines.append(row([true, *[counts[true, c] or "" for c in columns]]))
    return lines


def category_confusion_table(scores: Scores) -> list[str]:
    """Return the confusion matrix of filling categories."""
    pairs = category_pairs(scores)
    lines = table_head(["true", *CATEGORIES])
    for true in CATEGORIES:
        lines.append(row([true, *[pairs.count((true, c)) or "" for c in CATEGORIES]]))
    return lines


def cases_table(scores: Scores) -> list[str]:
    """Return every case: truth beside result."""
    lines = table_head(["case", "setting", "cement, ml", "filling", "leaks, ml", "false"])
    for s in scores:
        words = words_of(s)
        lines.append(
            row([s.case, s.setting, words["cement"], words["filling"], words["leaks"], words["false"]])
        )
    return lines


def line_of(s: CaseScore) -> str:
    """Return a case's score in one line."""
    words = words_of(s)
    found = sum(v.found for v in s.vertebrae)
    parts = [
        f"{s.case} [{s.setting}] {found}/{len(s.vertebrae)} treated",
        f"{s.invented} invented ({s.false_cement_ml:.2f} ml)" if s.invented else "",
        words["cement"],
        f"filling {words['filling']}" if words["filling"] != "–" else "",
        f"leaks: {words['leaks']}",
        f"false: {words['false']}" if words["false"] != "–" else "",
        f"wrong names {s.wrong_names}" if s.wrong_names else "",
        s.error,
        f"{s.seconds:.0f} s",
    ]
    return "; ".join(p for p in parts if p)


def words_of(s: CaseScore) -> Mapping[str, str]:
    """Return truth beside result of one case in words."""
    cement = [f"{v.level} {v.true_ml:.2f}→{'missed' if v.ml is None else f'{v.ml:.2f}'}" for v in s.vertebrae]
    filling = [
        f"{v.true_filling:.0%}→{'none' if v.filling is None else f'{v.filling:.0%}'}"
        for v in s.vertebrae
        if v.true_filling is not None and v.found
    ]
    leaks = [
        f"{k.level} {k.kind} {k.volume_ml:.3f}→"
        + (f"{k.found_ml:.3f}" if k.found_ml is not None else f"as {k.typed_as}" if k.typed_as else "missed")
        + (" (wrong vertebra)" if k.wrong_vertebra else "")
        for k in s.leaks
    ]
    false = [
        f"{f.kind} {f.volume_ml:.3f}" + (f" (is {f.true_kind})" if f.true_kind else "") for f in s.false_leaks
    ]
    return {
        name: ", ".join(items) or "–"
        for name, items in (("cement", cement), ("filling", filling), ("leaks", leaks), ("false", false))
    }


def table_head(names: Sequence[str]) -> list[str]:
    """Return the first two lines of a table."""
    return [row(names), "|" + "---|" * len(names)]


def row(cells: Sequence[object]) -> str:
    """Return one line of a table."""
    return "| " + " | ".join(str(c) for c in cells) + " |"
