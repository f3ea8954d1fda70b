"""One vertebra's bone as a block of intensities: its outline, and the interior that cortex does not blur."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cementct.anatomy.model import Vertebra
from cementct.anatomy.sampling import local_coordinates
from cementct.core.arrays import BoolArray, Float32Array, FloatArray
from cementct.core.distances import TIE_MM, depth_inside, distance_outside
from cementct.core.grid import Box, Grid
from cementct.core.image import NOT_MEASURED_BELOW_HU, Region, Volume

# The block reaches this far beyond the bone, so that what lies outside a broken wall is seen.
MARGIN_MM = 6.0
# Cortex of 0.4–0.8 mm blurred by 1 mm, and an outline right to 0.7 mm, spoil marrow this deep under the
# surface.
CORTEX_REACH_MM = 1.6
# Thick slices and coarse pixels blur further: 1 mm plus this share of their distance.
CORTEX_REACH_PER_VOXEL = 0.6
# Where voxels are coarser than this the outermost layer always holds cortex.
COARSE_MM = 2.2
# The blur of metal and old cement reaches so far.
CLEAR_OF_DENSE_MM = 2.0
# Bone up to here behind the posterior wall is searched for lesion: the pedicles and the base of the arch.
PEDICLE_REACH_MM = 14.0
# Voxels are averaged up to this size: a lesion's border is right to a tenth of that, and finer ones cost
# time.
VOXEL_MM = 0.9
# Old cement and metal: neither marrow nor lesion.
DENSE_HU = 1100.0
# The basivertebral vein runs forwards from the middle of the posterior wall in a channel up to 8 by 7 mm
# wide.
VEIN_HALF_WIDTH_MM = 4.0
VEIN_HALF_HEIGHT_MM = 3.5


@dataclass(frozen=True)
class Bone:
    """A vertebra's bone in one scan.

    Attributes
    ----------
    vertebra
        Its geometry.
    box
        The block of the scan's grid that is covered.
    grid
        The grid of the arrays: the block's own, or a coarser one in the plane.
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
    """Return a vertebra's bone in a scan, averaged in the plane where pixels are finer than is needed.

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
    factor = tuple(max(1, int(VOXEL_MM / spacing + 1e-6)) for spacing in volume.grid.spacing_mm)
    box = _whole_blocks(_needed(body, whole, volume.grid), factor, volume.grid)
    raw = volume.hu[box.slices].astype(np.float32)
    hu, grid = averaged(raw, volume.grid.crop(box), factor)
    unusable, _ = averaged(
        ((raw > DENSE_HU) | (raw <= NOT_MEASURED_BELOW_HU)).astype(np.float32), grid, factor
    )
    in_body = averaged(body.in_box(box).astype(np.float32), grid, factor)[0] >= 0.5
    in_whole = averaged(whole.in_box(box).astype(np.float32), grid, factor)[0] >= 0.5
    left, posterior, superior = local_coordinates(grid, grid.box, vertebra.frame)
    outline = in_body | (in_whole & (posterior < vertebra.depth_mm / 2 + PEDICLE_REACH_MM))
    vein = (np.abs(left) < VEIN_HALF_WIDTH_MM) & (np.abs(superior) < VEIN_HALF_HEIGHT_MM) & (posterior > 0)
    return Bone(
        vertebra=vertebra,
        box=box,
        grid=grid,
        hu=hu,
        body=np.asarray(in_body),
        outline=np.asarray(outline),
        interior=_deep(outline, grid) & _clear(unusable < 0.5, outline, grid),
        vein=np.asarray(vein),
    )


def averaged(array: Float32Array, grid: Grid, factor: tuple[int, ...]) -> tuple[Float32Array, Grid]:
    """Return means over blocks of `factor` voxels along z, y and x, and their grid.

    The shape has to be a multiple of the factor; `grid` is that of the array.
    """
    if max(factor) == 1:
        return array, grid
    z, y, x = (n // f for n, f in zip(array.shape, factor, strict=True))
    fz, fy, fx = factor
    first = grid.to_lps([(f - 1) / 2 for f in factor])
    spacing = (grid.spacing_mm[0] * fz, grid.spacing_mm[1] * fy, grid.spacing_mm[2] * fx)
    origin = (float(first[0]), float(first[1]), float(first[2]))
    means = array.reshape(z, fz, y, fy, x, fx).mean(axis=(1, 3, 5))
    return np.asarray(means, dtype=np.float32), Grid((z, y, x), spacing, origin, grid.direction)


def _needed(body: Region, whole: Region, grid: Grid) -> Box:
    """Return the block around the body, and behind it as far as the pedicles reach."""
    around = grid.expand(body.box, MARGIN_MM)
    behind = grid.expand(body.box, MARGIN_MM + PEDICLE_REACH_MM).intersection(whole.box)
    if behind.is_empty:
        return around
    back = max(around.stop[1], behind.stop[1])
    return Box(around.start, (around.stop[0], back, around.stop[2]))


def _whole_blocks(box: Box, factor: tuple[int, ...], grid: Grid) -> Box:
    """Return the block cut at its far ends, or grown where there is room, to a multiple of the factor."""
    stops = []
    for start, stop, f, n in zip(box.start, box.stop, factor, grid.shape, strict=True):
        count = -(-(stop - start) // f)
        stops.append(start + f * (count if start + f * count <= n else count - 1))
    z, y, x = stops
    return Box(box.start, (z, y, x))


def _deep(outline: BoolArray, grid: Grid) -> BoolArray:
    spacing = np.asarray(grid.spacing_mm)
    reach = np.maximum(1.0 + CORTEX_REACH_PER_VOXEL * spacing, (0.0, CORTEX_REACH_MM, CORTEX_REACH_MM))
    reach = np.where(spacing > COARSE_MM, np.maximum(reach, 1.05 * spacing), reach)
    return np.asarray(depth_inside(outline, np.asarray(grid.spacing_mm) / reach) >= 1.0 - TIE_MM)


def _clear(usable: BoolArray, outline: BoolArray, grid: Grid) -> BoolArray:
    """Return what is free of deposits of metal or old cement and their rim; thin cortex does not count."""
    dense = ~usable & outline
    dense = ndimage.binary_opening(dense, iterations=1)
    if not dense.any():
        return np.ones_like(usable)
    return np.asarray(distance_outside(dense, grid.spacing_mm) > CLEAR_OF_DENSE_MM + TIE_MM)
