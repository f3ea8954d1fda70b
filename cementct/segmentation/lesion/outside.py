"""Whether tumour reaches beyond the bone's outline, seen where the cortex is gone."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cementct.core.arrays import BoolArray, Float32Array
from cementct.segmentation.lesion.bone import Bone
from cementct.segmentation.lesion.smoothing import grown

# Tumour outside is looked for this far beyond the destroyed cortex.
REACH_MM = 5.0
# Smaller differences between the two sides are chance.
LEAST_ML = 0.4
# Where the mirrored place holds fat or lung and this one soft tissue, something has grown there.
FAT_BELOW_HU = 0.0


def has_tumour_outside(bone: Bone, share: Float32Array, tumour_hu: float) -> bool:
    """Tell whether soft tissue beside a destroyed wall takes the place of what lies on the other side.

    Muscle beside the body reads like tumour, so only fat or lung on the mirrored side lends weight.
    Tumour that displaces muscle, or grows on both sides alike, goes unseen.
    """
    lesion = share >= 0.5
    surface = lesion & ~ndimage.binary_erosion(bone.outline)
    if not surface.any():
        return False
    beside = grown(surface, REACH_MM, bone.grid) & ~grown(bone.outline, 1.0, bone.grid)
    smooth = ndimage.gaussian_filter(bone.hu, [1.0 / s for s in bone.grid.spacing_mm])
    alike = beside & (np.abs(smooth - tumour_hu) < 35.0)
    mirrored = _mirrored(smooth, bone, alike)
    volume_ml = float(np.count_nonzero(mirrored < FAT_BELOW_HU)) * bone.grid.voxel_ml
    return volume_ml >= LEAST_ML


def _mirrored(smooth: Float32Array, bone: Bone, where: BoolArray) -> Float32Array:
    local = bone.vertebra.frame.to_local(bone.grid.to_lps(np.argwhere(where)))
    local[:, 0] = -local[:, 0]
    index = bone.grid.to_index(bone.vertebra.frame.to_lps(local))
    return np.asarray(
        ndimage.map_coordinates(smooth, index.T, order=1, mode="constant", cval=1000.0), dtype=np.float32
    )
