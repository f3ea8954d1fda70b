"""Metal that is no shaft: what hangs on screws, and what is too bright for any cement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cementct.core.arrays import BoolArray, HuArray
from cementct.core.grid import Grid
from cementct.core.morphology import places_of
from cementct.segmentation.metal.rods import Rod

# Rods and plates hang together with the heads of screws above this level; it lies over bone.
HARDWARE_ABOVE_HU = 1600.0
# They lie behind the shafts: from this far before the outer end of the shaft on.
BEFORE_HEAD_MM = 4.0
# No cement is so bright (45 % ZrO2 at 60 keV reaches 6400 HU, clinical.md); metal that has such voxels is as
# bright as this around them.
BRIGHTER_THAN_CEMENT_HU = 7500.0
FLANK_ABOVE_HU = 4000.0


def hanging_on(hu: HuArray, grid: Grid, screws: Sequence[Rod]) -> BoolArray:
    """Return the heads, rods and plates that hang together with the outer ends of screws.

    Parameters
    ----------
    hu, grid
        The block of CT.
    screws
        Its screws.
    """
    found = np.zeros(hu.shape, dtype=np.bool_)
    if not screws:
        return found
    import cc3d

    index = places_of(np.asarray(hu > HARDWARE_ABOVE_HU))
    points = grid.to_lps(index)
    # Behind the head of the nearest screw, along that screw's own axis.
    heads = np.stack([s.outer_mm for s in screws])
    nearest = np.argmin(np.linalg.norm(points[:, None] - heads[None], axis=2), axis=1)
    ways = np.stack([s.outwards for s in screws])[nearest]
    along = np.sum((points - heads[nearest]) * ways, axis=1)
    behind = np.zeros(hu.shape, dtype=np.bool_)
    behind[tuple(index[along > -BEFORE_HEAD_MM].T)] = True
    labels = cc3d.connected_components(behind, connectivity=26)
    for screw in screws:
        near = np.linalg.norm(points - screw.outer_mm, axis=1) < BEFORE_HEAD_MM + screw.radius_mm
        numbers = np.unique(labels[tuple(index[near].T)])
        found |= np.isin(labels, numbers[numbers > 0])
    return found


def beyond_cement(hu: HuArray) -> BoolArray:
    """Return what is brighter than any cement, and the bright flanks that hang together with it."""
    if float(hu.max()) <= BRIGHTER_THAN_CEMENT_HU:
        return np.zeros(hu.shape, dtype=np.bool_)
    import cc3d

    labels = cc3d.connected_components(np.asarray(hu > FLANK_ABOVE_HU), connectivity=26)
    numbers = np.unique(labels[hu > BRIGHTER_THAN_CEMENT_HU])
    return np.asarray(np.isin(labels, numbers[numbers > 0]))
