"""Outlines drawn onto the volume's grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cementct.core.arrays import BoolArray, as_floats
from cementct.core.grid import Box, Grid
from cementct.core.threads import each
from cementct.segmentation.vertebrae.embedded.body import BodyOutline
from cementct.segmentation.vertebrae.embedded.box_sum import box_sum

CORNERS = np.array([(a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)], dtype=np.float64)
# Voxels are asked about one by one only in cells of about this size near a surface: a cell whose own corners
# and those of all cells around it lie on one side lies there too, rims of endplates included.
CELL_MM = 2.0
# Corners along each axis of a cell and of the cells next to it.
CELL_REACH = 4


def draw_bodies(
    grid: Grid, outlines: Sequence[BodyOutline]
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return a label array of the grid's shape: 1, 2, … in the order of the outlines."""
    labels = np.zeros(grid.shape, dtype=np.uint8)
    boxes = [block_box(grid, outline) for outline in outlines]
    kept = [n for n, box in enumerate(boxes) if not box.is_empty]
    for n, inside in zip(kept, each(lambda n: voxels_inside(grid, boxes[n], outlines[n]), kept), strict=True):
        part = labels[boxes[n].slices]
        part[inside & (part == 0)] = n + 1
    return labels


def voxels_inside(grid: Grid, box: Box, outline: BodyOutline) -> BoolArray:
    """Return which voxels of a box lie within an outline."""
    step = [max(1, round(CELL_MM / spacing)) for spacing in grid.spacing_mm]
    if max(step) == 1:
        return outline.contains(*local_coordinates(grid, box, outline))
    count = [-(-n // s) for n, s in zip(box.shape, step, strict=True)]
    corners = np.indices([n + 1 for n in count]).reshape(3, -1) * np.array(step)[:, None]
    at_corner = outline.contains(*local_coordinates_at(grid, box, outline, tuple(corners)))
    share = box_sum(at_corner.reshape([n + 1 for n in count]).astype(np.uint16), (CELL_REACH,) * 3)[
        1:, 1:, 1:
    ]
    inside = _spread(share == CELL_REACH**3, step, box)
    near = np.nonzero(_spread((share > 0) & (share < CELL_REACH**3), step, box))
    inside[near] = outline.contains(*local_coordinates_at(grid, box, outline, near))
    return inside


def _spread(cells: BoolArray, step: Sequence[int], box: Box) -> BoolArray:
    """Return the voxels of a box that lie in some cells."""
    for axis, length in enumerate(step):
        cells = cells.repeat(length, axis=axis)
    deep, high, wide = box.shape
    return cells[:deep, :high, :wide]


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
