"""How far a cement volume may be off: outline, plateau, background and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array
from cementct.segmentation.cement.scene import Scene

# Standard deviation of the place of a large deposit's outline: what is left after all corrections, and how it
# grows with the slice distance. [calibrated on simulated deposits, benchmarks/cement_volume.py]
OUTLINE_SD_MM = 0.009
OUTLINE_SD_PER_SLICE = 0.009
# The same where bone beside it was not seen before: error of its intensity times the width over which it
# counts, in HU mm; divided by the deposit's rise it is a shift of the outline.
UNKNOWN_BONE_HU_MM = 50.0
# Relative error of a rise beyond what its own spread shows: hardened beams, and for a clipped plateau what
# the model of edges leaves out.
RISE_SD, CLIPPED_RISE_SD = 0.012, 0.12
# Metal hides this share of what may lie beside it.
HIDDEN_BY_METAL = 0.25
# Error of the surroundings' level under a thin deposit, in soft tissue and in bone.
BACKGROUND_SD_SOFT_HU = 8.0
BACKGROUND_SD_BONE_HU = 45.0
# Noise of neighbouring voxels is correlated: their sum varies this many times as much as that of free ones.
NOISE_CORRELATION = 2.0
# What no term above knows of.
FLOOR_ML = 0.001


@dataclass(frozen=True)
class Ground:
    """What a deposit lies on; all of the scene's shape.

    Attributes
    ----------
    in_bone
        Where bone, and with it texture and cortex, surrounds it.
    known
        Where an earlier scan says what was there.
    excluded
        Metal.
    """

    in_bone: BoolArray
    known: BoolArray
    excluded: BoolArray


def sd_of_bulk_ml(
    scene: Scene, share: Float32Array, ground: Ground, *, rise_sd: float, rise_hu: float, clipped: bool
) -> float:
    """Return the standard deviation of the volume of thick cement, in millilitres.

    Parameters
    ----------
    scene
        The block of CT, with the sharpness of its edges.
    share
        The deposit's share of each voxel.
    ground
        What it lies on.
    rise_sd
        Relative standard deviation of its rise over the surroundings, as the image shows it.
    rise_hu
        That rise.
    clipped
        Whether the number range hides it.
    """
    area, area_unknown = _surface_mm2(scene, share, ground.in_bone & ~ground.known)
    outline = area * (OUTLINE_SD_MM + OUTLINE_SD_PER_SLICE * scene.spacing_mm[0])
    background = area_unknown * UNKNOWN_BONE_HU_MM / max(rise_hu, 100.0)
    # An error e of the rise moves the half height by e / 2, and so the outline by e / 2 over the slope.
    through, in_plane, _ = scene.resolution.sigma_mm
    blur_mm = (through + 2.0 * in_plane) / 3.0
    plateau = area * 1.25 * blur_mm * float(np.hypot(rise_sd, CLIPPED_RISE_SD if clipped else RISE_SD))
    partial = np.count_nonzero((share > 0) & (share < 1))
    noise_ml = NOISE_CORRELATION * scene.noise_hu / max(rise_hu, 100.0) * np.sqrt(partial) * scene.voxel_ml
    errors_ml = [outline / 1000.0, background / 1000.0, plateau / 1000.0, noise_ml, FLOOR_ML]
    errors_ml.append(_hidden_ml(scene, share, ground.excluded))
    return float(np.sqrt(np.sum(np.square(errors_ml))))


def _hidden_ml(scene: Scene, share: Float32Array, excluded: BoolArray) -> float:
    """Return how much cement metal may hide: a share of its voxels that touch cement."""
    from scipy import ndimage

    if not excluded.any():
        return 0.0
    beside = ndimage.binary_dilation(share > 0, iterations=1) & excluded
    return HIDDEN_BY_METAL * float(np.count_nonzero(beside)) * scene.voxel_ml


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


def _surface_mm2(scene: Scene, share: Float32Array, where: BoolArray) -> tuple[float, float]:
    """Return the whole surface, and that in some places: the integral of the slope of the shares."""
    slopes = [
        np.gradient(share, step, axis=axis)
        for axis, step in enumerate(scene.spacing_mm)
        if share.shape[axis] > 1
    ]
    slope = np.sqrt(sum(np.square(s) for s in slopes))
    voxel_mm3 = scene.grid.voxel_mm3
    return (
        float(slope.sum(dtype=np.float64)) * voxel_mm3,
        float(slope[where].sum(dtype=np.float64)) * voxel_mm3,
    )
