"""From seeds to everything that may belong to them: what stands out from its surroundings, piece by piece."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.distances import within
from cementct.core.morphology import bounds_of, dilate_box
from cementct.segmentation.cement.bone_edges import brightest_cortex_hu
from cementct.segmentation.cement.explained import explained_level
from cementct.segmentation.cement.other_bone import find_other_bone
from cementct.segmentation.cement.scene import Scene
from cementct.segmentation.cement.surroundings import Surroundings

# Excess over what is expected from which a voxel stands out: in bone, at its surface, and in soft tissue.
IN_BONE_HU = 350.0
AT_SURFACE_HU = 300.0
IN_SOFT_TISSUE_HU = 180.0
# The same in standard deviations of bone's intensity at that depth, and of noise.
IN_BONE_SPREADS = 3.0
AT_SURFACE_SPREADS = 2.5
SOFT_TISSUE_SIGMAS = 5.0
# Where an earlier scan is known the expectation is exact up to registration.
KNOWN_HU = 250.0
# Bone ends this far outside its mask: blur and the mask's own error.
SURFACE_MM = 1.5
# Beside bright cement, what is fainter than this share of it is its blur or its streaks.
SHARE_OF_NEIGHBOUR_IN_BONE = 0.20
SHARE_OF_NEIGHBOUR_OUTSIDE = 0.12
NEIGHBOUR_REACH_MM = 3.0
# Where labels are poor, bone's edge is found this far outside them.
POOR_LABELS_MM = 3.0
# Outside bodies, what is no brighter than cortex and farther than this from what is brighter is a piece of
# its own: the edge of bone that hangs on cement has to be judged by itself. Blur reaches about as far, and to
# the next voxel.
BLUR_OF_BRIGHT_MM = 2.0

PieceNumbers = np.ndarray[tuple[int, ...], np.dtype[np.uint32]]


@dataclass(frozen=True)
class Candidates:
    """Pieces that stand out from their surroundings.

    Attributes
    ----------
    labels
        Number of the piece, shape of the scene.
    count
        Number of pieces.
    excess_hu
        Intensity over what is expected.
    other
        Ribs, other bones, vessels with contrast: dense structures that are no vertebra and no cement.
    cortex_hu
        The intensity over which the surface of bone hardly ever is in this scan.
    """

    labels: PieceNumbers
    count: int
    excess_hu: Float32Array
    other: BoolArray
    cortex_hu: float


def find_candidates(
    scene: Scene, around: Surroundings, *, seeds: BoolArray, excluded: BoolArray, bright_hu: float
) -> Candidates:
    """Return connected pieces of what stands out from its surroundings.

    Parameters
    ----------
    scene
        The block of CT.
    around
        Its anatomy.
    seeds
        Cement beyond doubt.
    excluded
        Metal.
    bright_hu
        Level over which nothing is bone.
    """
    other = find_other_bone(scene, around, seeds=seeds, excluded=excluded, bright_hu=bright_hu)
    level = _level(scene, around, unlabelled=other.where & ~around.known & ~other.brighter)
    if around.known.any():
        explained = explained_level(scene, around, seeds=seeds, excluded=excluded)
        level = np.maximum(level, explained - around.expected_hu)
    excess = scene.hu - around.expected_hu
    _raise_beside(level, scene, around, np.where(seeds, excess, np.float32(0)))
    stands_out = ((excess > level) | seeds) & ~excluded & scene.measured
    del level
    cortex_hu = brightest_cortex_hu(scene, around, dense=seeds | excluded, bright_hu=bright_hu)
    strong = seeds | (scene.hu > cortex_hu) | around.known
    fingers = around.is_in(Compartment.BODY)
    labels, count = _pieces(scene, stands_out, strong=strong, fingers=fingers)
    return Candidates(labels, count, excess, other.where & ~around.known, cortex_hu)


def _level(scene: Scene, around: Surroundings, *, unlabelled: BoolArray) -> Float32Array:
    """Return the excess from which a voxel stands out: anywhere, near bone, at its surface, and in it."""
    depth, spread = around.bone_depth_mm, around.spread_hu
    soft = max(IN_SOFT_TISSUE_HU, SOFT_TISSUE_SIGMAS * scene.noise_hu)
    level = np.full(scene.hu.shape, soft, dtype=np.float32)
    fringe = np.flatnonzero(depth > -POOR_LABELS_MM)
    depths, spreads = depth.ravel()[fringe], spread.ravel()[fringe]
    found = np.maximum(np.float32(soft), AT_SURFACE_SPREADS * spreads)
    surface = np.maximum(np.float32(AT_SURFACE_HU), AT_SURFACE_SPREADS * spreads)
    found = np.where(depths > -SURFACE_MM, surface, found)
    bone = np.maximum(np.float32(IN_BONE_HU), IN_BONE_SPREADS * spreads)
    level.ravel()[fringe] = np.where(depths > 0.0, bone, found)
    if around.known.any():
        level = np.where(around.known, np.minimum(level, np.float32(max(KNOWN_HU, soft))), level)
    level[unlabelled] = np.inf
    return level


def _raise_beside(level: Float32Array, scene: Scene, around: Surroundings, bright: Float32Array) -> None:
    """Raise the level beside bright cement to the share of it that its blur and its streaks reach."""
    from scipy import ndimage

    size = [2 * max(1, round(NEIGHBOUR_REACH_MM / s)) + 1 for s in scene.spacing_mm]
    window = bounds_of(bright != 0, size)
    if window is None:
        return
    brightest = ndimage.maximum_filter(bright[window], size=size)
    bone = around.bone_depth_mm[window] > 0.0
    relative = np.where(bone, SHARE_OF_NEIGHBOUR_IN_BONE, SHARE_OF_NEIGHBOUR_OUTSIDE) * brightest
    level[window] = np.maximum(level[window], relative)


def _pieces(
    scene: Scene, stands_out: BoolArray, *, strong: BoolArray, fingers: BoolArray
) -> tuple[PieceNumbers, int]:
    """Return the numbers of connected pieces, and how many; faint parts are pieces apart but in `fingers`."""
    import cc3d

    strong = stands_out & strong
    near = within(strong, BLUR_OF_BRIGHT_MM, scene.spacing_mm) | fingers
    near |= dilate_box(strong, (3, 3, 3))
    labels, count = cc3d.connected_components(
        stands_out & near, connectivity=18, return_N=True, out_dtype=np.uint32
    )
    faint, more = cc3d.connected_components(stands_out & ~near, connectivity=18, return_N=True)
    apart = faint > 0
    labels[apart] = faint[apart] + np.uint32(count)
    return labels, int(count) + int(more)
