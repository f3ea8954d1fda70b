"""Walls that are destroyed or hidden by cement, rebuilt from what is left of them and from the neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from cementct.segmentation.vertebrae.embedded.neighbours import (
    Neighbour,
    expected_depth_mm,
    expected_radius_mm,
    expected_wall,
)
from cementct.segmentation.vertebrae.embedded.posterior_wall import find_posterior_wall
from cementct.segmentation.vertebrae.embedded.side_wall import find_side_wall, level_shares
from cementct.segmentation.vertebrae.embedded.walls import Walls

# Of the body: about 0.8 ml of cement with its blur hides part of the walls. Cement of the next vertebra, in
# the same block, does not count.
TREATED_SHARE = 0.03
# Share of the posterior wall that shows an edge of its own, of vertebrae that others are modelled on; of one
# that the scan cuts only part is in view.
SOUND_SUPPORT = 0.6
LEAST_CUT_SUPPORT = 0.4
# A posterior wall so many standard deviations from where its neighbours' lie is destroyed or was mistaken.
OUT_OF_LINE = 3.5
# The same of the front and sides.
SOUND_SIDES = 0.55
# Share of the core hidden by cement, and share of the posterior wall in view, of bodies whose endplates are
# trusted less than their neighbours'.
HIDDEN_SHARE = 0.1
DESTROYED_SUPPORT = 0.4
# A body is lytic where this share of its inside is darker than this share of the usual marrow of the scan.
DARK_AGAINST_OTHERS = 0.6
LYTIC_SHARE = 0.25


def repair_walls(walls: Sequence[Walls]) -> list[Walls]:
    """Return the walls of all bodies, those without evidence of their own drawn anew."""
    sound = _in_line(walls, {n: _neighbour(own) for n, own in enumerate(walls) if _is_sound(own)})
    lytic = _lytic(walls)
    repaired = []
    for number, own in enumerate(walls):
        others = {n: other for n, other in sound.items() if n != number}
        sides_sound = own.dense_share < TREATED_SHARE and own.side.seen >= SOUND_SIDES
        weak = lytic[number] or own.hidden_share >= HIDDEN_SHARE or own.wall.support < DESTROYED_SUPPORT
        drawn = _repaired(own, number, others, wall_sound=number in sound, sides_sound=sides_sound)
        repaired.append(replace(drawn, weak=weak))
    return repaired


def _lytic(walls: Sequence[Walls]) -> list[bool]:
    """Tell which bodies are darker inside than the others over a good part."""
    inner = [own.inner_hu() for own in walls]
    usual = [float(np.median(values)) if values.size else np.nan for values in inner]
    lytic = []
    for number, values in enumerate(inner):
        others = [hu for n, hu in enumerate(usual) if n != number and not np.isnan(hu)]
        if not others or not values.size:
            lytic.append(False)
            continue
        lytic.append(float((values < DARK_AGAINST_OTHERS * np.median(others)).mean()) >= LYTIC_SHARE)
    return lytic


def _is_sound(own: Walls) -> bool:
    least = LEAST_CUT_SUPPORT if own.is_cut else SOUND_SUPPORT
    return own.dense_share < TREATED_SHARE and own.wall.support >= least


def _neighbour(own: Walls) -> Neighbour:
    return Neighbour(own.placed, own.wall, own.side)


def _in_line(walls: Sequence[Walls], sound: Mapping[int, Neighbour]) -> dict[int, Neighbour]:
    """Return the sound vertebrae without those whose wall stands out of line, the farthest left out first."""
    kept = dict(sound)
    while len(kept) > 2:
        apart = {}
        for number in kept:
            others = {n: other for n, other in kept.items() if n != number}
            expected = expected_wall(walls[number].placed, number, others)
            own = walls[number].wall.coefficients[0]
            apart[number] = 0.0 if expected is None else abs(own - expected.aim[0]) / expected.spread[0]
        worst = max(apart, key=lambda n: apart[n])
        if apart[worst] <= OUT_OF_LINE:
            break
        del kept[worst]
    return kept


def _repaired(
    own: Walls, number: int, sound: Mapping[int, Neighbour], *, wall_sound: bool, sides_sound: bool
) -> Walls:
    """Return a vertebra's walls with its neighbours' place and shape where its own edges say nothing."""
    if wall_sound and sides_sound:
        return own
    expected = expected_wall(own.placed, number, sound)
    if expected is None:
        return own
    wall = own.wall if wall_sound else find_posterior_wall(own.edges, own.placed, expected)
    whole = {n: other for n, other in sound.items() if not (other.placed.cut_above or other.placed.cut_below)}
    depth = expected_depth_mm(number, whole)
    if sides_sound or depth is None:
        return replace(own, wall=wall, side=find_side_wall(own.edges, own.placed, wall))
    radius = expected_radius_mm(level_shares(own.placed.spacing_mm), number, whole)
    placed = replace(own.placed, depth_mm=depth)
    return replace(own, wall=wall, side=find_side_wall(own.edges, placed, wall, radius))
