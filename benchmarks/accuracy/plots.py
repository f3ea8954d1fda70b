"""Scores as pictures: measured against true, Bland-Altman, confusion, growth. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.accuracy.figures import CATEGORIES, KINDS, Scores, category_pairs, leak_confusion
from benchmarks.accuracy.growth import curves
from benchmarks.accuracy.tables import settings_of
from cementct.core.arrays import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DOTS_PER_INCH = 90
COLOURS = {"labels+pre": "#1b6ca8", "embedded+pre": "#2e8b57", "labels": "#c9712b", "embedded": "#a8325e"}
# Limits of agreement: mean and so many standard deviations (Bland and Altman 1986).
AGREEMENT_SD = 1.96


def draw_all(scores: Scores, folder: Path) -> list[tuple[str, str]]:
    """Write every picture and return titles and file names."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = settings_of(scores)
    by = {name: [s for s in scores if s.setting == name] for name in settings}
    pictures = [
        ("Cement volume: measured against true, ml", "volume.png", _volumes, "agree"),
        ("Cement volume: Bland–Altman", "volume-bland-altman.png", _volumes, "differ"),
        ("Filling rate: measured against true", "filling.png", _fillings, "agree"),
        ("Filling rate: Bland–Altman", "filling-bland-altman.png", _fillings, "differ"),
        ("Leak volume: measured against true, ml", "leaks.png", _leaks, "leaks"),
    ]
    for title, name, pick, form in pictures:
        draw = DRAWERS[form]
        _panels(folder / name, title, {k: pick(v) for k, v in by.items()}, draw)
    _panels(
        folder / "leak-types.png",
        "Types of leaks ≥ 0.05 ml",
        {k: _type_matrix(v) for k, v in by.items()},
        _draw_matrix,
    )
    categories = {k: _category_matrix(v) for k, v in by.items()}
    _panels(folder / "categories.png", "Filling categories", categories, _draw_matrix)
    _draw_growth(folder / "growth.png", by)
    names = [(title, name) for title, name, *_ in pictures]
    return [
        *names,
        ("Types of leaks ≥ 0.05 ml, true ones in rows", "leak-types.png"),
        ("Filling categories, true ones in rows", "categories.png"),
        ("How errors grow", "growth.png"),
    ]


Pairs = FloatArray


def _volumes(scores: Scores) -> Pairs:
    return _pairs([(v.true_ml, v.ml) for s in scores for v in s.vertebrae])


def _fillings(scores: Scores) -> Pairs:
    return _pairs([(v.true_filling, v.filling) for s in scores for v in s.vertebrae])


def _leaks(scores: Scores) -> Pairs:
    return _pairs([(k.volume_ml, k.found_ml) for s in scores for k in s.leaks])


def _pairs(values: Sequence[tuple[float | None, float | None]]) -> Pairs:
    known = [(a, b) for a, b in values if a is not None and b is not None]
    return np.asarray(known, dtype=np.float64).reshape(-1, 2)


def _panels(file: Path, title: str, data: dict[str, Any], draw: Any) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.1 * max(1, len(data)), 3.3), layout="constrained")
    axes = figure.subplots(1, max(1, len(data)), squeeze=False)[0]
    for axis, (setting, values) in zip(axes, data.items(), strict=True):
        draw(axis, values, COLOURS[setting])
        axis.set_title(setting, fontsize=9)
        axis.tick_params(labelsize=7)
    figure.suptitle(title, fontsize=10)
    _save(figure, file)


def _draw_agreement(axis: Axes, pairs: Pairs, colour: str) -> None:
    low, high = 0.0, float(np.max(pairs, initial=0.1))
    axis.plot(pairs[:, 0], pairs[:, 1], ".", color=colour, markersize=4)
    axis.plot([low, high], [low, high], "-", color="0.6", linewidth=0.8)
    axis.set_xlabel("true", fontsize=8)
    axis.set_ylabel("measured", fontsize=8)


