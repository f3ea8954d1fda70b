"""The levels: which stretches of the straightened spine are vertebrae, found all at once.

A chain of disc centres is chosen that gains most in all: each vertebra by its match with the pattern, each
disc by dark between bright plates, and the spacing by its likeness to the depth of the bodies and to the
spacings next to it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import FloatArray
from cementct.segmentation.vertebrae.embedded.column import BodyColumn, find_column
from cementct.segmentation.vertebrae.embedded.discs import DiscEvidence, measure_discs
from cementct.segmentation.vertebrae.embedded.pattern import describe_bands, match_pattern
from cementct.segmentation.vertebrae.embedded.straighten import StraightSpine

SPACINGS_MM = np.arange(13, 47)
# From disc to disc: 15 mm between T1 and T2 in a small woman, 42 mm in the lumbar spine of a tall man, less
# where a body has collapsed.
ORDINARY_MATCH = 0.15
# A vertebra adds what its match exceeds this by: chance matches stay below.
WEIGHT_DISC = 0.2
SPACING_PER_DEPTH = 1.02
SPACING_SPREAD = 0.25
WEIGHT_SPACING = 0.08
# Spacing over depth of the body, its spread (natural logarithm), and the cost of one spread squared.
CHANGE_SPREAD = 0.15
WEIGHT_CHANGE = 0.5
# The same for the change of spacing from one vertebra to the next.
CHANGE_SHARE_IF_KNOWN = 0.25
# Share of that cost next to a vertebra that the user gives: what is given may be a collapsed one.
FARTHEST_SETTLING_MM = 8
SETTLING_COST = 0.8
# A disc moves up to so far from where the pattern has it, and what the farthest move has to earn in evidence.
CLEAR_DISC = 0.6
# Evidence for a disc that a disc is moved for: thick slices show thin discs too faintly.
LEAST_CHAIN_SCORE = 0.1
# Sums below this were reached on volumes without a spine.


@dataclass(frozen=True)
class DiscPlane:
    """The middle of one disc in the straightened spine.

    Attributes
    ----------
    along_mm
        Place along the canal of the middle of the disc.
    sagittal_tilt, coronal_tilt
        Rise per millimetre towards the back and towards the left.
    """

    along_mm: float
    sagittal_tilt: float
    coronal_tilt: float


@dataclass(frozen=True)
class Levels:
    """The discs between and at the ends of the vertebrae found.

    Attributes
    ----------
    discs
        From the lowest to the uppermost; one more than vertebrae whose two discs are seen.
    matches
        Match of each vertebra with the pattern.
    score
        What the chain gained in all.
    """

    discs: tuple[DiscPlane, ...]
    matches: tuple[float, ...]
    score: float


def find_levels(spine: StraightSpine, known: FloatArray | None = None) -> tuple[Levels | None, BodyColumn]:
    """Return the levels of a straightened spine, None where there are none, and its column of bodies.

    What is `known` otherwise, over (place of the upper disc, spacing), adds to the gain of each vertebra.
    """
    column = find_column(spine)
    changes, _ = describe_bands(spine, column)
    match = match_pattern(changes, SPACINGS_MM)
    evidence = measure_discs(spine, column)
    own = np.zeros((len(match), len(SPACINGS_MM))) if known is None else known
    score, places = _best_chain(match, evidence.score, column.depth_mm, own)
    if score < LEAST_CHAIN_SCORE:
        return None, column
    settled = _settled(places, evidence.score)
    held = _held(places, own)
    discs = tuple(
        _plane(evidence, int(old) if stays else new)
        for old, new, stays in zip(places, settled, held, strict=True)
    )
    first = int(SPACINGS_MM[0])
    matches = tuple(float(match[low, high - low - first]) for low, high in itertools.pairwise(places))
    return Levels(discs, matches, score), column


def _settled(places: FloatArray, disc: FloatArray) -> list[int]:
    """Return the places of the discs, each moved to where the plates show it.

    The pattern is that of sound vertebrae: beside a collapsed body it places the disc a few millimetres off.
    """
    settled = []
    for place in places:
        near = np.arange(
            max(0, int(place) - FARTHEST_SETTLING_MM), min(len(disc), int(place) + FARTHEST_SETTLING_MM + 1)
        )
        gain = disc[near] - SETTLING_COST * ((near - int(place)) / FARTHEST_SETTLING_MM) ** 2
        best = int(near[int(gain.argmax())])
        settled.append(best if disc[best] >= CLEAR_DISC else int(place))
    return settled


def _held(places: FloatArray, known: FloatArray) -> list[bool]:
    """Return which discs stay where they are because what is known otherwise placed them."""
    first = int(SPACINGS_MM[0])
    gained = [bool(known[high, high - low - first] > 0) for low, high in itertools.pairwise(places)]
    return [below or above for below, above in zip([False, *gained], [*gained, False], strict=True)]


def _plane(evidence: DiscEvidence, place: int) -> DiscPlane:
    sagittal, coronal = evidence.tilt_at(place)
    return DiscPlane(float(place), sagittal, coronal)


def _best_chain(
    match: FloatArray, disc: FloatArray, depth_mm: FloatArray, known: FloatArray
) -> tuple[float, FloatArray]:
    """Return the gain and the places of the discs, rising, of the best chain of vertebrae."""
    length = len(match)
    spacing = SPACINGS_MM.astype(np.float64)
    gain = np.full((length, len(spacing)), -1e9)
    came_from = np.full((length, len(spacing)), -1, dtype=np.intp)
    change = WEIGHT_CHANGE * (np.log(spacing[:, None] / spacing[None]) / CHANGE_SPREAD) ** 2
    for upper in range(length):
        for number, size in enumerate(SPACINGS_MM):
            lower = upper - int(size)
            if lower < 0:
                break
            expected = SPACING_PER_DEPTH * depth_mm[(lower + upper) // 2]
            own = match[lower, number] - ORDINARY_MATCH + known[upper, number]
            own += WEIGHT_DISC * (disc[lower] + disc[upper]) / 2
            own -= WEIGHT_SPACING * (np.log(size / expected) / SPACING_SPREAD) ** 2
            told = (known[lower] > 0) | bool(known[upper, number] > 0)
            before = gain[lower] - change[number] * np.where(told, CHANGE_SHARE_IF_KNOWN, 1.0)
            best = int(before.argmax())
            gain[upper, number] = own
            if before[best] > 0:
                gain[upper, number] += before[best]
                came_from[upper, number] = best
    upper, number = (int(v) for v in np.unravel_index(int(gain.argmax()), gain.shape))
    score = float(gain[upper, number])
    places = [upper]
    while number >= 0:
        earlier = int(came_from[upper, number])
        upper -= int(SPACINGS_MM[number])
        places.append(upper)
        number = earlier
    return score, np.asarray(places[::-1])
