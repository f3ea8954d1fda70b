"""Bone seen from a vertebra: masks sampled on a block that stands square in the vertebra's own frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cementct.anatomy.affine import sample_affine
from cementct.core.arrays import BoolArray, Float32Array, FloatArray, as_floats
from cementct.core.frame import Frame
from cementct.core.grid import Box, Grid
from cementct.core.image import Region

# Share of bone at which the surface of a mask lies: midway between a voxel inside and its neighbour outside.
SURFACE = 0.5


@dataclass(frozen=True)
class Block:
    """The share of bone at regular positions of a vertebra's frame.

    Attributes
    ----------
    frame
        The frame the positions refer to.
    left_mm, posterior_mm, superior_mm
        Rising sample positions along the three axes.
    bone
        Share of bone, 0 to 1, shape (left, posterior, superior).
    """

    frame: Frame
    left_mm: FloatArray
    posterior_mm: FloatArray
    superior_mm: FloatArray
    bone: Float32Array

    @property
    def step_mm(self) -> float:
        """Distance between neighbouring samples."""
        return float(self.left_mm[1] - self.left_mm[0])

    def lps(self, left: float, posterior: float, superior: float) -> FloatArray:
        """Return the LPS position of a point of the frame."""
        return self.frame.to_lps((left, posterior, superior))


def span(first_mm: float, last_mm: float, step_mm: float) -> FloatArray:
    """Return regular positions from `first_mm` to `last_mm`, multiples of the step."""
    return np.arange(np.floor(first_mm / step_mm), np.ceil(last_mm / step_mm) + 1) * step_mm


@dataclass(frozen=True)
class Extent:
    """How far a block reaches from its frame's centre, each a pair (first, last) in millimetres."""

    left: tuple[float, float]
    posterior: tuple[float, float]
    superior: tuple[float, float]

    def corners(self) -> FloatArray:
        """Return the eight corners, shape (8, 3)."""
        return as_floats([(u, v, w) for u in self.left for v in self.posterior for w in self.superior])


def box_of_extent(grid: Grid, frame: Frame, extent: Extent) -> Box:
    """Return the block of voxels around an extent, cut at the grid's edge."""
    return grid.box_around(grid.to_index(frame.to_lps(extent.corners())))


def sample_block(
    bone: BoolArray,
    box: Box,
    grid: Grid,
    frame: Frame,
    *,
    extent: Extent,
    step_mm: float,
    heights_mm: tuple[float, float] = (-np.inf, np.inf),
) -> Block:
    """Sample voxels linearly on a block in a vertebra's frame.

    Parameters
    ----------
    bone
        Voxels inside, shape of `box`; what lies beyond the box counts as outside.
    box
        The block of `grid` that they cover.
    grid
        The grid of the volume.
    frame, extent, step_mm
        Where to sample, and how densely.
    heights_mm
        Superior coordinates between which to look; what lies beyond counts as outside.
    """
    axes = [span(*reach, step_mm) for reach in (extent.left, extent.posterior, extent.superior)]
    left, posterior, superior = axes
    out = np.zeros([axis.size for axis in axes], dtype=np.float32)
    block = Block(frame, left, posterior, superior, out)
    needed = box_of_extent(grid, frame, extent).intersection(box)
    if needed.is_empty:
        return block
    low, high = _reach_of_box(grid, needed, frame)
    low[2], high[2] = max(low[2], heights_mm[0]), min(high[2], heights_mm[1])
    parts = [
        slice(int(np.searchsorted(axis, a, side="left")), int(np.searchsorted(axis, b, side="right")))
        for axis, a, b in zip(axes, low, high, strict=True)
    ]
    shape = [part.stop - part.start for part in parts]
    if min(shape) <= 0:
        return block
    voxels = np.pad(bone[needed.within(box)].view(np.uint8), 1)
    to_index = as_floats(grid.direction) @ frame.axes.T / as_floats(grid.spacing_mm)[:, None]
    corner = frame.to_lps([axis[part.start] for axis, part in zip(axes, parts, strict=True)])
    first = grid.to_index(corner) - needed.start + 1
    out[tuple(parts)] = sample_affine(
        voxels, to_index * step_mm, first, (shape[0], shape[1], shape[2]), outside=0
    )
    return block


def _reach_of_box(grid: Grid, box: Box, frame: Frame) -> tuple[FloatArray, FloatArray]:
    """Return the least and greatest coordinates in a frame of a block and a voxel around it."""
    ends = (as_floats(box.start) - 1, as_floats(box.stop))
    corners = as_floats([(a[0], b[1], c[2]) for a in ends for b in ends for c in ends])
    local = frame.to_local(grid.to_lps(corners))
    return local.min(axis=0), local.max(axis=0)


def sample_region(
    region: Region,
    grid: Grid,
    frame: Frame,
    *,
    extent: Extent,
    step_mm: float,
    heights_mm: tuple[float, float] = (-np.inf, np.inf),
) -> Block:
    """Sample a region on a block in a vertebra's frame."""
    return sample_block(
        region.voxels, region.box, grid, frame, extent=extent, step_mm=step_mm, heights_mm=heights_mm
    )


def first_surface(bone: NDArray[np.float32], positions_mm: FloatArray) -> FloatArray:
    """Return where a march along the last axis first meets bone, to a fraction of a step; NaN where never.

    Parameters
    ----------
    bone
        Share of bone, the last axis in the order of the march.
    positions_mm
        Coordinate of each step, in the same order.
    """
    if bone.shape[-1] == 0:
        return np.full(bone.shape[:-1], np.nan)
    inside = bone >= SURFACE
    index = inside.argmax(axis=-1)
    before = np.maximum(index - 1, 0)
    high = np.take_along_axis(bone, index[..., None], -1)[..., 0]
    low = np.take_along_axis(bone, before[..., None], -1)[..., 0]
    share = np.where(high > low, (SURFACE - low) / np.where(high > low, high - low, 1.0), 1.0)
    share = np.where(index == 0, 0.0, share)
    where = positions_mm[before] + share * (positions_mm[index] - positions_mm[before])
    return np.where(inside.any(axis=-1), where, np.nan)


def local_coordinates(grid: Grid, box: Box, frame: Frame) -> tuple[Float32Array, Float32Array, Float32Array]:
    """Return the (left, posterior, superior) coordinates of every voxel of a box, each of the box's shape."""
    start = frame.to_local(grid.to_lps(box.start))
    steps = frame.axes @ (as_floats(grid.direction) * as_floats(grid.spacing_mm)[:, None]).T
    out = []
    for first, along in zip(start, steps, strict=True):
        z, y, x = (np.arange(n) * step for n, step in zip(box.shape, along, strict=True))
        plane = (first + z[:, None] + y[None, :]).astype(np.float32)
        out.append(plane[:, :, None] + x.astype(np.float32))
    return out[0], out[1], out[2]
