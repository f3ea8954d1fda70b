"""Found leaks matched with true ones: by type, place and vertebra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.accuracy.scores import FalseLeak, LeakMatches, LeakScore
from cementct.core.arrays import BoolArray
from cementct.core.findings import Certainty, Leak, StudyReport
from cementct.core.grid import Grid
from cementct.core.image import LabelMap
from cementct.testing.truth import CaseTruth, LeakTruth

# A leak is the same where the centroids lie this near, mm, or where this share of the true one's voxels
# carries its type in the result.
SAME_LEAK_MM, SAME_VOXELS = 15.0, 0.3
# A missed leak was typed otherwise where a leak of another type lies this near, mm.
TYPED_OTHERWISE_MM = 12.0
# From this volume a true leak counts among those that can be missed; deposits in canal and foramina are
# listed however small, but none is asked for under this.
COUNTS_FROM_ML = 0.02


@dataclass(frozen=True)
class TrueLeak:
    """A true leak, its vertebra by number and its name, and what the result says at its voxels."""

    truth: LeakTruth
    number: int
    level: str
    types_there: Mapping[str, float]


@dataclass
class FoundLeak:
    """A definite leak of the report, and the number of the true vertebra it was given to."""

    leak: Leak
    number: int
    is_used: bool = False


def match_leaks(true: Sequence[TrueLeak], found: Sequence[FoundLeak], order: Sequence[int]) -> LeakMatches:
    """Return every true leak with what was found of it, and what was found besides.

    Parameters
    ----------
    true
        Crumbs included, which need not be found but excuse what is found of them.
    found
        Definite leaks.
    order
        Numbers of the true vertebrae from top to bottom; a leak may have been given to a neighbour.
    """
    result = LeakMatches()
    missed: list[TrueLeak] = []
    for leak in sorted((k for k in true if _counts(k.truth)), key=lambda k: -k.truth.volume_ml):
        near = [
            f for f in found if not f.is_used and _is_same(leak, f) and _is_near(leak.number, f.number, order)
        ]
        match = min(near, key=lambda f: (f.number != leak.number, _gap_mm(leak, f)), default=None)
        if match is None:
            missed.append(leak)
            continue
        match.is_used = True
        result.leaks.append(
            LeakScore(
                leak.level,
                leak.truth.type.value,
                leak.truth.volume_ml,
                match.leak.volume_ml,
                wrong_vertebra=match.number != leak.number,
            )
        )
    for leak in missed:
        free = [
            f
            for f in found
            if not f.is_used and not _excuse(f, true) and _gap_mm(leak, f) < TYPED_OTHERWISE_MM
        ]
        other = min(free, key=lambda f: _gap_mm(leak, f), default=None)
        kind = leak.truth.type.value
        typed_as = ""
        if other is not None:
            other.is_used = True
            typed_as = other.leak.type.value
            result.false.append(FalseLeak(typed_as, other.leak.volume_ml, kind))
        result.leaks.append(LeakScore(leak.level, kind, leak.truth.volume_ml, None, typed_as))
    for rest in (f for f in found if not f.is_used):
        if _excuse(rest, true):
            result.split += 1
        else:
            result.false.append(FalseLeak(rest.leak.type.value, rest.leak.volume_ml))
    return result


def true_leaks(
    truth: CaseTruth, leaks: LabelMap | None, cement: LabelMap | None, result: LabelMap
) -> list[TrueLeak]:
    """Return the true leaks of a case, each with the shares of its voxels that carry a type in the result.

    Parameters
    ----------
    truth
        The case's numbers.
    leaks, cement
        Its voxel truth; None: centroids have to do.
    result
        Types of leaks as found.
    """
    out = []
    kinds = {k.number: k.value for k in _kinds()}
    for vertebra in truth.vertebrae:
        for leak in vertebra.leaks:
            shares: dict[str, float] = {}
            if leaks is not None and cement is not None:
                own = _voxels_of(leak, vertebra.number, leaks, cement)
                count = max(1, int(own.sum()))
                shares = {kinds[n]: float((result.labels[own] == n).sum()) / count for n in kinds}
            out.append(TrueLeak(leak, vertebra.number, vertebra.level, shares))
    return out


def found_leaks(report: StudyReport, numbers: Mapping[int, int]) -> list[FoundLeak]:
    """Return the definite leaks of a report; `numbers` gives true vertebrae for reported ones."""
    return [
        FoundLeak(leak, numbers.get(v.label, 0))
        for v in report.vertebrae
        for leak in v.leaks
        if leak.certainty is Certainty.DEFINITE
    ]


def _kinds() -> list:  # type: ignore[type-arg]
    from cementct.core.findings import LeakType

    return list(LeakType)


def _counts(leak: LeakTruth) -> bool:
    return leak.volume_ml >= COUNTS_FROM_ML


def _voxels_of(leak: LeakTruth, number: int, leaks: LabelMap, cement: LabelMap) -> BoolArray:
    """Return the voxels of a leak: the piece of its type and vertebra that lies nearest to its centroid."""
    own = np.asarray((leaks.labels == leak.type.number) & (cement.labels == number))
    return piece_nearest(own, leak.centroid_lps_mm, leaks.grid)


def piece_nearest(mask: BoolArray, point_lps_mm: tuple[float, float, float], grid: Grid) -> BoolArray:
    """Return the connected piece of a mask that lies nearest to a point."""
    from scipy import ndimage

    pieces, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    if count < 2:
        return mask
    centre = grid.to_index(np.asarray(point_lps_mm)[None])[0]
    index = np.argwhere(mask)
    gaps = np.linalg.norm((index - centre) * grid.spacing_mm, axis=1)
    return np.asarray(pieces == pieces[tuple(index[int(np.argmin(gaps))])])


def _is_same(leak: TrueLeak, found: FoundLeak) -> bool:
    if leak.truth.type != found.leak.type:
        return False
    return (
        _gap_mm(leak, found) <= SAME_LEAK_MM
        or leak.types_there.get(found.leak.type.value, 0.0) >= SAME_VOXELS
    )


def _excuse(found: FoundLeak, true: Sequence[TrueLeak]) -> bool:
    """Tell whether a found leak is a further piece, or a crumb, of a true one."""
    return any(_is_same(leak, found) for leak in true)


def _is_near(number: int, other: int, order: Sequence[int]) -> bool:
    if number not in order or other not in order:
        return False
    return abs(order.index(number) - order.index(other)) <= 1


def _gap_mm(leak: TrueLeak, found: FoundLeak) -> float:
    return float(np.linalg.norm(np.subtract(found.leak.centroid_lps_mm, leak.truth.centroid_lps_mm)))
