"""The lytic part of a lesion: soft tissue where marrow should be, smooth, contiguous and not small."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.distances import within
from cementct.segmentation.lesion.bone import COARSE_MM, Bone
from cementct.segmentation.lesion.marrow import NormalMarrow, own_marrow_hu
from cementct.segmentation.lesion.sclerotic import find_lumps
from cementct.segmentation.lesion.smoothing import continued, depth_mm, grown, opened
from cementct.segmentation.lesion.variation import smooth_by_total_variation

# First guess of a lytic metastasis: soft tissue, 30 to 70 HU.
TUMOUR_HU = 50.0
# Its intensity is not believed outside; gas in it counts as lesion and is clipped to the lower end.
TUMOUR_RANGE_HU = (-20.0, 90.0)
# Below this difference to marrow, intensity does not tell tumour from marrow (osteoporosis).
LEAST_CONTRAST_HU = 18.0
# Noise and marrow pattern are taken out by total variation of this strength; more than that rounds corners.
STRENGTH_MM = 0.3
# At the least this share of a voxel's width, or single coarse voxels would pass.
STRENGTH_PER_VOXEL = 0.15
# And this share of a voxel's width times the spread of neighbouring voxels, in units of the contrast; at
# most the second, more only where noise exceeds the contrast. In thin marrow, whose contrast to tumour is
# little over its own pattern, less leaves a lesion in shreds.
STRENGTH_PER_SPREAD, MOST_STRENGTH_MM = 1.0, 0.7
# Neighbours this far apart; a soft kernel's noise is alike in nearer ones.
SPREAD_LAG_MM = 1.6
# Sclerosis brightens what lies this near to it.
DENSE_RIM_MM = 0.8
# Say of a sclerotic voxel that it is destroyed; that of a lump is a full one, or smoothing would give it up.
DENSE_WEIGHT = 0.3
# A piece that holds less lysis than this is sclerosis alone, which is judged as such.
LEAST_LYTIC_ML, LEAST_LYTIC_SHARE = 0.1, 0.1
# From marrow (0) to tumour (1); beyond, values say nothing more: cortex below, fat and gas above.
DARKNESS_RANGE = (-0.6, 1.6)
# The range is widened by so many standard deviations of the noise, which clipping would make one-sided.
RANGE_PER_SPREAD = 1.5
# The outermost bone is darkened by what lies outside and counts little; cortex there counts in full.
DARK_RIM_WEIGHT = 0.3
# A lesion is this dark somewhere; half-dark places that are not beside such a core are pockets in the marrow.
CORE_DARKNESS = 0.68
# Total variation takes 3 strengths over its radius from a ball's contrast; so much of it is given back for
# each millimetre of strength over the usual, that of a lesion as large as a body holds.
CORE_PER_STRENGTH = 3.0 / 15.0
# From its core a blurred border reaches this far, and at least one voxel along each axis.
REACH_MM = 1.2
REACH_PER_VOXEL = 1.05
# The border is drawn this much steeper than it is blurred; its place at half height stays.
EDGE_GAIN = 1.5
# Marrow this far from a lesion is sound.
CLEARANCE_MM = 2.5
# The lesion's intensity is read this deep in it, from at least so many voxels.
DEEP_MM = 1.5
LEAST_DEEP = 15
# A ball of this radius fits into a lesion; rims beside cortex, veins and marrow pattern are thinner.
LEAST_RADIUS_MM = 2.6
# A ball of this share of a piece's inner radius, and no more than this, fits into all of it: what hangs
# on by a narrower neck is dark marrow.
ROUNDNESS = 0.45
MOST_RADIUS_MM = 5.0
# Smaller dark places are marrow pattern, a Schmorl node or a vein.
LEAST_VOLUME_ML = 0.25
# A dark place up to this size that lies wholly within this distance of an endplate is a Schmorl node or a
# fracture cleft.
SCHMORL_ML = 0.8
SCHMORL_DEPTH_MM = 7.0


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
    """

    share: Float32Array
    tumour_hu: float
    marrow_hu: float

    @property
    def found(self) -> bool:
        """Whether there is a lytic part."""
        return bool((self.share >= 0.5).any())


