"""How near voxels lie to a set of them, and averages over some of them, on voxels of any spacing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cementct.core.arrays import BoolArray, Float32Array, IntArray
from cementct.core.distances import FAR_MM, FIRST_ASKED, shortest_gap, tree_of
from cementct.core.grid import Triple
from cementct.core.morphology import bounds_of, inner_voxels, places_of
from cementct.core.threads import each

# So many voxels are enough for a mean distance.
ASKED_FOR_MEAN = 500


class Nearness:
    """Answers how near given voxels lie to a set of voxels, without a distance map of the whole block.

    Parameters
    ----------
    mask
        The set, shape (z, y, x).
    spacing_mm
        Distance between voxel centres.
    """

    def __init__(self, mask: BoolArray, spacing_mm: Triple) -> None:
        self._spacing = np.asarray(spacing_mm)
        self._mask = mask
        window = bounds_of(mask)
        if window is None:
            self._tree = None
            return
        points = places_of(_surface(mask[window])) + [cut.start for cut in window]
        self._tree = tree_of(points * self._spacing)

    def is_within(self, reach_mm: float, index_zyx: IntArray) -> bool:
        """Tell whether any of the voxels lies so near to the set."""
        if self._tree is None or len(index_zyx) == 0:
            return reach_mm >= FAR_MM
        # Most pieces are told by the first voxel that is asked; the others by those of their surface. Nothing
        # is looked for farther away.
        limit_mm = reach_mm * (1.0 + 1e-9)
        middle = index_zyx[len(index_zyx) // 2] * self._spacing
        if float(self._tree.query(middle, distance_upper_bound=limit_mm)[0]) <= reach_mm:
            return True
        if self._mask[tuple(index_zyx.T)].any():
            return True
        points = _outermost(index_zyx) * self._spacing
        return bool(np.min(self._tree.query(points, distance_upper_bound=limit_mm)[0]) <= reach_mm)

    def gap_mm(self, index_zyx: IntArray) -> float:
        """Return the shortest distance from any of the voxels to the set; `FAR_MM` where that is empty."""
        if self._tree is None or len(index_zyx) == 0:
            return FAR_MM
        if self._mask[tuple(index_zyx.T)].any():
            return 0.0
        return shortest_gap(self._tree, _outermost(index_zyx) * self._spacing)

    def mean_gap_mm(self, index_zyx: IntArray) -> float:
        """Return the mean distance of voxels outside the set to it; `FAR_MM` where that is empty."""
        if self._tree is None or len(index_zyx) == 0:
            return FAR_MM
        some = index_zyx[:: max(1, len(index_zyx) // ASKED_FOR_MEAN)]
        return float(np.mean(self._tree.query(some * self._spacing)[0]))


def _surface(mask: BoolArray) -> BoolArray:
    """Return the voxels of a mask with a face neighbour outside it: the nearest one is always among them."""
    return mask & ~inner_voxels(mask)


def _outermost(index_zyx: IntArray) -> IntArray:
    """Return the voxels of a list that lie on the surface of what they fill."""
    if len(index_zyx) <= FIRST_ASKED:
        return index_zyx
    first = index_zyx.min(axis=0)
    filled = np.zeros(index_zyx.max(axis=0) - first + 1, dtype=np.bool_)
    filled[tuple((index_zyx - first).T)] = True
    return np.asarray(np.argwhere(_surface(filled)) + first, dtype=np.intp)


def mean_over(
    values: NDArray[np.floating], where: BoolArray, sigma_mm: float, spacing_mm: Triple
) -> tuple[Float32Array, Float32Array]:
    """Return the Gaussian-weighted mean of `values` over the voxels `where`, and the weight it rests on.

    Far from any such voxel the mean falls back on the overall mean of `values` over `where` (0 where that
    is empty), and the weight is near 0.
    """
    from scipy import ndimage

    sigma = [sigma_mm / s for s in spacing_mm]
    support = where.astype(np.float32)
    overall = float(values[where].mean()) if where.any() else 0.0
    off = np.where(where, values - overall, 0.0).astype(np.float32)
    weight, total = each(
        lambda field: ndimage.gaussian_filter(field, sigma, mode="constant", truncate=3.0), (support, off)
    )
    # Below this weight a mean would rest on the numerical tail of a few distant voxels.
    floor = np.float32(1e-3)
    mean = overall + total / np.maximum(weight, floor)
    return mean.astype(np.float32), np.asarray(weight, dtype=np.float32)
