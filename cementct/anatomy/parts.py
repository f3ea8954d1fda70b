"""The pieces of a label map: each vertebra's own, without crumbs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cementct.anatomy.labels import SpineLabels
from cementct.core.arrays import BoolArray, LabelArray
from cementct.core.grid import Box, Grid, IndexTriple
from cementct.core.image import LabelMap, Region

# A separate piece under this share of a vertebra's largest piece is a crumb of the labelling.
CRUMB_SHARE = 0.04
# What is smaller than this in all is no vertebra, ml.
LEAST_VERTEBRA_ML = 0.5


@dataclass(frozen=True)
class Pieces:
    """What is labelled of a spine, vertebra by vertebra.

    Attributes
    ----------
    grid
        Where the voxels lie.
    labels
        Numbers of the vertebrae, shape of the grid.
    canal
        The canal, shape of the grid, where an engine found it.
    whole, bodies
        The vertebrae, and their bodies where an engine outlined them, without crumbs, by number.
    """

    grid: Grid
    labels: LabelArray
    canal: BoolArray | None
    whole: dict[int, Region]
    bodies: dict[int, Region]

    @classmethod
    def of(cls, labels: SpineLabels) -> Pieces:
        """Return the pieces of labelled vertebrae."""
        return cls(
            grid=labels.vertebrae.grid,
            labels=labels.vertebrae.labels,
            canal=None if labels.canal is None else labels.canal.voxels,
            whole=clean_regions(labels.vertebrae),
            bodies={} if labels.bodies is None else clean_regions(labels.bodies),
        )

    def thinned(self, spacing_mm: float) -> Pieces:
        """Return every so manieth voxel of everything, as far apart as `spacing_mm` allows."""
        z, y, x = (max(1, int(spacing_mm // s)) for s in self.grid.spacing_mm)
        labels = self.labels[::z, ::y, ::x]
        a, b, c = (s * step for s, step in zip(self.grid.spacing_mm, (z, y, x), strict=True))
        shape = (labels.shape[0], labels.shape[1], labels.shape[2])
        whole, bodies = (
            {n: thin for n, region in regions.items() if not (thin := _thinned(region, (z, y, x))).is_empty}
            for regions in (self.whole, self.bodies)
        )
        return Pieces(
            grid=replace(self.grid, shape=shape, spacing_mm=(a, b, c)),
            labels=labels,
            canal=None if self.canal is None else self.canal[::z, ::y, ::x],
            whole=whole,
            bodies=bodies,
        )


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

    pieces, count = cc3d.connected_components(region.voxels.copy(), connectivity=26, return_N=True)
    if count <= 1:
        return region
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    keep = sizes >= CRUMB_SHARE * sizes.max()
    keep[0] = False
    return Region(region.box, np.asarray(keep[pieces]))


def _thinned(region: Region, steps: IndexTriple) -> Region:
    first = [-(-start // step) for start, step in zip(region.box.start, steps, strict=True)]
    z, y, x = (
        slice(begin * step - start, None, step)
        for begin, start, step in zip(first, region.box.start, steps, strict=True)
    )
    voxels = region.voxels[z, y, x]
    a, b, c = (begin + n for begin, n in zip(first, voxels.shape, strict=True))
    return Region(Box((first[0], first[1], first[2]), (a, b, c)), voxels)
