"""Intensities and places along the axis of a straight thing."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import Float32Array, FloatArray, HuArray
from cementct.core.grid import Grid
from cementct.segmentation.metal.shafts import cylindrical

# The brightest intensity is looked for so near to the axis.
CORE_RADIUS_MM = 1.2


def core_hu(hu: HuArray, grid: Grid, start: FloatArray, way: FloatArray, steps: FloatArray) -> Float32Array:
    """Return the brightest intensity near an axis at steps from a point; air outside the block.

    Parameters
    ----------
    hu, grid
        The block of CT, shape (z, y, x).
    start, way
        A point of the axis and its unit vector (LPS).
    steps
        Millimetres from the point, shape (n,).
    """
    side = np.cross(way, (0.0, 0.0, 1.0))
    side = side / max(float(np.linalg.norm(side)), 1e-6)
    up = np.cross(side, way)
    offsets = CORE_RADIUS_MM * np.array([(0, 0), (0.7, 0), (-0.7, 0), (0, 0.7), (0, -0.7)])
    points = start + steps[:, None, None] * way
    points = points + offsets[:, :1] * side + offsets[:, 1:] * up
    return np.asarray(sample_hu(hu, grid, points).max(axis=1), dtype=np.float32)


def sample_hu(hu: HuArray, grid: Grid, points: FloatArray) -> Float32Array:
    """Return the intensity of the voxels at points (LPS, last axis 3); air outside the block."""
    index = np.round(grid.to_index(points)).astype(int)
    last = np.asarray(grid.shape) - 1
    outside = np.any((index < 0) | (index > last), axis=-1)
    z, y, x = np.moveaxis(np.clip(index, 0, last), -1, 0)
    return np.where(outside, -1000.0, hu[z, y, x]).astype(np.float32)


def cylindrical_on(
    grid: Grid, start: tuple[int, ...], shape: tuple[int, ...], deep: FloatArray, outer: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return distances along and from an axis (mm) for all voxels of a block, shape of the block.

    Parameters
    ----------
    grid
        The grid that the block was cut from.
    start, shape
        First voxel and size of the block (z, y, x).
    deep, outer
        Ends of the axis (LPS); distances along it count from `deep`.
    """
    axes = [np.arange(a, a + n) for a, n in zip(start, shape, strict=True)]
    points = grid.to_lps(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))
    return cylindrical(points, deep, outer)
