"""Where the middle of the spinal canal truly is, slice by slice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cementct.core.arrays import BoolArray, FloatArray, as_floats
from cementct.core.grid import Grid
from cementct.testing.column import ColumnCoordinates, Station

# Voxels so near to the middle of the canal are averaged to its place, mm.
NEAR_MM = 3.0


def canal_of_column(grid: Grid, column: Sequence[Station], depths_mm: Sequence[float]) -> FloatArray:
    """Return the middle of the canal in every slice: midsagittal, half its depth behind the wall.

    Parameters
    ----------
    grid
        Of the scan.
    column
        Vertebrae from top to bottom, two or more.
    depths_mm
        Depth of the canal at each of them.
    """
    at = ColumnCoordinates.on(grid, column)
    off = at.left_mm**2 + (at.behind_wall_mm - at.interpolate([d / 2 for d in depths_mm])) ** 2
    between = (at.place > 0) & (at.place < len(column) - 1)
    return middle_by_slice(np.asarray((off < NEAR_MM**2) & between), grid)


def middle_by_slice(mask: BoolArray, grid: Grid) -> FloatArray:
    """Return the centre of a mask's voxels in every slice that holds any, from top to bottom (LPS, mm)."""
    index = [
        (z, *np.argwhere(mask[z]).mean(axis=0)) for z in range(mask.shape[0] - 1, -1, -1) if mask[z].any()
    ]
    return as_floats(grid.to_lps(index)) if index else np.zeros((0, 3))
