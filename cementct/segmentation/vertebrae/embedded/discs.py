"""Evidence for discs: planes through the column of bodies that are dark between two bright plates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import Float32Array, FloatArray
from cementct.segmentation.vertebrae.embedded.column import BodyColumn
from cementct.segmentation.vertebrae.embedded.straighten import StraightSpine

SAGITTAL_TILTS = np.tan(np.radians(np.arange(-25.0, 26.0, 5.0)))
CORONAL_TILTS = np.tan(np.radians(np.arange(-15.0, 16.0, 5.0)))
# Tilts of discs against the plane at right angles to the canal: straightening leaves little, L5/S1 the most.
TILT_COST_PER_DEG2 = 6e-4
THICKNESSES_MM = np.array([2, 3, 4, 6, 8, 10])
THICKEST_OF_DEPTH = 0.25
# Discs are 3 to 12 mm thick, at most a quarter of the body's depth; thicker ones are bodies between discs.
CLIPPED_HU = (-150.0, 500.0)
CONTRAST_HU = (60.0, 300.0)
# The drop counts relative to the local contrast of the column, held between these.


@dataclass(frozen=True)
class DiscEvidence:
    """How much a plane at each step looks like the middle of a disc.

    Attributes
    ----------
    score
        Between -0.5 and 1, the best over thickness and tilt.
    by_tilt
        The best over thickness, (sagittal, coronal, along).
    """

    score: FloatArray
    by_tilt: Float32Array

    def tilt_at(self, place: int) -> tuple[float, float]:
        """Return the tilts, rise per millimetre to the back and to the left, that fit best near a place."""
        near = self.by_tilt[:, :, max(0, place - 2) : place + 3].max(axis=2)
        sagittal, coronal = np.unravel_index(int(near.argmax()), near.shape)
        return float(SAGITTAL_TILTS[sagittal]), float(CORONAL_TILTS[coronal])


def measure_discs(spine: StraightSpine, column: BodyColumn) -> DiscEvidence:
    """Return the evidence for a disc at each step along the straightened spine."""
    profiles = average_over_planes(spine, column)
    drop = _drops(profiles, column) / _contrast(profiles)
    sagittal = np.degrees(np.arctan(SAGITTAL_TILTS))
    coronal = np.degrees(np.arctan(CORONAL_TILTS))
    drop -= (TILT_COST_PER_DEG2 * (sagittal[:, None] ** 2 + coronal[None] ** 2))[..., None]
    score = np.clip(drop.max(axis=(0, 1)), -0.5, 1.0)
    return DiscEvidence(np.asarray(score, dtype=np.float64), drop.astype(np.float32))


def average_over_planes(spine: StraightSpine, column: BodyColumn) -> Float32Array:
    """Return mean intensities of the column on planes of every tilt, (sagittal, coronal, along)."""
    shares = np.linspace(0.12, 0.85, 8)
    asides = np.linspace(-11, 11, 7)
    values = np.clip(spine.hu, *CLIPPED_HU)
    back = column.wall_mm[:, None] - shares * column.depth_mm[:, None]
    rows = np.clip(np.round(back - spine.back_mm[0]).astype(int), 0, len(spine.back_mm) - 1)
    columns = np.round(asides - spine.left_mm[0]).astype(int)
    from_middle = back - (column.wall_mm - column.depth_mm / 2)[:, None]
    along = np.arange(spine.length)
    means = np.empty((len(SAGITTAL_TILTS), len(CORONAL_TILTS), spine.length), dtype=np.float32)
    for s, sagittal in enumerate(SAGITTAL_TILTS):
        for c, coronal in enumerate(CORONAL_TILTS):
            rise = sagittal * from_middle[:, :, None] + coronal * asides
            place = np.clip(along[:, None, None] + rise, 0, spine.length - 1.001)
            below = place.astype(int)
            part = place - below
            low = values[below, rows[:, :, None], columns]
            high = values[below + 1, rows[:, :, None], columns]
            means[s, c] = (low * (1 - part) + high * part).mean(axis=(1, 2))
    return means


def _drops(profiles: Float32Array, column: BodyColumn) -> FloatArray:
    """Return how far each plane lies below the plates on both sides, the best over thickness."""
    from scipy import ndimage

    length = profiles.shape[2]
    sums = np.concatenate([np.zeros((*profiles.shape[:2], 1)), np.cumsum(profiles, axis=2)], axis=2)
    plates = ndimage.uniform_filter1d(profiles, 3, axis=2)
    along = np.arange(length)
    best = np.full(profiles.shape, -1e9)
    for thickness in THICKNESSES_MM:
        half = thickness / 2
        thin = int(thickness <= 3)
        low = np.clip(along - int(half) + 1 - thin, 0, length)
        high = np.clip(along + int(np.ceil(half)) + thin, 0, length)
        inside = (sums[..., high] - sums[..., low]) / np.maximum(1, high - low)
        distance = round(half + 2)
        above, below = np.roll(plates, -distance, axis=2), np.roll(plates, distance, axis=2)
        drop = (np.minimum(above, below) + 0.3 * np.maximum(above, below)) / 1.3 - inside
        too_thick = np.maximum(0, thickness - THICKEST_OF_DEPTH * column.depth_mm)
        best = np.maximum(best, drop - 0.5 * CONTRAST_HU[0] * too_thick)
    return best


def _contrast(profiles: Float32Array) -> FloatArray:
    """Return the local spread of the untilted profile along the spine."""
    from scipy import ndimage

    middle = profiles[len(SAGITTAL_TILTS) // 2, len(CORONAL_TILTS) // 2]
    bright = ndimage.percentile_filter(middle, 90, size=41)
    dark = ndimage.percentile_filter(middle, 15, size=41)
    return np.clip(ndimage.gaussian_filter1d(bright - dark, 10), *CONTRAST_HU).astype(np.float64)
