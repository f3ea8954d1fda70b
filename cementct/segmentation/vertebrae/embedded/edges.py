"""Edges of bone in a vertebra's block, with those of cement taken out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.distances import within
from cementct.core.image import NOT_MEASURED_BELOW_HU
from cementct.segmentation.vertebrae.embedded.block import VertebraBlock

# Fat, lung and gas outside bone count alike; so do cortex, cement and metal.
DARKEST_HU = -50.0
BRIGHTEST_HU = 550.0
SOFT_TISSUE_HU = 40.0
# Smoothed intensities above this are cement, metal or the densest cortex. Edges there are not a body's wall.
CEMENT_HU = 950.0
# Faint cement, and dense tumour, are brighter than this over more than this in all directions: no cortex is.
FAINT_CEMENT_HU = 450.0
FAINT_CEMENT_MM = 6
# So far from cement its own edge and its blur drown the bone's; along thick slices as far as their distance.
CEMENT_REACH_MM = 2.5
# Smaller dense pieces are cortex seen on thin slices with a sharp kernel.
SMALLEST_CEMENT_MM3 = 60.0
# An edge of this height over 2 mm is as good as any.
STRONG_EDGE_HU = 220.0
# Standard deviation of the smoothing; along thick slices in shares of their distance, or the steepest place
# between two slices would be anywhere between them.
SMOOTHING_MM = 0.8
SMOOTHING_PER_SLICE = 0.45


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
    hidden
        Where edges are not the bone's: `dense`, and what was not measured.
    """

    block: VertebraBlock
    smoothed: Float32Array
    dense: BoolArray
    hidden: BoolArray


def prepare_edges(block: VertebraBlock) -> BlockEdges:
    """Return the block with what the search for surfaces needs."""
    dense = find_dense(block)
    return BlockEdges(block, smoothed_hu(block), dense, dense | (block.hu <= NOT_MEASURED_BELOW_HU))


def smoothed_hu(block: VertebraBlock) -> Float32Array:
    """Return clipped, slightly smoothed intensities; what was not measured continues what was."""
    from scipy import ndimage

    measured = block.hu > NOT_MEASURED_BELOW_HU
    filled = np.clip(block.hu, DARKEST_HU, BRIGHTEST_HU)
    if not measured.all():
        filled = (
            filled[_nearest_measured(measured)] if measured.any() else np.full_like(filled, SOFT_TISSUE_HU)
        )
    width = np.maximum(SMOOTHING_MM, SMOOTHING_PER_SLICE * block.spacing_mm)
    return np.asarray(ndimage.gaussian_filter(filled, width), dtype=np.float32)


def _nearest_measured(measured: BoolArray) -> tuple[np.ndarray, ...]:
    """Return the index of the nearest measured voxel for each: the scan's edge is no edge of bone."""
    from scipy import ndimage

    return tuple(ndimage.distance_transform_edt(~measured, return_distances=False, return_indices=True))


def find_dense(block: VertebraBlock) -> BoolArray:
    """Return the voxels that the blur of cement or metal reaches, faint cement told by its thickness."""
    import cc3d

    dense = (block.hu > CEMENT_HU) | _thick(block.hu > FAINT_CEMENT_HU)
    if not dense.any():
        return np.asarray(dense)
    pieces = cc3d.connected_components(dense, connectivity=6)
    large = np.bincount(pieces.ravel()) > SMALLEST_CEMENT_MM3
    large[0] = False
    if not large.any():
        return np.zeros(dense.shape, dtype=np.bool_)
    return within(np.asarray(large[pieces]), 1.0, 1 / np.maximum(CEMENT_REACH_MM, block.spacing_mm))


def _thick(bright: BoolArray) -> BoolArray:
    """Return what of a bright region is thicker than any cortex in all directions."""
    from scipy import ndimage

    inner = ndimage.minimum_filter(bright, FAINT_CEMENT_MM)
    if not inner.any():
        return np.asarray(inner)
    return np.asarray(ndimage.maximum_filter(inner, FAINT_CEMENT_MM) & bright)


def edge_gain(drop_hu: Float32Array) -> Float32Array:
    """Return how good an edge is, 0 to 1, from its drop in intensity to the outside."""
    return np.asarray(np.clip(drop_hu / STRONG_EDGE_HU, 0, 1), dtype=np.float32)
