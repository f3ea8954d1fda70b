"""What the issue asks of each measure, with a label file and with the embedded engine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from benchmarks.accuracy import figures as f
from benchmarks.accuracy.figures import KINDS, NEAR_NERVES, Compute, Figure, Scores


class Form(StrEnum):
    """How a figure is written."""

    PERCENT = "percent"
    SHARE = "share"
    POINTS = "points"
    MM = "mm"
    SLICES = "slices"
    COUNT = "count"

    def text(self, value: float) -> str:
        """Return a value as text."""
        if self is Form.PERCENT:
            return f"{100 * value:.1f} %"
        digits = {Form.SHARE: 3, Form.POINTS: 1, Form.MM: 2, Form.SLICES: 2, Form.COUNT: 0}[self]
        unit = {Form.POINTS: " points", Form.MM: " mm", Form.SLICES: " × slice"}.get(self, "")
        return f"{value:.{digits}f}{unit}"


class When(StrEnum):
    """Which settings a measure stands for."""

    ALWAYS = "always"
    WITH_PRE = "with the scan before"
    POST_ONLY = "post only"


@dataclass(frozen=True)
class Bar:
    """What is asked with a label file and of the embedded engine: from `low` to `high`."""

    labels: tuple[float, float]
    embedded: tuple[float, float]


def least(labels: float, embedded: float) -> Bar:
    """Return lower limits."""
    return Bar((labels, float("inf")), (embedded, float("inf")))


def most(labels: float, embedded: float) -> Bar:
    """Return upper limits."""
    return Bar((-float("inf"), labels), (-float("inf"), embedded))


@dataclass(frozen=True)
class Measure:
    """One row of the issue's table: its name, how it is computed, its form, its bar, and where it applies."""

    name: str
    compute: Compute
    form: Form
    bar: Bar | None
    when: When = When.ALWAYS

    def applies(self, setting: str) -> bool:
        """Tell whether the measure stands for a setting."""
        with_pre = setting.endswith("+pre")
        return self.when is When.ALWAYS or with_pre == (self.when is When.WITH_PRE)

    def limits(self, setting: str) -> tuple[float, float] | None:
        """Return what is asked under a setting."""
        if self.bar is None:
            return None
        return self.bar.labels if setting.startswith("labels") else self.bar.embedded

    def is_reached(self, figure: Figure, setting: str) -> bool:
        """Tell whether a figure reaches the bar."""
        limits = self.limits(setting)
        return limits is None or figure.value is None or limits[0] <= figure.value <= limits[1]

    def cell(self, scores: Scores, setting: str) -> str:
        """Return the figure under a setting, with ``*`` where it falls short of the bar."""
        mine = [s for s in scores if s.setting == setting]
        if not self.applies(setting) or not mine:
            return "–"
        figure = self.compute(mine)
        if figure.value is None:
            return "–"
        star = "" if self.is_reached(figure, setting) else " *"
        spread = ""
        if figure.interval:
            spread = f" [{figure.interval[0]:.2f}–{figure.interval[1]:.2f}]"
        return f"{self.form.text(figure.value)}{star}{spread} ({figure.count})"

    def bar_text(self) -> str:
        """Return what is asked as text."""
        if self.bar is None:
            return "–"
        parts = [self._side(limits) for limits in (self.bar.labels, self.bar.embedded)]
        return parts[0] if parts[0] == parts[1] else "; ".join(parts)

    def _side(self, limits: tuple[float, float]) -> str:
        low, high = limits
        if low == -float("inf"):
            return f"≤ {self.form.text(high)}"
        return f"≥ {self.form.text(low)}" if high == float("inf") else f"{low:g}–{high:g}"


def _by_type() -> list[Measure]:
    found = [
        Measure(
            f"leaks ≥ 0.05 ml: sensitivity, {kind}",
            partial(f.sensitivity, kinds=(kind,)),
            Form.SHARE,
            least(0.97, 0.93),
        )
        for kind in KINDS
    ]
    right = [
        Measure(
            f"leaks ≥ 0.05 ml: precision, {kind}",
            partial(f.precision, kinds=(kind,)),
            Form.SHARE,
            least(0.97, 0.93),
        )
        for kind in KINDS
    ]
    return [*found, *right]


