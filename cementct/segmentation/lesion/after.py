"""The lesion as guessed without a pre-injection scan: cement in the bone and the lytic rest around it.

The rest is what is as dark as tumour beside the cement. Its border to sound bone is continued through the
cement; cement beyond it has left the lesion for sound marrow and counts no more than thin fingers do. What
the cement's glow hides, and the bone's rim, follow the nearest tissue that is read; the rim is held to what
it shows. Where no rest is seen, all cement in the bone is taken for lesion.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.grid import Box
from cementct.segmentation.lesion.bone import COARSE_MM, Bone
from cementct.segmentation.lesion.completion import continue_border
from cementct.segmentation.lesion.cortex import destroyed_rim
from cementct.segmentation.lesion.glow import (
    HALF_READ_TRUST,
    READ_TRUST,
    BesideCement,
    look_beside_cement,
)
from cementct.segmentation.lesion.lytic import (
    DEEP_MM,
    LEAST_CONTRAST_HU,
    LEAST_DEEP,
    TUMOUR_HU,
    LyticPart,
    large_pieces,
    share_of_dark,
    smooth_darkness,
)
from cementct.segmentation.lesion.marrow import TEXTURE_SCALE_MM, NormalMarrow
from cementct.segmentation.lesion.smoothing import continued, depth_mm, grown, smooth_within
from cementct.segmentation.lesion.tissue import Tissue, measure_tissue
from cementct.segmentation.model import Cement

# Say of a voxel of cement that it lies in destroyed bone, when rest and cement are outlined as one.
CEMENT_WEIGHT = 0.5
# A dark piece belongs to the lesion where this much of it is cement.
LEAST_CEMENT_SHARE = 0.05
# Marrow this far from a lesion is sound.
CLEARANCE_MM = 2.5
# How far intensities that are read in and beside the lesion may lead away from those first expected.
MARROW_SLACK_HU, TUMOUR_SLACK_HU = 15.0, 20.0
# Less rest shows no border that could be continued.
LEAST_REST_ML = 0.2
# With marrow so much over tumour they are told apart by half: below, rates of 18 vertebrae of phantoms said
# no more than their mean does; above twice that, those of 124 were best as they were.
HALF_TOLD_HU = 30.0
# What cement's glow hides is lesion this often where the nearest tissue that is read is marrow, and where it
# is rest: 126 and 23 ml of 97 vertebrae of phantoms, the label file given.
HIDDEN_REST = (0.17, 0.93)
# The bone's rim, which cortex blurs, says less about the border.
RIM_WEIGHT = 0.3


def segment_after(
    bone: Bone, normal: NormalMarrow, cement_share: Float32Array, plateau_hu: float | None = None
) -> Float32Array:
    """Return the share of each voxel that is cement in destroyed bone or lytic rest beside it.

    Parameters
    ----------
    bone
        The vertebra in the post-injection scan.
    normal
        The patient's sound marrow in that scan.
    cement_share
        Share of each voxel of the bone's grid that this vertebra's cement occupies.
    plateau_hu
        Intensity of that cement, where it is known.
    """
    in_bone = np.where(bone.outline, cement_share, np.float32(0)).astype(np.float32)
    beside = look_beside_cement(bone, cement_share, plateau_hu)
    if not beside.cement.any() or normal.mean_hu - TUMOUR_HU < LEAST_CONTRAST_HU:
        return in_bone
    return _bordered(beside, _cement_and_rest(beside, normal, in_bone), in_bone)


def cement_share_of(cement: Cement, number: int, box: Box) -> Float32Array:
    """Return the share of each voxel of a block that the cement of one vertebra occupies."""
    share = np.zeros(box.shape, dtype=np.float32)
    common = cement.box.intersection(box)
    if common.is_empty:
        return share
    window = common.within(cement.box)
    own = cement.owner[window] == number
    share[common.within(box)] = np.where(own, cement.fraction[window], np.float32(0))
    return share


def told_apart(normal: NormalMarrow) -> float:
    """Return how well intensity tells lytic rest from a patient's sound marrow, 0 to 1."""
    contrast_hu = max(normal.mean_hu - TUMOUR_HU, 0.0)
    return contrast_hu**2 / (contrast_hu**2 + HALF_TOLD_HU**2)


