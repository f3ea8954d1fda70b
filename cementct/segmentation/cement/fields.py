"""Distances and averages over a block of voxels of any spacing, as the search for cement needs them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cementct.core.arrays import BoolArray, Float32Array, IntArray
from cementct.core.grid import Triple
from cementct.core.morphology import bounds_of, inner_voxels

# Distances beyond any structure of interest stand for "there is none".
FAR_MM = 1e3
# So many voxels of a piece tell roughly how near it is, before all of its surface is asked.
FIRST_ASKED = 64


def distance_outside(mask: BoolArray, spacing_mm: Triple) -> Float32Array:
    """Return the distance of each voxel's centre to the nearest voxel of `mask`, 0 inside.

    Parameters
    ----------
    mask
        Shape (z, y, x).
    spacing_mm
        Distance between voxel centres along z, y, x; other units than millimetres may be passed, and the
        result is then in those.
    """
    if not mask.any():
        return np.full(mask.shape, FAR_MM, dtype=np.float32)
    if mask.all():
        return np.zeros(mask.shape, dtype=np.float32)
    return np.maximum(-_signed_distance(mask, spacing_mm), 0.0)


def depth_inside(mask: BoolArray, spacing_mm: Triple) -> Float32Array:
    """Return the distance of each voxel's centre in `mask` to the nearest voxel outside it, 0 outside."""
    depth = np.zeros(mask.shape, dtype=np.float32)
    window = bounds_of(mask)
    if window is not None:
        padded = np.pad(mask[window], 1)
        depth[window] = distance_outside(~padded, spacing_mm)[1:-1, 1:-1, 1:-1] * mask[window]
    return depth


def signed_depth(mask: BoolArray, spacing_mm: Triple) -> Float32Array:
    """Return the depth below the surface of `mask`: positive inside, negative outside, in spacing's units.

    The surface is taken half a voxel outside the outermost centres.
    """
    if not mask.any():
        return np.full(mask.shape, -FAR_MM, dtype=np.float32)
    half = np.float32(0.5 * float(np.mean(spacing_mm)))
    return _signed_distance(mask, spacing_mm) + half


def within(mask: BoolArray, reach_mm: float, spacing_mm: Triple) -> BoolArray:
    """Return `mask` with everything within `reach_mm` of it; only its own neighbourhood is looked at."""
    found = np.zeros(mask.shape, dtype=np.bool_)
    window = bounds_of(mask, [int(np.ceil(reach_mm / s)) + 1 for s in spacing_mm])
    if window is not None:
        found[window] = distance_outside(mask[window], spacing_mm) <= reach_mm + 1e-3
    return found


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
        from scipy.spatial import KDTree

        self._spacing = np.asarray(spacing_mm)
        self._mask = mask
        window = bounds_of(mask)
        if window is None:
            self._tree = None
            return
        points = np.argwhere(_surface(mask[window])) + [cut.start for cut in window]
        self._tree = KDTree(points * self._spacing)

    def gap_mm(self, index_zyx: IntArray) -> float:
        """Return the shortest distance from any of the voxels to the set; `FAR_MM` where that is empty."""
        if self._tree is None or len(index_zyx) == 0:
            return FAR_MM
        if self._mask[tuple(index_zyx.T)].any():
            return 0.0
        points = _outermost(index_zyx) * self._spacing
        few = points[:: max(1, len(points) // FIRST_ASKED)]
        nearest = float(np.min(self._tree.query(few)[0]))
        if len(few) < len(points):
            distance, _ = self._tree.query(points, distance_upper_bound=nearest * (1.0 + 1e-9))
            nearest = min(nearest, float(np.min(distance)))
        return nearest


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
    weight = ndimage.gaussian_filter(support, sigma, mode="constant", truncate=3.0)
    overall = float(values[where].mean()) if where.any() else 0.0
    total = ndimage.gaussian_filter(
        np.where(where, values - overall, 0.0).astype(np.float32), sigma, mode="constant", truncate=3.0
    )
    # Below this weight a mean would rest on the numerical tail of a few distant voxels.
    floor = np.float32(1e-3)
    mean = overall + total / np.maximum(weight, floor)
    return mean.astype(np.float32), np.asarray(weight, dtype=np.float32)


def _signed_distance(mask: BoolArray, spacing_mm: Triple) -> Float32Array:
    """Return ITK's signed distance to the voxels of the mask's border, positive inside."""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing([float(s) for s in reversed(spacing_mm)])
    distance = SimpleITK.SignedMaurerDistanceMap(
        image, insideIsPositive=True, squaredDistance=False, useImageSpacing=True
    )
    return np.asarray(SimpleITK.GetArrayFromImage(distance), dtype=np.float32)