MEASURES = (
    Measure("treated vertebrae found", f.found, Form.PERCENT, least(1.0, 0.98)),
    Measure("treated vertebrae invented", f.invented, Form.COUNT, most(0, 0)),
    Measure("cement volume ≥ 2 ml: median absolute error", f.volume_median, Form.PERCENT, most(0.015, 0.015)),
    Measure(
        "the same, 95th percentile: slices ≤ 1.5 mm and not clipped",
        partial(f.volume_95, easy=True),
        Form.PERCENT,
        most(0.04, 0.04),
    ),
    Measure(
        "the same, 95th percentile: otherwise",
        partial(f.volume_95, easy=False),
        Form.PERCENT,
        most(0.08, 0.08),
    ),
    Measure("cement attributed to the right vertebra", f.attributed, Form.PERCENT, least(0.99, 0.99)),
    Measure(
        "90 % intervals of volumes that hold the truth",
        f.coverage,
        Form.SHARE,
        Bar((0.85, 0.95), (0.85, 0.95)),
    ),
    Measure(
        "volume of leaks 0.05–0.5 ml: median absolute error", f.leak_volume, Form.PERCENT, most(0.12, 0.12)
    ),
    Measure(
        "filling rate, with pre: mean absolute error", f.filling_error, Form.POINTS, most(2, 3), When.WITH_PRE
    ),
    Measure(
        "filling rate, post only: mean absolute error",
        f.filling_error,
        Form.POINTS,
        most(8, 10),
        When.POST_ONLY,
    ),
    Measure("filling rates not given", f.filling_missing, Form.PERCENT, None),
    Measure("90 % intervals of filling rates that hold the truth", f.filling_coverage, Form.SHARE, None),
    Measure(
        "filling category, with pre, 2.5 points or more from a boundary: agreement",
        partial(f.category_agreement, away=True),
        Form.PERCENT,
        least(0.94, 0.90),
        When.WITH_PRE,
    ),
    Measure(
        "filling category, with pre: weighted kappa",
        f.weighted_kappa,
        Form.SHARE,
        least(0.93, 0.90),
        When.WITH_PRE,
    ),
    Measure(
        "filling category, post only: agreement",
        partial(f.category_agreement, away=False),
        Form.SHARE,
        least(0.70, 0.65),
        When.POST_ONLY,
    ),
    *_by_type(),
    Measure(
        "leaks 0.02–0.05 ml: sensitivity",
        partial(f.sensitivity, low_ml=f.SMALL_LEAK_ML, high_ml=f.LEAK_ML),
        Form.SHARE,
        least(0.85, 0.80),
    ),
    Measure(
        "leaks into canal and foramina alone, ≥ 0.05 ml: sensitivity",
        partial(f.sensitivity, kinds=NEAR_NERVES),
        Form.SHARE,
        least(0.97, 0.95),
    ),
    Measure("false ones there in cases with streaks only", f.false_in_streaks, Form.COUNT, most(0, 0)),
    Measure("readable compartments called not assessable", f.refused, Form.PERCENT, most(0.03, 0.05)),
    Measure(
        "posterior wall distance: mean absolute error, slices ≤ 1.5 mm",
        partial(f.wall_error, thin=True),
        Form.MM,
        most(0.5, 0.9),
    ),
    Measure("the same, above 1.5 mm", partial(f.wall_error, thin=False), Form.SLICES, most(0.25, 0.4)),
    Measure("lesion Dice, with pre", f.lesion_dice, Form.SHARE, least(0.88, 0.85), When.WITH_PRE),
    Measure(
        "type of destruction: accuracy, with pre", f.destruction, Form.SHARE, least(0.95, 0.92), When.WITH_PRE
    ),
    Measure(
        "posterior wall involved: accuracy, with pre",
        f.wall_involved,
        Form.SHARE,
        least(0.95, 0.92),
        When.WITH_PRE,
    ),
    Measure("compressed: accuracy", f.compression, Form.SHARE, least(0.95, 0.92)),
    Measure("untouched cases with false cement", f.false_cement, Form.COUNT, most(0, 0)),
    Measure("wrong level names", f.wrong_names, Form.COUNT, None),
)
