"""A part of a volume on coarser voxels: means of blocks, and back again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cementct.core.arrays import BoolArray, Float32Array, FloatArray, HuArray, as_floats
from cementct.core.grid import Box
from cementct.core.image import Volume

T = TypeVar("T", bound=np.generic)
Bytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
Steps = tuple[int, ...]

# Darker voxels, air and padding included, are no bone; so they count as this.
LEAST_HU = -200.0


@dataclass(frozen=True)
class CoarseRegion:
    """The part of a volume around some vertebrae, on voxels of a limited size.

    Attributes
    ----------
    hu, body, canal
        Intensities, numbers of the bodies, and the canal.
    steps
        Voxels of the volume along each axis of a voxel here.
    spacing_mm, first_mm
        Of these voxels; the first one's place, index times spacing of the volume.
    """

    hu: Float32Array
    body: Bytes
    canal: BoolArray
    steps: Steps
    spacing_mm: FloatArray
    first_mm: FloatArray


def coarsen(
    volume: Volume, region: Box, bodies: Bytes, canal: BoolArray, *, coarsest_mm: float
) -> CoarseRegion:
    """Return a part of a volume, of its bodies and its canal, on voxels no larger than `coarsest_mm`."""
    spacing = as_floats(volume.grid.spacing_mm)
    steps = tuple(max(1, int(coarsest_mm / s)) for s in spacing)
    first_mm = (as_floats(region.start) + (as_floats(steps) - 1) / 2) * spacing
    hu = np.clip(_averaged(volume.hu[region.slices], steps), LEAST_HU, None)
    middle = np.ix_(
        *(
            np.minimum(np.arange(0, size, n) + (n - 1) // 2, size - 1)
            for n, size in zip(steps, region.shape, strict=True)
        )
    )
    body, in_canal = bodies[region.slices][middle], canal[region.slices][middle]
    return CoarseRegion(hu, body, in_canal, steps, spacing * steps, first_mm)


def _averaged(values: HuArray, steps: Steps) -> Float32Array:
    """Return the means of blocks of so many voxels; the last block repeats the last voxel."""
    blocks: NDArray[Any] = values
    for axis, step in enumerate(steps):
        if step > 1:
            rest = -blocks.shape[axis] % step
            if rest:
                pad = [(0, rest) if a == axis else (0, 0) for a in range(blocks.ndim)]
                blocks = np.pad(blocks, pad, mode="edge")
            blocks = np.moveaxis(blocks, axis, 0)
            # Whole numbers become real ones only here, where they are fewer.
            total = blocks[0::step].astype(np.float32)
            for shift in range(1, step):
                total += blocks[shift::step]
            total /= np.float32(step)
            blocks = np.moveaxis(total, 0, axis)
    return np.ascontiguousarray(blocks, dtype=np.float32)


def repeated(
    coarse: np.ndarray[tuple[int, ...], np.dtype[T]], steps: Steps, shape: tuple[int, ...]
) -> np.ndarray[tuple[int, ...], np.dtype[T]]:
    """Return coarse voxels on the fine grid of the given shape, in an array of its own."""
    fine = coarse.copy() if max(steps) == 1 else coarse
    for axis, step in enumerate(steps):
        if step > 1:
            fine = np.repeat(fine, step, axis=axis)
    return fine[tuple(slice(0, n) for n in shape)]
