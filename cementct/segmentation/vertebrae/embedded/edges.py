"""Edges of bone in a vertebra's block, with those of cement taken out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.image import NOT_MEASURED_BELOW_HU
from cementct.segmentation.vertebrae.embedded.block import VertebraBlock

DARKEST_HU = -50.0
BRIGHTEST_HU = 550.0
# Fat, lung and gas outside bone count alike; so do cortex, cement and metal.
CEMENT_HU = 950.0
# Smoothed intensities above this are cement, metal or the densest cortex. Edges there are not a body's wall.
CEMENT_BORDER_HU = 950.0
# What is this bright and hangs together with it is its border, blurred by thick slices, or a thin part of it.
CEMENT_REACH_MM = 2.5
# So far from cement its own edge and its blur drown the bone's.
SMALLEST_CEMENT_MM3 = 60.0
# Smaller dense pieces are cortex seen on thin slices with a sharp kernel.
STRONG_EDGE_HU = 220.0
# An edge of this height over 2 mm is as good as any.
SMOOTHING_MM = 0.8
SMOOTHING_PER_SLICE = 0.45
# Standard deviation of the smoothing; along thick slices in shares of their distance, or the steepest place
# between two slices would be anywhere between them.


@dataclass(frozen=True)
class BlockEdges:
    """What the search for surfaces needs of a vertebra's block.

    Attributes
    ----------
    block
        Intensities.
    smoothed
        Clipped and slightly smoothed intensities.
    dense
        What lies at or next to cement or metal.
    """

    block: VertebraBlock
    smoothed: Float32Array
    dense: BoolArray


def prepare_edges(block: VertebraBlock) -> BlockEdges:
    """Return the block with what the search for surfaces needs."""
    return BlockEdges(block, smoothed_hu(block), find_dense(block))


def smoothed_hu(block: VertebraBlock) -> Float32Array:
    """Return clipped, slightly smoothed intensities; soft tissue where nothing was measured."""
    from scipy import ndimage

    measured = block.hu > NOT_MEASURED_BELOW_HU
    filled = np.where(measured, np.clip(block.hu, DARKEST_HU, BRIGHTEST_HU), np.float32(40.0))
    width = np.maximum(SMOOTHING_MM, SMOOTHING_PER_SLICE * block.spacing_mm)
    return np.asarray(ndimage.gaussian_filter(filled, width), dtype=np.float32)


def find_dense(block: VertebraBlock) -> BoolArray:
    """Return the voxels within `CEMENT_REACH_MM` of cement or metal, its faint border included."""
    import cc3d
    from scipy import ndimage

    dense = block.hu > CEMENT_HU
    if not dense.any():
        return np.asarray(dense)
    pieces = cc3d.connected_components(block.hu > CEMENT_BORDER_HU, connectivity=6)
    large = np.bincount(pieces[dense], minlength=int(pieces.max()) + 1) > SMALLEST_CEMENT_MM3
    if not large.any():
        return np.zeros(dense.shape, dtype=np.bool_)
    return np.asarray(ndimage.distance_transform_edt(~large[pieces]) <= CEMENT_REACH_MM)


def edge_gain(drop_hu: Float32Array) -> Float32Array:
    """Return how good an edge is, 0 to 1, from its drop in intensity to the outside."""
    return np.asarray(np.clip(drop_hu / STRONG_EDGE_HU, 0, 1), dtype=np.float32)
