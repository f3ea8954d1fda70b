"""The lesion as guessed without a pre-injection scan: cement in the bone and the lytic rest around it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cementct.core.arrays import BoolArray, Float32Array
from cementct.segmentation.lesion.bone import Bone
from cementct.segmentation.lesion.lytic import (
    DEEP_MM,
    LEAST_CONTRAST_HU,
    TUMOUR_HU,
    LyticPart,
    large_pieces,
    share_of_dark,
    smooth_darkness,
    tumour_plateau_hu,
)
from cementct.segmentation.lesion.marrow import NormalMarrow, own_marrow_hu
from cementct.segmentation.lesion.smoothing import depth_mm, grown

RIM_MM = 1.0
# Around cement its partial volume and overshoot hide the tissue, counted from a twentieth of a share.
CEMENT_WEIGHT = 1.0
# Say of a voxel of cement that it lies in destroyed bone.
LEAST_CEMENT_SHARE = 0.05
# A dark piece belongs to the lesion where this much of it is cement.


def segment_after(bone: Bone, normal: NormalMarrow, cement_share: Float32Array) -> Float32Array:
    """Return the share of each voxel that is cement in destroyed bone or lytic rest beside it.

    Cement and rest are outlined as one, with the smoothness of a lesion: thin fingers of cement into sound
    marrow are left out, and a rest that is but a shell around cement is found with it.

    Parameters
    ----------
    bone
        The vertebra in the post-injection scan.
    normal
        The patient's sound marrow in that scan.
    cement_share
        Share of each voxel of the bone's grid that this vertebra's cement occupies.
    """
    in_bone = np.where(bone.outline, cement_share, np.float32(0)).astype(np.float32)
    cement: BoolArray = np.asarray(in_bone >= 0.5)
    hidden = grown(np.asarray(cement_share > 0.05), RIM_MM, bone.grid)
    marrow_hu = own_marrow_hu(bone, normal, without=hidden)
    if not cement.any() or marrow_hu - TUMOUR_HU < LEAST_CONTRAST_HU:
        return in_bone
    weight = np.where(hidden, np.where(cement, np.float32(CEMENT_WEIGHT), np.float32(0)), np.float32(1))
    found = LyticPart(in_bone, TUMOUR_HU, marrow_hu)
    for _ in range(2):
        if found.marrow_hu - found.tumour_hu < LEAST_CONTRAST_HU:
            return in_bone
        darkness = smooth_darkness(bone, found, destroyed=cement, unread=hidden, weight=weight)
        core = _with_cement(large_pieces(darkness > 0.5, bone, np.zeros_like(cement)), cement)
        if not core.any():
            return in_bone
        deep = (depth_mm(core, bone.grid) > DEEP_MM) & ~hidden
        found = LyticPart(
            share_of_dark(darkness, core, bone), tumour_plateau_hu(bone.hu, deep, found.tumour_hu), marrow_hu
        )
    return found.share


def _with_cement(pieces: BoolArray, cement: BoolArray) -> BoolArray:
    """Return the pieces that hold cement."""
    numbered, count = ndimage.label(pieces)
    if count == 0:
        return pieces
    shares = np.atleast_1d(ndimage.mean(cement, numbered, np.arange(1, count + 1)))
    kept = [number for number, share in enumerate(shares, start=1) if share >= LEAST_CEMENT_SHARE]
    return np.asarray(np.isin(numbered, kept))
