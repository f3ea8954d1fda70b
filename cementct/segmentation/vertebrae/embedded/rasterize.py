"""Outlines drawn onto the volume's grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cementct.core.arrays import as_floats
from cementct.core.grid import Box, Grid
from cementct.segmentation.vertebrae.embedded.body import BodyOutline

CORNERS = np.array([(a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)], dtype=np.float64)


def draw_bodies(
    grid: Grid, outlines: Sequence[BodyOutline]
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return a label array of the grid's shape: 1, 2, … in the order of the outlines."""
    labels = np.zeros(grid.shape, dtype=np.uint8)
    for number, outline in enumerate(outlines, start=1):
        box = block_box(grid, outline)
        if box.is_empty:
            continue
        left, back, up = local_coordinates(grid, box, outline)
        inside = outline.contains(left, back, up)
        part = labels[box.slices]
        part[inside & (part == 0)] = number
    return labels


def block_box(grid: Grid, outline: BodyOutline) -> Box:
    """Return the voxels that the outline's block can reach."""
    placement = outline.placed.placement
    reach_up = outline.placed.spacing_mm * 0.62
    corners = placement.to_grid_mm(CORNERS[:, 0] * 32.0, CORNERS[:, 1] * 32.0, CORNERS[:, 2] * reach_up)
    return grid.box_around(corners / as_floats(grid.spacing_mm))


def local_coordinates(
    grid: Grid, box: Box, outline: BodyOutline
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (left, back, up) of the voxels of a box, as float32 arrays of its shape."""
    placement = outline.placed.placement
    axes = [
        (np.arange(box.start[a], box.stop[a]) * grid.spacing_mm[a] - placement.centre_mm[a]).astype(
            np.float32
        )
        for a in range(3)
    ]
    z, y, x = axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :]

    def along(vector: np.ndarray) -> np.ndarray:
        return np.asarray(z * np.float32(vector[0]) + y * np.float32(vector[1]) + x * np.float32(vector[2]))

    return along(placement.left), along(placement.back), along(placement.up)


def local_coordinates_at(
    grid: Grid, box: Box, outline: BodyOutline, voxels: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (left, back, up) of some voxels of a box, given by their indices within it, as float32."""
    placement = outline.placed.placement
    start = as_floats(box.start)
    relative = [
        ((voxels[a] + start[a]) * grid.spacing_mm[a] - placement.centre_mm[a]).astype(np.float32)
        for a in range(3)
    ]

    def along(vector: np.ndarray) -> np.ndarray:
        return np.asarray(
            relative[0] * np.float32(vector[0])
            + relative[1] * np.float32(vector[1])
            + relative[2] * np.float32(vector[2])
        )

    return along(placement.left), along(placement.back), along(placement.up)