def segment_lytic(
    bone: Bone,
    normal: NormalMarrow,
    marrow_hu: float,
    *,
    dense: BoolArray,
    sclerotic: BoolArray,
    tumour_hu: float = TUMOUR_HU,
    rounds: int = 2,
) -> LyticPart:
    """Return the lytic part of a vertebra.

    Parameters
    ----------
    bone
        The vertebra.
    normal
        The patient's sound marrow.
    marrow_hu
        Sound marrow of this vertebra, as far as it is known without knowing the lesion.
    dense
        Dense voxels, which brighten the lysis beside them; that rim is not read.
    sclerotic
        Those of them that belong to the lesion and count as destroyed bone too.
    tumour_hu
        First guess of its intensity.
    rounds
        How often it is looked for; after each time tumour and marrow are read in what was found.
    """
    nothing = LyticPart(np.zeros(bone.hu.shape, dtype=np.float32), tumour_hu, marrow_hu)
    unread = grown(dense, DENSE_RIM_MM, bone.grid)
    found = nothing
    for _ in range(rounds):
        if found.marrow_hu - found.tumour_hu < LEAST_CONTRAST_HU:
            return nothing
        darkness, strength_mm = _darkness(bone, found, sclerotic, unread)
        core = large_pieces(darkness > core_darkness(strength_mm), bone, unread)
        if not core.any():
            return nothing
        deep = depth_mm(core, bone.grid) > DEEP_MM
        inside = float(np.median(darkness[deep])) if np.count_nonzero(deep) >= LEAST_DEEP else 1.0
        found = LyticPart(
            share_of_dark(darkness, core, bone, inside=inside),
            tumour_plateau_hu(bone.hu, deep & ~unread, found.tumour_hu),
            own_marrow_hu(bone, normal, without=grown(core, CLEARANCE_MM, bone.grid)),
        )
    return found


def core_darkness(strength_mm: float) -> float:
    """Return how dark a lesion is somewhere, once it was smoothed with some strength."""
    return CORE_DARKNESS - CORE_PER_STRENGTH * max(strength_mm - STRENGTH_MM, 0.0)


def _darkness(
    bone: Bone, known: LyticPart, sclerotic: BoolArray, unread: BoolArray
) -> tuple[Float32Array, float]:
    """Return how far each voxel's intensity lies on the way from marrow to tumour, and how much was smoothed.

    The lesion's sclerosis counts as dark.
    """
    weight = np.ones(bone.hu.shape, dtype=np.float32)
    weight[unread] = 0.0
    weight[sclerotic] = DENSE_WEIGHT
    weight[find_lumps(bone, sclerotic)] = 1.0
    return smooth_darkness(bone, known, destroyed=sclerotic, unread=unread, weight=weight)


def smooth_darkness(
    bone: Bone, known: LyticPart, *, destroyed: BoolArray, unread: BoolArray, weight: Float32Array
) -> tuple[Float32Array, float]:
    """Return how far each voxel lies on the way from marrow (0) to tumour (1), and the smoothing's strength.

    Parameters
    ----------
    bone
        The vertebra.
    known
        Whose intensities of tumour and marrow are used.
    destroyed
        Voxels that count as tumour whatever their intensity.
    unread
        Voxels whose intensity says nothing of the noise.
    weight
        How far each voxel is believed; where cortex blurs the bone's rim, it counts less.
    """
    dark = (known.marrow_hu - bone.hu) / np.float32(known.marrow_hu - known.tumour_hu)
    spread = _spread(dark, bone, unread)
    low, high = DARKNESS_RANGE
    dark = np.clip(dark, low - RANGE_PER_SPREAD * spread, high + RANGE_PER_SPREAD * spread)
    believed = bone.interior | (dark < low) | destroyed
    weight = np.where(believed, weight, np.float32(DARK_RIM_WEIGHT) * weight)
    width_mm = float(np.cbrt(bone.grid.voxel_mm3))
    least = max(STRENGTH_MM, STRENGTH_PER_VOXEL * width_mm)
    most = MOST_STRENGTH_MM * max(1.0, spread)
    strength_mm = float(np.clip(STRENGTH_PER_SPREAD * spread * width_mm, least, most))
    smooth = smooth_by_total_variation(
        np.where(destroyed, np.float32(1), dark).astype(np.float32),
        weight=weight.astype(np.float32),
        domain=bone.outline,
        grid=bone.grid,
        strength_mm=strength_mm,
    )
    return smooth, strength_mm


