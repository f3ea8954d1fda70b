"""What was measured, as tables and a plot, put between two marks of docs/performance.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.accuracy.cases import ROOT
from benchmarks.machine import when_and_where

DOCUMENT = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "images" / "performance.png"
BEGIN, END = "<!-- made by `make performance`: begin -->", "<!-- made by `make performance`: end -->"


@dataclass(frozen=True)
class Row:
    """One line: what was done, what it took, what it has to reach, and more to say."""

    work: str
    seconds: float
    bar_s: float | None = None
    more: str = ""


@dataclass(frozen=True)
class Yardsticks:
    """Seconds of a copy of 300 slices of 512 × 512, and of reading and of converting the same as DICOM."""

    copy_s: float
    pydicom_s: float
    dcm2niix_s: float | None


@dataclass(frozen=True)
class Growth:
    """How seconds grow with something counted."""

    counted: str
    points: Mapping[int, float]


def text_of(rows: Sequence[Row], yardsticks: Yardsticks, growths: Sequence[Growth]) -> str:
    """Return the section of the document."""
    lines = [
        f"*{when_and_where()}, warm cache, medians by the clock. Made by `make performance`.*",
        "",
        f"Yardsticks of the same run, 300 slices of 512 × 512: `numpy.copy` {yardsticks.copy_s:.3f} s, "
        f"pydicom slice by slice {yardsticks.pydicom_s:.2f} s, "
        + (
            f"dcm2niix {yardsticks.dcm2niix_s:.2f} s."
            if yardsticks.dcm2niix_s is not None
            else "dcm2niix not installed."
        ),
        "",
        "| work | seconds | to reach | × copy | × pydicom | |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        bar = f"≤ {row.bar_s:g}{' ✓' if row.seconds <= row.bar_s else ' ✗'}" if row.bar_s is not None else ""
        lines.append(
            f"| {row.work} | {row.seconds:.3f} | {bar} | {row.seconds / yardsticks.copy_s:.1f} "
            f"| {row.seconds / yardsticks.pydicom_s:.2f} | {row.more} |"
        )
    for growth in growths:
        counts, seconds = growth.points.keys(), growth.points.values()
        lines += [
            "",
            f"| {growth.counted} | " + " | ".join(str(n) for n in counts) + " |",
            "|---" * (len(growth.points) + 1) + "|",
            "| seconds | " + " | ".join(f"{s:.2f}" for s in seconds) + " |",
            "",
            _straightness(growth),
        ]
    return "\n".join([*lines, "", f"![Cost against slices, vertebrae and studies](images/{PLOT.name})"])


def _straightness(growth: Growth) -> str:
    """Return how well a straight line explains the seconds."""
    counts, seconds = (np.asarray(list(of), dtype=float) for of in (growth.points, growth.points.values()))
    slope, start = np.polyfit(counts, seconds, 1)
    off = np.abs(start + slope * counts - seconds) / seconds
    return f"A straight line, {start:.2f} s and {slope:.3f} s each, is off by {off.max():.0%} at most."


def write(text: str, growths: Sequence[Growth]) -> None:
    """Put the section between its marks in the document, and draw the plot."""
    document = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
    _draw(growths, PLOT)


def _draw(growths: Sequence[Growth], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(growths), figsize=(3.2 * len(growths), 2.6), squeeze=False)
    for axis, growth in zip(axes[0], growths, strict=True):
        axis.plot(list(growth.points), list(growth.points.values()), "o-", color="#1f5f8b")
        axis.set(xlabel=growth.counted, ylabel="seconds", ylim=(0, None), xlim=(0, None))
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
