"""Shares of voxels that cement and lesion occupy: sharpened, and overlapped."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import Float32Array
from cementct.core.grid import Grid

# Cement whose voxels reach this share is a mass with an edge; thinner cement is left as it is measured.
SOLID_SHARE = 0.6


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
