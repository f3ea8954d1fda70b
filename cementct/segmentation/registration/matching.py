"""Which vertebra of the pre-injection scan is which of the post-injection scan.

Both scans number their vertebrae from the top of their own field of view, so the same number may stand for
neighbours. Every way to pair the two columns is tried on the pictures themselves: a vertebra with its
ribs, discs and posterior elements resembles itself more than it resembles its neighbour. Level names
only break ties.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Spine, Vertebra
from cementct.core.arrays import FloatArray
from cementct.segmentation.registration.movement import Movement
from cementct.segmentation.registration.refine import Fit
from cementct.segmentation.registration.vertebra import (
    COARSE_SCALES_MM,
    FINE_SCALE_MM,
    PreparedScans,
    register_vertebra,
    search_movement,
)

# Compared around the bone when levels are told apart: rib heads, discs, facets.
SURROUNDINGS_MM = 10.0
# Vertebra pairs that a way of pairing is judged by.
PAIRS_TRIED = 3
# Ways of pairing that are looked at again on a finer scale.
KEPT_FOR_SECOND_LOOK = 4
# And where these are still alike, on the finest: thick slices and few vertebrae leave little to tell by.
KEPT_FOR_THIRD_LOOK = 3
# The best way of pairing has to resemble more than the next one by this much (correlation).
AMBIGUOUS_MARGIN = 0.04
# Or by this much, where the next one leaves at least this many times as much unlike: on quiet images even
# neighbours reach 0.94.
LEAST_MARGIN, UNLIKE_RATIO = 0.015, 2.0
# Correlation that agreement of level names is worth.
NAMED_MARGIN = 0.04
# Where pictures leave it open, surfaces decide: a vertebra's own lie 0.05 to 0.15 mm apart, its neighbour's
# 0.3 to 0.4 mm. The best way's have to lie so near, and nearer than this share of the next one's.
SURFACE_RATIO, FARTHEST_SURFACES_MM = 0.6, 0.35
# No pairing is believed below this correlation at 3.2 mm; a vertebra over itself has 0.8–0.97.
LEAST_SIMILARITY = 0.6
# A vertebra whose lesion and cement leave less alike is still tried on the fine scale, which has its own
# checks; but the search goes on from its neighbour.
LEAST_FOLLOWED_SIMILARITY = 0.4
# A neighbour is looked for this near to where its matched neighbour's movement takes it: bending between two
# scans turns neighbours against each other by a few degrees, which is 3 mm at 35 mm.
NEAR_MM = 12.0


@dataclass(frozen=True)
class MatchedPair:
    """A vertebra in both scans and a coarse movement between them."""

    pre: Vertebra
    post: Vertebra
    coarse: Fit


Way = tuple[float, int, list[MatchedPair]]
# How alike the pairs of a way of pairing are, by how much its numbers are shifted, and the pairs.


def match_spines(scans: PreparedScans) -> tuple[MatchedPair, ...]:
    """Return the vertebrae that both scans show, downwards; empty where they cannot be told apart."""
    anchor = _find_anchor(scans)
    if anchor is None:
        return ()
    found = {anchor.pre.position: anchor}
    for step in (-1, 1):
        _follow(found, anchor, step, scans)
    return tuple(found[position] for position in sorted(found))


def _find_anchor(scans: PreparedScans) -> MatchedPair | None:
    pre, post = scans.pre_spine, scans.post_spine
    offsets = range(1 - len(pre.vertebrae), len(post.vertebrae))
    possible = [offset for offset in offsets if _cement_stays(scans, offset)]
    ways: list[Way] = []
    for offset in possible or offsets:
        pairs = _pairs_to_try(pre, post, offset)
        tried = [_try_pair(scans, pair, (6.4,)) for pair in pairs]
        if tried:
            ways.append((_score(tried), offset, tried))
    ways = _ranked(ways)[:KEPT_FOR_SECOND_LOOK]
    for scale_mm, kept in ((COARSE_SCALES_MM[-1], KEPT_FOR_THIRD_LOOK), (FINE_SCALE_MM, KEPT_FOR_THIRD_LOOK)):
        looked_at = _looked_at_again(scans, ways, scale_mm)
        if not looked_at or looked_at[0][0] < LEAST_SIMILARITY:
            return None
        if len(looked_at) == 1 or _clearly_better(looked_at[0][0], looked_at[1][0]):
            return max(looked_at[0][2], key=lambda pair: pair.coarse.similarity)
        ways = looked_at[:kept]
    return _told_by_surfaces(scans, ways)


def _cement_stays(scans: PreparedScans, offset: int) -> bool:
    """Tell whether every vertebra that held cement before injection holds it after, paired in this way."""
    pairs = _paired(scans.pre_spine, scans.post_spine, offset)
    return all(scans.keeps_its_cement(*pair) for pair in pairs)


def _looked_at_again(scans: PreparedScans, ways: list[Way], scale_mm: float) -> list[Way]:
    """Return ways of pairing, judged again on a finer scale, the best first."""
    again = []
    for _, offset, tried in ways:
        pairs = [_try_pair(scans, (p.pre, p.post), (scale_mm,), p.coarse.movement) for p in tried]
        again.append((_score(pairs), offset, pairs))
    return _ranked(again)


def _told_by_surfaces(scans: PreparedScans, ways: list[Way]) -> MatchedPair | None:
    """Return the best pair of the way whose surfaces lie clearly nearer to each other than any other's."""
    apart_mm = [_surfaces_apart_mm(scans, pairs) for _, _, pairs in ways]
    best = clearly_nearest(apart_mm)
    return None if best is None else max(ways[best][2], key=lambda pair: pair.coarse.similarity)


