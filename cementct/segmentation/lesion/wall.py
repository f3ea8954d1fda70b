"""Whether a lesion destroys the posterior wall or comes within 1 mm of it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cementct.anatomy.model import Vertebra
from cementct.core.arrays import BoolArray
from cementct.core.distances import distance_outside
from cementct.core.grid import Grid

# Definition of the report: within 1 mm of the wall over 10 mm² or more.
NEAR_MM = 1.0
LEAST_AREA_MM2 = 10.0
# Share of a voxel by which a distance between voxel centres overstates that between surfaces.
VOXEL_TOLERANCE = 0.5


def involves_posterior_wall(lesion: BoolArray, grid: Grid, vertebra: Vertebra) -> bool:
    """Tell whether a lesion takes part of the posterior wall.

    Parameters
    ----------
    lesion
        Its voxels on `grid`.
    grid
        A block of the scan the vertebra was described in.
    vertebra
        The vertebra with its posterior wall.
    """
    return wall_area_mm2(lesion, grid, vertebra) >= LEAST_AREA_MM2


def wall_area_mm2(lesion: BoolArray, grid: Grid, vertebra: Vertebra) -> float:
    """Return the area of the posterior wall within `NEAR_MM` of a lesion."""
    wall = vertebra.posterior_wall
    if not lesion.any() or wall.first_mm.size < 2 or wall.second_mm.size < 2:
        return 0.0
    left, superior = np.meshgrid(wall.first_mm, wall.second_mm, indexing="ij")
    exists = ~np.isnan(wall.height_mm)
    local = np.stack([left[exists], wall.height_mm[exists], superior[exists]], axis=-1)
    index = grid.to_index(vertebra.frame.to_lps(local))
    inside = np.all((index >= -0.5) & (index <= np.asarray(grid.shape) - 0.5), axis=1)
    if not inside.any():
        return 0.0
    away = distance_outside(lesion, grid.spacing_mm)
    distance = ndimage.map_coordinates(away, index[inside].T, order=1, mode="nearest")
    tolerance = VOXEL_TOLERANCE * grid.spacing_mm[1]
    cell = float(np.median(np.diff(wall.first_mm)) * np.median(np.diff(wall.second_mm)))
    return float(np.count_nonzero(distance <= NEAR_MM + tolerance)) * cell
