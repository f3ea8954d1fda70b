"""Stents and cages: hollow bodies of thin bright struts, where cement is solid."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import BoolArray, HuArray
from cementct.core.distances import depth_inside, within
from cementct.core.grid import Box, Grid
from cementct.core.morphology import bounds_of, dilate_box, erode_box

# Struts are over this level, and where they are thickest so bright as no cement of that thickness is.
STRUT_ABOVE_HU = 1300.0
BRIGHT_STRUT_HU = 2300.0
BRIGHT_SHARE = 0.05
# Struts are thinner than this, blur included; what is thicker is cement or a shaft.
STRUT_MM = 4.2
# Struts and rings of one body lie so near to each other that this closes its wall.
HALF_GAP_MM = 3.4
# Its lumen, what is left inside the wall once it is closed, is so large and goes on over such a length.
LUMEN_ML = 0.12
LUMEN_LENGTH_MM = 10.0
# It is so large beside the struts, which are nowhere deeper than this (or than a voxel): fingers of cement in
# marrow enclose little and hang on something thick.
LUMEN_PER_STRUT = 0.25
DEEPEST_MM = 1.7
# The lumen holds blood, contrast or marrow.
LUMEN_BELOW_HU = 600.0
# Larger than this it is no stent but a field full of metal, in millimetres.
LONGEST_MM = 260.0


def find_lattices(hu: HuArray, grid: Grid, *, taken: BoolArray) -> BoolArray:
    """Return the struts of stents and cages, shape of the block.

    Parameters
    ----------
    hu, grid
        The block of CT.
    taken
        Metal that was found already.
    """
    import cc3d

    found = np.zeros(hu.shape, dtype=np.bool_)
    struts = _thin(np.asarray(hu > STRUT_ABOVE_HU) & ~taken, grid)
    bounds = bounds_of(struts)
    if bounds is None:
        return found
    box = grid.expand(Box.of(bounds), HALF_GAP_MM + 2.0)
    near = _wall(struts[box.slices], grid)
    labels, count = cc3d.connected_components(near, connectivity=6, return_N=True)
    for number, block in enumerate(cc3d.statistics(labels)["bounding_boxes"][: count + 1]):
        if number == 0:
            continue
        part = Box.of(block)
        wall = np.asarray(labels[block] == number)
        own = struts[box.slices][block] & wall
        if _is_hollow(hu[box.slices][block], wall, own, grid, part):
            found[box.slices][block] |= own
    return found


def _thin(bright: BoolArray, grid: Grid) -> BoolArray:
    """Return what of a mask is thinner than `STRUT_MM`."""
    size = [max(1, round(STRUT_MM / s)) for s in grid.spacing_mm]
    size = [n + 1 - n % 2 for n in size]
    window = bounds_of(bright)
    thin = bright.copy()
    if window is not None:
        thin[window] &= ~dilate_box(erode_box(bright[window], size), [n + 2 for n in size])
    return thin


def _wall(struts: BoolArray, grid: Grid) -> BoolArray:
    """Return everything within `HALF_GAP_MM` of struts."""
    return within(struts, HALF_GAP_MM, grid.spacing_mm)


def _is_hollow(hu: HuArray, wall: BoolArray, struts: BoolArray, grid: Grid, box: Box) -> bool:
    """Tell whether struts of one body enclose a lumen over some length, along any axis."""
    from scipy import ndimage

    if max(n * s for n, s in zip(box.shape, grid.spacing_mm, strict=True)) > LONGEST_MM:
        return False
    if float(np.mean(hu[struts] > BRIGHT_STRUT_HU)) < BRIGHT_SHARE:
        return False
    depth_mm = float(depth_inside((hu > STRUT_ABOVE_HU) & wall, grid.spacing_mm).max(initial=0.0))
    if depth_mm > max(DEEPEST_MM, *grid.spacing_mm):
        return False
    least_ml = max(LUMEN_ML, LUMEN_PER_STRUT * np.count_nonzero(struts) * grid.voxel_ml)
    for axis in range(3):
        lumen = np.stack([ndimage.binary_fill_holes(plane) & ~plane for plane in np.moveaxis(wall, axis, 0)])
        lumen &= np.moveaxis(hu, axis, 0) < LUMEN_BELOW_HU
        length = np.count_nonzero(lumen.any(axis=(1, 2))) * grid.spacing_mm[axis]
        if length >= LUMEN_LENGTH_MM and np.count_nonzero(lumen) * grid.voxel_ml >= least_ml:
            return True
    return False
