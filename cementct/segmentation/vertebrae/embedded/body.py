"""The outline of one vertebral body: a side wall, a posterior wall and two endplates in its own block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, FloatArray
from cementct.core.image import Volume
from cementct.core.threads import each
from cementct.segmentation.vertebrae.embedded.block import sample_block
from cementct.segmentation.vertebrae.embedded.edges import BlockEdges, prepare_edges
from cementct.segmentation.vertebrae.embedded.endplates import Endplates
from cementct.segmentation.vertebrae.embedded.place import PlacedVertebra
from cementct.segmentation.vertebrae.embedded.plates import find_all_endplates
from cementct.segmentation.vertebrae.embedded.posterior_wall import PosteriorWall, find_posterior_wall
from cementct.segmentation.vertebrae.embedded.repair import repair_walls
from cementct.segmentation.vertebrae.embedded.side_wall import SideWall, find_side_wall
from cementct.segmentation.vertebrae.embedded.walls import Walls

# The block reaches this far beyond the middles of the two discs.
BLOCK_MARGIN_MM = 8.0
# Share of the posterior wall that shows an edge of its own, of a destroyed body whose wall was spared: 0.9
# and more on tuning cases; where it was broken, half.
OWN_WALL_SUPPORT = 0.75


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
    weak
        Whether much of it is destroyed or hidden.
    """

    placed: PlacedVertebra
    edges: BlockEdges
    side_wall: SideWall
    posterior_wall: PosteriorWall
    endplates: Endplates
    weak: bool = False

    @property
    def dense_share(self) -> float:
        """Share of the body and its borders that is hidden by cement or metal."""
        return self.walls.dense_share

    @property
    def walls(self) -> Walls:
        """Its walls without the endplates."""
        return Walls(self.placed, self.edges, self.posterior_wall, self.side_wall, self.weak)

    @property
    def wall_rebuilt(self) -> bool:
        """Whether much of its posterior wall is inferred from the rest and from the neighbours."""
        return self.weak and self.posterior_wall.support < OWN_WALL_SUPPORT

    @property
    def is_cut(self) -> bool:
        """Whether the scan ends before one of its discs."""
        return self.placed.cut_above or self.placed.cut_below

    def contains(self, left_mm: FloatArray, back_mm: FloatArray, up_mm: FloatArray) -> BoolArray:
        """Tell which points lie within all surfaces."""
        shape = np.broadcast_shapes(left_mm.shape, back_mm.shape, up_mm.shape)
        left, back, up = (np.broadcast_to(c, shape).ravel() for c in (left_mm, back_mm, up_mm))
        # What one surface leaves out, the next is not asked about.
        places = np.flatnonzero(back <= self.posterior_wall.at(left, up))
        places = places[up[places] <= self.endplates.superior_at(left[places], back[places])]
        places = places[up[places] >= self.endplates.inferior_at(left[places], back[places])]
        places = places[self.side_wall.contains(left[places], back[places], up[places])]
        inside = np.zeros(shape, dtype=np.bool_)
        inside.ravel()[places] = True
        return inside

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
    """Return the outlines of all bodies; of a destroyed or hidden one the neighbours tell what to expect."""
    walls = repair_walls(each(lambda one: _own_walls(volume, one), placed))
    endplates = find_all_endplates(walls)
    return [
        BodyOutline(own.placed, own.edges, own.side, own.wall, plates, own.weak)
        for own, plates in zip(walls, endplates, strict=True)
    ]


def _own_walls(volume: Volume, placed: PlacedVertebra) -> Walls:
    """Return the walls of a placed vertebra from its own edges."""
    block = sample_block(volume, placed.placement, placed.spacing_mm / 2 + BLOCK_MARGIN_MM)
    edges = prepare_edges(block)
    wall = find_posterior_wall(edges, placed)
    return Walls(placed, edges, wall, find_side_wall(edges, placed, wall))
