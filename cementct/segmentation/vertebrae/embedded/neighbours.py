"""What its neighbours let expect of a vertebra whose own walls are destroyed or hidden by cement.

The posterior walls of a spine lie on one smooth curve: a parabola through the walls above and below a
vertebra meets its own to about 0.6 mm (measured on sound lumbar and thoracic vertebrae; the canal's middle
line, to 1.0 mm). Its sides are shaped like those of its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import FloatArray
from cementct.segmentation.vertebrae.embedded.place import PlacedVertebra
from cementct.segmentation.vertebrae.embedded.posterior_wall import PosteriorWall
from cementct.segmentation.vertebrae.embedded.sheets import Expectation
from cementct.segmentation.vertebrae.embedded.side_wall import SideWall

# Levels away: beyond them sizes and directions differ too much.
FARTHEST_NEIGHBOUR = 3
# Heights, in shares of the spacing, at which a neighbour's wall is read.
WALL_PLACES = (-0.35, 0.0, 0.35)
# Levels between the two neighbours next to a vertebra.
ADJACENT_GAP = 2
# Spread of the wall about what neighbours on both sides (for each vertebra in between), and on one side only,
# let expect; there the canal's middle line has to tell.
BETWEEN_SPREAD_MM = 0.8
BESIDE_SPREAD_MM = 2.0
# Spreads of the sheet's other coefficients, in mm per mm and per mm².
TURN_SPREAD = 0.07
BEND_SPREAD = 0.012
LEAN_SPREAD = 0.06
SAG_SPREAD = 0.006


@dataclass(frozen=True)
class Neighbour:
    """A vertebra that others may be modelled on.

    Attributes
    ----------
    placed, wall, side
        Its place, posterior wall and side wall.
    """

    placed: PlacedVertebra
    wall: PosteriorWall
    side: SideWall


def nearest(sound: Mapping[int, Neighbour], number: int) -> list[int]:
    """Return up to two sound vertebrae above and two below a number, the nearest first."""
    above = sorted((n for n in sound if number - FARTHEST_NEIGHBOUR <= n < number), reverse=True)[:2]
    below = sorted(n for n in sound if number < n <= number + FARTHEST_NEIGHBOUR)[:2]
    return sorted(above + below, key=lambda n: abs(n - number))


def expected_wall(placed: PlacedVertebra, number: int, sound: Mapping[int, Neighbour]) -> Expectation | None:
    """Return the posterior wall that the sound vertebrae let expect; None without any near."""
    near = nearest(sound, number)
    if not near:
        return None
    usual = np.mean([sound[n].wall.coefficients for n in near[:2]], axis=0)
    above, below = [n for n in near if n < number], [n for n in near if n > number]
    if above and below:
        gap = below[0] - above[0]
        usual[0], usual[3], usual[4] = _on_curve(placed, (sound[above[0]], sound[below[0]]), gap)
        middle_spread = BETWEEN_SPREAD_MM * (gap - 1)
    else:
        offsets = [sound[n].wall.coefficients[0] - sound[n].placed.canal_back_mm for n in near[:2]]
        usual[0] = placed.canal_back_mm + float(np.mean(offsets))
        middle_spread = BESIDE_SPREAD_MM
    return Expectation(usual, np.array([middle_spread, TURN_SPREAD, BEND_SPREAD, LEAN_SPREAD, SAG_SPREAD]))


def _on_curve(
    placed: PlacedVertebra, around: tuple[Neighbour, Neighbour], gap: int
) -> tuple[float, float, float]:
    """Return back coordinate, lean and bend of the curve through the walls of the neighbours.

    Over more than one vertebra in between it may change its bend.
    """
    places = []
    for neighbour in around:
        cut = neighbour.placed.cut_above, neighbour.placed.cut_below
        shares = [s for s in WALL_PLACES if not (cut[0] and s > 0) and not (cut[1] and s < 0)]
        up = np.asarray(shares) * neighbour.placed.spacing_mm
        there = neighbour.placed.placement.to_grid_mm(
            np.zeros_like(up), neighbour.wall.at(np.zeros_like(up), up), up
        )
        places.append(placed.placement.to_local_mm(there))
    points = np.concatenate(places)
    curve = np.polyfit(points[:, 2], points[:, 1], 2 if gap == ADJACENT_GAP else 3)
    bend, lean, middle = curve[-3:]
    return float(middle), float(lean), float(bend)


def expected_radius_mm(
    level_shares: FloatArray, number: int, sound: Mapping[int, Neighbour]
) -> FloatArray | None:
    """Return the usual radius over (direction, level) of a side wall; None without sound neighbours.

    `level_shares` are heights in shares of the spacing.
    """
    radii = []
    for n in nearest(sound, number)[:2]:
        side = sound[n].side
        angle = 2 * np.pi * np.arange(side.radius_mm.shape[0]) / side.radius_mm.shape[0]
        up = level_shares * sound[n].placed.spacing_mm
        radii.append(side.radius_at(angle[:, None], up[None]))
    return np.asarray(np.mean(radii, axis=0)) if radii else None


def expected_depth_mm(number: int, sound: Mapping[int, Neighbour]) -> float | None:
    """Return the usual depth of a body; None without sound neighbours."""
    near = nearest(sound, number)[:2]
    return float(np.mean([sound[n].placed.depth_mm for n in near])) if near else None
