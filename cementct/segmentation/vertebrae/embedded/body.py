"""The outline of one vertebral body: a side wall, a posterior wall and two endplates in its own block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cementct.core.arrays import BoolArray, FloatArray
from cementct.core.image import Volume
from cementct.segmentation.vertebrae.embedded.block import sample_block
from cementct.segmentation.vertebrae.embedded.edges import BlockEdges, prepare_edges
from cementct.segmentation.vertebrae.embedded.endplates import Endplates, find_endplates
from cementct.segmentation.vertebrae.embedded.place import PlacedVertebra
from cementct.segmentation.vertebrae.embedded.posterior_wall import PosteriorWall, find_posterior_wall
from cementct.segmentation.vertebrae.embedded.side_wall import SideWall, find_side_wall

BLOCK_MARGIN_MM = 8.0
# The block reaches this far beyond the middles of the two discs.
TREATED_SHARE = 0.03
# Of the body: about 0.8 ml of cement with its blur hides part of the walls. Cement of the next vertebra, in
# the same block, does not count.
BODY_RADIUS_PER_DEPTH = 0.6
BODY_HEIGHT_SHARE = 0.85
# A cylinder of this radius (of the body's depth) and height (of the spacing) covers the body.
FARTHEST_NEIGHBOUR = 3
# Levels away: beyond them sizes differ too much.
CLEAR_EDGE = 0.5
# Gain of an edge of the side wall that says how large a cemented body is against its neighbours.
LEAST_CLEAR_EDGES = 40
# Fewer such edges (of about 1000) say nothing of the size.
SIZE_AGAINST_NEIGHBOURS = (0.85, 1.18)
# Radius of a body against the mean of its neighbours': neighbours differ by 5 %, across a cut end by more.


@dataclass(frozen=True)
class BodyOutline:
    """One vertebral body in the coordinates of its block.

    Attributes
    ----------
    placed
        The first guess that it was outlined from.
    edges
        Intensities around it, and where cement hides its edges.
    side_wall, posterior_wall, endplates
        Its surfaces.
    """

    placed: PlacedVertebra
    edges: BlockEdges
    side_wall: SideWall
    posterior_wall: PosteriorWall
    endplates: Endplates

    @property
    def dense_share(self) -> float:
        """Share of the body and its borders that is hidden by cement or metal."""
        block = self.edges.block
        left, back, up = np.meshgrid(block.left_mm, block.back_mm, block.up_mm, indexing="ij", sparse=True)
        inside = np.hypot(left, back) <= BODY_RADIUS_PER_DEPTH * self.placed.depth_mm
        inside = inside & (np.abs(up) <= BODY_HEIGHT_SHARE * self.placed.spacing_mm / 2)
        return float(self.edges.dense[inside].mean()) if inside.any() else 0.0

    @property
    def is_cut(self) -> bool:
        """Whether the scan ends before one of its discs."""
        return self.placed.cut_above or self.placed.cut_below

    def contains(self, left_mm: FloatArray, back_mm: FloatArray, up_mm: FloatArray) -> BoolArray:
        """Tell which points lie within all surfaces."""
        inside = up_mm <= self.endplates.superior_at(left_mm, back_mm)
        inside &= up_mm >= self.endplates.inferior_at(left_mm, back_mm)
        inside &= back_mm <= self.posterior_wall.at(left_mm, up_mm)
        inside &= self.side_wall.contains(left_mm, back_mm, up_mm)
        return np.asarray(inside)

    def middle(self) -> tuple[float, float, float]:
        """Return (left, back, up) of the centre of the body's volume, on samples of 2 mm."""
        left, back, up = np.meshgrid(
            np.arange(-30.0, 31.0, 2.0),
            np.arange(-32.0, 31.0, 2.0),
            np.arange(-24.0, 25.0, 2.0),
            indexing="ij",
        )
        inside = self.contains(left, back, up)
        if not inside.any():
            return 0.0, 0.0, 0.0
        return float(left[inside].mean()), float(back[inside].mean()), float(up[inside].mean())


def outline_bodies(volume: Volume, placed: Sequence[PlacedVertebra]) -> list[BodyOutline]:
    """Return the outlines of all bodies; where cement hides one, its neighbours tell what to expect."""
    first = [_outline(volume, one) for one in placed]
    dense = [outline.dense_share >= TREATED_SHARE for outline in first]
    sound = [n for n, outline in enumerate(first) if not dense[n] and not outline.is_cut]
    outlines = []
    for number, outline in enumerate(first):
        near = sorted((n for n in sound if n != number), key=lambda n: abs(n - number))[:2]
        near = [n for n in near if abs(n - number) <= FARTHEST_NEIGHBOUR]
        if not dense[number] or not near:
            outlines.append(outline)
        else:
            outlines.append(_outline_by_neighbours(outline, [first[n] for n in near]))
    return outlines


def _outline(volume: Volume, placed: PlacedVertebra) -> BodyOutline:
    """Return the outline of the body of a placed vertebra from its own edges."""
    block = sample_block(volume, placed.placement, placed.spacing_mm / 2 + BLOCK_MARGIN_MM)
    edges = prepare_edges(block)
    wall = find_posterior_wall(edges, placed)
    side = find_side_wall(edges, placed, wall)
    return BodyOutline(placed, edges, side, wall, find_endplates(edges, placed, side, wall))


def _outline_by_neighbours(own: BodyOutline, neighbours: list[BodyOutline]) -> BodyOutline:
    """Return the outline of a cemented body, with its neighbours' shape where its own edges are hidden."""
    placed = own.placed
    levels = own.side_wall.up_mm / placed.spacing_mm
    angle = 2 * np.pi * np.arange(own.side_wall.radius_mm.shape[0]) / own.side_wall.radius_mm.shape[0]
    radii, shares = [], []
    for other in neighbours:
        up = levels * other.placed.spacing_mm
        radii.append(other.side_wall.radius_at(angle[:, None], up[None]))
        middle = np.array([other.side_wall.middle_back_mm])
        zero = np.zeros(1)
        shares.append(
            (
                float(other.endplates.superior_at(zero, middle)[0]) / other.placed.spacing_mm,
                -float(other.endplates.inferior_at(zero, middle)[0]) / other.placed.spacing_mm,
            )
        )
    usual_radius = np.mean(radii, axis=0) * _size_against(own.side_wall, np.mean(radii, axis=0))
    expected = replace(own.side_wall, radius_mm=usual_radius)
    side = find_side_wall(own.edges, placed, own.posterior_wall, expected)
    superior, inferior = np.mean(shares, axis=0)
    usual = (float(superior), float(inferior))
    endplates = find_endplates(own.edges, placed, side, own.posterior_wall, usual)
    return replace(own, side_wall=side, endplates=endplates)


def _size_against(own: SideWall, usual_mm: FloatArray) -> float:
    """Return how large a body is against its neighbours, by the edges that cement leaves in view."""
    clear = own.edge >= CLEAR_EDGE
    if np.count_nonzero(clear) < LEAST_CLEAR_EDGES:
        return 1.0
    ratio = float(np.median(own.radius_mm[clear] / usual_mm[clear]))
    return float(np.clip(ratio, *SIZE_AGAINST_NEIGHBOURS))