def _spread(dark: Float32Array, bone: Bone, unread: BoolArray) -> float:
    """Return the standard deviation of noise and fine pattern, from neighbours a little apart."""
    lag = max(1, round(SPREAD_LAG_MM / bone.grid.spacing_mm[2]))
    read = bone.interior & ~unread
    apart = (dark[:, :, lag:] - dark[:, :, :-lag])[read[:, :, lag:] & read[:, :, :-lag]]
    return 1.4826 * float(np.median(np.abs(apart))) / np.sqrt(2) if apart.size else 0.0


def share_of_dark(
    darkness: Float32Array, core: BoolArray, bone: Bone, *, inside: float = 1.0
) -> Float32Array:
    """Return the share of each voxel near a core that is lytic, its darkness taken over that inside."""
    spacing = np.asarray(bone.grid.spacing_mm)
    reach_mm = np.maximum(REACH_MM, REACH_PER_VOXEL * spacing)
    support = bone.outline & within(core, 1.0, spacing / reach_mm)
    share = np.clip(0.5 + EDGE_GAIN * (darkness / max(inside, CORE_DARKNESS) - 0.5), 0.0, 1.0)
    return _through_the_rim(np.where(support, share, 0.0).astype(np.float32), bone)


def _through_the_rim(share: Float32Array, bone: Bone) -> Float32Array:
    """Return the shares continued outwards through bone that cortex brightens, and that shows no lysis.

    Where voxels are coarse along every axis, the outermost one is as much outside as bone and is left.
    """
    rim = bone.outline & ~bone.interior
    if min(bone.grid.spacing_mm) > COARSE_MM or not (rim.any() and bone.interior.any()):
        return share
    return np.maximum(share, continued(share, bone.interior, rim, bone.grid))


def large_pieces(dark: BoolArray, bone: Bone, unread: BoolArray) -> BoolArray:
    """Return the thick, large enough pieces of what is dark, veins and Schmorl nodes left out."""
    core = opened(dark & bone.outline, LEAST_RADIUS_MM, bone.grid)
    pieces, count = ndimage.label(core)
    kept = np.zeros_like(core)
    for number in range(1, count + 1):
        piece = pieces == number
        volume_ml = float(np.count_nonzero(piece)) * bone.grid.voxel_ml
        if volume_ml < LEAST_VOLUME_ML or _is_vein(piece, dark & bone.outline, bone):
            continue
        if not (piece & bone.interior & bone.body).any():
            continue
        lytic_ml = float(np.count_nonzero(piece & ~unread)) * bone.grid.voxel_ml
        if lytic_ml < max(LEAST_LYTIC_ML, LEAST_LYTIC_SHARE * volume_ml):
            continue
        if volume_ml < SCHMORL_ML and _hugs_endplate(piece, bone):
            continue
        kept |= _rounded(piece, bone)
    return kept


def _is_vein(piece: BoolArray, dark: BoolArray, bone: Bone) -> bool:
    """Tell whether a piece lies in the basivertebral vein, and what is dark around it does not reach out."""
    if float(np.mean(bone.vein[piece])) <= 0.5:
        return False
    beyond = grown(piece, LEAST_RADIUS_MM, bone.grid) & dark & ~bone.vein
    return float(np.count_nonzero(beyond)) * bone.grid.voxel_ml < LEAST_VOLUME_ML


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


def tumour_plateau_hu(hu: Float32Array, deep: BoolArray, usual_hu: float) -> float:
    """Return the intensity deep in the dark part, or the usual one where that part is small."""
    if np.count_nonzero(deep) < LEAST_DEEP:
        return usual_hu
    return float(np.clip(np.median(hu[deep]), *TUMOUR_RANGE_HU))
