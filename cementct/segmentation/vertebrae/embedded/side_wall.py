"""The front and sides of a body: a wall around its middle, one radius for each direction and height."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.anatomy.fields import interpolated
from cementct.core.arrays import BoolArray, Float32Array, FloatArray
from cementct.segmentation.vertebrae.embedded.edges import BlockEdges, edge_gain
from cementct.segmentation.vertebrae.embedded.place import PlacedVertebra
from cementct.segmentation.vertebrae.embedded.posterior_wall import PosteriorWall
from cementct.segmentation.vertebrae.embedded.surfaces import find_surface

DIRECTIONS = 60
# Half widths of bodies are 12 to 28 mm (Panjabi 1991, 1992).
RADII_MM = np.arange(5.0, 34.0, 0.75)
LEVEL_STEP_MM = 1.5
# The wall is looked for over this share of the spacing above and below the middle.
ENDS_SHARE = 0.42
# Bodies are wider than deep.
WIDTH_PER_DEPTH = 1.3
# Cost of a square millimetre from the ellipse of usual shape: it decides where there is no edge at all.
PRIOR_PER_MM2 = 0.0012
# The same for a shape that two neighbours let expect: known to about 2 mm.
EXPECTED_PER_MM2 = 0.03
STEP_COST = 0.25
JUMP_COST = 0.8
RADIUS_STEP_MM = float(RADII_MM[1] - RADII_MM[0])
# Sizes and places of the expected wall that are tried, and how much they vary from level to level.
SIZES = np.arange(0.88, 1.161, 0.04)
SIZE_SPREAD = 0.06
SHIFTS_MM = np.arange(-3.0, 3.1, 1.5)
SHIFT_SPREAD_MM = 1.5
# So many places of the wall next to each other say one thing.
SHARED_EVIDENCE = 30.0
# Directions nearer to straight back than this meet the posterior wall or the pedicles.
BACKWARDS_COSINE = 0.6
# An edge of such a gain is the wall's own.
CLEAR_GAIN = 0.3
# Of the levels, about the middle: beyond lie the discs.
WAIST_SHARE = 0.7
# Steepest descent lies this far outside the half height of a thin cortex.
DRAWN_IN_MM = 0.6


@dataclass(frozen=True)
class SideWall:
    """Radius of the body around its middle axis.

    Attributes
    ----------
    radius_mm
        Over (direction, level); direction 0 points to the back, a quarter turn to the left.
    up_mm
        Height of each level.
    middle_back_mm
        Back coordinate of the axis.
    edge
        Gain of the edge at the wall, same shape as `radius_mm`.
    """

    radius_mm: FloatArray
    up_mm: FloatArray
    middle_back_mm: float
    edge: FloatArray

    @property
    def seen(self) -> float:
        """Share of the front and sides that shows an edge of its own."""
        angle = 2 * np.pi * np.arange(self.edge.shape[0]) / self.edge.shape[0]
        rows = np.cos(angle) <= BACKWARDS_COSINE
        waist = np.abs(self.up_mm) <= WAIST_SHARE * self.up_mm[-1]
        return float((self.edge[rows][:, waist] >= CLEAR_GAIN).mean())

    def contains(self, left_mm: FloatArray, back_mm: FloatArray, up_mm: FloatArray) -> BoolArray:
        """Tell which points lie within the wall."""
        left, back, up = np.broadcast_arrays(left_mm, back_mm - self.middle_back_mm, up_mm)
        return np.asarray(np.hypot(left, back) <= self.radius_at(np.arctan2(left, back), up))

    def radius_at(self, angle: FloatArray, up_mm: FloatArray) -> FloatArray:
        """Return the radius in a direction at a height; the ends go on beyond the outermost levels."""
        wrapped = np.concatenate([self.radius_mm, self.radius_mm[:1]])
        place = (np.asarray(angle) / (2 * np.pi) * DIRECTIONS) % DIRECTIONS
        level = (np.asarray(up_mm) - self.up_mm[0]) / LEVEL_STEP_MM
        return interpolated(wrapped, *np.broadcast_arrays(place, level))


def find_side_wall(
    edges: BlockEdges, placed: PlacedVertebra, wall: PosteriorWall, expected_mm: FloatArray | None = None
) -> SideWall:
    """Return the wall around the body.

    Parameters
    ----------
    edges
        Of the vertebra's block.
    placed, wall
        First guess and posterior wall of the vertebra.
    expected_mm
        The radius over (direction, level) that the neighbours let expect, at the levels of `level_shares`,
        where the vertebra's own wall is destroyed or hidden. Its size and place are fitted to the edges that
        are left.
    """
    from scipy import ndimage

    middle_back = float(wall.at(np.zeros(1), np.zeros(1))[0]) - placed.depth_mm / 2
    up = level_shares(placed.spacing_mm) * placed.spacing_mm
    angle = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    gain, reach = _gain_along_rays(edges, wall, middle_back, angle, up)
    if expected_mm is None:
        usual, trust = _ellipse(angle, placed.depth_mm)[:, None], PRIOR_PER_MM2
    else:
        usual, trust = _registered(expected_mm, gain, angle) + DRAWN_IN_MM, EXPECTED_PER_MM2
    cost = (trust * (RADII_MM[None, None] - usual[..., None]) ** 2 - gain).astype(np.float32)
    cost += np.where(reach > 1.5, np.float32(0.6), np.float32(0))
    place = find_surface(cost, step_cost=STEP_COST, jump_cost=JUMP_COST, first_axis_closed=True)
    place = ndimage.gaussian_filter(place, (0.7, 1.0), mode=("wrap", "nearest"))
    radius = RADII_MM[0] + place * RADIUS_STEP_MM
    nearest = np.clip(np.round(place).astype(int), 0, len(RADII_MM) - 1)
    edge = np.take_along_axis(gain, nearest[..., None], axis=2)[..., 0]
    return SideWall(radius - DRAWN_IN_MM, up, middle_back, np.asarray(edge, dtype=np.float64))


def level_shares(spacing_mm: float) -> FloatArray:
    """Return the heights at which the wall is looked for, in shares of the spacing."""
    half = ENDS_SHARE * spacing_mm
    return np.arange(-half, half + 0.01, LEVEL_STEP_MM) / spacing_mm


def _gain_along_rays(
    edges: BlockEdges, wall: PosteriorWall, middle_back: float, angle: FloatArray, up: FloatArray
) -> tuple[Float32Array, FloatArray]:
    """Return the gain over (direction, level, radius), and how far behind the wall each place is."""
    block = edges.block
    left, back = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]

    def along_rays(values: Float32Array, shift_mm: float = 0.0) -> FloatArray:
        radius = RADII_MM[None, None] + shift_mm
        return block.at(left * radius, middle_back + back * radius, up[None, :, None], values)

    drop = along_rays(edges.smoothed, -1.0) - along_rays(edges.smoothed, 1.0)
    gain = edge_gain(np.asarray(drop, dtype=np.float32))
    if edges.hidden.any():
        gain[along_rays(edges.hidden.astype(np.float32)) > 0.5] = 0
    reach = middle_back + back * RADII_MM[None, None] - wall.at(left * RADII_MM, up[None, :, None])
    return gain, np.asarray(reach)


def _registered(expected_mm: FloatArray, gain: Float32Array, angle: FloatArray) -> FloatArray:
    """Return the expected wall in the size and place that most of the edges in view lie on."""
    levels = np.arange(gain.shape[1])[None]
    directions = np.arange(gain.shape[0])[:, None]
    # A wall that is near an edge is on it: the shape is known to about two steps only.
    near = np.maximum(gain, np.maximum(np.roll(gain, 1, axis=2), np.roll(gain, -1, axis=2)))
    near = 0.5 * (near + gain)
    near[np.cos(angle) > BACKWARDS_COSINE] = 0
    best, chosen = -np.inf, expected_mm
    for size in SIZES:
        for aside in SHIFTS_MM:
            for along in SHIFTS_MM:
                moved = size * expected_mm + (aside * np.sin(angle) + along * np.cos(angle))[:, None]
                index = np.round((moved + DRAWN_IN_MM - RADII_MM[0]) / RADIUS_STEP_MM).astype(int)
                index = np.clip(index, 0, gain.shape[2] - 1)
                score = float(near[directions, levels, index].sum()) / SHARED_EVIDENCE
                score -= 0.5 * ((size - 1) / SIZE_SPREAD) ** 2
                score -= 0.5 * (aside**2 + along**2) / SHIFT_SPREAD_MM**2
                if score > best:
                    best, chosen = score, moved
    return np.asarray(chosen)


def _ellipse(angle: FloatArray, depth_mm: float) -> FloatArray:
    """Return the radius of the usual cross-section of a body in each direction."""
    deep = depth_mm / 2
    wide = deep * WIDTH_PER_DEPTH
    return np.asarray(deep * wide / np.hypot(wide * np.cos(angle), deep * np.sin(angle)))
