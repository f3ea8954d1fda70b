"""CT numbers and outlines on the surface of a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cementct.core.arrays import Float32Array, FloatArray, HuArray
from cementct.core.grid import Box, Grid
from cementct.core.image import PADDING_HU, Volume
from cementct.report.pictures.planes import Surface

# An outline runs where half of a pixel is inside.
_HALF = 0.5
# How far a simplified outline may leave the true one, in pixels; below the width of its line.
_OUTLINE_TOLERANCE_PX = 0.25
# Outlines shorter than this many points are specks of interpolation.
_FEWEST_POINTS = 4


def sample_hu(volume: Volume, surface: Surface) -> Float32Array:
    """Return the CT numbers on a surface by linear interpolation; `PADDING_HU` outside the scan."""
    return sample_hu_at(volume, surface.points_lps_mm)


def sample_hu_at(volume: Volume, points_lps_mm: FloatArray) -> Float32Array:
    """Return the CT numbers at points by linear interpolation; `PADDING_HU` outside the scan."""
    index = volume.grid.to_index(points_lps_mm)
    near = _block(index, volume.grid, volume.grid.box)
    return _interpolate(volume.hu[near.slices], near, index, outside=PADDING_HU)


def sample_share(values: NDArray[np.generic], box: Box, grid: Grid, surface: Surface) -> Float32Array:
    """Return a mask, or a share of each voxel, on a surface by linear interpolation; 0 outside its box."""
    index = grid.to_index(surface.points_lps_mm)
    near = _block(index, grid, box)
    return _interpolate(values[near.within(box)].astype(np.float32), near, index, outside=0.0)


def sample_numbers(
    values: NDArray[np.generic], numbers: Sequence[int], box: Box, grid: Grid, surface: Surface
) -> Float32Array:
    """Return how far each point of a surface lies in the voxels that carry one of `numbers`, 0 to 1."""
    index = grid.to_index(surface.points_lps_mm)
    near = _block(index, grid, box)
    inside = np.isin(values[near.within(box)], list(numbers)).astype(np.float32)
    return _interpolate(inside, near, index, outside=0.0)


def trace_outlines(share: Float32Array) -> tuple[FloatArray, ...]:
    """Return the lines around where a share is one half or more, as (column, row) points."""
    if not (share >= _HALF).any():
        return ()
    from skimage.measure import approximate_polygon, find_contours

    # A rim of zeros closes the lines that run off the picture.
    lines = find_contours(np.pad(share, 1), _HALF)
    simple = [approximate_polygon(line, _OUTLINE_TOLERANCE_PX) for line in lines]
    return tuple(np.ascontiguousarray(line[:, ::-1]) - 1.0 for line in simple if len(line) >= _FEWEST_POINTS)


def _block(index_zyx: FloatArray, grid: Grid, box: Box) -> Box:
    """Return the part of a box that points touch, so that no more than that is worked on."""
    near = grid.box_around(index_zyx, margin_mm=2 * max(grid.spacing_mm)).intersection(box)
    return Box((0, 0, 0), (0, 0, 0)) if near.is_empty else near


def _interpolate(part: HuArray, block: Box, index_zyx: FloatArray, *, outside: float) -> Float32Array:
    from scipy import ndimage

    shape = index_zyx.shape[:-1]
    if block.is_empty:
        return np.full(shape, outside, dtype=np.float32)
    coordinates = (index_zyx - np.asarray(block.start)).reshape(-1, 3).T
    sampled = ndimage.map_coordinates(
        part, coordinates, output=np.float32, order=1, mode="constant", cval=outside
    )
    return np.asarray(sampled, dtype=np.float32).reshape(shape)
