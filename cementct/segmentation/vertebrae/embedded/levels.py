"""The levels: which stretches of the straightened spine are vertebrae, found all at once.

A chain of discs is chosen that gains most in all (`chain`): each vertebra by its match with the pattern of
bone and discs (`pattern`), and by the likeness of its spacing to the depth of the bodies and to the spacings
next to it. The planes of the discs are then laid where the plates show them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import Float32Array, FloatArray
from cementct.segmentation.vertebrae.embedded.chain import BEYOND_MM, SPACINGS_MM, Chain, find_best_chain
from cementct.segmentation.vertebrae.embedded.collapsed import with_collapsed
from cementct.segmentation.vertebrae.embedded.column import BodyColumn, find_column
from cementct.segmentation.vertebrae.embedded.discs import (
    CORONAL_TILTS,
    SAGITTAL_TILTS,
    DiscEvidence,
    measure_discs,
)
from cementct.segmentation.vertebrae.embedded.filled import with_filled_bodies
from cementct.segmentation.vertebrae.embedded.pattern import describe_steps, match_pattern
from cementct.segmentation.vertebrae.embedded.straighten import StraightSpine

# A disc moves up to so far from where the pattern has it, but no more than this share of the spacings beside
# it; and what the farthest move has to earn in evidence.
FARTHEST_SETTLING_MM = 6
SETTLING_COST = 0.8
SETTLING_SHARE = 0.2
# Evidence for a disc that a disc is moved for: thick slices show thin discs too faintly.
CLEAR_DISC = 0.6
# Steps on both sides of a disc that are asked for its tilt.
TILT_REACH = 2
# Discs next to each other differ little in tilt once the spine is straight; a wedged body bends more, at no
# further cost.
BEND_COST = 0.03
BEND_DEG = 10.0
MOST_BENDS_SQUARED = 4.0
# Sums below this were reached on volumes without a spine.
LEAST_CHAIN_SCORE = 0.45


@dataclass(frozen=True)
class DiscPlane:
    """The middle of one disc in the straightened spine.

    Attributes
    ----------
    along_mm
        Place along the canal of the middle of the disc; it may lie beyond the scan.
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
        From the lowest to the uppermost; one more than vertebrae.
    matches
        Match of each vertebra with the pattern, around 1 where all of it is in view.
    seen
        Share of each vertebra that is in view.
    score
        What the chain gained in all.
    """

    discs: tuple[DiscPlane, ...]
    matches: tuple[float, ...]
    seen: tuple[float, ...]
    score: float


def find_levels(spine: StraightSpine, known: FloatArray | None = None) -> tuple[Levels | None, BodyColumn]:
    """Return the levels of a straightened spine, None where there are none, and its column of bodies.

    What is `known` otherwise, over (place of the upper disc, spacing), adds to the gain of each vertebra.
    """
    column = find_column(spine)
    evidence = measure_discs(spine, column)
    steps = describe_steps(spine, column, evidence, BEYOND_MM)
    match = with_filled_bodies(match_pattern(steps, SPACINGS_MM), spine, column, SPACINGS_MM)
    chain = find_best_chain(match, column.depth_mm, known)
    if chain.score < LEAST_CHAIN_SCORE:
        return None, column
    chain = with_collapsed(chain, evidence.score, column.depth_mm)
    return Levels(_planes(evidence, chain), chain.matches, chain.seen, chain.score), column


def _planes(evidence: DiscEvidence, chain: Chain) -> tuple[DiscPlane, ...]:
    """Return the discs where the plates show them; next to a vertebra that the user gave they stay."""
    held = [below or above for below, above in zip((False, *chain.known), (*chain.known, False), strict=True)]
    spacings = np.diff(chain.places)
    room_mm = SETTLING_SHARE * np.minimum(
        np.append(spacings, spacings[-1]), np.insert(spacings, 0, spacings[0])
    )
    places = [
        place if stays else _settled(place, evidence.score, min(FARTHEST_SETTLING_MM, int(room)))
        for place, stays, room in zip(chain.places, held, room_mm, strict=True)
    ]
    return tuple(
        DiscPlane(float(place), *tilts)
        for place, tilts in zip(places, _agreed_tilts(evidence.by_tilt, places), strict=True)
    )


def _settled(place: int, disc: FloatArray, farthest_mm: int) -> int:
    """Return the place of a disc, moved by no more than `farthest_mm` to where the plates show it.

    The pattern is that of sound vertebrae: beside a collapsed body it places the disc a few millimetres off.
    """
    near = np.arange(max(0, place - farthest_mm), min(len(disc), place + farthest_mm + 1))
    if not len(near):
        return place
    gain = disc[near] - SETTLING_COST * ((near - place) / FARTHEST_SETTLING_MM) ** 2
    best = int(near[int(gain.argmax())])
    return best if disc[best] >= CLEAR_DISC else place


def _agreed_tilts(by_tilt: Float32Array, places: list[int]) -> list[tuple[float, float]]:
    """Return sagittal and coronal tilt of each disc: the best in all, for evidence and for little bending."""
    sagittal, coronal = (np.degrees(np.arctan(tilts)) for tilts in (SAGITTAL_TILTS, CORONAL_TILTS))
    bend = (sagittal[:, None, None, None] - sagittal[:, None]) ** 2 + (coronal[:, None, None] - coronal) ** 2
    cost = BEND_COST * np.minimum(bend / BEND_DEG**2, MOST_BENDS_SQUARED)
    count = len(sagittal) * len(coronal)
    cost = cost.reshape(count, count)
    total, choices = np.zeros(count), []
    for number, place in enumerate(places):
        window = by_tilt[:, :, max(0, place - TILT_REACH) : max(0, place + TILT_REACH + 1)]
        own = window.max(axis=2).ravel() if window.shape[2] else np.zeros(count)
        if number:
            options = total[:, None] - cost
            choices.append(options.argmax(axis=0))
            total = options.max(axis=0)
        total = total + np.clip(own, -1.0, 1.5)
    state = int(total.argmax())
    states = [state]
    for choice in reversed(choices):
        state = int(choice[state])
        states.append(state)
    found = [np.unravel_index(state, (len(sagittal), len(coronal))) for state in reversed(states)]
    return [(float(SAGITTAL_TILTS[s]), float(CORONAL_TILTS[c])) for s, c in found]