def _cement_and_rest(beside: BesideCement, normal: NormalMarrow, in_bone: Float32Array) -> LyticPart:
    """Return cement and the dark rest around it outlined as one, with the smoothness of a lesion."""
    bone, cement = beside.bone, beside.cement
    clear = (beside.trust >= 0.6) & bone.interior
    smooth = smooth_within(bone.hu, clear, bone.grid, TEXTURE_SCALE_MM)
    values = np.asarray(smooth[beside.read], dtype=np.float64)
    expected = measure_tissue(values[np.isfinite(values)], normal)
    weight = np.where(cement, np.float32(CEMENT_WEIGHT), beside.trust).astype(np.float32)
    found = LyticPart(in_bone, expected.tumour_hu, expected.marrow_hu)
    for _ in range(2):
        darkness, _ = smooth_darkness(bone, found, destroyed=cement, unread=beside.hidden, weight=weight)
        core = _with_cement(large_pieces(darkness > 0.5, bone, np.zeros_like(cement)), cement)
        if not core.any():
            return replace(found, share=np.zeros_like(in_bone))
        seen = _tissue_seen(beside, smooth, core, expected)
        if seen.marrow_hu - seen.tumour_hu < LEAST_CONTRAST_HU:
            break
        found = LyticPart(share_of_dark(darkness, core, bone), seen.tumour_hu, seen.marrow_hu)
    return found


def _tissue_seen(beside: BesideCement, smooth: Float32Array, core: BoolArray, expected: Tissue) -> Tissue:
    """Return the intensities deep in the rest and well beside it, kept near those expected."""
    bone = beside.bone
    deep = (depth_mm(core, bone.grid) > DEEP_MM) & (beside.trust >= 0.8)
    far = beside.read & ~grown(core, CLEARANCE_MM, bone.grid) & np.isfinite(smooth)
    tumour, marrow = expected.tumour_hu, expected.marrow_hu
    if np.count_nonzero(deep) >= LEAST_DEEP:
        tumour += float(np.clip(np.median(bone.hu[deep]) - tumour, -TUMOUR_SLACK_HU, TUMOUR_SLACK_HU))
    if np.count_nonzero(far) >= 10 * LEAST_DEEP:
        marrow += float(np.clip(np.median(smooth[far]) - marrow, -MARROW_SLACK_HU, MARROW_SLACK_HU))
    return Tissue(tumour, marrow)


def _bordered(beside: BesideCement, united: LyticPart, in_bone: Float32Array) -> Float32Array:
    """Return the lesion with its border continued through cement; all cement where no rest is seen."""
    bone = beside.bone
    asked, around = out_of_sight(beside, united)
    weight = beside.trust * bone.outline * np.where(bone.interior, np.float32(1), np.float32(RIM_WEIGHT))
    of_lesion = in_bone
    if float((united.share * weight).sum()) * bone.grid.voxel_ml >= LEAST_REST_ML:
        inside = continue_border(
            united.share,
            weight=weight.astype(np.float32),
            hidden=beside.cement,
            within=bone.outline,
            grid=bone.grid,
        )
        of_lesion = in_bone * (inside > 0.5)
    return np.where(asked, of_lesion + (1 - in_bone) * around, united.share).astype(np.float32)


def out_of_sight(beside: BesideCement, united: LyticPart) -> tuple[BoolArray, Float32Array]:
    """Return which voxels of the bone do not show their tissue, and the share of lesion beside its cement.

    Those follow the nearest tissue of the interior that is read. An outline drawn too wide holds soft tissue
    that is as dark as a lesion, and standing cortex is none: the rim does not tell for others, and is lesion
    no more than it looks destroyed.

    Parameters
    ----------
    beside
        The bone beside its cement.
    united
        Cement and rest outlined as one, as far as they are seen.
    """
    bone = beside.bone
    rim = bone.outline & ~bone.interior
    if min(bone.grid.spacing_mm) > COARSE_MM:
        # The outermost voxel is as much outside as bone.
        rim = np.zeros_like(rim)
    asked = bone.outline & (beside.hidden | rim)
    around = continued(united.share, (beside.trust >= READ_TRUST) & bone.interior, asked, bone.grid)
    # Cement and its glow would pass for standing cortex.
    shown = (beside.trust >= HALF_READ_TRUST) & ~beside.cement
    clear = replace(bone, hu=continued(bone.hu, shown, ~shown, bone.grid))
    around = np.where(rim, destroyed_rim(clear, around, united.tumour_hu), around)
    beside_marrow, beside_rest = HIDDEN_REST
    return asked, np.where(beside.hidden, beside_marrow + (beside_rest - beside_marrow) * around, around)


def _with_cement(pieces: BoolArray, cement: BoolArray) -> BoolArray:
    """Return the pieces that hold cement."""
    numbered, count = ndimage.label(pieces)
    if count == 0:
        return pieces
    shares = np.atleast_1d(ndimage.mean(cement, numbered, np.arange(1, count + 1)))
    kept = [number for number, share in enumerate(shares, start=1) if share >= LEAST_CEMENT_SHARE]
    return np.asarray(np.isin(numbered, kept))
