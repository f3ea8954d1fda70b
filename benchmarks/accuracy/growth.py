"""How errors grow with slice thickness, noise and the size of a deposit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from benchmarks.accuracy.figures import LARGE_ML, Scores, wilson
from benchmarks.accuracy.scores import CaseScore, LeakScore, VertebraScore
from benchmarks.accuracy.tables import row, table_head

SLICE_BINS_MM = (0.5, 0.9, 1.3, 1.8, 2.3, 3.1)
NOISE_BINS_HU = (8.0, 15.0, 22.0, 30.0, 41.0)
LEAK_BINS_ML = (0.02, 0.05, 0.1, 0.2, 0.5, 1.6)
CEMENT_BINS_ML = (0.5, 1.0, 2.0, 3.5, 5.0, 9.5)


@dataclass(frozen=True)
class Bin:
    """One bin: its edges, the number of things in it, and what was measured of them.

    Attributes
    ----------
    low, high
        From, and up to but not with.
    count
        Number of things.
    value
        Median of absolute relative errors, or share found.
    spread
        90th percentile of the errors, or the 95 % interval of the share.
    """

    low: float
    high: float
    count: int
    value: float
    spread: tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """How one measure changes along one axis.

    Attributes
    ----------
    measure, axis
        In words.
    edges
        Of all bins.
    bins
        Those that hold anything.
    """

    measure: str
    axis: str
    edges: tuple[float, ...]
    bins: tuple[Bin, ...]


def curves(scores: Scores) -> list[Curve]:
    """Return how the errors of some scores (of one setting) grow."""
    vertebrae = [(s, v) for s in scores for v in s.vertebrae if v.ml is not None]
    leaks = [(s, k) for s in scores for k in s.leaks]
    seen = [(s, k) for s, k in leaks if k.found_ml is not None]
    large = [(s, v) for s, v in vertebrae if v.true_ml >= LARGE_ML]
    volume, leak, hit = "error of cement volumes", "error of leak volumes", "leaks found"
    thick, noise = "slice thickness, mm", "noise, HU"
    return [
        _errors(volume, thick, SLICE_BINS_MM, [(s.slice_mm, _volume_error(v)) for s, v in large]),
        _errors(volume, noise, NOISE_BINS_HU, [(s.noise_hu, _volume_error(v)) for s, v in large]),
        _errors(volume, "cement, ml", CEMENT_BINS_ML, [(v.true_ml, _volume_error(v)) for _, v in vertebrae]),
        _errors(leak, thick, SLICE_BINS_MM, [(s.slice_mm, _leak_error(k)) for s, k in seen]),
        _errors(leak, noise, NOISE_BINS_HU, [(s.noise_hu, _leak_error(k)) for s, k in seen]),
        _errors(leak, "leak, ml", LEAK_BINS_ML, [(k.volume_ml, _leak_error(k)) for _, k in seen]),
        _shares(hit, thick, SLICE_BINS_MM, leaks, lambda s, _: s.slice_mm),
        _shares(hit, noise, NOISE_BINS_HU, leaks, lambda s, _: s.noise_hu),
        _shares(hit, "leak, ml", LEAK_BINS_ML, leaks, lambda _, k: k.volume_ml),
    ]


def growth_tables(scores: Scores) -> list[str]:
    """Return the curves of one setting as tables."""
    lines = []
    for curve in curves(scores):
        if not curve.bins:
            continue
        name = f"{curve.measure}, by {curve.axis}"
        lines += table_head([name, *[f"{b.low:g}–{b.high:g} ({b.count})" for b in curve.bins]])
        cells = [f"{b.value:.1%} [{b.spread[0]:.1%}–{b.spread[1]:.1%}]" for b in curve.bins]
        lines += [row(["", *cells]), ""]
    return lines


def _volume_error(v: VertebraScore) -> float:
    return abs((v.ml or 0.0) / v.true_ml - 1)


def _leak_error(k: LeakScore) -> float:
    return abs((k.found_ml or 0.0) / k.volume_ml - 1)


def _errors(
    measure: str, axis: str, edges: Sequence[float], pairs: Sequence[tuple[float | None, float]]
) -> Curve:
    """Return medians of errors with their quartiles."""
    bins = []
    for low, high in pairwise(edges):
        mine = [e for at, e in pairs if at is not None and low <= at < high]
        if mine:
            first, middle, last = (float(q) for q in np.percentile(mine, (25, 50, 75)))
            bins.append(Bin(low, high, len(mine), middle, (first, last)))
    return Curve(measure, axis, tuple(edges), tuple(bins))


def _shares(
    measure: str,
    axis: str,
    edges: Sequence[float],
    leaks: Sequence[tuple[CaseScore, LeakScore]],
    where: Callable[[CaseScore, LeakScore], float | None],
) -> Curve:
    """Return shares of leaks that were found, with their 95 % intervals."""
    bins = []
    for low, high in pairwise(edges):
        hits = []
        for s, k in leaks:
            at = where(s, k)
            if at is not None and low <= at < high:
                hits.append(k.found_ml is not None)
        if hits:
            share = sum(hits) / len(hits)
            bins.append(Bin(low, high, len(hits), share, wilson(sum(hits), len(hits))))
    return Curve(measure, axis, tuple(edges), tuple(bins))
