"""CT numbers and outlines on the surface of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cementct.core.arrays import Float32Array, FloatArray, HuArray
from cementct.core.grid import Box, Grid
from cementct.core.image import PADDING_HU, Volume
from cementct.report.pictures.planes import Surface

# An outline runs where half of a pixel is inside.
_HALF = 0.5
# How far a simplified outline may leave the true one, in pixels; a tenth of the width of its line.
_OUTLINE_TOLERANCE_PX = 0.1
# How often every second point of an outline is tried; each time halves what is straight.
_SIMPLIFYING_PASSES = 4
# Outlines shorter than this many points are specks of interpolation.
_FEWEST_POINTS = 4


@dataclass(frozen=True)
class Sampler:
    """Where the pixels of a surface lie in a grid, found once for everything that is sampled there.

    Attributes
    ----------
    index_zyx
        Fractional index of each pixel, shape (3, rows, columns).
    """

    index_zyx: FloatArray

    @classmethod
    def of(cls, surface: Surface, grid: Grid) -> Sampler:
        """Return the sampler of a surface in a grid."""
        return cls.at(surface.points_lps_mm, grid)

    @classmethod
    def at(cls, points_lps_mm: FloatArray, grid: Grid) -> Sampler:
        """Return the sampler of points of shape (rows, columns, 3) in a grid."""
        return cls(np.ascontiguousarray(np.moveaxis(grid.to_index(points_lps_mm), -1, 0)))

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        rows, columns = self.index_zyx.shape[1:]
        return rows, columns

    def hu(self, volume: Volume) -> Float32Array:
        """Return CT numbers by linear interpolation; `PADDING_HU` outside the scan."""
        near = volume.grid.box.intersection(self._reach)
        if near.is_empty:
            return np.full(self.shape, PADDING_HU, dtype=np.float32)
        return _interpolate(volume.hu[near.slices], near, self.index_zyx, outside=PADDING_HU)

    def share(self, values: NDArray[np.generic], box: Box) -> Float32Array:
        """Return a mask, or a share of each voxel, by linear interpolation; 0 outside its box."""
        near = box.intersection(self._reach)
        if near.is_empty or values.size == 0:
            return np.zeros(self.shape, dtype=np.float32)
        return self._within(values[near.within(box)].astype(np.float32), near)

    def numbers(self, values: NDArray[np.generic], numbers: Sequence[int], box: Box) -> Float32Array:
        """Return how far each pixel lies in the voxels that carry one of `numbers`, 0 to 1."""
        near = box.intersection(self._reach)
        if near.is_empty or values.size == 0:
            return np.zeros(self.shape, dtype=np.float32)
        return self._within(np.isin(values[near.within(box)], list(numbers)).astype(np.float32), near)

    @cached_property
    def _reach(self) -> Box:
        """The block of voxels that pixels touch; may lie partly outside the grid."""
        low = np.floor(self.index_zyx.min(axis=(1, 2))).astype(int)
        high = np.ceil(self.index_zyx.max(axis=(1, 2))).astype(int) + 1
        return Box((int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2])))

    def _within(self, part: Float32Array, block: Box) -> Float32Array:
        """Interpolate only in the rectangle of pixels that what is not zero can touch."""
        out = np.zeros(self.shape, dtype=np.float32)
        filled = _bounds(part > 0)
        if filled is None:
            return out
        start = np.asarray(block.start)[:, None, None]
        low, high = (np.asarray(corner)[:, None, None] + start for corner in filled)
        touched = _bounds(((self.index_zyx > low - 1) & (self.index_zyx < high)).all(axis=0))
        if touched is None:
            return out
        (row, column), (row_stop, column_stop) = touched
        rectangle = (slice(row, row_stop), slice(column, column_stop))
        out[rectangle] = _interpolate(part, block, self.index_zyx[:, *rectangle], outside=0.0)
        return out


def trace_outlines(share: Float32Array) -> tuple[FloatArray, ...]:
    """Return the lines around where a share is one half or more, as (column, row) points."""
    bounds = _bounds(share >= _HALF)
    if bounds is None:
        return ()
    from skimage.measure import find_contours

    (row, column), (row_stop, column_stop) = bounds
    row, column = max(row - 1, 0), max(column - 1, 0)
    part = share[row : row_stop + 1, column : column_stop + 1]
    # A rim of zeros closes the lines that run off the picture.
    lines = find_contours(np.pad(part, 1), _HALF)
    shift = np.array([column - 1.0, row - 1.0])
    return tuple(_simplified(line[:, ::-1] + shift) for line in lines if len(line) >= _FEWEST_POINTS)


def _simplified(line: FloatArray) -> FloatArray:
    """Drop points that lie on the straight way between their neighbours."""
    for _ in range(_SIMPLIFYING_PASSES):
        if len(line) <= _FEWEST_POINTS:
            break
        before, here, after = line[:-2], line[1:-1], line[2:]
        way = after - before
        aside = np.abs(way[:, 0] * (here - before)[:, 1] - way[:, 1] * (here - before)[:, 0])
        straight = aside <= _OUTLINE_TOLERANCE_PX * np.maximum(np.hypot(way[:, 0], way[:, 1]), 1e-9)
        straight[1::2] = False
        line = line[np.concatenate([[True], ~straight, [True]])]
    return line


def _bounds(inside: NDArray[np.bool_]) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Return the first and one past the last index of what is true along each axis."""
    first, stop = [], []
    for axis in range(inside.ndim):
        others = tuple(a for a in range(inside.ndim) if a != axis)
        hit = np.flatnonzero(inside.any(axis=others))
        if hit.size == 0:
            return None
        first.append(int(hit[0]))
        stop.append(int(hit[-1]) + 1)
    return tuple(first), tuple(stop)


def _interpolate(part: HuArray, block: Box, index_zyx: FloatArray, *, outside: float) -> Float32Array:
    from scipy import ndimage

    coordinates = index_zyx - np.asarray(block.start)[:, None, None]
    sampled = ndimage.map_coordinates(
        part, coordinates, output=np.float32, order=1, mode="constant", cval=outside
    )
    return np.asarray(sampled, dtype=np.float32)
