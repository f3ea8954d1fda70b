"""Gaussian smoothing: as thicker slices would show it, and of those parts that somebody asks for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, IntArray

# Parts are smoothed in blocks of so many voxels along each axis: larger ones hold more that nobody asked for,
# smaller ones have more neighbours to be read beside them.
BLOCK = 32
# Whether anything is asked is noted for cells of so many voxels, a part of a block.
CELL = 8
# A Gaussian is cut off after so many standard deviations, as in scipy.
TRUNCATE = 4.0


def blurred_along_z(hu: Float32Array, sigma_voxels: float) -> Float32Array:
    """Return intensities as thicker slices show them, shape (z, y, x)."""
    from scipy import ndimage

    blurred = ndimage.gaussian_filter1d(hu, sigma_voxels, axis=0, mode="nearest", truncate=TRUNCATE)
    return np.asarray(blurred, dtype=np.float32)


class SmoothedInParts:
    """An array smoothed with a Gaussian where it is asked for.

    Parameters
    ----------
    values
        What is smoothed, shape (z, y, x).
    sigma
        Standard deviations in voxels along z, y and x.
    highest
        What counts as no more than this; nothing is cut off, if not given.
    """

    def __init__(self, values: Float32Array, sigma: Sequence[float], *, highest: float = np.inf) -> None:
        self._source = values
        self._highest = np.float32(highest)
        self._reach = [int(TRUNCATE * s + 0.5) for s in sigma]
        self._weights = [_weights(s, reach) for s, reach in zip(sigma, self._reach, strict=True)]
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
        for block in np.argwhere(blocks & ~self._done).tolist():
            starts = [number * BLOCK for number in block]
            part = self._with_margin(starts)
            # Each weighs the voxels along one axis and leaves the margin out; as products of matrices they
            # take a third of the time of sums along lines.
            part = np.tensordot(self._weights[0], part, axes=1)
            part = self._weights[1] @ part
            part = part @ self._weights[2].T
            z, y, x = (slice(a, min(a + BLOCK, n)) for a, n in zip(starts, self.values.shape, strict=True))
            self.values[z, y, x] = part[: z.stop - z.start, : y.stop - y.start, : x.stop - x.start]
        self._done |= blocks

    def _with_margin(self, starts: list[int]) -> Float32Array:
        """Return a block and all that reaches it; what lies beyond the array is its mirror image."""
        cut, pad = [], []
        for start, reach, length in zip(starts, self._reach, self.values.shape, strict=True):
            first, last = start - reach, start + BLOCK + reach
            cut.append(slice(max(first, 0), min(last, length)))
            pad.append((max(-first, 0), max(last - length, 0)))
        part = np.minimum(self._source[tuple(cut)], self._highest)
        return np.pad(part, pad, mode="symmetric") if np.any(pad) else part


def _weights(sigma: float, reach: int) -> Float32Array:
    """Return what each voxel of a block with a margin counts for each of the block."""
    weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    rows = np.zeros((BLOCK, BLOCK + 2 * reach), dtype=np.float32)
    for place, row in enumerate(rows):
        row[place : place + weight.size] = weight / weight.sum()
    return rows
