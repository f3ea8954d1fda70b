"""Where the canal runs behind bodies that the user gives by hand."""

from __future__ import annotations

import numpy as np

from cementct.anatomy.hints import GivenAnatomy
from cementct.core.arrays import Float32Array, FloatArray, IntArray, as_floats
from cementct.core.grid import Grid

# From the middle of a body to the middle of the canal: 16 mm at T1, 28 mm at L5.
CANAL_BEHIND_MM = 23.0
# Half the size (along z, y, x) of the block around that place in which the canal is looked for.
CANAL_REACH_MM = (10.0, 7.0, 6.0)
# Gain of what the user says: more than any evidence along a whole spine.
CERTAIN = 50.0
# So much less in front, where a header has front and back exchanged: a tie goes to the back.
OTHER_SIDE = 0.2
# So much less at the block's border: where no canal is seen at all, the track takes its middle.
OFF_CENTRE = 0.6


def given_middles_mm(grid: Grid, given: GivenAnatomy) -> FloatArray | None:
    """Return the middles of the bodies given, (z, y, x) along the grid's axes; None where there are none."""
    middles = [v.middle_lps_mm for v in given.vertebrae]
    known = [to_grid_mm(grid, middle) for middle in middles if middle is not None]
    return np.stack(known) if known else None


def gain_of_given_canals(
    shape: tuple[int, int, int], spacing_mm: FloatArray, middles_mm: FloatArray
) -> Float32Array:
    """Return what a coarse volume gains as canal behind the middles (z, y, x in mm) of the bodies given."""
    gain = np.zeros(shape, dtype=np.float32)
    reach = as_floats(CANAL_REACH_MM)
    for side, amount in ((-1.0, CERTAIN - OTHER_SIDE), (1.0, CERTAIN)):
        for middle in middles_mm:
            canal = middle + as_floats((0.0, side * CANAL_BEHIND_MM, 0.0))
            start, stop = ((canal + sign * reach) / spacing_mm for sign in (-1, 1))
            low, high = _inside(start, shape), _inside(stop, shape) + 1
            rows, columns = (
                ((np.arange(low[axis], high[axis]) * spacing_mm[axis] - canal[axis]) / reach[axis]) ** 2
                for axis in (1, 2)
            )
            own = amount - OFF_CENTRE * (rows[:, None] + columns)
            block = gain[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
            np.maximum(block, own.astype(np.float32), out=block)
    return gain


def to_grid_mm(grid: Grid, point_lps_mm: FloatArray) -> FloatArray:
    """Return a point (LPS) along the grid's axes z, y and x: index times spacing."""
    return np.asarray(grid.to_index(point_lps_mm) * as_floats(grid.spacing_mm))


def _inside(index: FloatArray, shape: tuple[int, int, int]) -> IntArray:
    return np.asarray(np.clip(np.round(index), 0, as_floats(shape) - 1), dtype=np.intp)
