"""How far a cement volume may be off: outline, plateau, background and noise."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array
from cementct.segmentation.cement.scene import Scene

# Standard deviation of the place of a large deposit's outline: what is left after all corrections, in soft
# tissue and in bone, and how it grows with the slice distance. [calibrated on simulations, benchmarks]
OUTLINE_SD_SOFT_MM = 0.018
OUTLINE_SD_BONE_MM = 0.02
OUTLINE_SD_PER_SLICE = 0.010
# Error of the surroundings' level under a thin deposit, in soft tissue and in bone.
BACKGROUND_SD_SOFT_HU = 8.0
BACKGROUND_SD_BONE_HU = 45.0
# Noise of neighbouring voxels is correlated: their sum varies this many times as much as that of free ones.
NOISE_CORRELATION = 2.0
# What no term above knows of.
FLOOR_ML = 0.001


def sd_of_bulk_ml(
    scene: Scene, share: Float32Array, *, in_bone: BoolArray, rise_sd: float, rise_hu: float
) -> float:
    """Return the standard deviation of the volume of thick cement, in millilitres."""
    area_soft, area_bone = _surface_mm2(scene, share, in_bone)
    slice_mm = scene.spacing_mm[0]
    outline = (
        area_soft * (OUTLINE_SD_SOFT_MM + OUTLINE_SD_PER_SLICE * slice_mm)
        + area_bone * (OUTLINE_SD_BONE_MM + OUTLINE_SD_PER_SLICE * slice_mm)
    ) / 1000.0
    # An error e of the rise moves the half height by e / 2, and so the outline by e / 2 over the slope.
    shift_mm = 1.25 * scene.resolution.in_plane_mm * rise_sd
    plateau = (area_soft + area_bone) * shift_mm / 1000.0
    partial = np.count_nonzero((share > 0) & (share < 1))
    noise = NOISE_CORRELATION * scene.noise_hu / max(rise_hu, 100.0) * np.sqrt(partial) * scene.voxel_ml
    return float(np.sqrt(outline**2 + plateau**2 + noise**2 + FLOOR_ML**2))


def sd_of_thin_ml(
    scene: Scene, volume_ml: float, *, near: BoolArray, in_bone: BoolArray, rise_hu: float, rise_sd: float
) -> float:
    """Return the standard deviation of the volume of a thin deposit, in millilitres."""
    count = np.count_nonzero(near)
    bony = np.count_nonzero(near & in_bone)
    background_hu = (BACKGROUND_SD_SOFT_HU * (count - bony) + BACKGROUND_SD_BONE_HU * bony) / max(
        rise_hu, 100.0
    )
    noise = NOISE_CORRELATION * scene.noise_hu / max(rise_hu, 100.0) * np.sqrt(count) * scene.voxel_ml
    return float(
        np.sqrt((volume_ml * rise_sd) ** 2 + (background_hu * scene.voxel_ml) ** 2 + noise**2 + FLOOR_ML**2)
    )


def _surface_mm2(scene: Scene, share: Float32Array, in_bone: BoolArray) -> tuple[float, float]:
    """Return the surface in soft tissue and in bone: the integral of the slope of the shares."""
    slopes = [
        np.gradient(share, step, axis=axis)
        for axis, step in enumerate(scene.spacing_mm)
        if share.shape[axis] > 1
    ]
    slope = np.sqrt(sum(np.square(s) for s in slopes))
    return (
        float(slope[~in_bone].sum(dtype=np.float64)) * scene.grid.voxel_mm3,
        float(slope[in_bone].sum(dtype=np.float64)) * scene.grid.voxel_mm3,
    )