def _surfaces_apart_mm(scans: PreparedScans, pairs: list[MatchedPair]) -> float:
    """Return how far surfaces lie apart, the median over the pairs that show any."""
    fits = [register_vertebra(scans, pair.pre, pair.coarse.movement) for pair in pairs]
    apart_mm = [fit.surfaces.residual_mm for fit in fits if fit.surfaces.residual_mm is not None]
    return float(np.median(apart_mm)) if apart_mm else float("inf")


def clearly_nearest(apart_mm: Sequence[float]) -> int | None:
    """Return the place of the distance that is small, and clearly smaller than all others; None for none."""
    order = np.argsort(apart_mm)
    best = float(apart_mm[order[0]])
    rival = float(apart_mm[order[1]]) if len(order) > 1 else float("inf")
    return int(order[0]) if best <= min(FARTHEST_SURFACES_MM, SURFACE_RATIO * rival) else None


def _ranked(ways: list[Way]) -> list[Way]:
    return sorted(ways, key=lambda way: (-way[0], abs(way[1])))


def _clearly_better(best: float, next_best: float) -> bool:
    apart = best - next_best
    return apart >= AMBIGUOUS_MARGIN or (apart >= LEAST_MARGIN and 1 - next_best >= UNLIKE_RATIO * (1 - best))


def _paired(pre: Spine, post: Spine, offset: int) -> list[tuple[Vertebra, Vertebra]]:
    """Return all pairs of one way of pairing."""
    return [
        (vertebra, post.vertebrae[vertebra.position + offset])
        for vertebra in pre.vertebrae
        if 0 <= vertebra.position + offset < len(post.vertebrae)
    ]


def _pairs_to_try(pre: Spine, post: Spine, offset: int) -> list[tuple[Vertebra, Vertebra]]:
    """Return the pairs that tell most: whole in both scans, spread over the common part."""
    pairs = _paired(pre, post, offset)
    whole = [pair for pair in pairs if pair[0].complete and pair[1].complete]
    pairs = whole or pairs
    if len(pairs) <= PAIRS_TRIED:
        return pairs
    chosen = np.linspace(0, len(pairs) - 1, PAIRS_TRIED).round().astype(int)
    return [pairs[int(i)] for i in chosen]


def _try_pair(
    scans: PreparedScans,
    pair: tuple[Vertebra, Vertebra],
    scales_mm: tuple[float, ...],
    start: Movement | None = None,
) -> MatchedPair:
    pre, post = pair
    begin = start or Movement.between_frames(pre.frame, post.frame)
    fit = search_movement(scans, pair, (begin,), scales_mm=scales_mm, rim_mm=SURROUNDINGS_MM)
    aim = np.asarray(post.frame.centre_lps_mm)
    strayed = float(np.linalg.norm(fit.movement.apply(np.asarray(pre.frame.centre_lps_mm)) - aim))
    if strayed > NEAR_MM:
        fit = Fit(fit.movement, 0.0, fit.usable_share)
    return MatchedPair(pre, post, fit)


def _score(pairs: list[MatchedPair]) -> float:
    """Return how alike the better half of the pairs is; names that agree add a little."""
    similarity = sorted((pair.coarse.similarity for pair in pairs), reverse=True)
    better_half = similarity[: (len(similarity) + 1) // 2]
    named = [(pair.pre.level, pair.post.level) for pair in pairs if pair.pre.level and pair.post.level]
    bonus = NAMED_MARGIN if named and all(first is second for first, second in named) else 0.0
    return float(np.mean(better_half)) + bonus


def _follow(
    found: dict[int, MatchedPair],
    anchor: MatchedPair,
    step: int,
    scans: PreparedScans,
) -> None:
    """Walk from the anchor up or down, each vertebra looked for where its neighbour's movement takes it."""
    pre, post = scans.pre_spine, scans.post_spine
    last = anchor
    taken = {pair.post.number for pair in found.values()}
    position = anchor.pre.position + step
    while 0 <= position < len(pre.vertebrae):
        vertebra = pre.vertebrae[position]
        position += step
        expected = last.coarse.movement.apply(np.asarray(vertebra.frame.centre_lps_mm))
        partner = _nearest(post, expected, taken)
        if partner is None:
            continue
        starts = (last.coarse.movement, Movement.between_frames(vertebra.frame, partner.frame))
        fit = search_movement(scans, (vertebra, partner), starts)
        pair = MatchedPair(vertebra, partner, fit)
        taken.add(partner.number)
        found[vertebra.position] = pair
        if fit.similarity >= LEAST_FOLLOWED_SIMILARITY:
            last = pair


def _nearest(spine: Spine, point_lps_mm: FloatArray, taken: set[int]) -> Vertebra | None:
    free = [v for v in spine.vertebrae if v.number not in taken]
    if not free:
        return None
    away = [float(np.linalg.norm(np.asarray(v.frame.centre_lps_mm) - point_lps_mm)) for v in free]
    nearest = int(np.argmin(away))
    return free[nearest] if away[nearest] <= NEAR_MM else None
