"""The endplates of all bodies: disc by disc, those without evidence of their own from the rest."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from cementct.core.arrays import FloatArray
from cementct.segmentation.vertebrae.embedded.disc_plates import (
    DiscPlates,
    find_plates,
    sample_disc,
)
from cementct.segmentation.vertebrae.embedded.endplates import Endplates, find_outer_plate, join_plates
from cementct.segmentation.vertebrae.embedded.sheets import Expectation, fit_sheet
from cementct.segmentation.vertebrae.embedded.walls import Walls

SEEN_SHARE = 0.85
# Share of an endplate that has to show an edge of its own, or it is rebuilt.
PARTNER_SHARE = 0.6
# The same for the endplate across the disc, and for discs near by, that it is rebuilt from.
FARTHEST_DISC = 3
# Levels away: beyond them discs differ too much.
LEAST_COLUMNS = 12
# Fewer columns of an endplate within the body say nothing.
USUAL_DISC_SHARE = 0.18
# Thickness of a disc in shares of the spacing, where no disc near shows its own.
ACROSS_SPREAD = np.array([2.0, 0.08, 0.08, 0.008, 0.008])
PLACED_SPREAD = np.array([4.0, 0.12, 0.12, 0.008, 0.008])
# Spread of an endplate's height (mm), leans (mm per mm) and bends (mm per mm²) about the endplate across the
# disc less its usual thickness, and about the first guess of the disc's place.


def find_all_endplates(walls: Sequence[Walls]) -> list[Endplates]:
    """Return the endplates of all bodies, given from top to bottom."""
    discs = [find_plates(sample_disc(above, below)) for above, below in itertools.pairwise(walls)]
    discs = [_rebuilt(discs, number) for number in range(len(discs))]
    plates = []
    for number, own in enumerate(walls):
        superior = discs[number - 1].lower_plate(own) if number else find_outer_plate(own, 1.0)
        inferior = discs[number].upper_plate(own) if number < len(discs) else find_outer_plate(own, -1.0)
        plates.append(join_plates(own, superior, inferior))
    return plates


def _rebuilt(discs: Sequence[DiscPlates], number: int) -> DiscPlates:
    """Return a disc's endplates; one hardly seen is rebuilt from what is left of it and the other."""
    own = discs[number]
    seen = own.upper_seen, own.lower_seen
    if min(seen) >= SEEN_SHARE:
        return own
    gap = _usual_gap_mm(discs, number)
    across = (
        own.lower_mm + gap if seen[1] >= PARTNER_SHARE else None,
        own.upper_mm - gap if seen[0] >= PARTNER_SHARE else None,
    )
    first = (own.upper_mm, own.lower_mm)
    edges = (own.upper_edge, own.lower_edge)
    weights = (own.samples.upper_weight, own.samples.lower_weight)
    expected = [
        _sheet_through(own, first[n], edges[n], weights[n], across[n]) if seen[n] < SEEN_SHARE else None
        for n in (0, 1)
    ]
    return find_plates(own.samples, upper_expected=expected[0], lower_expected=expected[1])


def _sheet_through(
    disc: DiscPlates, height: FloatArray, edge: FloatArray, weight: FloatArray, across: FloatArray | None
) -> FloatArray:
    """Return the smooth endplate through what shows edges of its own, held by what is across the disc."""
    left, back = np.meshgrid(disc.samples.left_mm, disc.samples.back_mm, indexing="ij")
    everywhere = np.stack(
        [np.ones(left.size), left.ravel(), back.ravel(), left.ravel() ** 2, back.ravel() ** 2], 1
    )
    within = (weight > 0.5).ravel()
    if np.count_nonzero(within) < LEAST_COLUMNS:
        return height
    terms, strength = everywhere[within], np.clip(edge.ravel()[within], 0, 1)
    if across is None:
        aim, spread = np.array([float(np.median(height.ravel()[within])), 0, 0, 0, 0]), PLACED_SPREAD
    else:
        aim, spread = np.linalg.lstsq(terms, across.ravel()[within], rcond=None)[0], ACROSS_SPREAD
    expected = Expectation(aim, spread)
    sheets = [
        fit_sheet(terms, height.ravel()[within], strength, expected, start=start) for start in (None, aim)
    ]
    best = max(sheets, key=lambda sheet: sheet.score)
    return np.asarray((everywhere @ best.coefficients).reshape(left.shape))


def _usual_gap_mm(discs: Sequence[DiscPlates], number: int) -> FloatArray:
    """Return the thickness of the disc over its samples that well seen discs near by let expect."""
    near = [
        discs[n]
        for n in range(max(0, number - FARTHEST_DISC), min(len(discs), number + FARTHEST_DISC + 1))
        if n != number and min(discs[n].upper_seen, discs[n].lower_seen) >= PARTNER_SHARE
    ]
    if not near:
        own = discs[number]
        return np.full(own.upper_mm.shape, USUAL_DISC_SHARE * float(np.mean(own.samples.spacing_mm)))
    return np.asarray(np.mean([disc.upper_mm - disc.lower_mm for disc in near], axis=0))
