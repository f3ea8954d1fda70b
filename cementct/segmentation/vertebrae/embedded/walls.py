"""One vertebra's block with its posterior wall and side wall, before its endplates are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, FloatArray
from cementct.segmentation.vertebrae.embedded.edges import BlockEdges
from cementct.segmentation.vertebrae.embedded.place import PlacedVertebra
from cementct.segmentation.vertebrae.embedded.posterior_wall import PosteriorWall
from cementct.segmentation.vertebrae.embedded.side_wall import SideWall

# A cylinder of this radius (of the body's depth) and height (of the spacing) covers the body.
BODY_RADIUS_PER_DEPTH = 0.6
BODY_HEIGHT_SHARE = 0.85
# A cylinder that stays clear of the cortex.
CORE_RADIUS_PER_DEPTH = 0.36
CORE_HEIGHT_SHARE = 0.55


@dataclass(frozen=True)
class Walls:
    """The walls of one body.

    Attributes
    ----------
    placed
        The first guess that it was outlined from.
    edges
        Intensities around it, and where cement hides its edges.
    wall, side
        Its posterior wall, and the wall around its front and sides.
    weak
        Whether much of the body is destroyed or hidden, so that its edges are to be trusted less than
        those of its neighbours.
    """

    placed: PlacedVertebra
    edges: BlockEdges
    wall: PosteriorWall
    side: SideWall
    weak: bool = False

    @property
    def is_cut(self) -> bool:
        """Whether the scan ends before one of its discs."""
        return self.placed.cut_above or self.placed.cut_below

    @property
    def dense_share(self) -> float:
        """Share of the body and its borders that is hidden by cement or metal."""
        block = self.edges.block
        left, back, up = np.meshgrid(block.left_mm, block.back_mm, block.up_mm, indexing="ij", sparse=True)
        inside = np.hypot(left, back) <= BODY_RADIUS_PER_DEPTH * self.placed.depth_mm
        inside = inside & (np.abs(up) <= BODY_HEIGHT_SHARE * self.placed.spacing_mm / 2)
        return float(self.edges.dense[inside].mean()) if inside.any() else 0.0

    @property
    def hidden_share(self) -> float:
        """Share of the body's core hidden by cement or metal: its own, not leaked from a neighbour."""
        return float(self.edges.dense[self._core()].mean())

    def inner_hu(self) -> FloatArray:
        """Return the smoothed intensities well inside the body, cement and its surroundings left out."""
        return np.asarray(self.edges.smoothed[self._core() & ~self.edges.dense], dtype=np.float64)

    def _core(self) -> BoolArray:
        block = self.edges.block
        left, back, up = np.meshgrid(block.left_mm, block.back_mm, block.up_mm, indexing="ij", sparse=True)
        radius = CORE_RADIUS_PER_DEPTH * self.placed.depth_mm
        inside = np.hypot(left, back - self.side.middle_back_mm) <= radius
        return np.asarray(inside & (np.abs(up) <= CORE_HEIGHT_SHARE * self.placed.spacing_mm / 2))
