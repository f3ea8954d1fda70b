"""How each number of the issue's table is made from scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.accuracy.cases import Family
from benchmarks.accuracy.scores import CaseScore, LeakScore, VertebraScore
from cementct.core.findings import FillingCategory, LeakType

Scores = Sequence[CaseScore]
KINDS = tuple(kind.value for kind in LeakType)
NEAR_NERVES = ("epidural", "foraminal")
CATEGORIES = tuple(c.value for c in FillingCategory)
BOUNDARIES = (0.5, 0.75, 0.9)

# Deposits from here on count for volumes; slices up to here are thin; a filling rate nearer than this to a
# boundary may fall on either side.
LARGE_ML, THIN_MM, BOUNDARY_GAP = 2.0, 1.5, 0.025
# Leaks from here on count by type; smaller ones apart; volumes of leaks are compared within these.
LEAK_ML, SMALL_LEAK_ML = 0.05, 0.02
LEAK_VOLUMES_ML = (0.05, 0.5)
# 90 % of the standard normal distribution lie within this many standard deviations; 95 % within the second.
Z90, Z95 = 1.6449, 1.9600


@dataclass(frozen=True)
class Figure:
    """A number, how many things it was made from, and its 95 % interval where one was asked for."""

    value: float | None
    count: int
    interval: tuple[float, float] | None = None


Compute = Callable[[Scores], Figure]


def vertebrae_of(scores: Scores) -> list[VertebraScore]:
    """Return the treated vertebrae of some cases."""
    return [v for s in scores for v in s.vertebrae]


def leaks_of(scores: Scores, kinds: Sequence[str] = KINDS) -> list[LeakScore]:
    """Return the true leaks of some types."""
    return [k for s in scores for k in s.leaks if k.kind in kinds]


def share(values: Iterable[bool]) -> Figure:
    """Return the share that is true."""
    known = list(values)
    return Figure(sum(known) / len(known) if known else None, len(known))


def median(values: Iterable[float]) -> Figure:
    """Return the median."""
    return percentile(values, 50)


def percentile(values: Iterable[float], percent: float) -> Figure:
    """Return a percentile."""
    known = list(values)
    return Figure(float(np.percentile(known, percent)) if known else None, len(known))


def mean(values: Iterable[float]) -> Figure:
    """Return the mean."""
    known = list(values)
    return Figure(float(np.mean(known)) if known else None, len(known))


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927)."""
    if not count:
        return 0.0, 1.0
    p, z2 = hits / count, Z95**2
    middle = (p + z2 / (2 * count)) / (1 + z2 / count)
    half = Z95 / (1 + z2 / count) * np.sqrt(p * (1 - p) / count + z2 / (4 * count**2))
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def found(scores: Scores) -> Figure:
    """Return the share of treated vertebrae that were found treated."""
    return share(v.found for v in vertebrae_of(scores))


def invented(scores: Scores) -> Figure:
    """Return the number of vertebrae found treated that are not."""
    return Figure(float(sum(s.invented for s in scores)), len(scores))


def volume_errors(scores: Scores, *, easy: bool | None = None, least_ml: float = LARGE_ML) -> list[float]:
    """Return relative errors of cement volumes; `easy`: thin slices and not clipped, or the others."""
    return [
        v.ml / v.true_ml - 1
        for s in scores
        for v in s.vertebrae
        if v.ml is not None
        and v.true_ml >= least_ml
        and (easy is None or easy == (s.slice_mm <= THIN_MM and not v.clipped))
    ]


def volume_median(scores: Scores) -> Figure:
    """Return the median absolute error of volumes."""
    return median(abs(e) for e in volume_errors(scores))


def volume_95(scores: Scores, *, easy: bool) -> Figure:
    """Return the 95th percentile of absolute errors of volumes."""
    return percentile((abs(e) for e in volume_errors(scores, easy=easy)), 95)


def attributed(scores: Scores) -> Figure:
    """Return the share of cement that was given to the right vertebra."""
    mine = [v for v in vertebrae_of(scores) if v.shared_ml > 0]
    total = sum(v.shared_ml for v in mine)
    return Figure(sum(v.right_share_ml for v in mine) / total if total else None, len(mine))


def coverage(scores: Scores) -> Figure:
    """Return the share of volume intervals that hold the truth."""
    return share(v.ci90_ml[0] <= v.true_ml <= v.ci90_ml[1] for v in vertebrae_of(scores) if v.ci90_ml)


def filling_coverage(scores: Scores) -> Figure:
    """Return the share of intervals of the filling rate that hold the truth."""
    return share(
        v.filling_ci90[0] <= v.true_filling <= v.filling_ci90[1]
        for v in vertebrae_of(scores)
        if v.filling_ci90 and v.true_filling is not None
    )


def leak_volume(scores: Scores) -> Figure:
    """Return the median absolute error of leak volumes."""
    low, high = LEAK_VOLUMES_ML
    return median(
        abs(k.found_ml / k.volume_ml - 1)
        for k in leaks_of(scores)
        if k.found_ml is not None and low <= k.volume_ml <= high
    )


def filling_error(scores: Scores) -> Figure:
    """Return the mean absolute error of filling rates, in points of percent."""
    return mean(
        100 * abs(v.filling - v.true_filling)
        for v in vertebrae_of(scores)
        if v.filling is not None and v.true_filling is not None
    )


def filling_missing(scores: Scores) -> Figure:
    """Return the share of filling rates that were not given though there is one."""
    return share(v.filling is None for v in vertebrae_of(scores) if v.found and v.true_filling is not None)


