"""The block of the volume around one vertebra, resampled in a frame of its own.

Coordinates are (left, back, up): millimetres from a first guess of the body's centre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.anatomy.affine import sample_affine
from cementct.core.arrays import Float32Array, FloatArray, as_floats
from cementct.core.image import PADDING_HU, Volume

STEP_MM = 1.0
# Half of the largest lumbar body (width 55 mm, depth 42 mm) with room for its surroundings.
ASIDE_MM = 36.0
IN_FRONT_MM = 34.0
BEHIND_MM = 32.0


@dataclass(frozen=True)
class Placement:
    """Where a vertebra's block lies, along the grid's axes z, y, x in millimetres (index times spacing).

    Attributes
    ----------
    centre_mm, left, back, up
        First guess of the body's centre, and unit vectors, each as (z, y, x).
    """

    centre_mm: FloatArray
    left: FloatArray
    back: FloatArray
    up: FloatArray

    def to_grid_mm(self, left_mm: FloatArray, back_mm: FloatArray, up_mm: FloatArray) -> FloatArray:
        """Return positions along the grid's axes; the last axis holds z, y, x."""
        return np.asarray(
            self.centre_mm
            + left_mm[..., None] * self.left
            + back_mm[..., None] * self.back
            + up_mm[..., None] * self.up
        )

    def to_local_mm(self, points_mm: FloatArray) -> FloatArray:
        """Return (left, back, up) of positions along the grid's axes."""
        return np.asarray((points_mm - self.centre_mm) @ np.stack([self.left, self.back, self.up], axis=1))


@dataclass(frozen=True)
class VertebraBlock:
    """Intensities around one vertebra.

    Attributes
    ----------
    hu
        Over (left, back, up), at 1 mm.
    left_mm, back_mm, up_mm
        Coordinates of the samples.
    placement
        Where the block lies.
    spacing_mm
        Of the volume, as met along left, back and up.
    """

    hu: Float32Array
    left_mm: FloatArray
    back_mm: FloatArray
    up_mm: FloatArray
    placement: Placement
    spacing_mm: FloatArray

    def at(
        self, left_mm: FloatArray, back_mm: FloatArray, up_mm: FloatArray, values: Float32Array
    ) -> FloatArray:
        """Return values given on the block's samples, at other places, by linear interpolation."""
        from scipy import ndimage

        index = [
            (left_mm - self.left_mm[0]) / STEP_MM,
            (back_mm - self.back_mm[0]) / STEP_MM,
            (up_mm - self.up_mm[0]) / STEP_MM,
        ]
        return np.asarray(
            ndimage.map_coordinates(
                values, np.broadcast_arrays(*index), order=1, mode="nearest", output=np.float32
            ),
        )


def sample_block(volume: Volume, placement: Placement, half_height_mm: float) -> VertebraBlock:
    """Return the volume around a placement, up to `half_height_mm` above and below it."""
    left = np.arange(-ASIDE_MM, ASIDE_MM + 0.1, STEP_MM)
    back = np.arange(-IN_FRONT_MM, BEHIND_MM + 0.1, STEP_MM)
    up = np.arange(-np.ceil(half_height_mm), np.ceil(half_height_mm) + 0.1, STEP_MM)
    spacing = as_floats(volume.grid.spacing_mm)
    axes = np.stack([placement.left, placement.back, placement.up])
    ends = as_floats([(a, b, c) for a in left[[0, -1]] for b in back[[0, -1]] for c in up[[0, -1]]])
    corners = placement.to_grid_mm(*ends.T) / spacing
    box = volume.grid.box_around(corners, max(volume.grid.spacing_mm))
    shape = (left.size, back.size, up.size)
    if box.is_empty:
        hu = np.full(shape, PADDING_HU, dtype=np.float32)
    else:
        to_index = axes.T * STEP_MM / spacing[:, None]
        hu = sample_affine(volume.hu[box.slices], to_index, corners[0] - box.start, shape, outside=PADDING_HU)
    return VertebraBlock(hu, left, back, up, placement, (axes**2) @ spacing)
