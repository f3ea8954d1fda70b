"""The front and sides of a body: a wall around its middle, one radius for each direction and height."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray
from cementct.segmentation.vertebrae.embedded.edges import BlockEdges, edge_gain
from cementct.segmentation.vertebrae.embedded.place import PlacedVertebra
from cementct.segmentation.vertebrae.embedded.posterior_wall import PosteriorWall
from cementct.segmentation.vertebrae.embedded.surfaces import find_surface

DIRECTIONS = 60
RADII_MM = np.arange(5.0, 34.0, 0.75)
# Half widths of bodies are 12 to 28 mm (Panjabi 1991, 1992).
LEVEL_STEP_MM = 1.5
ENDS_SHARE = 0.42
# The wall is looked for over this share of the spacing above and below the middle.
WIDTH_PER_DEPTH = 1.3
# Bodies are wider than deep.
PRIOR_PER_MM2 = 0.0012
# Cost of a square millimetre from the ellipse of usual shape: it decides where there is no edge at all.
EXPECTED_PER_MM2 = 0.03
# The same for a shape that two neighbours let expect: known to about 2 mm.
STEP_COST = 0.25
JUMP_COST = 0.8
DRAWN_IN_MM = 0.75
# Steepest descent lies this far outside the half height of a thin cortex.


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

    def contains(self, left_mm: FloatArray, back_mm: FloatArray, up_mm: FloatArray) -> BoolArray:
        """Tell which points lie within the wall."""
        left, back, up = np.broadcast_arrays(left_mm, back_mm - self.middle_back_mm, up_mm)
        return np.asarray(np.hypot(left, back) <= self.radius_at(np.arctan2(left, back), up))

    def radius_at(self, angle: FloatArray, up_mm: FloatArray) -> FloatArray:
        """Return the radius in a direction at a height; the ends go on beyond the outermost levels."""
        from scipy import ndimage

        wrapped = np.concatenate([self.radius_mm, self.radius_mm[:1]])
        place = (np.asarray(angle) / (2 * np.pi) * DIRECTIONS) % DIRECTIONS
        level = (np.asarray(up_mm) - self.up_mm[0]) / LEVEL_STEP_MM
        index = np.broadcast_arrays(place, level)
        return np.asarray(ndimage.map_coordinates(wrapped, index, order=1, mode="nearest"))


def find_side_wall(
    edges: BlockEdges, placed: PlacedVertebra, wall: PosteriorWall, expected: SideWall | None = None
) -> SideWall:
    """Return the wall around the body.

    Parameters
    ----------
    edges
        Of the vertebra's block.
    placed, wall
        First guess and posterior wall of the vertebra.
    expected
        The wall that the neighbours let expect, where cement hides the vertebra's own.
    """
    from scipy import ndimage

    block = edges.block
    middle_back = float(wall.at(np.zeros(1), np.zeros(1))[0]) - placed.depth_mm / 2
    half = ENDS_SHARE * placed.spacing_mm
    up = np.arange(-half, half + 0.01, LEVEL_STEP_MM)
    angle = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    left, back = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]

    def along_rays(values: Float32Array, shift_mm: float = 0.0) -> FloatArray:
        radius = RADII_MM[None, None] + shift_mm
        return block.at(left * radius, middle_back + back * radius, up[None, :, None], values)

    gain = edge_gain(
        np.asarray(along_rays(edges.smoothed, -1.0) - along_rays(edges.smoothed, 1.0), dtype=np.float32)
    )
    gain[along_rays(edges.dense.astype(np.float32)) > 0.5] = 0
    if expected is None:
        usual, trust = _ellipse(angle, placed.depth_mm)[:, None], PRIOR_PER_MM2
    else:
        usual, trust = expected.radius_at(angle[:, None], up[None]) + DRAWN_IN_MM, EXPECTED_PER_MM2
    cost = (trust * (RADII_MM[None, None] - usual[..., None]) ** 2 - gain).astype(np.float32)
    reach = middle_back + back * RADII_MM[None, None] - wall.at(left * RADII_MM, up[None, :, None])
    cost += np.where(reach > 1.5, np.float32(0.6), np.float32(0))
    place = find_surface(cost, step_cost=STEP_COST, jump_cost=JUMP_COST, first_axis_closed=True)
    place = ndimage.gaussian_filter(place, (0.7, 1.0), mode=("wrap", "nearest"))
    radius = RADII_MM[0] + place * (RADII_MM[1] - RADII_MM[0])
    nearest = np.clip(np.round(place).astype(int), 0, len(RADII_MM) - 1)
    edge = np.take_along_axis(gain, nearest[..., None], axis=2)[..., 0]
    return SideWall(radius - DRAWN_IN_MM, up, middle_back, np.asarray(edge, dtype=np.float64))


def _ellipse(angle: FloatArray, depth_mm: float) -> FloatArray:
    """Return the radius of the usual cross-section of a body in each direction."""
    deep = depth_mm / 2
    wide = deep * WIDTH_PER_DEPTH
    return np.asarray(deep * wide / np.hypot(wide * np.cos(angle), deep * np.sin(angle)))
