"""The scores as the tables of docs/accuracy.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from benchmarks.accuracy.scoring import LEAK_TYPES, Score
from benchmarks.accuracy.untouched import Untouched, render_untouched

FAMILIES = {"implant": "Implants in real CT", "phantom": "Phantoms"}


def render(scores: Sequence[Score], untouched: list[Untouched], facts: dict[str, object]) -> str:
    """Return docs/accuracy.md."""
    first = int(str(facts["first_seed"]))
    last = first + int(str(facts["phantoms"])) - 1
    lines = [
        "# Accuracy",
        "",
        (
            f"Made by `make accuracy` on {facts['date']}, version {facts['version']}, "
            f"Python {facts['python']}, {facts['machine']}. "
            f"Phantoms: seeds {first} to {last}, which nothing was tuned on. "
            "The same figures for machines: [accuracy.json](accuracy.json)."
        ),
        "",
        (
            "*labels*: vertebrae from a label file. *embedded*: from the embedded engine. *+pre*: with the "
            "scan before injection. A leak counts as found where a definite leak of the same type lies "
            "within 15 mm."
        ),
    ]
    for family, title in FAMILIES.items():
        mine = [s for s in scores if s.case.startswith(family)]
        if mine:
            lines += ["", f"## {title}", "", *_summary(mine), "", "### Leaks by type", "", *_leaks(mine)]
    implants = [s for s in scores if s.case.startswith("implant")]
    if implants:
        lines += ["", "## Every implant, truth beside result", "", *_each(implants)]
    if untouched:
        lines += ["", "## Real CT without cement, embedded engine", "", *render_untouched(untouched)]
    return "\n".join(lines) + "\n"


def _settings(scores: Sequence[Score]) -> list[str]:
    return list(dict.fromkeys(s.setting for s in scores))


def _summary(scores: Sequence[Score]) -> list[str]:
    settings = _settings(scores)
    rows: list[tuple[str, Callable[[list[Score]], str]]] = [
        ("cases", lambda s: str(len(s))),
        ("treated vertebrae found / in truth", lambda s: f"{_sum(s, 'found')} / {_sum(s, 'treated')}"),
        ("treated vertebrae invented", lambda s: str(_sum(s, "invented"))),
        ("vertebrae with a wrong level name", lambda s: str(_sum(s, "wrong_names"))),
        ("cement volume ≥ 2 ml, median absolute error", lambda s: _volume_error(s, 50)),
        ("cement volume ≥ 2 ml, 95th percentile", lambda s: _volume_error(s, 95)),
        ("90 % intervals that hold the truth", _coverage),
        ("filling rate, mean absolute error", _filling_error),
        ("filling category, agreement", _category),
        ("posterior wall distance, mean absolute error", _wall),
        ("volume of leaks 0.05–0.5 ml, median absolute error", _leak_error),
        ("definite leaks that are none", lambda s: str(sum(len(x.false_leaks) for x in s))),
    ]
    lines = ["| measure | " + " | ".join(settings) + " |", "|---|" + "---|" * len(settings)]
    for name, compute in rows:
        cells = [compute([s for s in scores if s.setting == setting]) for setting in settings]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def _leaks(scores: Sequence[Score]) -> list[str]:
    settings = _settings(scores)
    lines = [
        "Found / in truth of leaks of 0.05 ml and more; in brackets those of 0.02–0.05 ml; then false ones.",
        "",
        "| type | " + " | ".join(settings) + " |",
        "|---|" + "---|" * len(settings),
    ]
    for kind in LEAK_TYPES:
        cells = []
        for setting in settings:
            mine = [s for s in scores if s.setting == setting]
            big = [f is not None for s in mine for k, t, f in s.leaks if k == kind and t >= 0.05]
            small = [f is not None for s in mine for k, t, f in s.leaks if k == kind and 0.02 <= t < 0.05]
            false = sum(k == kind for s in mine for k, _ in s.false_leaks)
            cells.append(f"{sum(big)} / {len(big)} ({sum(small)} / {len(small)}), {false} false")
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return lines


def _each(scores: Sequence[Score]) -> list[str]:
    lines = [
        "| case | setting | cement, ml | filling | leak: true → found, ml | definite leaks that are none |",
        "|---|---|---|---|---|---|",
    ]
    for s in scores:
        cement = ", ".join(f"{t:.2f} → {f:.2f}" for t, f, _, _ in s.volumes) or "not found"
        filling = ", ".join(f"{t:.0%} → {f:.0%}" for t, f, *_ in s.fillings) or "–"
        leaks = ", ".join(f"{k} {t:.2f} → {'missed' if f is None else f'{f:.2f}'}" for k, t, f in s.leaks)
        false = ", ".join(f"{k} {v:.2f}" for k, v in s.false_leaks)
        cells = [s.case.removeprefix("implant-"), s.setting, cement, filling, leaks or "–", false or "–"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _sum(scores: Iterable[Score], name: str) -> int:
    return sum(int(getattr(s, name)) for s in scores)


def _volume_error(scores: Sequence[Score], percentile: float) -> str:
    errors = [abs(f / t - 1) for s in scores for t, f, _, _ in s.volumes if t >= 2]
    return f"{np.percentile(errors, percentile):.1%}" if errors else "–"


def _coverage(scores: Sequence[Score]) -> str:
    inside = [low <= t <= high for s in scores for t, _, low, high in s.volumes]
    return f"{np.mean(inside):.2f} of {len(inside)}" if inside else "–"


def _filling_error(scores: Sequence[Score]) -> str:
    errors = [abs(f - t) * 100 for s in scores for t, f, *_ in s.fillings]
    return f"{np.mean(errors):.1f} points" if errors else "–"


def _category(scores: Sequence[Score]) -> str:
    same = [a == b for s in scores for _, _, a, b, _ in s.fillings]
    return f"{np.mean(same):.2f} of {len(same)}" if same else "–"


def _wall(scores: Sequence[Score]) -> str:
    errors = [abs(f - t) for s in scores for t, f in s.walls]
    return f"{np.mean(errors):.2f} mm" if errors else "–"


def _leak_error(scores: Sequence[Score]) -> str:
    errors = [abs(f / t - 1) for s in scores for _, t, f in s.leaks if f is not None and 0.05 <= t <= 0.5]
    return f"{np.median(errors):.0%} of {len(errors)}" if errors else "–"
