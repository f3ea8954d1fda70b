"""The two endplates of a body: heights over its cross-section."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.anatomy.fields import interpolated
from cementct.core.arrays import BoolArray, Float32Array, FloatArray
from cementct.segmentation.vertebrae.embedded.walls import Walls

# Spacing of the columns: endplates bend gently.
SAMPLE_MM = 2.0
STEP_COST = 0.3
JUMP_COST = 0.9
# Steepest descent lies this far outside the half height of a thin endplate, and farther by this share of the
# distance of slices, which blurs it: a compromise of phantoms (0.8 to 5 mm: 0.3) and real CT (0.15).
DRAWN_IN_MM = 0.5
DRAWN_IN_PER_SLICE = 0.22
# An edge of such a gain is the endplate's own.
CLEAR_GAIN = 0.2
# Half the side of the square over which heights are kept.
RADIUS_REACH_MM = 32.0


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
    seen
        Share of both, within the body, that shows an edge of its own: (superior, inferior).
    """

    superior_mm: FloatArray
    inferior_mm: FloatArray
    left_mm: FloatArray
    back_mm: FloatArray
    edge: tuple[float, float]
    seen: tuple[float, float]

    def superior_at(self, left_mm: FloatArray, back_mm: FloatArray) -> FloatArray:
        """Return the height of the superior endplate."""
        return self._at(self.superior_mm, left_mm, back_mm)

    def inferior_at(self, left_mm: FloatArray, back_mm: FloatArray) -> FloatArray:
        """Return the height of the inferior endplate."""
        return self._at(self.inferior_mm, left_mm, back_mm)

    def _at(self, heights: FloatArray, left_mm: FloatArray, back_mm: FloatArray) -> FloatArray:
        left, back = np.broadcast_arrays(left_mm, back_mm)
        rows, columns = (left - self.left_mm[0]) / SAMPLE_MM, (back - self.back_mm[0]) / SAMPLE_MM
        return interpolated(heights, rows, columns)


@dataclass(frozen=True)
class Plate:
    """One endplate over the samples of its vertebra.

    Attributes
    ----------
    height_mm
        Up coordinate over (left, back).
    edge
        Mean gain of its edge within the body.
    seen
        Share within the body that shows an edge of its own.
    """

    height_mm: FloatArray
    edge: float
    seen: float


def lattice_of(walls: Walls) -> tuple[FloatArray, FloatArray]:
    """Return left and back coordinates of the samples of a vertebra's endplates."""
    left = np.arange(-RADIUS_REACH_MM, RADIUS_REACH_MM + 0.1, SAMPLE_MM)
    return left, walls.side.middle_back_mm + left


def join_plates(walls: Walls, superior: Plate, inferior: Plate) -> Endplates:
    """Return both endplates of a body."""
    left, back = lattice_of(walls)
    return Endplates(
        superior.height_mm,
        inferior.height_mm,
        left,
        back,
        (superior.edge, inferior.edge),
        (superior.seen, inferior.seen),
    )


def weight_within(walls: Walls, left_mm: FloatArray, back_mm: FloatArray) -> FloatArray:
    """Return 1 within the body's cross-section at its waist and a little beside it, next to 0 elsewhere."""
    middle = np.zeros_like(left_mm)
    centre = walls.side.middle_back_mm
    within = walls.side.contains(left_mm * 1.03, centre + (back_mm - centre) * 1.03, middle)
    within &= back_mm <= walls.wall.at(left_mm, middle) + 0.5
    return np.maximum(within.astype(np.float64), 1e-3)


def gain_at(gain: Float32Array, place: FloatArray) -> FloatArray:
    """Return the gain over (left, back) at places (in steps) along the last axis."""
    nearest = np.clip(np.round(place).astype(int), 0, gain.shape[2] - 1)
    return np.asarray(np.take_along_axis(gain, nearest[..., None], axis=2)[..., 0], dtype=np.float64)


def mean_within(values: FloatArray | BoolArray, weight: FloatArray) -> float:
    """Return the weighted mean."""
    return float((values * weight).sum() / weight.sum())


def smoothed_within(height: FloatArray, weight: FloatArray) -> FloatArray:
    """Return heights smoothed within the cross-section and carried on beyond it."""
    from scipy import ndimage

    amount = ndimage.gaussian_filter(weight, 0.8)
    inner = ndimage.gaussian_filter(height * weight, 0.8) / np.maximum(amount, 1e-6)
    outside = weight < 0.5
    if outside.all():
        return inner
    nearest = ndimage.distance_transform_edt(outside, return_distances=False, return_indices=True)
    return np.asarray(inner[tuple(nearest)])
