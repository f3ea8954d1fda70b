"""One vertebra's bone as a block of intensities: its outline, and the interior that cortex does not blur."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cementct.anatomy.model import Vertebra
from cementct.core.arrays import BoolArray, Float32Array, FloatArray
from cementct.core.grid import Box, Grid
from cementct.core.image import NOT_MEASURED_BELOW_HU, Region, Volume

MARGIN_MM = 6.0
# The block reaches this far beyond the bone, so that what lies outside a broken wall is seen.
CORTEX_REACH_MM = 1.6
# Cortex of 0.4–0.8 mm blurred by 1 mm, and an outline right to 0.7 mm, spoil marrow this deep under the
# surface.
CORTEX_REACH_PER_SLICE = 0.6
# Along the slices' normal the blur is that of the slices: 1 mm plus this share of the slice distance.
PEDICLE_REACH_MM = 14.0
# Bone up to here behind the posterior wall is searched for lesion: the pedicles and the base of the arch.
DENSE_HU = 1100.0
# Old cement and metal: neither marrow nor lesion.
VEIN_HALF_WIDTH_MM = 4.0
VEIN_HALF_HEIGHT_MM = 3.5
# The basivertebral vein runs forwards from the middle of the posterior wall in a channel up to 8 by 7 mm
# wide.


@dataclass(frozen=True)
class Bone:
    """A vertebra's bone in one scan.

    Attributes
    ----------
    vertebra
        Its geometry.
    box, grid
        The block of the scan's grid that the arrays cover, and that block's own grid.
    hu
        Intensities.
    body
        The vertebral body.
    outline
        The bone that is searched: body, pedicles and the base of the arch.
    interior
        The part of it that cortex does not blur, clear of metal and old cement.
    vein
        Where the basivertebral vein runs.
    """

    vertebra: Vertebra
    box: Box
    grid: Grid
    hu: Float32Array
    body: BoolArray
    outline: BoolArray
    interior: BoolArray
    vein: BoolArray

    def local_mm(self) -> FloatArray:
        """Return (left, posterior, superior) coordinates of all voxels, shape (z, y, x, 3)."""
        steps = [np.arange(n, dtype=np.float64) for n in self.grid.shape]
        index = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1)
        return self.vertebra.frame.to_local(self.grid.to_lps(index))


def prepare_bone(
    volume: Volume, vertebra: Vertebra, body: Region | None = None, whole: Region | None = None
) -> Bone:
    """Return a vertebra's bone in a scan.

    Parameters
    ----------
    volume
        The scan.
    vertebra
        The vertebra in that scan.
    body, whole
        Outlines to be used in place of the vertebra's own, on the scan's grid.
    """
    body = vertebra.body if body is None else body
    whole = vertebra.whole if whole is None else whole
    box = volume.grid.expand(body.box.union(_near_body(whole, body, volume.grid)), MARGIN_MM)
    grid = volume.grid.crop(box)
    hu = volume.hu[box.slices].astype(np.float32)
    steps = [np.arange(n, dtype=np.float64) for n in grid.shape]
    index = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1)
    local = vertebra.frame.to_local(grid.to_lps(index))
    left, posterior, superior = local[..., 0], local[..., 1], local[..., 2]
    in_body = body.in_box(box)
    behind = (posterior < vertebra.depth_mm / 2 + PEDICLE_REACH_MM) & whole.in_box(box)
    outline = in_body | behind
    usable = (hu < DENSE_HU) & (hu > NOT_MEASURED_BELOW_HU)
    vein = (np.abs(left) < VEIN_HALF_WIDTH_MM) & (np.abs(superior) < VEIN_HALF_HEIGHT_MM) & (posterior > 0)
    return Bone(
        vertebra=vertebra,
        box=box,
        grid=grid,
        hu=hu,
        body=in_body,
        outline=outline,
        interior=_deep(outline, grid) & _clear(usable, outline, grid),
        vein=np.asarray(vein),
    )


def _near_body(whole: Region, body: Region, grid: Grid) -> Box:
    """Return the part of the whole vertebra's block that pedicles can reach into."""
    return whole.box.intersection(grid.expand(body.box, PEDICLE_REACH_MM))


def _deep(outline: BoolArray, grid: Grid) -> BoolArray:
    slice_mm = grid.spacing_mm[0]
    reach = np.array([1.0 + CORTEX_REACH_PER_SLICE * slice_mm, CORTEX_REACH_MM, CORTEX_REACH_MM])
    padded = np.pad(outline, 1)
    depth = ndimage.distance_transform_edt(padded, sampling=np.asarray(grid.spacing_mm) / reach)
    return np.asarray(depth[1:-1, 1:-1, 1:-1] >= 1.0)


def _clear(usable: BoolArray, outline: BoolArray, grid: Grid) -> BoolArray:
    """Return what is free of deposits of metal or old cement and their rim; thin cortex does not count."""
    dense = ~usable & outline
    dense = ndimage.binary_opening(dense, iterations=1)
    if not dense.any():
        return np.ones_like(usable)
    return np.asarray(ndimage.distance_transform_edt(~dense, sampling=grid.spacing_mm) > 2.0)
