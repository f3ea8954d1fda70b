"""A coarse copy of the volume, on which the search for the canal is quick."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray, HuArray, IntArray, as_floats
from cementct.core.image import NOT_MEASURED_BELOW_HU, Volume

# Voxels are averaged to about this size: a canal (15 to 25 mm wide) is still eight voxels across, and the
# noise of thin slices is averaged away.
TARGET_SPACING_MM = 2.0

# Cement and metal count no more than the densest cortex, air and padding alike as air.
LOWEST_HU = -1000.0
HIGHEST_HU = 1500.0


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
    averages = _block_means(volume.hu, factor)
    measured = np.asarray(averages > NOT_MEASURED_BELOW_HU)
    hu = np.clip(averages, LOWEST_HU, HIGHEST_HU).astype(np.float32)
    z, y, x = (int(f) for f in factor)
    return CoarseVolume(hu, measured, spacing * factor, (z, y, x))


def _block_means(values: HuArray, factor: IntArray) -> Float32Array:
    """Return the means of whole blocks, a layer of blocks at a time, which stays in the processor's cache."""
    deep, high, wide = (int(f) for f in factor)
    layers, rows, columns = (int(n) for n in values.shape // factor)
    means = np.empty((layers, rows, columns), dtype=np.float32)
    for layer in range(layers):
        part = values[layer * deep : (layer + 1) * deep, : rows * high, : columns * wide]
        total = part[0].astype(np.float32)
        for image in part[1:]:
            total += image
        total = _sum_along(total.reshape(rows, high, columns * wide), axis=1)
        means[layer] = _sum_along(total.reshape(rows, columns, wide), axis=2)
    means *= np.float32(1 / factor.prod())
    return means


def _sum_along(values: Float32Array, axis: int) -> Float32Array:
    """Return the sum along a short axis, element by element of it: faster than numpy's own for a few."""
    parts = np.moveaxis(values, axis, 0)
    total: Float32Array = parts[0].copy()
    for part in parts[1:]:
        total += part
    return total
