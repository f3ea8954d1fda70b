"""Pieces that hang together by a neck: cement that touches a rib or a process stands out with it as one."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray, IntArray
from cementct.core.distances import depth_inside
from cementct.core.grid import Triple

# A part is deeper than this somewhere, and there no shallower than this share of the deepest place within
# reach.
LEAST_DEPTH_MM, SHARE_OF_DEEPEST, REACH_MM = 0.9, 0.62, 5.0
# Parts that join as deep as this share of the shallower one's deepest place are one: there is no neck.
NO_NECK = 0.75


def parts_at_necks(where: BoolArray, spacing_mm: Triple) -> IntArray:
    """Return the numbers, from 1, of the parts of a piece that necks hold together; 0 outside it.

    Parameters
    ----------
    where
        The voxels of one connected piece, shape (z, y, x).
    spacing_mm
        Distance between voxel centres.

    Returns
    -------
    IntArray
        All zero where the piece has no neck.
    """
    from scipy import ndimage
    from skimage.segmentation import watershed

    depth_mm = depth_inside(where, spacing_mm)
    reach = [2 * round(REACH_MM / s) + 1 for s in spacing_mm]
    deepest_mm = ndimage.maximum_filter(depth_mm, size=reach)
    markers, count = ndimage.label((depth_mm > LEAST_DEPTH_MM) & (depth_mm >= SHARE_OF_DEEPEST * deepest_mm))
    if count < 2:
        return np.zeros(where.shape, dtype=np.intp)
    parts = np.asarray(watershed(-depth_mm, markers, mask=where), dtype=np.intp)
    peak_mm = np.append(0.0, ndimage.maximum(depth_mm, parts, np.arange(1, count + 1)))
    joined = np.arange(count + 1)
    for first, second in _without_neck(parts, depth_mm, peak_mm):
        joined[joined == joined[second]] = joined[first]
    numbers = np.unique(joined[1:])
    if numbers.size < 2:
        return np.zeros(where.shape, dtype=np.intp)
    return np.asarray(np.searchsorted(np.append(0, numbers), joined)[parts], dtype=np.intp)


def _without_neck(parts: IntArray, depth_mm: Float32Array, peak_mm: FloatArray) -> list[tuple[int, int]]:
    """Return the pairs of parts that join nearly as deep as the shallower one is."""
    join_mm: dict[tuple[int, int], float] = {}
    for axis in range(3):
        here, there = [slice(None)] * 3, [slice(None)] * 3
        here[axis], there[axis] = slice(None, -1), slice(1, None)
        a, b = parts[tuple(here)], parts[tuple(there)]
        border = (a != b) & (a > 0) & (b > 0)
        least_mm = np.minimum(depth_mm[tuple(here)], depth_mm[tuple(there)])[border]
        for one, other, depth in zip(a[border].tolist(), b[border].tolist(), least_mm.tolist(), strict=True):
            pair = (min(one, other), max(one, other))
            join_mm[pair] = max(join_mm.get(pair, 0.0), depth)
    return [pair for pair, depth in join_mm.items() if depth >= NO_NECK * min(peak_mm[n] for n in pair)]
