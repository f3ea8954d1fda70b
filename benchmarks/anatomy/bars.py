"""What the issue asks of each measure, by slice class, and how each measure is made from scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from benchmarks.anatomy.scores import CaseScore, VertebraScore

# Slice classes by their upper limits, mm; thicker ones stand in a column of their own, without a bar.
CLASSES = ((1.5, "≤ 1.5 mm"), (2.5, "≤ 2.5 mm"), (3.3, "3 mm"), (9.9, "5 mm"))

Scores = Sequence[CaseScore]


@dataclass(frozen=True)
class Figure:
    """A number and how many things it was made from; None where there were none."""

    value: float | None
    count: int


class Form(StrEnum):
    """How a figure is written."""

    PERCENT = "percent"
    SHARE = "share"
    MM = "mm"
    COUNT = "count"

    def text(self, value: float) -> str:
        """Return a value as text."""
        if self is Form.PERCENT:
            return f"{100 * value:.1f} %"
        digits = {Form.SHARE: 3, Form.MM: 2, Form.COUNT: 0}[self]
        return f"{value:.{digits}f}"


@dataclass(frozen=True)
class Bar:
    """What is asked in the first three slice classes: at least, or at most."""

    limits: tuple[float, float, float]
    is_least: bool

    def judge(self, value: float, index: int) -> bool:
        """Tell whether a value in a slice class reaches the bar."""
        limit = self.limits[index]
        return value >= limit if self.is_least else value <= limit


def least(thin: float, middle: float, thick: float) -> Bar:
    """Return lower limits."""
    return Bar((thin, middle, thick), is_least=True)


def most(thin: float, middle: float, thick: float) -> Bar:
    """Return upper limits."""
    return Bar((thin, middle, thick), is_least=False)


@dataclass(frozen=True)
class Measure:
    """One row of the issue's table: its name, its bar, its form, and how it is computed from some cases."""

    name: str
    bar: Bar
    form: Form
    compute: Callable[[Scores], Figure]

    def cell(self, scores: Scores, index: int) -> str:
        """Return the figure of a slice class with its bar, in bold where it falls short."""
        figure = self.compute(scores)
        if figure.value is None:
            return "–"
        shown = f"{self.form.text(figure.value)} of {figure.count}"
        if index >= len(self.bar.limits):
            return shown
        sign = "≥" if self.bar.is_least else "≤"
        reached = self.bar.judge(figure.value, index)
        return f"{shown if reached else f'**{shown}**'} ({sign} {self.form.text(self.bar.limits[index])})"


def slice_class(slice_mm: float) -> int:
    """Return the index of the slice class."""
    return next(i for i, (limit, _) in enumerate(CLASSES) if slice_mm <= limit + 1e-6)


def vertebrae_of(scores: Scores) -> list[VertebraScore]:
    """Return the found whole vertebrae of some cases."""
    return [v for s in scores for v in s.vertebrae]


def mean_of(values: Iterable[float | None]) -> Figure:
    """Return the mean of those values that exist."""
    known = [v for v in values if v is not None and np.isfinite(v)]
    return Figure(float(np.mean(known)) if known else None, len(known))


def found_share(scores: Scores) -> Figure:
    """Return the share of whole vertebrae found, each invented or doubled one counting as one more missed.

    Where vertebrae stand in the wrong order none of a case's counts.
    """
    asked = sum(s.whole + s.invented + s.doubled for s in scores)
    found = sum(s.found for s in scores if s.in_order)
    return Figure(found / asked if asked else None, asked)


def _dice(scores: Scores, *, lumbar: bool) -> Figure:
    return mean_of(v.body_dice for v in vertebrae_of(scores) if not v.treated and v.is_lumbar == lumbar)


def _treated_dice(scores: Scores) -> Figure:
    return mean_of(v.body_dice for v in vertebrae_of(scores) if v.treated)


def _wall(scores: Scores, *, treated: bool) -> Figure:
    return mean_of(v.wall_mm for v in vertebrae_of(scores) if v.treated == treated)


def _endplates(scores: Scores, *, treated: bool) -> Figure:
    mine = [v for v in vertebrae_of(scores) if v.treated == treated]
    return mean_of(d for v in mine for d in (v.superior_mm, v.inferior_mm))


def _volume_error(scores: Scores) -> Figure:
    return mean_of(abs(v.volume_error) for v in vertebrae_of(scores))


def _cement_outside(scores: Scores) -> Figure:
    return mean_of(s.cement_outside_share for s in scores)


def _whole_dice(scores: Scores) -> Figure:
    return mean_of(v.whole_dice for v in vertebrae_of(scores))


def _leaked(scores: Scores, kind: str) -> Figure:
    return mean_of(s.leaked_inside_share.get(kind) for s in scores)


def _canal(scores: Scores) -> Figure:
    errors = [e for s in scores for e in s.canal_mm]
    return Figure(float(np.percentile(errors, 95)) if errors else None, len(errors))


def _named(scores: Scores) -> Figure:
    names = [v for s in scores if s.names_knowable for v in s.vertebrae]
    return mean_of(float(v.name == v.true_name) for v in names)


def _misnamed(scores: Scores) -> Figure:
    names = [v for v in vertebrae_of(scores) if v.name]
    return Figure(float(sum(v.name != v.true_name for v in names)), len(names))


WALLS = most(0.7, 1.1, 1.5)

MEASURES = (
    Measure(
        "whole vertebrae found, in order, none invented", least(0.98, 0.96, 0.95), Form.PERCENT, found_share
    ),
    Measure(
        "body Dice, untreated, lumbar", least(0.93, 0.90, 0.89), Form.SHARE, lambda s: _dice(s, lumbar=True)
    ),
    Measure(
        "body Dice, untreated, thoracic",
        least(0.91, 0.87, 0.83),
        Form.SHARE,
        lambda s: _dice(s, lumbar=False),
    ),
    Measure("body Dice, treated", least(0.90, 0.86, 0.84), Form.SHARE, _treated_dice),
    Measure("body volume error, mean", most(0.05, 0.08, 0.10), Form.PERCENT, _volume_error),
    Measure("posterior wall, mm, untreated", WALLS, Form.MM, lambda s: _wall(s, treated=False)),
    Measure("posterior wall, mm, treated", WALLS, Form.MM, lambda s: _wall(s, treated=True)),
    Measure("endplates, mm, untreated", WALLS, Form.MM, lambda s: _endplates(s, treated=False)),
    Measure("endplates, mm, treated", WALLS, Form.MM, lambda s: _endplates(s, treated=True)),
    Measure(
        "epidural leaks inside a body, share",
        most(0.03, 0.04, 0.06),
        Form.PERCENT,
        lambda s: _leaked(s, "epidural"),
    ),
    Measure(
        "diskal leaks inside a body, share",
        most(0.08, 0.12, 0.20),
        Form.PERCENT,
        lambda s: _leaked(s, "diskal"),
    ),
    Measure("cement of the body outside it, share", most(0.02, 0.03, 0.04), Form.PERCENT, _cement_outside),
    Measure("canal's middle, 95th percentile, mm", most(1.5, 1.5, 2.0), Form.MM, _canal),
    Measure("whole vertebra Dice", least(0.85, 0.80, 0.75), Form.SHARE, _whole_dice),
    Measure("level named right where it can be known", least(0.95, 0.95, 0.90), Form.PERCENT, _named),
    Measure("wrong names", most(0, 0, 0), Form.COUNT, _misnamed),
)
