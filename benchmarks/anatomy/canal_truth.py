"""Where the middle of the spinal canal truly is, slice by slice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cementct.core.arrays import BoolArray, FloatArray, as_floats
from cementct.core.grid import Grid
from cementct.core.image import LabelMap
from cementct.testing.borders import Borders
from cementct.testing.column import ColumnCoordinates, Station

# Laminae are looked for up to this multiple of the canal's measured depth, and not among the wall's rims.
DEEPEST = 1.5
RIM_MM = 3.0
# A slice counts where bone closes this share of the canal's width.
CLOSED_SHARE = 0.85


def canal_of_column(vertebrae: LabelMap, column: Sequence[Station], borders: Borders) -> FloatArray:
    """Return the middle of the canal in the slices where laminae close it behind.

    The canal is what is free of bone behind the walls, between the medial borders of the pedicles and before
    the laminae; between two vertebrae these lengths are interpolated. Between laminae nothing in a label map
    tells how deep it is, and such slices are left out.

    Parameters
    ----------
    vertebrae
        On the scan's grid.
    column
        The vertebrae from top to bottom, two or more.
    borders
        Their lengths.
    """
    at = ColumnCoordinates.on(vertebrae.grid, column)
    depth = at.interpolate(borders.canal_depth_mm)
    bone = np.asarray(vertebrae.labels > 0)
    near = (np.abs(at.left_mm) < at.interpolate(borders.half_canal_mm)) & (at.behind_wall_mm > 0)
    near &= (at.behind_wall_mm < DEEPEST * depth) & (at.place > 0) & (at.place < len(column) - 1)
    laminae = bone & near & (at.behind_wall_mm > RIM_MM)
    closed = np.asarray(laminae.any(axis=1))
    free = near & ~bone & ~np.logical_or.accumulate(laminae, axis=1)
    free &= closed[:, None] | (at.behind_wall_mm < depth)
    columns = np.asarray(near.any(axis=1)).sum(axis=1)
    free &= (closed.sum(axis=1) >= CLOSED_SHARE * np.maximum(columns, 1))[:, None, None]
    points = middle_by_slice(np.asarray(free), vertebrae.grid)
    index = np.round(vertebrae.grid.to_index(points)).astype(np.intp)
    return as_floats(points[~bone[tuple(index.T)]])


def middle_by_slice(mask: BoolArray, grid: Grid) -> FloatArray:
    """Return the centre of a mask's voxels in every slice that holds any, from top to bottom (LPS, mm)."""
    index = [
        (z, *np.argwhere(mask[z]).mean(axis=0)) for z in range(mask.shape[0] - 1, -1, -1) if mask[z].any()
    ]
    return as_floats(grid.to_lps(index)) if index else np.zeros((0, 3))
