"""What of the bone's rim a lesion destroyed: destroyed cortex belongs to the lesion, standing does not."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.distances import distance_outside
from cementct.segmentation.lesion.bone import Bone
from cementct.segmentation.lesion.smoothing import grown

# Cortex is looked for this far to both sides of the outline.
SHELL_MM = 1.2
# Its brightest voxel within this distance tells whether it stands.
PEAK_RADIUS_MM = 1.8
# Thickness of a standing cortex that is cut off a lesion under it; 0.4–0.8 mm in vertebral bodies.
CORTEX_THICKNESS_MM = 0.6
# Cortex further than this from a lesion is taken for sound and shows what standing cortex reads here.
LESION_CLEARANCE_MM = 4.0
# Surfaces whose normal leans this much (cosine) towards the slices' normal are blurred by slice thickness.
ENDPLATE_SLOPE = 0.7

# Sound rim is compared with rim as deep under the surface as this.
REFERENCE_STEP_MM = 0.5
# From so few voxels of sound rim nothing is taken.
LEAST_REFERENCE = 30
# Sound rim that is so little brighter than tumour does not show what is left of it.
LEAST_RIM_CONTRAST_HU = 90.0
# Blur and the pattern of bone leave a tenth of the contrast on either side; lysis under a thin layer more.
RIM_GAIN, RIM_MIDDLE = 1.4, 0.47


def destroyed_rim(bone: Bone, share: Float32Array, tumour_hu: float) -> Float32Array:
    """Return lytic shares held to what the bone's rim shows.

    A layer of the rim holds cortex and marrow, and where a lesion took part of it, it is that much darker
    than the same layer elsewhere in this bone.

    Parameters
    ----------
    bone
        The vertebra.
    share
        Lytic share of each voxel, continued through the rim to the outline.
    tumour_hu
        Intensity of the lysis.
    """
    rim = bone.outline & ~bone.interior
    depth, along = _depth_and_lean(bone)
    light = _light(bone)
    sound = rim & bone.body & ~grown(share >= 0.5, LESION_CLEARANCE_MM, bone.grid)
    layer = np.floor(depth / REFERENCE_STEP_MM).astype(np.int16)
    out = share.copy()
    for faces in (along > ENDPLATE_SLOPE, along <= ENDPLATE_SLOPE):
        for number in np.unique(layer[rim & faces & (share > 0)]):
            here = rim & faces & (layer == number)
            usual = light[here & sound]
            if usual.size < LEAST_REFERENCE:
                continue
            usual_hu = float(np.median(usual))
            if usual_hu - tumour_hu < LEAST_RIM_CONTRAST_HU:
                continue
            gone = (usual_hu - light[here]) / (usual_hu - tumour_hu)
            out[here] = np.minimum(out[here], np.clip(0.5 + RIM_GAIN * (gone - RIM_MIDDLE), 0.0, 1.0))
    return out


def cortex_removed(bone: Bone, share: Float32Array, tumour_hu: float, marrow_hu: float) -> Float32Array:
    """Return a lesion's shares with standing cortex taken out.

    Parameters
    ----------
    bone
        The vertebra.
    share
        Share of each voxel that is lesion, continued through the cortex to the outline.
    tumour_hu, marrow_hu
        Intensities of lesion and sound marrow.
    """
    lesion = share >= 0.5
    depth = _signed_depth_mm(bone)
    shell = np.abs(depth) <= SHELL_MM
    steep = _faces_slices(depth, bone)
    peak = _peak(bone)
    sound = shell & bone.outline & ~grown(lesion, LESION_CLEARANCE_MM, bone.grid)
    standing = np.zeros_like(lesion)
    for faces in (steep, ~steep):
        usual = peak[sound & faces]
        usual_hu = float(np.median(usual)) if usual.size >= 50 else marrow_hu + 150.0
        standing |= faces & (peak > (tumour_hu + max(usual_hu, marrow_hu + 60.0)) / 2)
    width = float(np.cbrt(bone.grid.voxel_mm3))
    uncovered = np.clip(0.5 + (depth - CORTEX_THICKNESS_MM) / width, 0.0, 1.0)
    covered = np.clip(0.5 + depth / width, 0.0, 1.0)
    limit = np.where(standing, uncovered, covered)
    return np.asarray(np.minimum(share, limit), dtype=np.float32)


def standing_cortex(bone: Bone, tumour_hu: float, marrow_hu: float) -> BoolArray:
    """Return where bright cortex is seen within reach."""
    return np.asarray(_peak(bone) > (tumour_hu + marrow_hu + 150.0) / 2)


def _signed_depth_mm(bone: Bone) -> Float32Array:
    spacing = bone.grid.spacing_mm
    inside, outside = distance_outside(~bone.outline, spacing), distance_outside(bone.outline, spacing)
    half = 0.5 * float(np.cbrt(bone.grid.voxel_mm3))
    return np.where(bone.outline, inside - half, half - outside).astype(np.float32)


def _depth_and_lean(bone: Bone) -> tuple[Float32Array, Float32Array]:
    """Return how deep voxels' middles lie, and the cosine between surface and slices' normals."""
    spacing = np.asarray(bone.grid.spacing_mm)
    inside, outside = distance_outside(~bone.outline, spacing), distance_outside(bone.outline, spacing)
    away: Float32Array = np.subtract(inside, outside)
    slopes = np.gradient(ndimage.gaussian_filter(away, 1.5 / spacing), *spacing)
    length = np.sqrt(sum(slope**2 for slope in slopes)) + 1e-6
    half = 0.5 * sum(np.abs(slope) * s for slope, s in zip(slopes, spacing, strict=True)) / length
    depth = np.where(bone.outline, away - half, away + half)
    return depth.astype(np.float32), (np.abs(slopes[0]) / length).astype(np.float32)


def _light(bone: Bone) -> Float32Array:
    return np.asarray(ndimage.gaussian_filter(bone.hu, 0.4 / np.asarray(bone.grid.spacing_mm)))


def _faces_slices(depth: Float32Array, bone: Bone) -> BoolArray:
    smooth = ndimage.gaussian_filter(depth, [1.5 / s for s in bone.grid.spacing_mm])
    slopes = np.gradient(smooth, *bone.grid.spacing_mm)
    length = np.sqrt(sum(slope**2 for slope in slopes)) + 1e-6
    return np.asarray(np.abs(slopes[0]) / length > ENDPLATE_SLOPE)


def _peak(bone: Bone) -> Float32Array:
    spacing = np.asarray(bone.grid.spacing_mm)
    light = ndimage.gaussian_filter(bone.hu, 0.4 / spacing)
    reach = np.maximum(1, np.rint(PEAK_RADIUS_MM / spacing)).astype(int)
    brightest = ndimage.maximum_filter(light, size=tuple(int(n) for n in 2 * reach + 1))
    return np.asarray(ndimage.gaussian_filter(brightest, 1.0 / spacing), dtype=np.float32)
