"""Openings in a body's cortex: the basivertebral foramen, and holes that disease has made."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import Float32Array
from cementct.core.grid import Grid
from cementct.testing.column import PlacedVertebra
from cementct.testing.places import BESIDE_SURFACE_MM, across_patch, distance_to_basivertebral_foramen
from cementct.testing.shapes import coverage

# Veins and fat in the basivertebral foramen, and soft tissue in a hole of the cortex, which goes this much
# deeper than the cortex.
FORAMEN_HU = 15.0
DEFECT_HU = 50.0
DEFECT_DEPTH_MM = 0.6


def paint_openings(
    hu: Float32Array, grid: Grid, vertebra: PlacedVertebra, body: Float32Array, *, cortex_mm: float
) -> None:
    """Draw the basivertebral foramen and holes in the cortex; the outline goes straight across both.

    Parameters
    ----------
    hu, grid
        A block of the drawing, changed in place, and its grid.
    vertebra
        With its wear.
    body
        Signed distance to its body on the block.
    cortex_mm
        Thickness of the cortex.
    """
    shape, voxel = vertebra.shape, float(np.mean(grid.spacing_mm))
    near = body < 0.6
    points = grid.to_lps(np.argwhere(near))
    local = vertebra.frame.to_local(points).astype(np.float32)
    at = (local[:, 0], local[:, 1], local[:, 2])
    depth = body[near]
    values = hu[near]
    bone = coverage(depth, voxel)
    if shape.wear.basivertebral_mm:
        cone = distance_to_basivertebral_foramen(
            at, shape.wall_mm, shape.size.depth_mm, shape.wear.basivertebral_mm
        )
        share = coverage(cone, voxel) * bone
        values = values * (1 - share) + FORAMEN_HU * share
    for defect in shape.wear.defects:
        across, before = across_patch(at, shape.measures, defect.place, defect.side)
        radius = np.float32(np.sqrt(defect.area_mm2 / np.pi))
        hole = np.maximum(across - radius, np.abs(before) - np.float32(BESIDE_SURFACE_MM))
        hole = np.maximum(hole, -depth - np.float32(cortex_mm + DEFECT_DEPTH_MM))
        share = coverage(hole, voxel) * bone
        values = values * (1 - share) + DEFECT_HU * share
    hu[near] = values
