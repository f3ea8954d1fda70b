"""Regions and intensities of one scan, carried over onto the other scan's grid by a registration."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cementct.core.arrays import BoolArray, Float32Array, FloatArray
from cementct.core.grid import Box, Grid
from cementct.core.image import NOT_MEASURED_BELOW_HU, Region, Volume
from cementct.core.smoothing import TRUNCATE, blurred_along_z
from cementct.segmentation.model import Registration

# Per axis and voxel when shares are carried over; a straight edge is then right to 2 % of a voxel.
SUBSAMPLES = 3


def carry_region(region: Region, pre_grid: Grid, registration: Registration, post_grid: Grid) -> Region:
    """Return a region of the pre-injection grid as it lies on the post-injection grid.

    A voxel belongs to the result where at least half of it does.
    """
    if region.box.is_empty:
        return region
    share = region.voxels.astype(np.float32)
    box, carried = carry_share(share, pre_grid.crop(region.box), registration, post_grid)
    return Region(box, carried >= 0.5)


def carry_region_back(region: Region, post_grid: Grid, registration: Registration, pre_grid: Grid) -> Region:
    """Return a region of the post-injection grid as it lay on the pre-injection grid."""
    return carry_region(region, post_grid, inverse(registration), pre_grid)


def carry_share(
    share: Float32Array, pre_grid: Grid, registration: Registration, post_grid: Grid
) -> tuple[Box, Float32Array]:
    """Return shares of voxels (0 to 1) of the pre-injection scan on the post-injection grid.

    Parameters
    ----------
    share
        Share of each voxel; 0 is assumed beyond.
    pre_grid
        Grid of the shares.
    registration
        Between the two scans.
    post_grid
        The post-injection grid.

    Returns
    -------
    tuple
        A block of the post-injection grid and the shares in it, averaged over `SUBSAMPLES` points per axis.
    """
    empty = Box((0, 0, 0), (0, 0, 0))
    if not share.any():
        return empty, np.zeros(empty.shape, dtype=np.float32)
    filled = np.argwhere(share > 0)
    landed = post_grid.to_index(registration.to_post(pre_grid.to_lps(filled)))
    target = post_grid.box_around(landed, max(pre_grid.spacing_mm))
    if target.is_empty:
        return empty, np.zeros(empty.shape, dtype=np.float32)
    padded = np.pad(share.astype(np.float32), 1)
    offsets = (np.arange(SUBSAMPLES) + 0.5) / SUBSAMPLES - 0.5
    total = np.zeros(target.shape, dtype=np.float32)
    middle = _source_of(target.start, (pre_grid, post_grid), registration) + 1
    step = _index_step((pre_grid, post_grid), registration)
    for shift in np.stack(np.meshgrid(offsets, offsets, offsets, indexing="ij"), axis=-1).reshape(-1, 3):
        total += ndimage.affine_transform(
            padded,
            step.T,
            middle + shift @ step,
            output_shape=target.shape,
            output=np.float32,
            order=1,
            mode="constant",
            cval=0.0,
        )
    return target, np.asarray(total / SUBSAMPLES**3, dtype=np.float32)


def carry_hu(
    pre: Volume,
    registration: Registration,
    post_grid: Grid,
    box: Box,
    where: BoolArray,
    *,
    blur_mm: float = 0.0,
) -> Float32Array:
    """Return pre-injection intensities at some voxels of a block of the post-injection grid.

    Parameters
    ----------
    pre
        The pre-injection scan.
    registration
        Between the two scans.
    post_grid, box
        The post-injection grid, and a block of it.
    where
        The voxels of the block that are wanted.
    blur_mm
        Standard deviation of the Gaussian along the pre-injection z that takes away what thicker slices do
        not show; 0: none.

    Returns
    -------
    ndarray
        One value a wanted voxel, NaN where there is none.
    """
    step = _index_step((pre.grid, post_grid), registration)
    first = _source_of(box.start, (pre.grid, post_grid), registration)
    flat = np.argwhere(where).astype(np.float64) @ step + first
    reach_mm = max(2.0 * max(pre.grid.spacing_mm), TRUNCATE * blur_mm)
    needed = pre.grid.box_around(flat, reach_mm) if len(flat) else box
    inside = np.all((flat >= -0.5) & (flat <= np.asarray(pre.grid.shape) - 0.5), axis=1)
    out = np.full(len(flat), np.nan, dtype=np.float32)
    if needed.is_empty or not inside.any():
        return out
    crop = pre.hu[needed.slices].astype(np.float32)
    measured = crop > NOT_MEASURED_BELOW_HU
    if blur_mm > 0.0:
        crop = blurred_along_z(crop, blur_mm / pre.grid.spacing_mm[0])
    local = (flat[inside] - needed.start).T
    values = ndimage.map_coordinates(crop, local, output=np.float32, order=1, mode="nearest")
    if not measured.all():
        known = ndimage.map_coordinates(measured.astype(np.float32), local, order=1, mode="nearest") > 0.999
        values[~known] = np.nan
    out[inside] = values
    return out


def inverse(registration: Registration) -> Registration:
    """Return the movement from the post- to the pre-injection scan."""
    back = registration.rotation.T
    return Registration(
        rotation=back,
        translation_mm=-back @ registration.translation_mm,
        ok=registration.ok,
        residual_mm=registration.residual_mm,
        pre_number=None,
        similarity=registration.similarity,
    )


def _source_of(
    index_zyx: tuple[int, int, int], grids: tuple[Grid, Grid], registration: Registration
) -> FloatArray:
    """Return the pre-injection index of a voxel of the post-injection grid."""
    pre_grid, post_grid = grids
    return pre_grid.to_index(registration.to_pre(post_grid.to_lps(index_zyx)))


def _index_step(grids: tuple[Grid, Grid], registration: Registration) -> FloatArray:
    """Return how the pre-injection index changes with one voxel along each post-injection axis, one a row."""
    pre_grid, post_grid = grids
    corners = np.concatenate([np.zeros((1, 3)), np.eye(3)])
    index = pre_grid.to_index(registration.to_pre(post_grid.to_lps(corners)))
    return np.asarray(index[1:] - index[0], dtype=np.float64)
