"""The lytic part of a lesion: soft tissue where marrow should be, smooth, contiguous and not small."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cementct.core.arrays import BoolArray, Float32Array
from cementct.segmentation.lesion.bone import Bone
from cementct.segmentation.lesion.marrow import NormalMarrow
from cementct.segmentation.lesion.smoothing import depth_mm, grown, opened, share_below, smooth_within

TUMOUR_HU = 50.0
# First guess of a lytic metastasis: soft tissue, 30 to 70 HU.
TUMOUR_RANGE_HU = (-20.0, 110.0)
# Its intensity is not believed outside; gas in it counts as lesion and is clipped to the lower end.
LEAST_CONTRAST_HU = 18.0
# Below this difference to marrow, intensity does not tell tumour from marrow (osteoporosis).
FIRST_SCALE_MM = 1.8
SCALES_MM = (1.0, 1.4, 1.9, 2.5)
# Smoothing is chosen among these, as little as the contrast over the marrow's pattern allows.
WANTED_CONTRAST = 5.0
# Contrast over the spread of smoothed sound marrow that is aimed at.
CURVATURE_SHARE = 0.6
# Smoothing draws a ball's half-height surface inwards by the variance over the radius; this share of it
# is given back, since pockets of dark marrow already push the border outwards (fitted on phantoms 0 to 7).
LEAST_RADIUS_MM = 2.6
# A ball of this radius fits into a lesion; rims beside cortex, veins and marrow pattern are thinner.
ROUNDNESS = 0.45
MOST_RADIUS_MM = 5.0
# A ball of this share of a piece's inner radius, and no more than this, fits into all of it: what hangs
# on by a narrower neck is dark marrow.
GROWTH_MM = 1.5
# From where such a ball fits, the lesion reaches this much further into its own corners.
LEAST_VOLUME_ML = 0.25
# Smaller dark places are marrow pattern, a Schmorl node or a vein.
SCHMORL_ML = 0.8
SCHMORL_DEPTH_MM = 7.0
# A dark place up to this size that lies wholly within this distance of an endplate is a Schmorl node or a
# fracture cleft.


@dataclass(frozen=True)
class LyticPart:
    """The lytic part and what it was told apart by.

    Attributes
    ----------
    share
        Share of each voxel of the bone's block; continued into the cortex, where it is not yet known whether
        the cortex stands.
    tumour_hu, marrow_hu
        Intensities of its inside and of the sound marrow.
    scale_mm
        Smoothing that was used.
    """

    share: Float32Array
    tumour_hu: float
    marrow_hu: float
    scale_mm: float

    @property
    def found(self) -> bool:
        """Whether there is a lytic part."""
        return bool((self.share >= 0.5).any())


def segment_lytic(bone: Bone, normal: NormalMarrow, marrow_hu: float, dense: BoolArray) -> LyticPart:
    """Return the lytic part of a vertebra.

    Parameters
    ----------
    bone
        The vertebra.
    normal
        The patient's sound marrow.
    marrow_hu
        Sound marrow of this vertebra.
    dense
        Sclerotic voxels, which are left out so that they do not brighten the lysis beside them.
    """
    chosen = bone.interior & ~grown(dense, 0.8, bone.grid)
    hu = np.maximum(bone.hu, np.float32(TUMOUR_RANGE_HU[0]))
    nothing = LyticPart(np.zeros(bone.hu.shape, dtype=np.float32), TUMOUR_HU, marrow_hu, FIRST_SCALE_MM)
    if marrow_hu - TUMOUR_HU < LEAST_CONTRAST_HU or not chosen.any():
        return nothing
    smooth = smooth_within(hu, chosen, bone.grid, FIRST_SCALE_MM)
    tumour_hu = TUMOUR_HU
    for _ in range(3):
        core = _pieces(smooth < (tumour_hu + marrow_hu) / 2, bone)
        if not core.any():
            return nothing
        tumour_hu = _plateau(hu, core & chosen, bone, tumour_hu)
        if marrow_hu - tumour_hu < LEAST_CONTRAST_HU:
            return nothing
    scale = _scale(marrow_hu - tumour_hu, normal)
    threshold = (tumour_hu + marrow_hu) / 2
    smooth = smooth_within(hu, chosen, bone.grid, scale)
    core = _pieces(smooth < threshold, bone)
    if not core.any():
        return nothing
    radius = float(np.cbrt(np.count_nonzero(core) * bone.grid.voxel_mm3 * 3 / (4 * np.pi)))
    outward_mm = CURVATURE_SHARE * scale**2 / max(radius, 4.0)
    share = share_below(smooth, threshold, bone.grid, outward_mm=outward_mm)
    # At least one slice further, or an end that half fills a thick slice is lost.
    support = grown(core, max(GROWTH_MM, 1.05 * max(bone.grid.spacing_mm)), bone.grid) & bone.outline
    share = np.where(support, share, np.float32(0)).astype(np.float32)
    return LyticPart(share, tumour_hu, marrow_hu, scale)


def _pieces(dark: BoolArray, bone: Bone) -> BoolArray:
    """Return the thick, large enough pieces of what is dark, veins and Schmorl nodes left out."""
    core = opened(dark & bone.outline, LEAST_RADIUS_MM, bone.grid)
    pieces, count = ndimage.label(core)
    kept = np.zeros_like(core)
    for number in range(1, count + 1):
        piece = pieces == number
        volume_ml = float(np.count_nonzero(piece)) * bone.grid.voxel_ml
        if volume_ml < LEAST_VOLUME_ML or float(np.mean(bone.vein[piece])) > 0.5:
            continue
        if not (piece & bone.interior & bone.body).any():
            continue
        if volume_ml < SCHMORL_ML and _hugs_endplate(piece, bone):
            continue
        kept |= _rounded(piece, bone)
    return kept


def _rounded(piece: BoolArray, bone: Bone) -> BoolArray:
    """Return a piece without what hangs on by a narrow neck."""
    deepest_mm = float(depth_mm(piece, bone.grid).max())
    radius = float(np.clip(ROUNDNESS * deepest_mm, LEAST_RADIUS_MM, MOST_RADIUS_MM))
    return opened(piece, radius, bone.grid)


def _hugs_endplate(piece: BoolArray, bone: Bone) -> bool:
    index = np.argwhere(piece)
    local = bone.vertebra.frame.to_local(bone.grid.to_lps(index))
    half = bone.vertebra.height_mm / 2
    above = np.nan_to_num(bone.vertebra.superior_endplate.at(local[:, 0], local[:, 1]), nan=half)
    below = np.nan_to_num(bone.vertebra.inferior_endplate.at(local[:, 0], local[:, 1]), nan=-half)
    under, over = above - local[:, 2], local[:, 2] - below
    hugs = [float(side.max()) < SCHMORL_DEPTH_MM and float(side.min()) < 2.0 for side in (under, over)]
    return any(hugs)


def _plateau(hu: Float32Array, core: BoolArray, bone: Bone, usual_hu: float) -> float:
    """Return the intensity deep in the dark part, drawn to the usual where that part is small."""
    deep = depth_mm(core, bone.grid) > 1.5
    count = int(np.count_nonzero(deep))
    if count < 30:
        return usual_hu
    return float(np.clip(np.median(hu[deep]), *TUMOUR_RANGE_HU))


def _scale(contrast_hu: float, normal: NormalMarrow) -> float:
    for scale in SCALES_MM:
        # The spread of a pattern of about 1 mm falls with the smoothing's width to the power of 1.5; the
        # coarser pattern does not, so the fall is taken as linear.
        spread = normal.spread_hu * FIRST_SCALE_MM / scale
        if contrast_hu >= WANTED_CONTRAST * spread:
            return scale
    return SCALES_MM[-1]
