"""A coarse copy of the volume, on which the search for the canal is quick."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray, HuArray, as_floats
from cementct.core.image import NOT_MEASURED_BELOW_HU, Volume

TARGET_SPACING_MM = 2.0
# Voxels are averaged to about this size: a canal (15 to 25 mm wide) is still eight voxels across, and the
# noise of thin slices is averaged away.

LOWEST_HU = -1000.0
HIGHEST_HU = 1500.0
# Cement and metal count no more than the densest cortex, air and padding alike as air.


@dataclass(frozen=True)
class CoarseVolume:
    """Block averages of a volume.

    Attributes
    ----------
    hu
        Averages, clipped to between `LOWEST_HU` and `HIGHEST_HU`.
    measured
        Where the scanner measured something.
    spacing_mm
        Along z, y and x.
    factor
        Voxels of the volume along each axis in one block.
    """

    hu: Float32Array
    measured: BoolArray
    spacing_mm: FloatArray
    factor: tuple[int, int, int]

    def to_index(self, coarse_zyx: FloatArray) -> FloatArray:
        """Return the indices in the volume of (fractional) indices in the coarse copy."""
        factor = as_floats(self.factor)
        return np.asarray(coarse_zyx * factor + (factor - 1) / 2, dtype=np.float64)


def average_blocks(volume: Volume, target_spacing_mm: float = TARGET_SPACING_MM) -> CoarseVolume:
    """Return the block averages of `volume` at about the given spacing."""
    spacing = as_floats(volume.grid.spacing_mm)
    factor = np.maximum(1, np.round(target_spacing_mm / spacing)).astype(int)
    factor = np.minimum(factor, volume.grid.shape)
    averages: HuArray = volume.hu
    for axis in (0, 1, 2):
        averages = _average_along(averages, int(factor[axis]), axis)
    measured = np.asarray(averages > NOT_MEASURED_BELOW_HU)
    hu = np.clip(averages, LOWEST_HU, HIGHEST_HU).astype(np.float32)
    z, y, x = (int(f) for f in factor)
    return CoarseVolume(hu, measured, spacing * factor, (z, y, x))


def _average_along(values: HuArray, factor: int, axis: int) -> HuArray:
    if factor == 1:
        return values
    whole = values.shape[axis] // factor * factor
    parts = []
    for first in range(factor):
        steps = [slice(None)] * values.ndim
        steps[axis] = slice(first, whole, factor)
        parts.append(values[tuple(steps)])
    total = parts[0].astype(np.float32)
    for part in parts[1:]:
        total += part
    return np.asarray(total / np.float32(factor), dtype=np.float32)
