"""docs/accuracy.md and docs/accuracy.json."""

from __future__ import annotations

import json
import math
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime

from benchmarks.accuracy.cases import CASES_VERSION, ROOT, Half
from benchmarks.accuracy.phantoms import COUNT, FIRST_SEED
from benchmarks.accuracy.scores import CaseScore
from benchmarks.accuracy.tables import (
    bars_table,
    cases_table,
    category_confusion_table,
    families_table,
    leak_confusion_table,
    settings_of,
)
from cementct import __version__

DOCS = ROOT / "docs"


def write_docs(scores: list[CaseScore], half: Half) -> None:
    """Write the tables, and the figures for machines."""
    facts = facts_of(half)
    (DOCS / "accuracy.md").write_text("\n".join(render(scores, facts)) + "\n", encoding="utf-8")
    data = {"facts": facts, "scores": [asdict(s) for s in scores]}
    (DOCS / "accuracy.json").write_text(json.dumps(_plain(data), indent=None) + "\n", encoding="utf-8")


def facts_of(half: Half) -> dict[str, object]:
    """Return what has to be known to make the figures again."""
    first = FIRST_SEED[half]
    return {
        "half": half,
        "date": datetime.now(UTC).date().isoformat(),
        "version": __version__,
        "python": platform.python_version(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "cases_version": CASES_VERSION,
        "phantom_seeds": f"{first}–{first + COUNT[half] - 1}",
    }


def render(scores: list[CaseScore], facts: dict[str, object]) -> list[str]:
    """Return docs/accuracy.md as lines."""
    lines = [
        "# Accuracy",
        "",
        (
            f"Made by `make accuracy` on {facts['date']}, version {facts['version']}, "
            f"Python {facts['python']}, {facts['machine']}; phantom seeds {facts['phantom_seeds']}. "
            "The same figures for machines: [accuracy.json](accuracy.json)."
        ),
        "",
        *families_table(scores),
        "",
        *bars_table(scores),
    ]
    for setting in settings_of(scores):
        mine = [s for s in scores if s.setting == setting]
        lines += ["", f"## {setting}", "", *leak_confusion_table(mine), "", *category_confusion_table(mine)]
    return [*lines, "", "## Every case", "", *cases_table(scores)]


def _plain(value: object) -> object:
    """Return numbers rounded, and None for those that do not exist."""
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
