"""The chain of vertebrae that gains most in all, discs beyond the ends of the scan included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import FloatArray, IntArray
from cementct.segmentation.vertebrae.embedded.pattern import Match

# From disc to disc: 15 mm between T1 and T2 in a small woman, 42 mm in the lumbar spine of a tall man, less
# where a body has collapsed.
SPACINGS_MM = np.arange(10, 47)
# So far outside the straightened spine the outer discs of cut vertebrae may lie.
BEYOND_MM = 48
# Of a vertebra that has to be in view.
LEAST_SEEN_SHARE = 0.25
# Spacing over depth of the body, its spread (natural logarithm), and the cost of one spread squared.
SPACING_PER_DEPTH = 1.02
SPACING_SPREAD = 0.25
WEIGHT_SPACING = 0.06
# The same for the change of spacing from one vertebra to the next.
CHANGE_SPREAD = 0.15
WEIGHT_CHANGE = 0.08
# Costs grow no further than this: a collapsed body is short, and its neighbours are not.
MOST_SPREADS_SQUARED = 4.0
# Share of the cost of changes next to a vertebra that the user gives: what is given may be a collapsed one.
CHANGE_SHARE_IF_KNOWN = 0.25
IMPOSSIBLE = -1e9


@dataclass(frozen=True)
class Chain:
    """Vertebrae one upon the other.

    Attributes
    ----------
    places
        Steps of the discs, from the lowest; one more than vertebrae. Discs that are not in view lie below 0
        or beyond the last step.
    matches, seen
        Of each vertebra with the pattern, and the share of it that is in view.
    known
        Whether each vertebra is one that the user gave.
    score
        What the chain gained in all.
    """

    places: tuple[int, ...]
    matches: tuple[float, ...]
    seen: tuple[float, ...]
    known: tuple[bool, ...]
    score: float


def find_best_chain(match: Match, depth_mm: FloatArray, known: FloatArray | None = None) -> Chain:
    """Return the chain of vertebrae that gains most.

    Parameters
    ----------
    match
        From `match_pattern` for `SPACINGS_MM`, over steps from `BEYOND_MM` below the spine's lower end to as
        far above its upper end.
    depth_mm
        Of the bodies at each step of the spine.
    known
        What each vertebra gains by what is known otherwise, over (step of its upper disc, spacing).
    """
    own = match.score - _cost_of_sizes(match, depth_mm)
    own[match.seen < LEAST_SEEN_SHARE] = IMPOSSIBLE
    told = np.zeros_like(own) if known is None else np.pad(known, ((BEYOND_MM, BEYOND_MM), (0, 0)))
    gain, came_from = _gains(own, told)
    upper, size = (int(v) for v in np.unravel_index(int(gain.argmax()), gain.shape))
    score = float(gain[upper, size])
    vertebrae = []
    while size >= 0:
        vertebrae.append((upper, size))
        upper, size = upper - int(SPACINGS_MM[size]), int(came_from[upper, size])
    vertebrae.reverse()
    lower = [(high - int(SPACINGS_MM[number]), number) for high, number in vertebrae]
    places = [lower[0][0], *(high for high, _ in vertebrae)]
    return Chain(
        places=tuple(place - BEYOND_MM for place in places),
        matches=tuple(float(match.score[at]) for at in lower),
        seen=tuple(float(match.seen[at]) for at in lower),
        known=tuple(bool(told[at] > 0) for at in vertebrae),
        score=score,
    )


def _gains(own: FloatArray, told: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the best sum of a chain that ends with each (upper disc, spacing), and the spacing before it.

    Parameters
    ----------
    own
        What each vertebra gains by itself, over (lower disc, spacing).
    told
        What it gains by what is known otherwise, over (upper disc, spacing).
    """
    length, count = own.shape
    spacing = SPACINGS_MM.astype(np.float64)
    change = WEIGHT_CHANGE * _spreads(spacing[:, None] / spacing[None], CHANGE_SPREAD)
    gain = np.full((length, count), IMPOSSIBLE)
    came_from = np.full((length, count), -1, dtype=np.intp)
    any_told = bool(told.any())
    for upper in range(int(SPACINGS_MM[0]), length):
        sizes = np.arange(min(count, upper - int(SPACINGS_MM[0]) + 1))
        lower = upper - SPACINGS_MM[sizes]
        cost = change[sizes]
        if any_told:
            known = (told[lower] > 0) | (told[upper, sizes] > 0)[:, None]
            cost = cost * np.where(known, CHANGE_SHARE_IF_KNOWN, 1.0)
        before = gain[lower] - cost
        best = before.argmax(axis=1)
        earlier = before[sizes, best]
        gain[upper, sizes] = own[lower, sizes] + told[upper, sizes] + np.maximum(earlier, 0)
        came_from[upper, sizes] = np.where(earlier > 0, best, -1)
    return gain, came_from


def _cost_of_sizes(match: Match, depth_mm: FloatArray) -> FloatArray:
    """Return what each (lower disc, spacing) costs for being long or short for the depth of its body."""
    steps = np.arange(len(match.score))[:, None] - BEYOND_MM
    middle = np.clip(steps + SPACINGS_MM // 2, 0, len(depth_mm) - 1)
    ratio = SPACINGS_MM / (SPACING_PER_DEPTH * depth_mm[middle])
    return np.asarray(WEIGHT_SPACING * _spreads(ratio, SPACING_SPREAD) * match.seen)


def _spreads(ratio: FloatArray, spread: float) -> FloatArray:
    return np.minimum((np.log(ratio) / spread) ** 2, MOST_SPREADS_SQUARED)
