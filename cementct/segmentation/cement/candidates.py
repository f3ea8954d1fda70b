"""From seeds to everything that may belong to them: what stands out from its surroundings, piece by piece."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray, Float32Array
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
# Bone and vessels away from the vertebrae: this bright and large, and fainter than cement on the whole.
OTHER_STRUCTURE_ABOVE_HU = 170.0
OTHER_STRUCTURE_FROM_ML = 1.5
OTHER_STRUCTURE_MEAN_HU = 700.0


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
    """

    labels: np.ndarray[tuple[int, ...], np.dtype[np.uint32]]
    count: int
    excess_hu: Float32Array
    other: BoolArray


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
    import cc3d
    from scipy import ndimage

    excess = (scene.hu - around.expected_hu).astype(np.float32)
    depth = around.bone_depth_mm
    other = _other_structures(scene, around)
    soft = max(IN_SOFT_TISSUE_HU, SOFT_TISSUE_SIGMAS * scene.noise_hu)
    level = np.full(scene.hu.shape, soft, dtype=np.float32)
    surface = depth > -SURFACE_MM
    level[surface] = np.maximum(AT_SURFACE_HU, AT_SURFACE_SPREADS * around.spread_hu[surface])
    bone = depth > 0.0
    level[bone] = np.maximum(IN_BONE_HU, IN_BONE_SPREADS * around.spread_hu[bone])
    level = np.where(around.known, np.minimum(level, max(KNOWN_HU, soft)), level)
    level = np.where(other, np.maximum(level, bright_hu - around.expected_hu), level)
    size = [2 * max(1, round(NEIGHBOUR_REACH_MM / s)) + 1 for s in scene.spacing_mm]
    brightest = ndimage.maximum_filter(np.where(seeds, excess, 0.0).astype(np.float32), size=size)
    relative = np.where(bone, SHARE_OF_NEIGHBOUR_IN_BONE, SHARE_OF_NEIGHBOUR_OUTSIDE) * brightest
    stands_out = ((excess > np.maximum(level, relative)) | seeds) & ~excluded & scene.measured
    labels, count = cc3d.connected_components(stands_out, connectivity=18, return_N=True)
    return Candidates(np.asarray(labels, dtype=np.uint32), int(count), excess, other)


def _other_structures(scene: Scene, around: Surroundings) -> BoolArray:
    """Return ribs, other bones and contrast-filled vessels outside the vertebrae."""
    import cc3d
    from scipy import ndimage

    outside = (around.bone_depth_mm < -1.0) & ~around.is_in(
        Compartment.CANAL, Compartment.DISC, Compartment.FORAMEN_LEFT, Compartment.FORAMEN_RIGHT
    )
    smooth = ndimage.gaussian_filter(scene.hu, [0.5 / s for s in scene.spacing_mm])
    labels, count = cc3d.connected_components(
        (smooth > OTHER_STRUCTURE_ABOVE_HU) & outside, connectivity=6, return_N=True
    )
    if count == 0:
        return np.zeros(scene.hu.shape, dtype=np.bool_)
    sizes = np.bincount(labels.ravel()) * scene.voxel_ml
    sizes[0] = 0
    large = np.flatnonzero(sizes >= OTHER_STRUCTURE_FROM_ML)
    totals = np.bincount(labels.ravel(), weights=scene.hu.ravel())
    counts = np.bincount(labels.ravel())
    keep = [n for n in large if totals[n] / counts[n] < OTHER_STRUCTURE_MEAN_HU]
    chosen = np.zeros(count + 1, dtype=np.bool_)
    chosen[keep] = True
    found = chosen[labels]
    # Cortex lies at the rim of what was found; the blur outside it belongs to the structure as well.
    reach = [2 * max(1, round(1.5 / s)) + 1 for s in scene.spacing_mm]
    return np.asarray(ndimage.maximum_filter(found, size=reach)) & outside
