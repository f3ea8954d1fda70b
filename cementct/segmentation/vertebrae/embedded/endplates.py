"""The two endplates of a body: heights over its cross-section."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import Float32Array, FloatArray
from cementct.segmentation.vertebrae.embedded.edges import BlockEdges, edge_gain
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
EXPECTED_SPREAD = 0.10
# The same where neighbours tell what to expect.
DISTANCE_STEP_MM = 0.5
# Resolution of the search.
SAMPLE_MM = 2.0
# Spacing of the columns: endplates bend gently.
STEP_COST = 0.3
JUMP_COST = 0.9
DRAWN_IN_MM = 0.55
# Steepest descent lies this far outside the half height of a thin endplate.
RADIUS_REACH_MM = 32.0
# Half the side of the square over which heights are kept.


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
    edges: BlockEdges,
    placed: PlacedVertebra,
    side: SideWall,
    wall: PosteriorWall,
    usual_shares: tuple[float, float] | None = None,
) -> Endplates:
    """Return both endplates of a body.

    Parameters
    ----------
    edges
        Of the vertebra's block.
    placed, side, wall
        First guess, side wall and posterior wall of the vertebra.
    usual_shares
        Distance of the superior and the inferior endplate from the middle, in shares of the spacing, that the
        neighbours let expect where cement hides the vertebra's own.
    """
    left = np.arange(-RADIUS_REACH_MM, RADIUS_REACH_MM + 0.1, SAMPLE_MM)
    back = side.middle_back_mm + left
    weight = _inside(left, back, side, wall)
    shares = usual_shares or (USUAL_SHARE, USUAL_SHARE)
    spread = PRIOR_SPREAD if usual_shares is None else EXPECTED_SPREAD
    superior, upper_edge = _find_one(edges, placed, (left, back, weight), (1.0, shares[0], spread))
    inferior, lower_edge = _find_one(edges, placed, (left, back, weight), (-1.0, shares[1], spread))
    return Endplates(superior, inferior, left, back, (upper_edge, lower_edge))


def _find_one(
    edges: BlockEdges,
    placed: PlacedVertebra,
    lattice: tuple[FloatArray, FloatArray, FloatArray],
    prior: tuple[float, float, float],
) -> tuple[FloatArray, float]:
    """Return the heights of one endplate and its mean edge.

    `lattice` is left, back and weight; `prior` is +1 for the superior or -1 for the inferior endplate, its
    usual distance from the middle, and the spread of that, in shares of the spacing.
    """
    left, back, weight = lattice
    sign, usual_share, spread = prior
    distance = np.arange(SEARCH_SHARE[0], SEARCH_SHARE[1], DISTANCE_STEP_MM / placed.spacing_mm)
    distance = distance * placed.spacing_mm
    across, along, away = np.meshgrid(left, back, distance, indexing="ij")

    def sampled(values: Float32Array, shift_mm: float = 0.0) -> FloatArray:
        return edges.block.at(across, along, sign * (away + shift_mm), values)

    drop = sampled(edges.smoothed, -1.0) - sampled(edges.smoothed, 1.0)
    gain = edge_gain(np.asarray(drop, dtype=np.float32))
    if edges.dense.any():
        gain[sampled(edges.dense.astype(np.float32)) > 0.5] = 0
    unusual = PRIOR * ((distance / placed.spacing_mm - usual_share) / spread) ** 2
    cost = ((unusual - gain) * weight[..., None]).astype(np.float32)
    place = find_surface(cost, step_cost=STEP_COST, jump_cost=JUMP_COST)
    nearest = np.clip(np.round(place).astype(int), 0, len(distance) - 1)
    edge = np.take_along_axis(gain, nearest[..., None], axis=2)[..., 0]
    height = _smoothed(distance[0] + place * DISTANCE_STEP_MM, weight) - DRAWN_IN_MM
    return sign * height, float((edge * weight).sum() / weight.sum())


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