def category_agreement(scores: Scores, *, away: bool) -> Figure:
    """Return how often the filling category is right; `away`: only where truth is away from boundaries."""
    return share(
        v.category == v.true_category
        for v in vertebrae_of(scores)
        if v.found
        and v.true_filling is not None
        and (not away or min(abs(v.true_filling - b) for b in BOUNDARIES) >= BOUNDARY_GAP)
    )


def category_pairs(scores: Scores) -> list[tuple[str, str]]:
    """Return true and found categories."""
    return [(v.true_category, v.category) for v in vertebrae_of(scores) if v.true_category and v.category]


def weighted_kappa(scores: Scores) -> Figure:
    """Return the quadratically weighted kappa of filling categories (Cohen 1968)."""
    pairs = category_pairs(scores)
    size = len(CATEGORIES)
    table = np.zeros((size, size))
    for true, other in pairs:
        table[CATEGORIES.index(true), CATEGORIES.index(other)] += 1
    place = np.arange(size)
    weight = (place[:, None] - place[None, :]) ** 2
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / max(1, len(pairs))
    if not (weight * expected).sum():
        return Figure(None, len(pairs))
    return Figure(float(1 - (weight * table).sum() / (weight * expected).sum()), len(pairs))


def sensitivity(
    scores: Scores, kinds: Sequence[str] = KINDS, *, low_ml: float = LEAK_ML, high_ml: float = 99.0
) -> Figure:
    """Return the share of true leaks that were found, with its 95 % interval."""
    hits = [k.found_ml is not None for k in leaks_of(scores, kinds) if low_ml <= k.volume_ml < high_ml]
    return Figure(sum(hits) / len(hits) if hits else None, len(hits), wilson(sum(hits), len(hits)))


def precision(scores: Scores, kinds: Sequence[str] = KINDS) -> Figure:
    """Return the share of found leaks that are some, among those of 0.05 ml and more."""
    right = sum(k.found_ml is not None and k.found_ml >= LEAK_ML for k in leaks_of(scores, kinds))
    false = sum(f.kind in kinds and f.volume_ml >= LEAK_ML for s in scores for f in s.false_leaks)
    return Figure(
        right / (right + false) if right + false else None, right + false, wilson(right, right + false)
    )


def false_in_streaks(scores: Scores) -> Figure:
    """Return the number of false leaks into canal and foramina in cases with streaks only."""
    mine = [s for s in scores if s.streaks_only]
    return (
        Figure(float(sum(f.kind in NEAR_NERVES for s in mine for f in s.false_leaks)), len(mine))
        if mine
        else Figure(None, 0)
    )


def refused(scores: Scores) -> Figure:
    """Return the share of readable compartments that were called not assessable."""
    asked = sum(v.readable for v in vertebrae_of(scores))
    count = sum(len(v.not_assessable) for v in vertebrae_of(scores))
    return Figure(count / asked if asked else None, asked)


def wall_error(scores: Scores, *, thin: bool) -> Figure:
    """Return the mean absolute error of the distance to the posterior wall: mm, or slices where not thin."""
    return mean(
        abs(v.wall_mm - v.true_wall_mm) / (1.0 if thin else s.slice_mm)
        for s in scores
        for v in s.vertebrae
        if v.wall_mm is not None and v.true_wall_mm is not None and thin == (s.slice_mm <= THIN_MM)
    )


def lesion_dice(scores: Scores) -> Figure:
    """Return the mean Dice of lesions."""
    return mean(v.lesion_dice for v in vertebrae_of(scores) if v.lesion_dice is not None)


def destruction(scores: Scores) -> Figure:
    """Return how often the type of destruction is right; not given is wrong."""
    return share(v.destruction == v.true_destruction for v in vertebrae_of(scores) if v.found)


def wall_involved(scores: Scores) -> Figure:
    """Return how often it is right whether the lesion involves the posterior wall."""
    return share(
        bool(v.wall_involved) == v.true_wall_involved
        for v in vertebrae_of(scores)
        if v.found and v.true_destruction != "none"
    )


def compression(scores: Scores) -> Figure:
    """Return how often it is right whether the body is compressed; not given is wrong."""
    return share(
        v.compressed == v.true_compressed
        for v in vertebrae_of(scores)
        if v.found and v.true_compressed is not None
    )


def false_cement(scores: Scores) -> Figure:
    """Return in how many untouched cases cement was found."""
    mine = [s for s in scores if s.family is Family.NEGATIVES]
    return Figure(float(sum(s.invented > 0 for s in mine)), len(mine)) if mine else Figure(None, 0)


def wrong_names(scores: Scores) -> Figure:
    """Return the number of vertebrae with a wrong name."""
    return Figure(float(sum(s.wrong_names for s in scores)), sum(s.named for s in scores))


def leak_confusion(scores: Scores) -> Counter[tuple[str, str]]:
    """Return how often true types (and "none") were found as types (and "missed"), from 0.05 ml."""
    table: Counter[tuple[str, str]] = Counter()
    for leak in leaks_of(scores):
        if leak.volume_ml >= LEAK_ML:
            table[leak.kind, leak.kind if leak.found_ml is not None else leak.typed_as or "missed"] += 1
    for score in scores:
        for false in score.false_leaks:
            if not false.true_kind and false.volume_ml >= LEAK_ML:
                table["none", false.kind] += 1
    return table
