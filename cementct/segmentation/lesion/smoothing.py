"""Smoothing that looks only at chosen voxels, and what can be done with masks in millimetres."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.distances import TIE_MM, depth_inside, distance_outside
from cementct.core.grid import Grid
from cementct.core.image import Region
from cementct.core.morphology import bounds_of
from cementct.core.threads import each

# Where less than this of a smoothed value comes from chosen voxels, there is no value.
LEAST_WEIGHT = 1e-3


def smooth_within(hu: Float32Array, chosen: BoolArray, grid: Grid, sigma_mm: float) -> Float32Array:
    """Return intensities smoothed over the chosen voxels alone; NaN further from them than they reach.

    Beyond the chosen voxels' border the result continues what lies inside, so that a bright cortex left out
    does not pass for marrow, nor soft tissue outside for a lesion.
    """
    sigma = [sigma_mm / spacing for spacing in grid.spacing_mm]
    summed, weights = each(
        lambda field: ndimage.gaussian_filter(field, sigma, truncate=3.0),
        (np.where(chosen, hu, np.float32(0)), chosen.astype(np.float32)),
    )
    known = weights > LEAST_WEIGHT
    return np.where(known, summed / np.where(known, weights, 1), np.float32(np.nan)).astype(np.float32)


def opened(mask: BoolArray, radius_mm: float, grid: Grid) -> BoolArray:
    """Return what a ball of the given radius can reach from inside a set of voxels."""
    if not mask.any():
        return mask
    block = _block(mask, radius_mm, grid)
    core = depth_inside(mask[block], grid.spacing_mm) > radius_mm + TIE_MM
    out = np.zeros_like(mask)
    out[block] = mask[block] & (distance_outside(core, grid.spacing_mm) <= radius_mm + TIE_MM)
    return out


def grown(mask: BoolArray, by_mm: float, grid: Grid) -> BoolArray:
    """Return what lies within a distance of a set of voxels, itself included."""
    if not mask.any():
        return mask
    block = _block(mask, by_mm, grid)
    out = np.zeros_like(mask)
    out[block] = distance_outside(mask[block], grid.spacing_mm) <= by_mm + TIE_MM
    return out


def continued(share: Float32Array, known: BoolArray, where: BoolArray, grid: Grid) -> Float32Array:
    """Return shares in which each voxel of `where` has that of the nearest one that is known.

    Parameters
    ----------
    share
        Shares of all voxels.
    known
        Whose share is known.
    where
        Who takes over that of the nearest of those.
    grid
        Where the voxels lie.
    """
    out = share.copy()
    block = bounds_of(known | where)
    if block is None or not known.any():
        return out
    # All nearest voxels are looked for in the block that holds both.
    nearest = ndimage.distance_transform_edt(
        ~known[block], sampling=grid.spacing_mm, return_distances=False, return_indices=True
    )
    asked = where[block]
    out[block][asked] = share[block][tuple(places[asked] for places in nearest)]
    return out


def depth_mm(mask: BoolArray, grid: Grid) -> Float32Array:
    """Return how deep each voxel lies inside a set of voxels; beyond the array counts as outside."""
    out = np.zeros(mask.shape, dtype=np.float32)
    if mask.any():
        block = _block(mask, 0.0, grid)
        out[block] = depth_inside(mask[block], grid.spacing_mm)
    return out


def _block(mask: BoolArray, margin_mm: float, grid: Grid) -> tuple[slice, slice, slice]:
    return grid.expand(Region.of(mask).box, margin_mm + max(grid.spacing_mm)).slices


def interpolated(share: Float32Array, source: Grid, target: Grid, where: BoolArray) -> Float32Array:
    """Return shares of one grid in some voxels of another grid of the same scan; 0 in all others."""
    out = np.zeros(target.shape, dtype=np.float32)
    index = source.to_index(target.to_lps(np.argwhere(where))).T
    out[where] = ndimage.map_coordinates(share, index, output=np.float32, order=1, mode="nearest")
    return out


def surface_mm2(share: Float32Array, grid: Grid) -> float:
    """Return the area of the surface of a set of shares: the sum of the length of their gradient."""
    slopes = np.gradient(share, *grid.spacing_mm)
    return float(np.sqrt(sum(slope**2 for slope in slopes)).sum()) * grid.voxel_mm3