def _draw_leak_agreement(axis: Axes, pairs: Pairs, colour: str) -> None:
    _draw_agreement(axis, pairs, colour)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlim(0.015, 2.5)
    axis.set_ylim(0.005, 2.5)


def _draw_differences(axis: Axes, pairs: Pairs, colour: str) -> None:
    if not pairs.size:
        return
    middle, difference = pairs.mean(axis=1), pairs[:, 1] - pairs[:, 0]
    axis.plot(middle, difference, ".", color=colour, markersize=4)
    mean, spread = float(difference.mean()), AGREEMENT_SD * float(difference.std())
    for level, style in ((mean, "-"), (mean - spread, "--"), (mean + spread, "--")):
        axis.axhline(level, color="0.5", linewidth=0.8, linestyle=style)
        axis.annotate(
            f"{level:+.2f}", (1.0, level), xycoords=("axes fraction", "data"), fontsize=6, ha="right"
        )
    axis.set_xlabel("mean of both", fontsize=8)
    axis.set_ylabel("measured − true", fontsize=8)


Matrix = tuple[FloatArray, tuple[str, ...], tuple[str, ...]]


def _type_matrix(scores: Scores) -> Matrix:
    counts = leak_confusion(scores)
    rows, columns = (*KINDS, "none"), (*KINDS, "missed")
    return np.array([[counts[r, c] for c in columns] for r in rows], dtype=np.float64), rows, columns


def _category_matrix(scores: Scores) -> Matrix:
    pairs = category_pairs(scores)
    table = [[pairs.count((r, c)) for c in CATEGORIES] for r in CATEGORIES]
    return np.array(table, dtype=np.float64), CATEGORIES, CATEGORIES


def _draw_matrix(axis: Axes, matrix: Matrix, colour: str) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    table, rows, columns = matrix
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axis.imshow(share, cmap=LinearSegmentedColormap.from_list("own", ["white", colour]), vmin=0, vmax=1.4)
    for i in range(len(rows)):
        for j in range(len(columns)):
            if table[i, j]:
                axis.text(j, i, f"{table[i, j]:.0f}", ha="center", va="center", fontsize=7)
    axis.set_xticks(range(len(columns)), columns, rotation=60, ha="right")
    axis.set_yticks(range(len(rows)), rows)


def _draw_growth(file: Path, by: dict[str, list[Any]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 8.0), layout="constrained")
    axes = figure.subplots(3, 3).ravel()
    for setting, scores in by.items():
        for axis, curve in zip(axes, curves(scores), strict=True):
            # Bins of all settings stand in the same places, also where one is empty.
            places = [curve.edges.index(b.low) for b in curve.bins]
            axis.plot(
                places, [100 * b.value for b in curve.bins], ".-", color=COLOURS[setting], label=setting
            )
            names = [f"{low:g}–{high:g}" for low, high in pairwise(curve.edges)]
            axis.set_xticks(range(len(names)), names)
            axis.set_xlim(-0.5, len(names) - 0.5)
            axis.tick_params(labelsize=7)
            axis.set_title(f"{curve.measure}, %", fontsize=8)
            axis.set_xlabel(curve.axis, fontsize=7)
    for axis in axes:
        axis.set_ylim(0, max(axis.get_ylim()[1], 1.0))
    axes[0].legend(fontsize=6)
    _save(figure, file)


DRAWERS = {"agree": _draw_agreement, "differ": _draw_differences, "leaks": _draw_leak_agreement}


def _save(figure: Any, file: Path) -> None:
    """Write a picture of few colours, without the date and version that would differ from run to run."""
    from io import BytesIO

    from PIL import Image

    raw = BytesIO()
    figure.savefig(raw, format="png", dpi=DOTS_PER_INCH, bbox_inches="tight", metadata={"Software": None})
    Image.open(raw).convert("RGB").quantize(64).save(file, optimize=True)
