"""The lesion as guessed without a pre-injection scan: cement in the bone and the lytic rest around it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cementct.core.arrays import BoolArray, Float32Array
from cementct.segmentation.lesion.bone import Bone
from cementct.segmentation.lesion.lytic import LEAST_CONTRAST_HU, TUMOUR_HU, TUMOUR_RANGE_HU
from cementct.segmentation.lesion.marrow import NormalMarrow
from cementct.segmentation.lesion.smoothing import grown, opened, share_below, smooth_within

RIM_MM = 1.8
# Around cement its partial volume and overshoot hide the tissue.
SCALE_MM = 1.4
# Smoothing of the tissue around cement; the lytic rest is often a shell of a few millimetres.
LEAST_RADIUS_MM = 1.6
# A ball of this radius fits into the lytic rest.
TOUCHING_MM = 3.0
# The rest begins no further than this from the cement.
REACH_MM = 15.0
# And ends no further than this.
LEAST_REST_ML = 0.15
# Less is not told from marrow pattern.


def segment_lytic_rest(bone: Bone, normal: NormalMarrow, cement_share: Float32Array) -> Float32Array:
    """Return the share of each voxel that is lytic bone beside cement, the cement itself left out.

    Parameters
    ----------
    bone
        The vertebra in the post-injection scan.
    normal
        The patient's sound marrow in that scan.
    cement_share
        Share of each voxel of the bone's grid that this vertebra's cement occupies.
    """
    nothing = np.zeros(bone.hu.shape, dtype=np.float32)
    cement: BoolArray = np.asarray(cement_share >= 0.5)
    marrow_hu = normal.mean_hu
    if not cement.any() or marrow_hu - TUMOUR_HU < LEAST_CONTRAST_HU:
        return nothing
    hidden = grown(np.asarray(cement_share > 0.05), RIM_MM, bone.grid)
    chosen = bone.interior & ~hidden
    hu = np.maximum(bone.hu, np.float32(TUMOUR_RANGE_HU[0]))
    smooth = smooth_within(hu, chosen, bone.grid, SCALE_MM)
    threshold = (TUMOUR_HU + marrow_hu) / 2
    away = ndimage.distance_transform_edt(~cement, sampling=bone.grid.spacing_mm)
    dark = (smooth < threshold) & bone.outline & (away <= REACH_MM)
    thick = opened(dark & ~cement, LEAST_RADIUS_MM, bone.grid)
    pieces, count = ndimage.label(thick)
    kept = np.zeros_like(cement)
    for number in range(1, count + 1):
        piece = pieces == number
        big = float(np.count_nonzero(piece)) * bone.grid.voxel_ml >= LEAST_REST_ML
        if big and away[piece].min() <= TOUCHING_MM and float(np.mean(bone.vein[piece])) <= 0.5:
            kept |= piece
    share = share_below(smooth, threshold, bone.grid)
    reach_mm = max(LEAST_RADIUS_MM, 1.05 * max(bone.grid.spacing_mm))
    support = grown(kept, reach_mm, bone.grid) & bone.outline & ~bone.vein
    return np.where(support, share, nothing).astype(np.float32)
