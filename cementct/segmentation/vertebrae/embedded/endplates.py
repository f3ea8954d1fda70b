"""The two endplates of a body: heights over its cross-section."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray
from cementct.segmentation.vertebrae.embedded.block import VertebraBlock
from cementct.segmentation.vertebrae.embedded.edges import edge_gain
from cementct.segmentation.vertebrae.embedded.place import PlacedVertebra
from cementct.segmentation.vertebrae.embedded.posterior_wall import PosteriorWall
from cementct.segmentation.vertebrae.embedded.side_wall import SideWall
from cementct.segmentation.vertebrae.embedded.surfaces import find_surface

SEARCH_SHARE = (0.16, 0.505)
# An endplate is looked for between these shares of the spacing from the middle of the body.
USUAL_SHARE = 0.41
PRIOR = 0.25
PRIOR_SPREAD = 0.15
# Cost of an endplate so far (share of the spacing) from `USUAL_SHARE`; it grows with the square.
SAMPLE_MM = 2.0
# Spacing of the columns: endplates bend gently.
STEP_COST = 0.3
JUMP_COST = 0.9
DRAWN_IN_MM = 0.55
# Steepest descent lies this far outside the half height of a thin endplate.
CUT_EDGE_MM = 0.5
# Where the scan ends the body is taken to end this far before it.


@dataclass(frozen=True)
class Endplates:
    """Heights of both endplates over (left, back).

    Attributes
    ----------
    superior_mm, inferior_mm
        Up coordinate at each sample.
    left_mm, back_mm
        Coordinates of the samples.
    edge
        Mean gain of the edges on both, within the body: (superior, inferior).
    """

    superior_mm: FloatArray
    inferior_mm: FloatArray
    left_mm: FloatArray
    back_mm: FloatArray
    edge: tuple[float, float]

    def superior_at(self, left_mm: FloatArray, back_mm: FloatArray) -> FloatArray:
        """Return the height of the superior endplate."""
        return self._at(self.superior_mm, left_mm, back_mm)

    def inferior_at(self, left_mm: FloatArray, back_mm: FloatArray) -> FloatArray:
        """Return the height of the inferior endplate."""
        return self._at(self.inferior_mm, left_mm, back_mm)

    def _at(self, heights: FloatArray, left_mm: FloatArray, back_mm: FloatArray) -> FloatArray:
        from scipy import ndimage

        left, back = np.broadcast_arrays(left_mm, back_mm)
        index = [(left - self.left_mm[0]) / SAMPLE_MM, (back - self.back_mm[0]) / SAMPLE_MM]
        return np.asarray(ndimage.map_coordinates(heights, index, order=1, mode="nearest"))


def find_endplates(
    block: VertebraBlock,
    smoothed: Float32Array,
    dense: BoolArray,
    placed: PlacedVertebra,
    side: SideWall,
    wall: PosteriorWall,
) -> Endplates:
    """Return both endplates of a body."""
    reach = RADIUS_REACH_MM
    left = np.arange(-reach, reach + 0.1, SAMPLE_MM)
    back = np.arange(side.middle_back_mm - reach, side.middle_back_mm + reach + 0.1, SAMPLE_MM)
    weight = _inside(left, back, side, wall)
    found = {}
    for sign in (1.0, -1.0):
        distance = np.arange(SEARCH_SHARE[0], SEARCH_SHARE[1], 0.5 / placed.spacing_mm) * placed.spacing_mm
        grid = np.meshgrid(left, back, distance, indexing="ij")

        def sampled(values: Float32Array, shift_mm: float = 0.0, sign: float = sign, grid=grid) -> FloatArray:  # type: ignore[no-untyped-def]
            return block.at(grid[0], grid[1], sign * (grid[2] + shift_mm), values)

        gain = edge_gain(np.asarray(sampled(smoothed, -1.0) - sampled(smoothed, 1.0), dtype=np.float32))
        gain[sampled(dense.astype(np.float32)) > 0.5] = 0
        prior = PRIOR * ((distance / placed.spacing_mm - USUAL_SHARE) / PRIOR_SPREAD) ** 2
        cost = ((prior - gain) * weight[..., None]).astype(np.float32)
        place = find_surface(cost, step_cost=STEP_COST, jump_cost=JUMP_COST)
        nearest = np.clip(np.round(place).astype(int), 0, len(distance) - 1)
        edge = float((np.take_along_axis(gain, nearest[..., None], 2)[..., 0] * weight).sum() / weight.sum())
        height = _smoothed(distance[0] + place * 0.5, weight) - DRAWN_IN_MM
        found[sign] = sign * height, edge
    edges = (found[1.0][1], found[-1.0][1])
    return Endplates(found[1.0][0], found[-1.0][0], left, back, edges)


RADIUS_REACH_MM = 32.0
# Half the side of the square over which heights are kept.


def _inside(left: FloatArray, back: FloatArray, side: SideWall, wall: PosteriorWall) -> FloatArray:
    """Return 1 within the body's cross-section and a little beside it, next to 0 elsewhere."""
    across, along = np.meshgrid(left, back, indexing="ij")
    middle = np.zeros_like(across)
    within = side.contains(across * 1.03, side.middle_back_mm + (along - side.middle_back_mm) * 1.03, middle)
    within &= along <= wall.at(across, middle) + 0.5
    weight = within.astype(np.float64)
    return np.maximum(weight, 1e-3)


def _smoothed(height: FloatArray, weight: FloatArray) -> FloatArray:
    """Return heights smoothed within the cross-section and carried on beyond it."""
    from scipy import ndimage

    amount = ndimage.gaussian_filter(weight, 0.8)
    inner = ndimage.gaussian_filter(height * weight, 0.8) / np.maximum(amount, 1e-6)
    outside = weight < 0.5
    if outside.all():
        return inner
    nearest = ndimage.distance_transform_edt(outside, return_distances=False, return_indices=True)
    return np.asarray(inner[tuple(nearest)])
