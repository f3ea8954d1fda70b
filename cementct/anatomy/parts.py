"""The pieces of a label map: each vertebra's own, without crumbs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cementct.core.grid import Grid
from cementct.core.image import LabelMap, Region

# A separate piece under this share of a vertebra's largest piece is a crumb of the labelling.
CRUMB_SHARE = 0.04
# What is smaller than this in all is no vertebra, ml.
LEAST_VERTEBRA_ML = 0.5


def clean_regions(labels: LabelMap) -> dict[int, Region]:
    """Return the region of every number without crumbs; numbers that are only crumbs are left out."""
    found = {}
    for number, region in labels.regions().items():
        kept = _without_crumbs(region)
        if kept.count * labels.grid.voxel_ml >= LEAST_VERTEBRA_ML:
            found[number] = kept
    return found


def _without_crumbs(region: Region) -> Region:
    import cc3d

    pieces = cc3d.connected_components(region.voxels.copy(), connectivity=26)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    if np.count_nonzero(sizes) <= 1:
        return region
    keep = sizes >= CRUMB_SHARE * sizes.max()
    keep[0] = False
    return Region(region.box, np.asarray(keep[pieces]))


def thinned(labels: LabelMap, spacing_mm: float) -> LabelMap:
    """Return every so manieth voxel of a label map, as far apart as `spacing_mm` allows."""
    z, y, x = thinning_steps(labels.grid, spacing_mm)
    part = labels.labels[z, y, x]
    a, b, c = (s * step.step for s, step in zip(labels.grid.spacing_mm, (z, y, x), strict=True))
    grid = replace(labels.grid, shape=(part.shape[0], part.shape[1], part.shape[2]), spacing_mm=(a, b, c))
    return LabelMap(part, grid)


def thinning_steps(grid: Grid, spacing_mm: float) -> tuple[slice, slice, slice]:
    """Return every so manieth voxel along z, y, x, as far apart as `spacing_mm` allows."""
    z, y, x = (slice(None, None, max(1, int(spacing_mm // s))) for s in grid.spacing_mm)
    return z, y, x
