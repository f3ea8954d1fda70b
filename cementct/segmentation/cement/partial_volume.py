"""From intensities to shares: how much of each voxel cement occupies, without a fixed threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.distances import distance_outside
from cementct.segmentation.cement.scene import Scene

# Voxels this deep below the outline (in FWHM) show the plateau, not the edge.
CORE_DEPTH_WIDTHS = 1.15
# The blurred edge of a deposit ends this far (in FWHM) outside its half-height outline.
EDGE_REACH_WIDTHS = 1.15
# As far from the core (in FWHM) reaches the edge of bulk; beyond, cement is a cord, a sheet or a small blob.
BULK_REACH_WIDTHS = 2.6
# In bone, shares below this (and, alike, above 1 minus it) are taken as texture and cortex, not as an edge.
BONE_RAMP = 0.25
# Where cortex may lie beside where an earlier scan lets expect it, shares up to what it would add count
# alike, if no larger than this.
NARROWEST_RAMP = 0.42
# The same in soft tissue, where the surroundings are even.
SOFT_RAMP = 0.10
# The same across slices that are no closer than the blur is wide: a border parallel to them shows in one
# slice only, whose share is then all there is to tell how far the deposit reaches into it.
COARSE_RAMP = 0.08
# Slices count as that coarse from here on, fully from there on (spacing in FWHM).
COARSE_FROM_WIDTHS, COARSE_WIDTHS = 0.9, 1.25


@dataclass(frozen=True)
class Levels:
    """The intensities between which a deposit's share is read, voxel by voxel.

    Attributes
    ----------
    plateau_hu
        Intensity of pure deposit.
    background_hu
        Intensity without it.
    """

    plateau_hu: Float32Array
    background_hu: Float32Array

    @property
    def rise_hu(self) -> Float32Array:
        """Plateau over background, never under 50 HU."""
        return np.asarray(np.maximum(self.plateau_hu - self.background_hu, 50.0), dtype=np.float32)


def raw_share(scene: Scene, levels: Levels) -> Float32Array:
    """Return excess over background divided by the rise to the plateau; noise makes it leave 0 to 1."""
    return ((scene.hu - levels.background_hu) / levels.rise_hu).astype(np.float32)


def core_of(scene: Scene, outline: BoolArray) -> BoolArray:
    """Return the voxels of `outline` so deep in it that blur no longer lowers them."""
    # The scan's own edge is no surface of the deposit.
    padded = np.pad(outline, 1, mode="edge")
    outside = distance_outside(~padded, scene.in_widths)[1:-1, 1:-1, 1:-1]
    half_voxel = 0.5 * min(scene.in_widths)
    return np.asarray(outline & (outside - half_voxel > CORE_DEPTH_WIDTHS))


@dataclass(frozen=True)
class BulkShare:
    """Shares in thick cement, and how they were steepened.

    Attributes
    ----------
    share
        0 to 1.
    ramp_half
        Half the range of raw shares, about one half, over which the share rises from 0 to 1.
    """

    share: Float32Array
    ramp_half: Float32Array


def bulk_share(
    scene: Scene,
    levels: Levels,
    *,
    to_outline: Float32Array,
    core: BoolArray,
    in_bone: BoolArray,
    doubt_hu: Float32Array,
) -> BulkShare:
    """Return the share of each voxel in thick cement.

    The share is steepened about one half, the more so in bone, which keeps flat borders where they are and
    leaves out cortex and texture beside the deposit; not so across coarse slices. Clipped voxels cannot be
    steepened from above, so the ramp ends at the clip. How far each voxel lies from the deposit's outline
    is counted in FWHM.
    """
    share = raw_share(scene, levels)
    low = np.where(in_bone, BONE_RAMP, SOFT_RAMP).astype(np.float32)
    low += (COARSE_RAMP - low) * _across_coarse_slices(scene, share)
    low = np.maximum(low, np.minimum(doubt_hu / levels.rise_hu, NARROWEST_RAMP))
    half = 0.5 - low
    if scene.clip_hu is not None:
        visible = (scene.clip_hu - levels.background_hu) / levels.rise_hu
        half = np.clip(np.minimum(half, visible - 0.5), 0.02, 0.5)
    # However coarse the slices are, the next one may hold the end of the deposit.
    reach = max(EDGE_REACH_WIDTHS, 1.01 * scene.in_widths[0])
    near = to_outline <= reach
    steep = np.where(near, np.maximum(_steepened(share, half), _filled(core, share)), 0.0)
    return BulkShare(np.asarray(steep, dtype=np.float32), half.astype(np.float32))


def _steepened(share: Float32Array, ramp_half: Float32Array) -> Float32Array:
    return np.asarray(np.clip(0.5 + 0.5 * (share - 0.5) / ramp_half, 0.0, 1.0), dtype=np.float32)


def _across_coarse_slices(scene: Scene, share: Float32Array) -> Float32Array:
    """Return, from 0 to 1, how far a border lies parallel to slices that are too coarse to show its flank."""
    coarse = (scene.in_widths[0] - COARSE_FROM_WIDTHS) / (COARSE_WIDTHS - COARSE_FROM_WIDTHS)
    if coarse <= 0 or share.shape[0] < 2:
        return np.zeros_like(share)
    clean = np.clip(share, 0.0, 1.0)
    # Differences over one voxel each way, counted in voxels: what matters is what one sample hides.
    through, down, across = (np.square(np.gradient(clean, axis=axis)) for axis in range(3))
    parallel = through / np.maximum(through + down + across, 1e-6)
    return np.asarray(min(coarse, 1.0) * parallel, dtype=np.float32)


def _filled(core: BoolArray, share: Float32Array) -> Float32Array:
    """Return 1 inside the core except where gas or unfilled marrow shows."""
    return np.asarray(core & (share > 0.5), dtype=np.float32)


def correct_for_curvature(bulk: BulkShare, *, sigma_voxels: tuple[float, float, float]) -> float:
    """Return the factor by which a steepened volume is too small for its curvature.

    What was found is taken as the truth, blurred as the scanner would, and measured in the same way again;
    the loss of that second round is the bias of the first.
    """
    from scipy import ndimage

    total = float(bulk.share.sum())
    if total <= 0:
        return 1.0
    again = ndimage.gaussian_filter(bulk.share, sigma_voxels, mode="nearest", truncate=3.5)
    again = _steepened(again, bulk.ramp_half)
    return float(np.clip(total / max(float(again.sum()), 1e-6), 0.9, 1.25))


def rescaled(share: Float32Array, target: float) -> Float32Array:
    """Return shares whose sum is `target`, changed where they are partial and kept within 0 to 1."""
    result = share.astype(np.float32)
    for _ in range(4):
        missing = target - float(result.sum(dtype=np.float64))
        room = np.where(result > 0, np.sqrt(np.maximum(result * (1.0 - result), 0.0)), 0.0)
        available = float(room.sum(dtype=np.float64))
        if abs(missing) < 1e-3 * max(target, 1.0) or available <= 0:
            break
        result = np.clip(result + room * np.float32(missing / available), 0.0, 1.0)
    return np.asarray(result, dtype=np.float32)
