"""The endplates of all bodies: disc by disc, those without evidence of their own from the rest."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import FloatArray, as_floats
from cementct.core.threads import each
from cementct.segmentation.vertebrae.embedded.disc_plates import (
    HALF_DISC_SHARE,
    LEAST_DISC_MM,
    DiscPlates,
    DiscSamples,
    ExpectedPlate,
    find_plates,
    sample_disc,
    sample_end,
)
from cementct.segmentation.vertebrae.embedded.endplates import CLEAR_GAIN, SAMPLE_MM, Endplates, join_plates
from cementct.segmentation.vertebrae.embedded.sheets import Expectation, fit_sheet
from cementct.segmentation.vertebrae.embedded.walls import Walls

# Share of an endplate that has to show an edge of its own, or it is rebuilt.
SEEN_SHARE = 0.85
# The same for the endplate across the disc, and for discs near by, that it is rebuilt from.
PARTNER_SHARE = 0.6
# Levels away: beyond them discs differ too much.
FARTHEST_DISC = 3
# How far an endplate may be from where it is expected: of a weak body, of a sound one next to it, and of one
# beyond the end of the scan.
REBUILT_SPREAD_MM = 1.6
SOUND_SPREAD_MM = 3.0
CUT_SPREAD_MM = 2.5
# So many sound bodies tell how tall a body is.
NEAREST_BODIES = 4
# Fewer columns of an endplate within the body say nothing.
LEAST_COLUMNS = 12
# Thickness of a disc in shares of the spacing, where no disc near shows its own.
USUAL_DISC_SHARE = 0.18
# Spread of an endplate's height (mm), leans (mm per mm) and bends (mm per mm²) about the endplate across the
# disc less its usual thickness, about the other endplate of a sound body and its usual height, and about the
# first guess of the disc's place.
ACROSS_SPREAD = np.array([2.0, 0.08, 0.08, 0.005, 0.005])
HEIGHT_SPREAD = np.array([1.5, 0.06, 0.06, 0.004, 0.004])
PLACED_SPREAD = np.array([4.0, 0.12, 0.12, 0.008, 0.008])


def find_all_endplates(walls: Sequence[Walls]) -> list[Endplates]:
    """Return the endplates of all bodies, given from top to bottom."""
    if not walls:
        return []
    samples = [
        sample_end(walls[0], 1.0),
        *each(lambda pair: sample_disc(*pair), itertools.pairwise(walls)),
        sample_end(walls[-1], -1.0),
    ]
    sides = itertools.pairwise([None, *walls, None])
    discs = each(lambda one: _first_look(one[0], *one[1]), zip(samples, sides, strict=True))
    first = _joined(walls, discs)
    weak = [
        own.weak or min(discs[n].lower_seen, discs[n + 1].upper_seen) < SEEN_SHARE
        for n, own in enumerate(walls)
    ]
    heights = UsualHeights(walls, first, weak)
    return _joined(walls, each(lambda number: _rebuilt(discs, number, heights), range(len(discs))))


def _joined(walls: Sequence[Walls], discs: Sequence[DiscPlates]) -> list[Endplates]:
    return [
        join_plates(own, discs[number].lower_plate(own), discs[number + 1].upper_plate(own))
        for number, own in enumerate(walls)
    ]


@dataclass(frozen=True)
class UsualHeights:
    """The bodies of a first look, to tell how tall sound ones are."""

    walls: Sequence[Walls]
    plates: Sequence[Endplates]
    weak: Sequence[bool]

    def missing_mm(self, number: int, disc: DiscSamples, surface: FloatArray) -> FloatArray:
        """Return by how much a body is lower than is usual, over a disc's samples."""
        near = [
            n
            for n in range(max(0, number - FARTHEST_DISC), min(len(self.walls), number + FARTHEST_DISC + 1))
            if n != number and not self.weak[n] and not self.walls[n].is_cut
        ]
        near = sorted(near, key=lambda n: abs(n - number))[:NEAREST_BODIES]
        centre = np.zeros(1), np.zeros(1)
        heights = [float(self._height_mm(n, *centre)[0]) for n in near]
        heights.append((1 - USUAL_DISC_SHARE) * self.walls[number].placed.spacing_mm)
        across, along = np.meshgrid(disc.left_mm, disc.back_mm, indexing="ij")
        own = self.walls[number].placed.placement
        there = own.to_local_mm(disc.placement.to_grid_mm(across, along, surface))
        back = there[..., 1] - self.walls[number].side.middle_back_mm
        return np.asarray(np.median(heights) - self._height_mm(number, there[..., 0], back))

    def _height_mm(self, number: int, left_mm: FloatArray, back_mm: FloatArray) -> FloatArray:
        plates, back = self.plates[number], back_mm + self.walls[number].side.middle_back_mm
        return plates.superior_at(left_mm, back) - plates.inferior_at(left_mm, back)


