"""The outline of one vertebral body: a side wall, a posterior wall and two endplates in its own block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, FloatArray
from cementct.core.image import Volume
from cementct.segmentation.vertebrae.embedded.block import VertebraBlock, sample_block
from cementct.segmentation.vertebrae.embedded.edges import find_dense, smoothed_hu
from cementct.segmentation.vertebrae.embedded.endplates import Endplates, find_endplates
from cementct.segmentation.vertebrae.embedded.place import PlacedVertebra
from cementct.segmentation.vertebrae.embedded.posterior_wall import PosteriorWall, find_posterior_wall
from cementct.segmentation.vertebrae.embedded.side_wall import SideWall, find_side_wall

BLOCK_MARGIN_MM = 8.0
# The block reaches this far beyond the middles of the two discs.


@dataclass(frozen=True)
class BodyOutline:
    """One vertebral body in the coordinates of its block.

    Attributes
    ----------
    placed
        The first guess that it was outlined from.
    block
        Intensities around it.
    side_wall, posterior_wall, endplates
        Its surfaces.
    """

    placed: PlacedVertebra
    block: VertebraBlock
    side_wall: SideWall
    posterior_wall: PosteriorWall
    endplates: Endplates

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


def outline_body(volume: Volume, placed: PlacedVertebra) -> BodyOutline:
    """Return the outline of the body of a placed vertebra."""
    block = sample_block(volume, placed.placement, placed.spacing_mm / 2 + BLOCK_MARGIN_MM)
    smoothed = smoothed_hu(block)
    dense = find_dense(block)
    wall = find_posterior_wall(block, smoothed, dense, placed)
    side = find_side_wall(block, smoothed, dense, placed, wall)
    endplates = find_endplates(block, smoothed, dense, placed, side, wall)
    return BodyOutline(placed, block, side, wall, endplates)
