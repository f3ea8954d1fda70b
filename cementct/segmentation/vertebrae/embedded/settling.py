"""The surfaces of a body, each moved to where its cortex ends in this very scan: as a whole, endplates bent.

Surfaces follow the steepest descent of a smoothed picture. How far outside the cortex that lies hangs on how
thick and how bright the cortex is, on the kernel, and on what lies beside it; where cement hides much of a
body, its neighbours' shape says only roughly how large it is. Half way down from the cortex of the scan
itself lies as far from its surface in all of them: on phantoms of two makers 0.1 to 0.4 mm outside.

Cement that fills a body to its surface hides the cortex there. Where it borders on soft tissue with no cortex
further out, the surface is where the cement ends: endplates drawn flat over a dished body full of cement lay
up to 3 mm in the disc, and posterior walls up to 2 mm in the canal.

A leak that lies on the bone looks like cortex if it is as dilute, and hides the true one under it. It is
brighter than the cortex of this scan or thicker with it, so those places are asked last: endplates had been
drawn around leaks into discs. Where cement hides a posterior wall nearly everywhere, its neighbours' walls
have to tell: of 230 treated bodies of tuning cases 18 walls lay more than 1 mm in the canal, and then 11.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from cementct.core.arrays import BoolArray, FloatArray, as_floats
from cementct.core.image import Volume
from cementct.core.threads import each
from cementct.segmentation.vertebrae.embedded.body import BodyOutline
from cementct.segmentation.vertebrae.embedded.cortex_profiles import (
    Cortex,
    Places,
    UsualCortex,
    find_cortex,
    flush_mm,
    sample_profiles,
)
from cementct.segmentation.vertebrae.embedded.neighbours import Neighbour, expected_wall
from cementct.segmentation.vertebrae.embedded.repair import TREATED_SHARE
from cementct.segmentation.vertebrae.embedded.side_wall import BACKWARDS_COSINE, DIRECTIONS

# Half way down lies this far outside a body's surface. A surface that is this near to it already stays, and
# one that is not is moved so near: all that is measured beside surfaces was tuned on such ones.
OUTSIDE_MM, NEAR_MM = 0.1, 0.4
# So many places have to show cortex, and such a share, and half of them within this of each other. Of the
# posterior wall more: on what is left of it a leak hangs.
FEWEST_PLACES, LEAST_SHARE, LEAST_WALL_SHARE, MOST_SPREAD_MM = 25, 0.25, 0.5, 1.2
# No surface is moved by more than this, inwards and outwards.
INWARDS_MM, OUTWARDS_MM = 2.5, 1.0
# That soft tissue may be tumour before a destroyed surface, so it is believed with such a share of cortex, as
# near to it in the middle. A whole endplate may be hidden by cement but for a few places; a wall that is not
# seen was destroyed.
LEAST_CORTEX_SHARE, LEAST_CORTEX_ON_PLATE, CORTEX_AGREES_MM = 0.1, 0.04, 1.0
# An endplate that lies flush with cement in such a share of its places needs none.
FLUSH_SHARE = 0.7
# An endplate is bent as well: tilted and dished within this distance of its middle, further out as there;
# what few places say of it is believed less. Each place is weighed by how far the last round left it off.
BEND_WITHIN_MM, BEND_RIDGE, BEND_ROUNDS, NEAR_FIT_MM = 11.0, 0.005, 5, 0.3
# No place of it is moved inwards by more, nor a wall that is held to its neighbours' curve.
HIDDEN_INWARDS_MM = 4.0
# Where less of a treated body's wall shows plain cortex than is asked for, it is held to the curve through
# the walls of vertebrae on both sides, at most one of them missing (spread of that curve), from so far behind
# it on. Plain cortex on such a share of the wall weighs as much as the curve, which lies 0.4 mm off (median).
MOST_WALL_SPREAD_MM, OUT_OF_LINE_MM, SHARE_LIKE_EXPECTED = 1.6, 0.6, 0.33
# Surfaces across which voxels are coarser than this are left: cortex is lost in them.
COARSEST_MM = 1.6
# What of a body is looked at: its waist, in shares of the spacing; the wall beside the basivertebral vein;
# and the middle of its endplates.
WAIST_SHARE = 0.18
WALL_LEFT_MM = np.concatenate([np.arange(-8.0, -2.9, 1.0), np.arange(3.0, 8.1, 1.0)])
PLATE_LEFT_MM, PLATE_BACK_MM = np.arange(-9.0, 9.1, 1.5), np.arange(-6.0, 6.1, 1.5)


@dataclass(frozen=True)
class _Surface:
    """What a surface of a body shows at some of its places, of each shape (n,).

    Attributes
    ----------
    points_mm
        (left, back, up) of the places, shape (n, 3).
    cortex
        Where it shows cortex.
    flush_mm
        How far outside it cement ends that hides the cortex; NaN where it does not.
    """

    points_mm: FloatArray
    cortex: Cortex
    flush_mm: FloatArray


@dataclass(frozen=True)
class _Look:
    """What all surfaces of a body show."""

    wall: _Surface
    side: _Surface
    superior: _Surface
    inferior: _Surface


@dataclass(frozen=True)
class _Usual:
    """What the cortex of each kind of surface does not exceed in a scan."""

    wall: UsualCortex
    side: UsualCortex
    plate: UsualCortex

    @classmethod
    def of(cls, looks: Sequence[_Look]) -> _Usual:
        return cls(
            UsualCortex.of(look.wall.cortex for look in looks),
            UsualCortex.of(look.side.cortex for look in looks),
            UsualCortex.of(plate.cortex for look in looks for plate in (look.superior, look.inferior)),
        )


def settled(volume: Volume, outlines: Sequence[BodyOutline]) -> list[BodyOutline]:
    """Return the outlines of all bodies of a scan, their surfaces moved to where cortex ends."""
    looks = each(partial(_look, volume), outlines)
    usual = _Usual.of(looks)
    moved = [_settled(outline, look, usual) for outline, look in zip(outlines, looks, strict=True)]
    return [_wall_in_line(moved, number, look.wall, usual.wall) for number, look in enumerate(looks)]


def _look(volume: Volume, outline: BodyOutline) -> _Look:
    places = (_on_wall(outline), _on_side(outline), _on_plate(outline, 1.0), _on_plate(outline, -1.0))
    return _Look(*(_look_at(volume, outline, there) for there in places))


def _look_at(volume: Volume, outline: BodyOutline, places: Places) -> _Surface:
    profile_hu = sample_profiles(volume, outline, places)
    return _Surface(places.points_mm, find_cortex(profile_hu), flush_mm(profile_hu))


def _settled(outline: BodyOutline, look: _Look, usual: _Usual) -> BodyOutline:
    """Return the outline of a body, its surfaces moved to where its cortex ends."""
    wall, side, plates = outline.posterior_wall, outline.side_wall, outline.endplates
    left_mm, back_mm, up_mm = outline.edges.block.spacing_mm
    if max(left_mm, back_mm) <= COARSEST_MM:
        shift_mm = _shift_mm(look.wall, usual.wall, LEAST_WALL_SHARE)
        wall = replace(wall, coefficients=wall.coefficients + np.array([shift_mm, 0, 0, 0, 0]))
        side = replace(side, radius_mm=side.radius_mm + _shift_mm(look.side, usual.side))
    if up_mm <= COARSEST_MM:
        superior_mm, inferior_mm = plates.superior_mm, plates.inferior_mm
        if not outline.placed.cut_above:
            superior_mm = superior_mm + _bend_mm(outline, look.superior, usual.plate)
        if not outline.placed.cut_below:
            inferior_mm = inferior_mm - _bend_mm(outline, look.inferior, usual.plate)
        plates = replace(plates, superior_mm=superior_mm, inferior_mm=inferior_mm)
    return replace(outline, posterior_wall=wall, side_wall=side, endplates=plates)


def _wall_in_line(
    outlines: Sequence[BodyOutline], number: int, look: _Surface, usual: UsualCortex
) -> BodyOutline:
    """Return a body; a treated one whose wall is hidden with it no farther back than its neighbours' curve.

    Cement that left through the wall ends as flush with soft tissue as cement that fills the body up to it.
    """
    own = outlines[number]
    plain = look.cortex.is_plain(usual)
    share = float(plain.mean())
    if own.dense_share < TREATED_SHARE or share >= LEAST_WALL_SHARE:
        return own
    others = {
        n: Neighbour(other.placed, other.posterior_wall, other.side_wall)
        for n, other in enumerate(outlines)
        if n != number
    }
    expected = expected_wall(own.placed, number, others)
    if expected is None or expected.spread[0] > MOST_WALL_SPREAD_MM:
        return own
    drawn_mm, seen_mm = float(own.posterior_wall.coefficients[0]), None
    if share >= LEAST_CORTEX_SHARE:
        left, back, up = look.points_mm[plain].T
        behind = back + look.cortex.gap_mm[plain] - OUTSIDE_MM - own.posterior_wall.at(left, up)
        seen_mm = drawn_mm + float(np.median(behind))
    shift_mm = _back_in_line_mm(drawn_mm, float(expected.aim[0]), seen_mm, share)
    wall = own.posterior_wall
    return replace(
        own, posterior_wall=replace(wall, coefficients=wall.coefficients + np.array([shift_mm, 0, 0, 0, 0]))
    )


def _back_in_line_mm(drawn_mm: float, expected_mm: float, seen_mm: float | None, share: float) -> float:
    """Return by how much a wall drawn too far back is to be moved, 0 or less.

    Neighbours expect it at `expected_mm`; plain cortex on such a share of it, if any, says `seen_mm`.
    """
    aim_mm = expected_mm
    if seen_mm is not None:
        told = share / SHARE_LIKE_EXPECTED
        aim_mm = (expected_mm + told * seen_mm) / (1.0 + told)
    off_mm = drawn_mm - aim_mm
    return 0.0 if off_mm <= OUT_OF_LINE_MM else -min(off_mm, HIDDEN_INWARDS_MM)


def _on_wall(outline: BodyOutline) -> Places:
    half = WAIST_SHARE * outline.placed.spacing_mm
    left, up = (a.ravel() for a in np.meshgrid(WALL_LEFT_MM, np.arange(-half, half + 0.1, 1.0)))
    points = np.stack([left, outline.posterior_wall.at(left, up), up], axis=1)
    return Places(points, np.broadcast_to([0.0, 1.0, 0.0], points.shape))


def _on_side(outline: BodyOutline) -> Places:
    side = outline.side_wall
    angle = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    rows = np.flatnonzero(np.cos(angle) <= BACKWARDS_COSINE)
    levels = np.flatnonzero(np.abs(side.up_mm) <= WAIST_SHARE * outline.placed.spacing_mm)
    row, level = (a.ravel() for a in np.meshgrid(rows, levels))
    outwards = np.stack([np.sin(angle[row]), np.cos(angle[row]), np.zeros(row.size)], axis=1)
    middle = np.stack([np.zeros(row.size), np.full(row.size, side.middle_back_mm), side.up_mm[level]], axis=1)
    points = middle + outwards * side.radius_mm[row, level][:, None]
    return Places(points, outwards)


def _on_plate(outline: BodyOutline, upwards: float) -> Places:
    back = outline.side_wall.middle_back_mm + PLATE_BACK_MM
    left, back = (a.ravel() for a in np.meshgrid(PLATE_LEFT_MM, back))
    plates = outline.endplates
    up = plates.superior_at(left, back) if upwards > 0 else plates.inferior_at(left, back)
    points = np.stack([left, back, up], axis=1)
    return Places(points, np.broadcast_to([0.0, 0.0, upwards], points.shape))


def _shift_mm(surface: _Surface, usual: UsualCortex, least_share: float = LEAST_SHARE) -> float:
    """Return how far outwards a surface is to be moved; 0 where too little cortex is seen."""
    for gap, cortex in _seen_gaps(surface, usual):
        seen = gap[np.isfinite(gap)]
        if seen.size < max(FEWEST_PLACES, least_share * gap.size):
            continue
        first, middle, third = np.percentile(seen, [25, 50, 75])
        if third - first <= MOST_SPREAD_MM and abs(np.median(gap[cortex]) - middle) <= CORTEX_AGREES_MM:
            return float(np.clip(_beyond_near(middle - OUTSIDE_MM), -INWARDS_MM, OUTWARDS_MM))
    return 0.0


def _bend_mm(outline: BodyOutline, surface: _Surface, usual: UsualCortex) -> FloatArray:
    """Return how far outwards an endplate is to be moved at each of its samples: as a whole, tilted, dished.

    0 where too little cortex is seen.
    """
    plates, middle_mm = outline.endplates, outline.side_wall.middle_back_mm
    terms = _terms(surface.points_mm[:, 0], surface.points_mm[:, 1] - middle_mm)
    for gap, cortex in _seen_gaps(surface, usual, LEAST_CORTEX_ON_PLATE, FLUSH_SHARE):
        seen = np.isfinite(gap)
        if np.count_nonzero(seen) < max(FEWEST_PLACES, LEAST_SHARE * gap.size):
            continue
        bend = _bend_of(terms[seen], gap[seen] - OUTSIDE_MM)
        left_over = gap - OUTSIDE_MM - terms @ bend
        first, third = np.percentile(left_over[seen], [25, 75])
        agrees = not cortex.any() or abs(np.median(left_over[cortex])) <= CORTEX_AGREES_MM
        if third - first <= MOST_SPREAD_MM and agrees:
            left, back = np.meshgrid(plates.left_mm, plates.back_mm - middle_mm, indexing="ij")
            near = np.minimum(1.0, BEND_WITHIN_MM / np.maximum(np.hypot(left, back), 1e-6))
            off = (_terms((left * near).ravel(), (back * near).ravel()) @ bend).reshape(left.shape)
            return np.clip(_beyond_near(off), -HIDDEN_INWARDS_MM, OUTWARDS_MM)
    return np.zeros((plates.left_mm.size, plates.back_mm.size))


def _seen_gaps(
    surface: _Surface,
    usual: UsualCortex,
    least_cortex: float = LEAST_CORTEX_SHARE,
    enough_flush: float = np.inf,
) -> Iterator[tuple[FloatArray, BoolArray]]:
    """Go through gaps that may be believed, and the cortex they have to agree with.

    First those of plain cortex and of cement flush under a hidden one; then those of what may have a leak on
    it as well; then those of cortex alone; then those of cement alone, if that is enough of them.
    """
    cortex, count = surface.cortex, surface.flush_mm.size
    seen, plain = cortex.is_seen, cortex.is_plain(usual)
    if np.count_nonzero(plain) >= least_cortex * count:
        yield np.where(plain, cortex.gap_mm, surface.flush_mm), plain
    if np.count_nonzero(seen) >= least_cortex * count:
        agreeing = plain if plain.any() else seen
        yield np.where(seen, cortex.gap_mm, surface.flush_mm), agreeing
    if seen.any():
        yield cortex.gap_mm, seen
    if np.count_nonzero(np.isfinite(surface.flush_mm)) >= enough_flush * count:
        yield surface.flush_mm, np.zeros_like(seen)


def _beyond_near(off_mm: FloatArray) -> FloatArray:
    """Return by how much something is off beyond what may stay."""
    return np.sign(off_mm) * np.maximum(np.abs(off_mm) - NEAR_MM, 0.0)


def _bend_of(terms: FloatArray, off_mm: FloatArray) -> FloatArray:
    """Return the shift, slopes and dish that explain most places, the nearest to a mere shift that do."""
    start_mm = float(np.median(off_mm))
    ridge = BEND_RIDGE * len(terms) * np.eye(terms.shape[1])
    ridge[0, 0] = 0.0
    weight = np.ones(len(terms))
    bend = as_floats(np.zeros(terms.shape[1]))
    for _ in range(BEND_ROUNDS):
        weighted = terms * weight[:, None]
        bend = as_floats(np.linalg.solve(terms.T @ weighted + ridge, weighted.T @ (off_mm - start_mm)))
        weight = 1.0 / np.maximum(np.abs(terms @ bend + start_mm - off_mm), NEAR_FIT_MM)
    bend[0] += start_mm
    return bend


def _terms(left_mm: FloatArray, back_mm: FloatArray) -> FloatArray:
    """Return 1, the slopes and the dish at places around a plate's middle, in units of `BEND_WITHIN_MM`."""
    left, back = left_mm / BEND_WITHIN_MM, back_mm / BEND_WITHIN_MM
    return np.stack([np.ones_like(left), left, back, left**2 + back**2], axis=1)
