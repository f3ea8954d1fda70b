"""Two runs of the bench on the cases that both have: every measure before and after, with its bar.

Usage: ``python -m benchmarks.accuracy.compare OLD.json [NEW.json] [--family NAME ...]``. Each is an
``accuracy.json`` as ``make accuracy`` writes it, of any commit (``git show COMMIT:docs/accuracy.json``); NEW
is that in ``docs`` where none is named. What only one of them has is left out and counted.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.accuracy.bars import MEASURES
from benchmarks.accuracy.cases import Family
from benchmarks.accuracy.document import DOCS
from benchmarks.accuracy.scores import CaseScore
from benchmarks.accuracy.tables import row, settings_of, table_head


def main() -> None:
    """Read both, and print a table for each setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path, nargs="?", default=DOCS / "accuracy.json")
    parser.add_argument("--family", nargs="*", choices=list(Family), default=list(Family))
    wanted = parser.parse_args()
    (facts_old, old), (facts_new, new) = read_scores(wanted.old), read_scores(wanted.new)
    old, new = ([s for s in scores if s.family in wanted.family] for scores in (old, new))
    for line in compare(old, new, names=(facts_old["commit"], facts_new["commit"])):
        print(line)


def read_scores(file: Path) -> tuple[dict[str, Any], list[CaseScore]]:
    """Return what has to be known of a run, and its scores.

    Raises
    ------
    msgspec.ValidationError
        Where the file holds something else.
    """
    held = json.loads(file.read_text(encoding="utf-8"))
    return held["facts"], msgspec.convert(held["scores"], list[CaseScore], strict=False)


def compare(old: Sequence[CaseScore], new: Sequence[CaseScore], *, names: tuple[str, str]) -> list[str]:
    """Return tables of all measures on the cases that were analysed in both runs, setting by setting.

    Parameters
    ----------
    old, new
        Scores of either run.
    names
        How the tables call them.
    """
    both = {(s.case, s.setting) for s in old} & {(s.case, s.setting) for s in new}
    left = [len({(s.case, s.setting) for s in scores} - both) for scores in (old, new)]
    lines = [f"results in both: {len(both)}; left out: {left[0]} of {names[0]}, {left[1]} of {names[1]}"]
    before, after = ([s for s in scores if (s.case, s.setting) in both] for scores in (old, new))
    for setting in settings_of(after):
        lines += ["", *table_head([setting, "asked", *names])]
        for measure in MEASURES:
            cells = [measure.cell(scores, setting) for scores in (before, after)]
            if any(cell != "–" for cell in cells):
                lines.append(row([measure.name, measure.bar_text(), *cells]))
    return lines


if __name__ == "__main__":
    main()
