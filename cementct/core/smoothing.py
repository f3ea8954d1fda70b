"""Gaussian smoothing of the parts of an array that somebody asks for, the same there as of the whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, IntArray

# Parts are smoothed in blocks of so many voxels along each axis: larger ones hold more that nobody asked for,
# smaller ones have more neighbours to be read beside them.
BLOCK = 64
# Whether anything is asked is noted for cells of so many voxels, a part of a block.
CELL = 8
# A Gaussian is cut off after so many standard deviations, as in scipy.
TRUNCATE = 4.0


class SmoothedInParts:
    """An array smoothed with a Gaussian where it is asked for.

    Parameters
    ----------
    values
        What is smoothed, shape (z, y, x).
    sigma
        Standard deviations in voxels along z, y and x.
    """

    def __init__(self, values: Float32Array, sigma: Sequence[float]) -> None:
        self._source = values
        self._sigma = list(sigma)
        self._reach = [int(TRUNCATE * s + 0.5) for s in sigma]
        self._done = np.zeros([-(-n // BLOCK) for n in values.shape], dtype=np.bool_)
        self.values: Float32Array = np.zeros(values.shape, dtype=np.float32)
        """The smoothed array; 0 in blocks that nobody asked for."""

    def at(self, index: IntArray) -> Float32Array:
        """Return the smoothed values of a list of voxels (places in the flat array)."""
        self._smooth(self._blocks(self._cells(index)))
        return self.values.ravel()[index]

    def smooth_around(self, index: IntArray) -> None:
        """Smooth all that any voxel of a list reaches."""
        from scipy import ndimage

        cells = self._cells(index)
        size = [2 * -(-reach // CELL) + 1 for reach in self._reach]
        self._smooth(self._blocks(ndimage.maximum_filter(cells, size=size, mode="constant")))

    def _cells(self, index: IntArray) -> BoolArray:
        """Return the cells in which some voxels lie."""
        cells = np.zeros([n * BLOCK // CELL for n in self._done.shape], dtype=np.bool_)
        z, y, x = np.unravel_index(index, self.values.shape)
        cells[z // CELL, y // CELL, x // CELL] = True
        return cells

    def _blocks(self, cells: BoolArray) -> BoolArray:
        """Return the blocks in which some cells lie."""
        per = BLOCK // CELL
        z, y, x = self._done.shape
        return np.asarray(cells.reshape(z, per, y, per, x, per).any(axis=(1, 3, 5)))

    def _smooth(self, blocks: BoolArray) -> None:
        """Smooth blocks that are not yet."""
        from scipy import ndimage

        for block in np.argwhere(blocks & ~self._done):
            inner, outer = [], []
            for number, reach, length in zip(block.tolist(), self._reach, self.values.shape, strict=True):
                start, stop = number * BLOCK, min((number + 1) * BLOCK, length)
                first = max(start - reach, 0)
                outer.append(slice(first, min(stop + reach, length)))
                inner.append(slice(start - first, stop - first))
            part = self._source[tuple(outer)]
            for axis, (sigma, cut) in enumerate(zip(self._sigma, inner, strict=True)):
                part = ndimage.gaussian_filter1d(part, sigma, axis, truncate=TRUNCATE)
                # What lies beside the block along this axis has done its part.
                part = part[(slice(None),) * axis + (cut,)]
            z, y, x = (slice(n * BLOCK, (n + 1) * BLOCK) for n in block.tolist())
            self.values[z, y, x] = part
        self._done |= blocks
