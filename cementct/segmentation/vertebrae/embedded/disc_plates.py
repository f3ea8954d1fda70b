"""The two endplates next to one disc, found together: bone above, disc, bone below, in this order.

Where discs are thin and slices thick, an endplate alone is easily mistaken for that of the next vertebra.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cementct.core.arrays import Float32Array, FloatArray
from cementct.segmentation.vertebrae.embedded.block import Placement
from cementct.segmentation.vertebrae.embedded.edges import edge_gain
from cementct.segmentation.vertebrae.embedded.endplates import (
    CLEAR_GAIN,
    DRAWN_IN_MM,
    DRAWN_IN_PER_SLICE,
    JUMP_COST,
    RADIUS_REACH_MM,
    SAMPLE_MM,
    STEP_COST,
    Plate,
    gain_at,
    lattice_of,
    mean_within,
    smoothed_within,
    weight_within,
)
from cementct.segmentation.vertebrae.embedded.surfaces import find_surface
from cementct.segmentation.vertebrae.embedded.walls import Walls

# Resolution of the search.
STEP_MM = 0.5
# An edge is the difference 1 mm to both sides, or so much of the distance of slices.
EDGE_PER_SLICE = 0.5
# Endplates are looked for so far (in shares of the larger spacing) from the middle of the disc.
REACH_SHARE = 0.42
# Usual distance of an endplate from the middle of the disc, its spread, both in shares of the spacing, and
# the cost of one spread, squared.
HALF_DISC_SHARE = 0.09
PLACE_SPREAD = 0.15
PLACE_COST = 0.05
# Thinnest disc, and thickest in shares of the spacing: beside a collapsed body a disc can be very tall.
LEAST_DISC_MM = 1.5
THICKEST_DISC_SHARE = 0.42
# An edge counts for more where an edge of the opposite sign lies across a disc of possible thickness; that
# counts so much against the edge itself.
PARTNER_WEIGHT = 0.6
# Spread of the thickness of discs in shares of the spacing, and the cost of one spread, squared.
THICKNESS_SPREAD = 0.12
THICKNESS_COST = 0.25
# The cost of an endplate one spread from where it is expected, squared.
EXPECTED_COST = 0.25
SETTLE_ROUNDS = 3


@dataclass(frozen=True)
class DiscSamples:
    """The surroundings of one disc, sampled in a frame of its own.

    Attributes
    ----------
    placement
        Origin in the middle of the disc; up is the mean of both vertebrae's.
    left_mm, back_mm, up_mm
        Coordinates of the samples.
    upper_gain, lower_gain
        How far each sample looks like the endplate above, and below, the disc, 0 to 1.
    upper_weight, lower_weight
        1 within the cross-section of the vertebra above and below, next to 0 elsewhere.
    spacing_mm
        Of both vertebrae, above and below.
    """

    placement: Placement
    left_mm: FloatArray
    back_mm: FloatArray
    up_mm: FloatArray
    upper_gain: Float32Array
    lower_gain: Float32Array
    upper_weight: FloatArray
    lower_weight: FloatArray
    spacing_mm: tuple[float, float]


@dataclass(frozen=True)
class ExpectedPlate:
    """Where an endplate is expected.

    Attributes
    ----------
    height_mm
        Over (left, back) of a disc's samples.
    spread_mm
        How far it may be from there.
    """

    height_mm: FloatArray
    spread_mm: float


@dataclass(frozen=True)
class DiscPlates:
    """Both endplates next to a disc, over (left, back) of its samples.

    Attributes
    ----------
    samples
        What they were found in.
    upper_mm, lower_mm
        Height of the endplate above (an inferior one) and below the disc (a superior one).
    upper_edge, lower_edge
        Gain of their edges.
    """

    samples: DiscSamples
    upper_mm: FloatArray
    lower_mm: FloatArray
    upper_edge: FloatArray
    lower_edge: FloatArray

    @property
    def upper_seen(self) -> float:
        """Share of the endplate above the disc that shows an edge of its own."""
        return mean_within(self.upper_edge > CLEAR_GAIN, self.samples.upper_weight)

    @property
    def lower_seen(self) -> float:
        """Share of the endplate below the disc that shows an edge of its own."""
        return mean_within(self.lower_edge > CLEAR_GAIN, self.samples.lower_weight)

    def upper_plate(self, above: Walls) -> Plate:
        """Return the inferior endplate of the vertebra above on its own samples."""
        height = self._carried(above, self.upper_mm + _drawn_in_mm(above), -above.placed.spacing_mm / 2)
        return Plate(height, mean_within(self.upper_edge, self.samples.upper_weight), self.upper_seen)

    def lower_plate(self, below: Walls) -> Plate:
        """Return the superior endplate of the vertebra below on its own samples."""
        height = self._carried(below, self.lower_mm - _drawn_in_mm(below), below.placed.spacing_mm / 2)
        return Plate(height, mean_within(self.lower_edge, self.samples.lower_weight), self.lower_seen)

    def _carried(self, walls: Walls, heights: FloatArray, start_mm: float) -> FloatArray:
        """Return a surface over the disc's samples as heights over a vertebra's own."""
        from scipy import ndimage

        left, back = np.meshgrid(*lattice_of(walls), indexing="ij")
        up = np.full(left.shape, start_mm)
        for _ in range(SETTLE_ROUNDS):
            there = self.samples.placement.to_local_mm(walls.placed.placement.to_grid_mm(left, back, up))
            index = [
                (there[..., 0] - self.samples.left_mm[0]) / SAMPLE_MM,
                (there[..., 1] - self.samples.back_mm[0]) / SAMPLE_MM,
            ]
            up = up + ndimage.map_coordinates(heights, index, order=1, mode="nearest") - there[..., 2]
        return np.asarray(up)


def sample_disc(above: Walls, below: Walls) -> DiscSamples:
    """Return the surroundings of the disc between two neighbouring vertebrae."""
    return _sampled(_between(above, below), above, below)


def sample_end(own: Walls, sign: float) -> DiscSamples:
    """Return the surroundings of the disc above (+1) or below (-1) a vertebra with none in view beyond it."""
    placement = own.placed.placement
    centre = placement.centre_mm + sign * placement.up * own.placed.spacing_mm / 2
    return _sampled(replace(placement, centre_mm=centre), own, own)


def _sampled(placement: Placement, above: Walls, below: Walls) -> DiscSamples:
    reach = REACH_SHARE * max(above.placed.spacing_mm, below.placed.spacing_mm)
    slices_mm = max(above.edges.block.spacing_mm[2], below.edges.block.spacing_mm[2])
    apart = max(2, round(EDGE_PER_SLICE * slices_mm / STEP_MM))
    up = np.arange(-np.ceil(reach / STEP_MM) - apart, np.ceil(reach / STEP_MM) + apart + 1) * STEP_MM
    left = np.arange(-RADIUS_REACH_MM, RADIUS_REACH_MM + 0.1, SAMPLE_MM)
    across, along = np.meshgrid(left, left, indexing="ij")
    smoothed = np.empty((left.size, left.size, up.size), dtype=np.float32)
    dense = np.zeros(smoothed.shape, dtype=np.bool_)
    weights = []
    for walls, rows in ((above, up >= 0), (below, up < 0)):
        local = _local(walls, placement, across[..., None], along[..., None], up[rows])
        block = walls.edges.block
        smoothed[..., rows] = block.at(*local, walls.edges.smoothed)
        if walls.edges.hidden.any():
            dense[..., rows] = block.at(*local, walls.edges.hidden.astype(np.float32)) > 0.5
        waist = _local(walls, placement, across, along, np.zeros(1))
        weights.append(weight_within(walls, waist[0], waist[1]))
    drop = smoothed[..., 2 * apart :] - smoothed[..., : -2 * apart]
    drop[dense[..., apart:-apart]] = 0
    return DiscSamples(
        placement,
        left,
        left,
        up[apart:-apart],
        edge_gain(drop),
        edge_gain(-drop),
        weights[0],
        weights[1],
        (above.placed.spacing_mm, below.placed.spacing_mm),
    )


def find_plates(
    samples: DiscSamples,
    upper_expected: ExpectedPlate | None = None,
    lower_expected: ExpectedPlate | None = None,
) -> DiscPlates:
    """Return both endplates next to a disc.

    Parameters
    ----------
    samples
        The disc's surroundings.
    upper_expected, lower_expected
        What is expected of the endplate above and below, where its own edges are destroyed or hidden.
    """
    partners = _with_partners(samples)
    places, edges = [], []
    for number, expected in enumerate((upper_expected, lower_expected)):
        gain = (samples.upper_gain, samples.lower_gain)[number]
        weight = (samples.upper_weight, samples.lower_weight)[number]
        if expected is None:
            sign = (1.0, -1.0)[number]
            share = samples.up_mm / samples.spacing_mm[number] - sign * HALF_DISC_SHARE
            unusual = PLACE_COST * (share / PLACE_SPREAD) ** 2
            reward = gain + partners[number]
        else:
            apart = samples.up_mm - expected.height_mm[..., None]
            unusual = EXPECTED_COST * (apart / expected.spread_mm) ** 2
            reward = gain
        cost = ((unusual - reward) * weight[..., None]).astype(np.float32)
        place = find_surface(cost, step_cost=STEP_COST, jump_cost=JUMP_COST)
        edges.append(gain_at(gain, place))
        places.append(smoothed_within(samples.up_mm[0] + place * STEP_MM, weight))
    middle, gap = (places[0] + places[1]) / 2, places[0] - places[1]
    thin = gap < LEAST_DISC_MM
    upper = np.where(thin, middle + LEAST_DISC_MM / 2, places[0])
    lower = np.where(thin, middle - LEAST_DISC_MM / 2, places[1])
    return DiscPlates(samples, upper, lower, edges[0], edges[1])


def _drawn_in_mm(walls: Walls) -> float:
    return DRAWN_IN_MM + DRAWN_IN_PER_SLICE * float(walls.edges.block.spacing_mm[2])


def _with_partners(samples: DiscSamples) -> tuple[Float32Array, Float32Array]:
    """Return for each place of one endplate the best of the other at a possible distance."""
    upper, lower = samples.upper_gain, samples.lower_gain
    for_upper, for_lower = np.zeros_like(upper), np.zeros_like(lower)
    spacing = float(np.mean(samples.spacing_mm))
    thickest = min(round(THICKEST_DISC_SHARE * spacing / STEP_MM), upper.shape[2] - 1)
    for steps in range(round(LEAST_DISC_MM / STEP_MM), thickest + 1):
        share = steps * STEP_MM / spacing - 2 * HALF_DISC_SHARE
        unusual = np.float32(THICKNESS_COST * (share / THICKNESS_SPREAD) ** 2)
        np.maximum(for_upper[..., steps:], lower[..., :-steps] - unusual, out=for_upper[..., steps:])
        np.maximum(for_lower[..., :-steps], upper[..., steps:] - unusual, out=for_lower[..., :-steps])
    weight = np.float32(PARTNER_WEIGHT)
    return weight * for_upper, weight * for_lower


def _between(above: Walls, below: Walls) -> Placement:
    first, second = above.placed.placement, below.placed.placement
    centre = (
        first.centre_mm
        - first.up * above.placed.spacing_mm / 2
        + second.centre_mm
        + second.up * below.placed.spacing_mm / 2
    ) / 2
    up = _unit(first.up + second.up)
    back = first.back + second.back
    back = _unit(back - up * float(back @ up))
    return Placement(centre, np.cross(back[::-1], up[::-1])[::-1], back, up)


def _local(
    walls: Walls, frame: Placement, left: FloatArray, back: FloatArray, up: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return places given in a disc's frame in that of a vertebra's block."""
    own = walls.placed.placement
    shift = own.to_local_mm(frame.centre_mm)
    turned = [own.to_local_mm(own.centre_mm + axis) for axis in (frame.left, frame.back, frame.up)]
    first, second, third = (
        shift[a] + left * turned[0][a] + back * turned[1][a] + up * turned[2][a] for a in range(3)
    )
    return first, second, third


def _unit(vector: FloatArray) -> FloatArray:
    return np.asarray(vector / np.linalg.norm(vector))