def _rebuilt(discs: Sequence[DiscPlates], number: int, heights: UsualHeights) -> DiscPlates:
    """Return a disc's endplates; of a weak vertebra they are rebuilt from what is left and from the other."""
    own = discs[number]
    count = len(heights.walls)
    if (number == 0 and heights.walls[0].placed.cut_above) or (
        number == count and heights.walls[-1].placed.cut_below
    ):
        return own
    weak = (
        number > 0 and heights.walls[number - 1].weak,
        number < count and heights.walls[number].weak,
    )
    if not any(weak):
        weak = (number > 0 and own.upper_seen < SEEN_SHARE, number < count and own.lower_seen < SEEN_SHARE)
    if not any(weak):
        return own
    gap = _usual_gap_mm(discs, number)
    upper_sheet = lower_sheet = None
    if number > 0 and not weak[0]:
        upper_sheet = _sound_sheet(own, heights, number - 1, above=True)
    if number < count and not weak[1]:
        lower_sheet = _sound_sheet(own, heights, number, above=False)
    if weak[0]:
        across = lower_sheet if lower_sheet is not None else own.lower_mm
        seen = lower_sheet is not None or own.lower_seen >= PARTNER_SHARE
        weight, edge = own.samples.upper_weight, own.upper_edge
        if lower_sheet is not None:
            edge = _with_room_for_disc(edge, own.upper_mm - lower_sheet)
        upper_sheet = _sheet_through(own, own.upper_mm, edge, weight, across + gap if seen else None)
    if weak[1]:
        across = upper_sheet if upper_sheet is not None and not weak[0] else own.upper_mm
        seen = (upper_sheet is not None and not weak[0]) or own.upper_seen >= PARTNER_SHARE
        weight, edge = own.samples.lower_weight, own.lower_edge
        if upper_sheet is not None and not weak[0]:
            edge = _with_room_for_disc(edge, upper_sheet - own.lower_mm)
        lower_sheet = _sheet_through(own, own.lower_mm, edge, weight, across - gap if seen else None)
    return find_plates(
        own.samples, _expected(upper_sheet, weak=weak[0]), _expected(lower_sheet, weak=weak[1])
    )


def _with_room_for_disc(edge: FloatArray, thickness_mm: FloatArray) -> FloatArray:
    """Return edges that leave room for a disc: under cement that fills one, the other bone's cortex shows."""
    return np.where(thickness_mm >= LEAST_DISC_MM, edge, 0.0)


def _expected(sheet: FloatArray | None, *, weak: bool) -> ExpectedPlate | None:
    return None if sheet is None else ExpectedPlate(sheet, REBUILT_SPREAD_MM if weak else SOUND_SPREAD_MM)


def _first_look(samples: DiscSamples, above: Walls | None, below: Walls | None) -> DiscPlates:
    """Return the endplates next to a disc; one that the scan cuts off is where the disc is guessed."""
    flat = np.zeros(samples.upper_weight.shape)
    upper = lower = None
    if above is None and below is not None and below.placed.cut_above:
        lower = ExpectedPlate(flat - HALF_DISC_SHARE * below.placed.spacing_mm, CUT_SPREAD_MM)
    if below is None and above is not None and above.placed.cut_below:
        upper = ExpectedPlate(flat + HALF_DISC_SHARE * above.placed.spacing_mm, CUT_SPREAD_MM)
    return find_plates(samples, upper, lower)


def _sound_sheet(disc: DiscPlates, heights: UsualHeights, number: int, *, above: bool) -> FloatArray:
    """Return the endplate of a sound vertebra next to a weak one, held by the usual height of its body."""
    surface = disc.upper_mm if above else disc.lower_mm
    missing = heights.missing_mm(number, disc.samples, surface)
    weight = disc.samples.upper_weight if above else disc.samples.lower_weight
    edge = disc.upper_edge if above else disc.lower_edge
    usual = surface - missing if above else surface + missing
    return _sheet_through(disc, surface, edge, weight, usual, HEIGHT_SPREAD)


def _sheet_through(
    disc: DiscPlates,
    height: FloatArray,
    edge: FloatArray,
    weight: FloatArray,
    across: FloatArray | None,
    spread: FloatArray = ACROSS_SPREAD,
) -> FloatArray:
    """Return the smooth endplate through what shows edges of its own, held by what is across the disc."""
    left, back = np.meshgrid(disc.samples.left_mm, disc.samples.back_mm, indexing="ij")
    everywhere = np.stack(
        [np.ones(left.size), left.ravel(), back.ravel(), left.ravel() ** 2, back.ravel() ** 2], 1
    )
    within = (weight > 0.5).ravel()
    if np.count_nonzero(within) < LEAST_COLUMNS:
        return height
    terms = everywhere[within]
    strength = SAMPLE_MM**2 * np.where(edge > CLEAR_GAIN, edge, 0.0).ravel()[within]
    if across is None:
        middle = float(np.median(height.ravel()[within]))
        expected = Expectation(np.array([middle, 0.0, 0.0, 0.0, 0.0]), PLACED_SPREAD)
    else:
        aim = np.linalg.lstsq(terms, across.ravel()[within], rcond=None)[0]
        expected = Expectation(as_floats(aim), spread)
    sheets = [
        fit_sheet(terms, height.ravel()[within], strength, expected, start=start)
        for start in (None, expected.aim)
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
