"""Cement too thin to show its plateau: pieces that thick cement has not taken, each measured by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.grid import Box
from cementct.core.morphology import bounds_of
from cementct.segmentation.cement.measured import Piece
from cementct.segmentation.cement.partial_volume import rescaled
from cementct.segmentation.cement.scene import Resolution, Scene
from cementct.segmentation.cement.thin import ThinImage, opacity_of_thin
from cementct.segmentation.cement.uncertainty import sd_of_thin_ml

# A thin piece is drawn in label maps where it exceeds this share of its own local peak.
HALF_HEIGHT = 0.5
# Excess under this many standard deviations of noise is not drawn.
DRAWN_SIGMAS = 3.0
# So far (in FWHM) around a voxel its local peak is looked for.
PEAK_REACH_WIDTHS = 1.0
# Thin remainders of fewer voxels at the rim of bulk are the bulk's own edge.
FEWEST_THIN_VOXELS = 2
# Voxels around a piece that it is measured with.
MARGIN_VOXELS = 8


@dataclass(frozen=True)
class Source:
    """What thick cement says about the thin cement that came from it.

    Attributes
    ----------
    rise_hu
        Its opacity over its surroundings, or None where there is no thick cement.
    resolution
        How sharp its edges are.
    """

    rise_hu: float | None
    resolution: Resolution


def find_thin_pieces(rough: BoolArray, taken: BoolArray) -> list[tuple[BoolArray, Box]]:
    """Return what bulk has not taken, piece by piece, each with the block (with a margin) it lies in."""
    import cc3d

    labels, count = cc3d.connected_components(rough & ~taken, connectivity=26, return_N=True)
    if count == 0:
        return []
    statistics = cc3d.statistics(labels)
    found = []
    for number in range(1, count + 1):
        if statistics["voxel_counts"][number] < FEWEST_THIN_VOXELS and taken.any():
            continue
        block = statistics["bounding_boxes"][number]
        start = tuple(max(s.start - MARGIN_VOXELS, 0) for s in block)
        stop = tuple(min(s.stop + MARGIN_VOXELS, n) for s, n in zip(block, rough.shape, strict=True))
        box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
        found.append((np.asarray(labels[box.slices] == number), box))
    return found


def measure_thin(
    scene: Scene,
    background: Float32Array,
    *,
    mask: BoolArray,
    near: BoolArray,
    in_bone: BoolArray,
    source: Source,
) -> tuple[Float32Array, BoolArray, Piece]:
    """Return shares, outline and the piece for cement that never reaches its plateau."""
    from scipy import ndimage

    excess = (scene.hu - background).astype(np.float32)
    z, y, x = (s / d for s, d in zip(source.resolution.sigma_mm, scene.spacing_mm, strict=True))
    background_hu = float(np.median(background[near])) if near.any() else float(np.median(background))
    block = bounds_of(near) or (slice(None), slice(None), slice(None))
    opacity = opacity_of_thin(
        ThinImage(
            excess[block],
            near[block],
            sigma_voxels=(z, y, x),
            spacing_mm=scene.spacing_mm,
            noise_hu=scene.noise_hu,
            clip_excess_hu=None if scene.clip_hu is None else scene.clip_hu - background_hu,
        ),
        source_rise_hu=source.rise_hu,
    )
    rise, rise_sd, target = opacity.rise_hu, opacity.sd, opacity.volume_voxels
    raw = np.where(near, excess / rise, 0.0)
    share = rescaled(np.clip(raw, 0.0, 1.0).astype(np.float32), target)
    size = tuple(2 * max(1, round(PEAK_REACH_WIDTHS / w)) + 1 for w in scene.in_widths)
    peak = ndimage.maximum_filter(np.where(mask, excess, 0.0), size=size)
    drawn = near & (excess >= HALF_HEIGHT * peak) & (excess > DRAWN_SIGMAS * scene.noise_hu) & (peak > 0)
    volume = float(share.sum(dtype=np.float64)) * scene.voxel_ml
    clipped = scene.clip_hu is not None and bool((scene.hu[mask] >= scene.clip_hu).any())
    sd = sd_of_thin_ml(scene, volume, near=near, in_bone=in_bone, rise_hu=rise, rise_sd=rise_sd)
    return share, drawn, Piece(near, background_hu + rise, background_hu, volume, sd, clipped, thin=True)
