"""The sclerotic part of a lesion: well denser than the marrow, and neither cortex nor endplate."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cementct.core.arrays import BoolArray, Float32Array
from cementct.segmentation.lesion.bone import Bone
from cementct.segmentation.lesion.marrow import NormalMarrow
from cementct.segmentation.lesion.smoothing import depth_mm, grown, opened, smooth_within

# Sclerotic shells can be under 2 mm thick, so they are smoothed little; their contrast is ten times the
# noise.
SCALE_MM = 0.7
# First guess of their intensity: sclerotic metastases 654 ± 176 HU (AJR 2016).
SCLEROSIS_HU = 620.0
# Over the marrow; impacted trabeculae of a fresh fracture stay below.
LEAST_EXCESS_HU = 170.0
# Percentile of the dense voxels that is the intensity of solid sclerosis; a shell's blurred peaks lie lower.
PLATEAU_PERCENT = 97.0
# Share of the way from marrow to that plateau down to which a shell is followed.
RIM_HEIGHT = 0.4
# Deeper than this in what is followed, sclerosis fills its voxels, whatever its pattern.
INSIDE_MM = 1.5
# From the lytic part a sclerotic shell is followed this far outwards.
SHELL_REACH_MM = 4.0
# A sclerotic shell belongs to a lytic part this near.
BESIDE_LYTIC_MM = 2.5
# With this much of it, or where as much lies deep in the body: dense corners and osteophytes do neither.
SHELL_SHARE = 0.5
# With this much of it a lump does.
LUMP_SHARE = 0.1
# Under the surface of the bone.
DEEP_MM = 4.0
# The interior's outermost rim is not searched: cortex blurred by a soft kernel reaches into it.
CORTEX_RIM_MM = 0.9
# Of a piece beside a lytic part.
LEAST_PIECE_ML = 0.08
# A ball of this radius fits into a lump of sclerosis; shells, endplates and blurred cortex are thinner.
LUMP_RADIUS_MM = 2.0
# A lesion of sclerosis alone is at least this large and thick; else it is a bone island or a scar.
LEAST_ALONE_ML = 0.5
LEAST_ALONE_RADIUS_MM = 3.0
# Bone islands are denser (1190 ± 239 HU, AJR 2016) and small.
ISLAND_HU = 900.0
ISLAND_ML = 1.0
# A lump mostly this near to an endplate is the endplate.
LUMP_TO_ENDPLATE_MM = 3.0
# Sclerosis mostly this near to an endplate, without a lytic part, is degenerative.
ENDPLATE_MM = 5.0


def find_dense(bone: Bone, normal: NormalMarrow, marrow_hu: float) -> tuple[Float32Array, BoolArray]:
    """Return lightly smoothed intensities and where the interior is well denser than marrow."""
    smooth = smooth_within(bone.hu, bone.interior, bone.grid, SCALE_MM)
    excess = max(LEAST_EXCESS_HU, 0.5 * (SCLEROSIS_HU - marrow_hu), 3.0 * normal.spread_hu)
    dense = bone.interior & bone.body & (np.nan_to_num(smooth, nan=-1000.0) > marrow_hu + excess)
    return smooth, dense & ~_cortical(bone)


def _cortical(bone: Bone) -> BoolArray:
    """Return where thick cortex, or an outline drawn too wide, may pass for sclerosis."""
    return np.asarray(depth_mm(bone.interior, bone.grid) <= CORTEX_RIM_MM)


def find_lumps(bone: Bone, dense: BoolArray) -> BoolArray:
    """Return the dense pieces thick enough to be told from shells and cortex, degenerative ones left out.

    They are no lesion by themselves, but show where a lytic part may lie that is small or hemmed in.
    """
    thick = opened(dense, LUMP_RADIUS_MM, bone.grid)
    pieces, count = ndimage.label(thick, structure=np.ones((3, 3, 3)))
    if count == 0:
        return thick
    out = np.zeros_like(thick)
    by_endplate = _endplate_distance_mm(bone) < LUMP_TO_ENDPLATE_MM
    for number in range(1, count + 1):
        piece = pieces == number
        is_large = float(np.count_nonzero(piece)) * bone.grid.voxel_ml >= LEAST_PIECE_ML
        if is_large and float(np.mean(by_endplate[piece])) < 0.5:
            out |= piece
    return ndimage.binary_propagation(out, mask=dense) if out.any() else out


def find_sclerosis(bone: Bone, dense: tuple[Float32Array, BoolArray], lytic: BoolArray) -> BoolArray:
    """Return the dense voxels that belong to a lesion: beside a lytic part, or large and thick alone.

    Parameters
    ----------
    bone
        The vertebra.
    dense
        From `find_dense`.
    lytic
        The lytic part.
    """
    smooth, found = dense
    pieces, count = ndimage.label(found, structure=np.ones((3, 3, 3)))
    keep = np.zeros_like(found)
    near_lytic = grown(lytic, BESIDE_LYTIC_MM, bone.grid)
    least = LEAST_PIECE_ML / bone.grid.voxel_ml
    large = np.flatnonzero(np.bincount(pieces.ravel(), minlength=count + 1) >= least)
    blocks = ndimage.find_objects(pieces, max_label=count)
    for number, block in ((int(n), blocks[n - 1]) for n in large if n > 0):
        piece = np.zeros_like(found)
        piece[block] = pieces[block] == number
        if _belongs(piece, bone, near_lytic, smooth):
            keep |= piece
    return keep


def segment_sclerotic(
    bone: Bone, smooth: Float32Array, sclerotic: BoolArray, lytic: BoolArray, marrow_hu: float
) -> Float32Array:
    """Return the share of each voxel that is sclerotic lesion.

    Parameters
    ----------
    bone
        The vertebra.
    smooth
        Lightly smoothed intensities, from `find_dense`; they continue the interior into the rim.
    sclerotic
        From `find_sclerosis`.
    lytic
        The lytic part.
    marrow_hu
        Sound marrow of this vertebra.
    """
    keep = sclerotic
    if not keep.any():
        return np.zeros(bone.hu.shape, dtype=np.float32)
    plateau = float(np.percentile(bone.hu[keep], PLATEAU_PERCENT))
    # A shell thinner than the picture is sharp looks wider than it is; the sum of its excess stays.
    seen = np.where(bone.interior, bone.hu, np.nan_to_num(smooth, nan=marrow_hu))
    share = np.clip((seen - marrow_hu) / max(plateau - marrow_hu, 1.0), 0.0, 1.0)
    share = np.where(depth_mm(share >= RIM_HEIGHT, bone.grid) > INSIDE_MM, np.float32(1), share)
    followed = bone.outline & bone.body & grown(lytic, SHELL_REACH_MM, bone.grid) & (share >= RIM_HEIGHT)
    support = ndimage.binary_propagation(keep, mask=followed | keep)
    support = ndimage.binary_dilation(support, structure=np.ones((3, 3, 3), dtype=np.bool_)) & bone.outline
    return np.where(support, share, np.float32(0)).astype(np.float32)


def _belongs(piece: BoolArray, bone: Bone, near_lytic: BoolArray, smooth: Float32Array) -> bool:
    volume_ml = float(np.count_nonzero(piece)) * bone.grid.voxel_ml
    beside = float(np.mean(near_lytic[piece]))
    if beside >= SHELL_SHARE or (beside > 0 and _is_deep(piece, bone)):
        return volume_ml >= LEAST_PIECE_ML
    if beside >= LUMP_SHARE and find_lumps(bone, piece).any():
        return volume_ml >= LEAST_PIECE_ML
    if volume_ml < LEAST_ALONE_ML or not opened(piece, LEAST_ALONE_RADIUS_MM, bone.grid).any():
        return False
    if beside == 0 and volume_ml < ISLAND_ML and float(np.median(smooth[piece])) > ISLAND_HU:
        return False
    return float(np.mean(_endplate_distance_mm(bone)[piece] < ENDPLATE_MM)) < 0.5


def _is_deep(piece: BoolArray, bone: Bone) -> bool:
    deep = (depth_mm(bone.outline, bone.grid) > DEEP_MM) & (_endplate_distance_mm(bone) > DEEP_MM)
    return float(np.mean(deep[piece])) >= SHELL_SHARE


def _endplate_distance_mm(bone: Bone) -> Float32Array:
    """Return how far along the vertebra's axis each voxel lies from the nearer endplate."""
    local = bone.local_mm()
    left, posterior, superior = local[..., 0], local[..., 1], local[..., 2]
    half = bone.vertebra.height_mm / 2
    above = bone.vertebra.superior_endplate.at(left, posterior)
    below = bone.vertebra.inferior_endplate.at(left, posterior)
    above = np.where(np.isnan(above), half, above)
    below = np.where(np.isnan(below), -half, below)
    return np.minimum(above - superior, superior - below).astype(np.float32)
