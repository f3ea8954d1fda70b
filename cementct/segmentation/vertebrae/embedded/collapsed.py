"""Vertebrae flattened to a plate, which the pattern of sound ones takes together with a neighbour.

A vertebra of the chain that is a good part longer than those around it is two where a clear disc leaves one
of usual length and one much shorter.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cementct.core.arrays import FloatArray, as_floats
from cementct.segmentation.vertebrae.embedded.chain import SPACING_PER_DEPTH, Chain

# Two vertebrae that were taken for one are longer than one is by at least this factor.
LONGER_THAN_ONE = 1.22
# Of the two, one is as long as usual within these factors, and the other at most this share as long.
USUAL_RANGE = (0.75, 1.18)
COLLAPSED_SHARE = 0.72
# From disc to disc, a body without any height at all and two halves of thin discs, mm.
SHORTEST_MM = 7
# Evidence for the disc between them.
DISC_BETWEEN = 0.5
# So much of a vertebra has to be in view for its length to tell of its neighbours', and so many on each side.
SEEN_WHOLE = 0.8
NEIGHBOURS = 2


def with_collapsed(chain: Chain, disc: FloatArray, depth_mm: FloatArray) -> Chain:
    """Return the chain with vertebrae parted that are a sound and a collapsed one.

    Parameters
    ----------
    chain
        The chain of best match.
    disc
        Evidence for a disc at each step of the spine.
    depth_mm
        Of the bodies at each step.
    """
    spacings = np.diff(as_floats(chain.places))
    for number in reversed(range(len(spacings))):
        if chain.known[number] or chain.seen[number] < SEEN_WHOLE:
            continue
        usual_mm = _usual_spacing_mm(chain, spacings, number, depth_mm)
        if spacings[number] < LONGER_THAN_ONE * usual_mm:
            continue
        between = _disc_between(chain.places[number], chain.places[number + 1], usual_mm, disc)
        if between is not None:
            chain = _parted(chain, number, between, disc)
    return chain


def _usual_spacing_mm(chain: Chain, spacings: FloatArray, number: int, depth_mm: FloatArray) -> float:
    """Return the length to expect of a vertebra: of those near it, and for the depth of its body."""
    near = [
        float(spacings[n])
        for n in range(max(0, number - NEIGHBOURS), min(len(spacings), number + NEIGHBOURS + 1))
        if n != number and chain.seen[n] >= SEEN_WHOLE
    ]
    middle = (chain.places[number] + chain.places[number + 1]) // 2
    by_depth = SPACING_PER_DEPTH * float(depth_mm[np.clip(middle, 0, len(depth_mm) - 1)])
    return float(np.median([*near, by_depth]))


def _disc_between(lower: int, upper: int, usual_mm: float, disc: FloatArray) -> int | None:
    """Return the step of the clearest disc that leaves a usual and a short vertebra, None without one."""
    best = None
    for place in range(max(lower + SHORTEST_MM, 0), min(upper - SHORTEST_MM + 1, len(disc))):
        short, long = sorted((place - lower, upper - place))
        fits = USUAL_RANGE[0] * usual_mm <= long <= USUAL_RANGE[1] * usual_mm
        if not fits or short > COLLAPSED_SHARE * usual_mm or disc[place] < DISC_BETWEEN:
            continue
        if best is None or disc[place] > disc[best]:
            best = place
    return best


def _parted(chain: Chain, number: int, place: int, disc: FloatArray) -> Chain:
    """Return the chain with one vertebra made two; the collapsed one matches as its discs are clear."""
    ends = [chain.places[number], place, chain.places[number + 1]]
    clear = float(np.mean([disc[p] for p in ends if 0 <= p < len(disc)]))
    own = chain.matches[number]
    matches = (clear, own) if ends[1] - ends[0] < ends[2] - ends[1] else (own, clear)

    before, after = slice(number), slice(number + 1, None)
    return replace(
        chain,
        places=(*chain.places[: number + 1], place, *chain.places[after]),
        matches=(*chain.matches[before], *matches, *chain.matches[after]),
        seen=(*chain.seen[before], chain.seen[number], *chain.seen[number:]),
        known=(*chain.known[before], False, *chain.known[number:]),
    )
