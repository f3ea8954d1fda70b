"""Shares of voxels that cement and lesion occupy: sharpened, read clear of doubtful borders, overlapped."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray
from cementct.core.grid import Grid

BORDER_DOUBT_MM = 0.8
# A lesion's border is not known better than this where it was found by intensity; its rim is read from this
# deep under it.
LAYER_MM = 0.8
# Thickness of the layers that show how the filling changes with depth.
LEAST_CERTAIN_SHARE = 0.15
# Of a lesion's voxels; where fewer lie so deep, it is all rim.
SOLID_SHARE = 0.6
# Cement whose voxels reach this share is a mass with an edge; thinner cement is left as it is measured.


def overlap(first: Float32Array, second: Float32Array, grid: Grid) -> Float32Array:
    """Return the share of each voxel that two regions have in common.

    Parameters
    ----------
    first, second
        Share of each voxel of `grid` that each region occupies.
    grid
        Where the voxels lie.
    """
    most, least = np.minimum(first, second), np.maximum(first + second - 1, 0)
    product = first * second
    a, b = np.gradient(first, *grid.spacing_mm), np.gradient(second, *grid.spacing_mm)
    along = sum(p * q for p, q in zip(a, b, strict=True))
    length = np.sqrt(sum(p * p for p in a) * sum(q * q for q in b))
    cosine = np.where(length > 1e-6, along / np.maximum(length, 1e-6), 0.0)
    common = np.where(cosine > 0, product + cosine * (most - product), product - cosine * (least - product))
    return np.asarray(common, dtype=np.float32)


def sharpened(share: Float32Array) -> Float32Array:
    """Return a solid region's shares with the scanner's blur taken out of its edge, which stays in its place.

    Blurred shares lose at the border what no sharp region loses. Thin or dilute parts, which never reach
    `SOLID_SHARE`, stay as they are.
    """
    from scipy import ndimage

    # Slopes are taken per voxel, not per millimetre: a face along thick slices is as wide as these are.
    steepness = np.sqrt(sum(slope**2 for slope in np.gradient(share)))
    edge = np.clip(0.5 + (share - 0.5) / np.maximum(steepness, 0.05), 0.0, 1.0)
    solid = ndimage.maximum_filter(share, size=3) >= SOLID_SHARE
    return np.where(solid, edge, share).astype(np.float32)


def read_from_within(filled: Float32Array, holes: Float32Array, grid: Grid) -> Float32Array:
    """Return cement's shares with those of a lesion's rim replaced by what lies under the rim.

    A border that wanders to both sides of the true one takes in sound marrow without cement and leaves
    out filled lesion, so that rates read low. Under the rim all is lesion: what cement fills there, continued
    outwards as it changes with depth, is what it fills in the rim. Nothing is taken away, nor is more given
    than the nearest place under the rim holds. A lesion without such a place is left as it is.

    Parameters
    ----------
    filled, holes
        Shares of cement and of the lesion.
    grid
        Where the voxels lie.
    """
    from scipy import ndimage

    inside = np.pad(holes >= 0.5, 1)
    depth = ndimage.distance_transform_edt(inside, sampling=grid.spacing_mm)[1:-1, 1:-1, 1:-1]
    depth -= 0.5 * float(np.cbrt(grid.voxel_mm3))
    certain = depth >= BORDER_DOUBT_MM
    if np.count_nonzero(certain) < LEAST_CERTAIN_SHARE * np.count_nonzero(inside):
        return filled
    nearest = ndimage.distance_transform_edt(
        ~certain, sampling=grid.spacing_mm, return_distances=False, return_indices=True
    )
    rim = (holes > 0) & ~certain
    within = np.where(rim, filled[tuple(nearest)], filled)
    given = max(_continued(filled, depth) - _mean(filled, holes, rim), 0.0)
    most = _mean(within, holes, rim) - _mean(filled, holes, rim)
    share = float(np.clip(given / most, 0.0, 1.0)) if most > 0 else 0.0
    return np.asarray(filled + share * (within - filled), dtype=np.float32)


def _continued(filled: Float32Array, depth: FloatArray) -> float:
    """Return what cement fills of the rim, as two layers under it say."""
    layers = [
        filled[(depth >= BORDER_DOUBT_MM + i * LAYER_MM) & (depth < BORDER_DOUBT_MM + (i + 1) * LAYER_MM)]
        for i in range(2)
    ]
    if min(layer.size for layer in layers) == 0:
        return 1.0
    outer, inner = (float(layer.mean()) for layer in layers)
    steps = (BORDER_DOUBT_MM + LAYER_MM) / (2 * LAYER_MM)
    return outer + steps * (outer - inner)


def _mean(filled: Float32Array, holes: Float32Array, where: BoolArray) -> float:
    weight = holes[where]
    return float((filled[where] * weight).sum() / max(float(weight.sum()), 1e-6))
