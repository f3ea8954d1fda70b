"""Truth beside result, vertebra by vertebra and leak by leak."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cementct.core.findings import Certainty, LeakType, StudyReport, VertebraReport
from cementct.testing.truth import CaseTruth, LeakTruth, VertebraTruth

# A vertebra of the report is the one of the truth whose body's centre lies within this, in mm.
SAME_VERTEBRA_MM = 12.0
# A leak of the report is a leak of the truth of the same type and vertebra whose centres lie within this.
SAME_LEAK_MM = 15.0


@dataclass
class Score:
    """What came of one case under one setting.

    Attributes
    ----------
    case, setting
        Which case, and how it was analysed.
    seconds
        Time of the analysis.
    volumes
        True volume, measured volume and interval of each treated vertebra that was found.
    fillings
        True rate, measured rate, true category, measured category, source of the lesion.
    walls
        True and measured posterior wall distance.
    treated, found, invented
        Treated vertebrae in truth, those found, and those that are none.
    leaks
        (type, true volume, measured volume or None).
    false_leaks
        (type, volume) of definite leaks that are none.
    """

    case: str
    setting: str
    seconds: float = 0.0
    volumes: list[tuple[float, float, float, float]] = field(default_factory=list)
    fillings: list[tuple[float, float, str, str, str]] = field(default_factory=list)
    walls: list[tuple[float, float]] = field(default_factory=list)
    treated: int = 0
    found: int = 0
    invented: int = 0
    wrong_names: int = 0
    leaks: list[tuple[str, float, float | None]] = field(default_factory=list)
    false_leaks: list[tuple[str, float]] = field(default_factory=list)


def score(case: str, setting: str, truth: CaseTruth, report: StudyReport) -> Score:
    """Return truth beside result for one report."""
    result = Score(case, setting)
    matched: set[int] = set()
    by_name = {v.label: v for v in report.vertebrae}
    for true in truth.vertebrae:
        vertebra = _nearest(true, report)
        if vertebra is not None and vertebra.level is not None and vertebra.level.value != true.level:
            result.wrong_names += 1
        if not true.treated:
            continue
        result.treated += 1
        if vertebra is not None and vertebra.treated:
            result.found += 1
            matched.add(vertebra.label)
            _compare_numbers(result, true, vertebra)
        _compare_leaks(result, true, vertebra)
    result.invented = sum(v.treated and v.label not in matched for v in by_name.values())
    result.false_leaks += [
        (leak.type.value, leak.volume_ml)
        for v in report.treated
        if v.label not in matched
        for leak in v.leaks
        if leak.certainty is Certainty.DEFINITE
    ]
    return result


def _nearest(true: VertebraTruth, report: StudyReport) -> VertebraReport | None:
    if not report.vertebrae:
        return None
    gaps = [
        float(np.linalg.norm(np.subtract(v.centroid_lps_mm, true.centroid_lps_mm))) for v in report.vertebrae
    ]
    best = int(np.argmin(gaps))
    return report.vertebrae[best] if gaps[best] <= SAME_VERTEBRA_MM else None


def _compare_numbers(result: Score, true: VertebraTruth, found: VertebraReport) -> None:
    if true.cement_volume_ml and found.cement_volume_ml is not None:
        low, high = found.cement_volume_ml_ci90 or (np.nan, np.nan)
        result.volumes.append((true.cement_volume_ml, found.cement_volume_ml, low, high))
    if true.filling_rate is not None and found.filling_rate is not None:
        result.fillings.append(
            (
                true.filling_rate,
                found.filling_rate,
                str(true.filling_category.value) if true.filling_category else "",
                str(found.filling_category.value) if found.filling_category else "",
                found.lesion_source.value,
            )
        )
    if true.posterior_wall_distance_mm is not None and found.posterior_wall_distance_mm is not None:
        result.walls.append((true.posterior_wall_distance_mm, found.posterior_wall_distance_mm))


def _compare_leaks(result: Score, true: VertebraTruth, found: VertebraReport | None) -> None:
    definite = [k for k in found.leaks if k.certainty is Certainty.DEFINITE] if found else []
    free = list(definite)
    for leak in sorted((k for k in true.leaks if k.listed), key=lambda k: -k.volume_ml):
        match = _match(leak, free)
        if match is not None:
            free.remove(match)
        result.leaks.append((leak.type.value, leak.volume_ml, match.volume_ml if match else None))
    crumbs = list(true.leaks)
    for leak in free:
        # A second piece of a leak that exists is no invention.
        if not any(
            c.type == leak.type
            and np.linalg.norm(np.subtract(c.centroid_lps_mm, leak.centroid_lps_mm)) <= SAME_LEAK_MM
            for c in crumbs
        ):
            result.false_leaks.append((leak.type.value, leak.volume_ml))


def _match(leak: LeakTruth, candidates: list) -> object | None:  # type: ignore[type-arg]
    near = [
        (float(np.linalg.norm(np.subtract(k.centroid_lps_mm, leak.centroid_lps_mm))), i)
        for i, k in enumerate(candidates)
        if k.type == leak.type
    ]
    gap, index = min(near, default=(np.inf, -1))
    return candidates[index] if gap <= SAME_LEAK_MM else None


LEAK_TYPES = tuple(kind.value for kind in LeakType)
