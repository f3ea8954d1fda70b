"""Growing and shrinking of masks by blocks and by faces, and the part of an array that a mask reaches.

A mask is one byte a voxel and its shifted copies are read in order, which is many times faster than filters
that look at every neighbourhood. What lies beyond the array counts neither way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cementct.core.arrays import BoolArray, IntArray

# So much of a mask is grown or shrunk at a time: all rounds along an axis stay in the cache.
SLAB_BYTES = 200_000


def bounds_of(mask: BoolArray, margin: Sequence[int] = (0, 0, 0)) -> tuple[slice, slice, slice] | None:
    """Return the smallest block that holds a mask, grown by voxels on every side; None where it is empty.

    Parameters
    ----------
    mask
        Shape (z, y, x).
    margin
        Voxels along z, y and x; the block ends where the array does.
    """
    planes = np.flatnonzero(mask.any(axis=(1, 2)))
    if planes.size == 0:
        return None
    first, last = int(planes[0]), int(planes[-1]) + 1
    shadow: BoolArray = np.asarray(mask[first:last].any(axis=0))
    hits = [planes, np.flatnonzero(shadow.any(axis=1)), np.flatnonzero(shadow.any(axis=0))]
    z, y, x = (
        slice(max(int(hit[0]) - pad, 0), min(int(hit[-1]) + 1 + pad, length))
        for hit, pad, length in zip(hits, margin, mask.shape, strict=True)
    )
    return z, y, x


def places_of(mask: BoolArray) -> IntArray:
    """Return the indices of the voxels of a mask, shape (n, axes), in the order of the array.

    As `numpy.argwhere`, which takes three times as long over a large mask of little.
    """
    return np.stack(np.unravel_index(np.flatnonzero(mask), mask.shape), axis=1)


def mask_of(index: IntArray, shape: Sequence[int]) -> BoolArray:
    """Return the mask of a list of voxels, given as their places in the flat array."""
    mask = np.zeros(shape, dtype=np.bool_)
    mask.ravel()[index] = True
    return mask


def blocks_of(
    index: IntArray, numbers: NDArray[np.integer], shape: Sequence[int]
) -> dict[int, tuple[slice, slice, slice]]:
    """Return the smallest block around each piece, by its number, in the order of the numbers.

    Parameters
    ----------
    index
        Voxels of all pieces, as their places in the flat array, in its order.
    numbers
        The piece that each of them belongs to.
    shape
        Of the array (z, y, x).
    """
    if not index.size:
        return {}
    order = np.argsort(numbers, kind="stable")
    found, first = np.unique(numbers[order], return_index=True)
    places = [axis[order] for axis in np.unravel_index(index, shape)]
    starts = np.stack([np.minimum.reduceat(axis, first) for axis in places], axis=1).tolist()
    stops = np.stack([np.maximum.reduceat(axis, first) + 1 for axis in places], axis=1).tolist()
    return {
        number: (slice(a, d), slice(b, e), slice(c, f))
        for number, (a, b, c), (d, e, f) in zip(found.tolist(), starts, stops, strict=True)
    }


def dilate_box(mask: BoolArray, size: Sequence[int]) -> BoolArray:
    """Return where any voxel of a block around it lies in the mask.

    Parameters
    ----------
    mask
        Any number of axes.
    size
        Voxels of the block along each axis, odd.
    """
    grown = mask.copy()
    for axis, length in enumerate(size):
        _join_along(grown, axis, length // 2, np.logical_or)
    return grown


def erode_box(mask: BoolArray, size: Sequence[int]) -> BoolArray:
    """Return where every voxel of a block around it lies in the mask; sizes are odd."""
    left = mask.copy()
    for axis, length in enumerate(size):
        _join_along(left, axis, length // 2, np.logical_and)
    return left


def dilate_faces(mask: BoolArray) -> BoolArray:
    """Return a mask with the voxels that share a face with it."""
    grown = mask.copy()
    for axis in range(mask.ndim):
        ahead, behind = _shifts(mask.ndim, axis, 1)
        grown[ahead] |= mask[behind]
        grown[behind] |= mask[ahead]
    return grown


def inner_voxels(mask: BoolArray) -> BoolArray:
    """Return the voxels of a mask all of whose face neighbours are in it; at the array's edge none are."""
    inner = mask.copy()
    for axis in range(mask.ndim):
        ahead, behind = _shifts(mask.ndim, axis, 1)
        inner[ahead] &= mask[behind]
        inner[behind] &= mask[ahead]
        edge = np.moveaxis(inner, axis, 0)
        edge[0] = edge[-1] = False
    return inner


def _join_along(mask: BoolArray, axis: int, reach: int, join: np.ufunc) -> None:
    """Join each voxel with all within `reach` of it along one axis, in place, slab by slab."""
    if reach == 0 or mask.size == 0:
        return
    across = 1 if axis == 0 and mask.ndim > 1 else 0
    thick = mask.shape[across]
    if across != axis and mask.nbytes > SLAB_BYTES:
        thick = max(1, SLAB_BYTES * thick // mask.nbytes)
    for first in range(0, mask.shape[across], thick):
        slab = mask[_at(across, slice(first, first + thick))]
        slab[...] = _along(slab, axis, reach, join)


def _along(mask: BoolArray, axis: int, reach: int, join: np.ufunc) -> BoolArray:
    """Join each voxel with all within `reach` of it along one axis; each round trebles what was reached."""
    done = 0
    while done < reach:
        step = min(2 * done + 1, reach - done)
        joined = mask.copy()
        for target, source in (
            (slice(step, None), slice(None, -step)),
            (slice(None, -step), slice(step, None)),
            # Nearer to an end than the step, the windows of the outermost voxels do.
            (slice(None, step), slice(None, 1)),
            (slice(-step, None), slice(-1, None)),
        ):
            part = joined[_at(axis, target)]
            join(part, mask[_at(axis, source)], out=part)
        mask = joined
        done += step
    return mask


def _at(axis: int, part: slice) -> tuple[slice, ...]:
    """Return the index of a part of an array along one axis."""
    return (*[slice(None)] * axis, part)


def _shifts(axes: int, axis: int, step: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    ahead, behind = [slice(None)] * axes, [slice(None)] * axes
    ahead[axis], behind[axis] = slice(step, None), slice(None, -step)
    return tuple(ahead), tuple(behind)
