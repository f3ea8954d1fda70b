"""Where the middle of the spinal canal truly is, slice by slice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cementct.core.arrays import BoolArray, FloatArray, as_floats
from cementct.core.grid import Grid
from cementct.core.image import LabelMap
from cementct.testing.borders import Borders
from cementct.testing.column import ColumnCoordinates, Station


def canal_of_column(vertebrae: LabelMap, column: Sequence[Station], borders: Borders) -> FloatArray:
    """Return the middle of the canal in every slice.

    The canal is what is free of bone behind the walls, between the medial borders of the pedicles and before
    the laminae; between two vertebrae these lengths are interpolated.

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
    free = vertebrae.labels == 0
    free &= np.abs(at.left_mm) < at.interpolate(borders.half_canal_mm)
    free &= (at.behind_wall_mm > 0) & (at.behind_wall_mm < at.interpolate(borders.canal_depth_mm))
    free &= (at.place > 0) & (at.place < len(column) - 1)
    return middle_by_slice(np.asarray(free), vertebrae.grid)


def middle_by_slice(mask: BoolArray, grid: Grid) -> FloatArray:
    """Return the centre of a mask's voxels in every slice that holds any, from top to bottom (LPS, mm)."""
    index = [
        (z, *np.argwhere(mask[z]).mean(axis=0)) for z in range(mask.shape[0] - 1, -1, -1) if mask[z].any()
    ]
    return as_floats(grid.to_lps(index)) if index else np.zeros((0, 3))
