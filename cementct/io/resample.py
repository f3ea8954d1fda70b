"""Label maps carried onto another grid by nearest neighbour."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import LabelArray
from cementct.core.errors import StudyRefused
from cementct.core.grid import Grid
from cementct.core.image import LabelMap


def resample_labels(label_map: LabelMap, grid: Grid) -> LabelMap:
    """Return `label_map` on `grid`: each voxel takes the label whose voxel its centre lies in.

    Exact where both grids are the same. Voxels beyond the label map are background.

    Parameters
    ----------
    label_map
        Labels on any grid.
    grid
        The grid to carry them to.
    """
    own = label_map.grid
    if own.is_close(grid):
        return LabelMap(label_map.labels, grid)
    labels: LabelArray = np.zeros(grid.shape, dtype=label_map.labels.dtype)
    change = np.linalg.inv(own.affine_lps) @ grid.affine_lps
    if np.abs(change[:3, :3] - np.diag(np.diag(change[:3, :3]))).max() < 1e-9:
        z, y, x = (
            np.floor(change[i, i] * np.arange(grid.shape[i]) + change[i, 3] + 0.5).astype(np.intp)
            for i in range(3)
        )
        inside = [(index >= 0) & (index < size) for index, size in zip((z, y, x), own.shape, strict=True)]
        labels[np.ix_(*inside)] = label_map.labels[np.ix_(z[inside[0]], y[inside[1]], x[inside[2]])]
        return LabelMap(labels, grid)
    _resample_turned(label_map, labels, change)
    return LabelMap(labels, grid)


def check_overlap(label_map: LabelMap, grid: Grid, name: str) -> None:
    """Refuse a label map that lies wholly outside `grid`: its geometry belongs to another volume.

    Raises
    ------
    StudyRefused
        Where no voxel of the map's grid lies in `grid`.
    """
    corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in label_map.grid.shape])).reshape(3, -1).T
    index = grid.to_index(label_map.grid.to_lps(corners))
    if np.any(index.max(axis=0) < -0.5) or np.any(index.min(axis=0) > np.asarray(grid.shape) - 0.5):
        raise StudyRefused(
            f"{name}: expected labels that lie in the post-injection volume, they lie elsewhere"
        )


def _resample_turned(
    label_map: LabelMap, labels: LabelArray, change: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> None:
    """Fill `labels` where the grids are turned; `change` takes its indices to the map's."""
    depth, height, width = labels.shape
    y, x = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    shape = label_map.labels.shape
    for z in range(depth):
        index = [
            np.floor(change[i, 0] * z + change[i, 1] * y + change[i, 2] * x + change[i, 3] + 0.5).astype(
                np.intp
            )
            for i in range(3)
        ]
        inside = np.logical_and.reduce([(index[i] >= 0) & (index[i] < shape[i]) for i in range(3)])
        if inside.any():
            labels[z][inside] = label_map.labels[index[0][inside], index[1][inside], index[2][inside]]
