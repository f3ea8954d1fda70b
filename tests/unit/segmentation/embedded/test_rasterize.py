"""Bodies drawn cell by cell are those that asking about every voxel gives."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from cementct.core.grid import Grid
from cementct.segmentation.vertebrae.embedded.block import Placement
from cementct.segmentation.vertebrae.embedded.body import BodyOutline
from cementct.segmentation.vertebrae.embedded.rasterize import block_box, local_coordinates, voxels_inside


def tilted_disc(tilt_deg: float) -> BodyOutline:
    """Return something with sharp rims: a cylinder 10 mm tall with a notch."""
    sine, cosine = np.sin(np.radians(tilt_deg)), np.cos(np.radians(tilt_deg))
    up, back = np.array([cosine, sine, 0.0]), np.array([-sine, cosine, 0.0])
    placement = Placement(np.array([35.0, 35.0, 35.0]), np.array([0.0, 0.0, 1.0]), back, up)

    def contains(left: np.ndarray, back: np.ndarray, up: np.ndarray) -> np.ndarray:
        inside = (np.hypot(left, back) <= 18) & (np.abs(up) <= 5)
        return np.asarray(inside & ~((back > 12) & (np.abs(left) < 5)))

    shape = SimpleNamespace(placed=SimpleNamespace(placement=placement, spacing_mm=25.0), contains=contains)
    return cast("BodyOutline", shape)


@pytest.mark.parametrize("spacing", [(1.0, 0.6, 0.6), (0.5, 0.3, 0.3), (3.0, 0.5, 0.5), (2.5, 2.5, 2.5)])
@pytest.mark.parametrize("tilt_deg", [0.0, 23.0])
def test_cells_leave_out_no_voxel(spacing: tuple[float, float, float], tilt_deg: float) -> None:
    z, y, x = (round(70 / s) for s in spacing)
    grid = Grid((z, y, x), spacing, (0.0, 0.0, 0.0))
    outline = tilted_disc(tilt_deg)
    box = block_box(grid, outline)
    one_by_one = outline.contains(*local_coordinates(grid, box, outline))
    assert one_by_one.any()
    assert np.array_equal(voxels_inside(grid, box, outline), one_by_one)
