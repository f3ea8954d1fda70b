"""How bright the cortex of this scan is, and how far a dense piece lies against bone or in soft tissue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray
from cementct.core.distances import Closeness
from cementct.core.morphology import dilate_faces
from cementct.segmentation.cement.scene import Scene
from cementct.segmentation.cement.surroundings import Surroundings

# Cortex is learned within this distance of the labelled surface of bone: labels are wrong by as much.
SURFACE_WITHIN_MM = 2.5
# It is learned this far from cement and metal, from what is brighter than marrow.
CLEAR_OF_DENSE_MM = 6.0
ABOVE_MARROW_HU = 250.0
# The brightest bone but for leaks that are no brighter than it, and the margin over it that noise takes.
BRIGHTEST_PERCENTILE = 99.8
MARGIN = 1.05
FEWEST_VOXELS = 500
# What bone reaches in any scan; the value where too little bone is in view to learn from.
# [clinical.md: cortex to about 1500 HU on thin slices]
BOUNDS_HU = (600.0, 1750.0)
USUAL_HU = 1200.0
# Tissue below this intensity is neither bone nor blurred cement.
SOFT_BELOW_HU = 130.0


@dataclass(frozen=True)
class Contact:
    """What the voxels around a piece are, as shares of them.

    Attributes
    ----------
    bone
        Bone, by the labels or by the image.
    soft
        Soft tissue or air.
    """

    bone: float
    soft: float


def brightest_cortex_hu(
    scene: Scene, around: Surroundings, *, to_dense: Closeness, bright_hu: float
) -> float:
    """Return the intensity over which the surface of bone hardly ever is in this scan.

    Parameters
    ----------
    scene, around
        The block of CT and its anatomy.
    to_dense
        How near cement and metal lie.
    bright_hu
        Level over which nothing in this scan is bone.
    """
    index = scene.brighter_than(ABOVE_MARROW_HU)
    surface = np.abs(around.bone_depth_mm.ravel()[index]) < SURFACE_WITHIN_MM
    surface &= scene.hu.ravel()[index] < bright_hu
    surface &= scene.measured.ravel()[index]
    surface &= ~to_dense.within(CLEAR_OF_DENSE_MM).ravel()[index]
    values = scene.hu.ravel()[index[surface]]
    if values.size < FEWEST_VOXELS:
        return min(USUAL_HU, bright_hu)
    own = MARGIN * float(np.percentile(values, BRIGHTEST_PERCENTILE))
    return min(float(np.clip(own, *BOUNDS_HU)), bright_hu)


def contact_of(
    where: BoolArray, block: tuple[slice, ...], scene: Scene, around: Surroundings, *, other_bone: BoolArray
) -> Contact:
    """Return what lies against a piece.

    Parameters
    ----------
    where, block
        The piece within a block of the scene.
    scene, around
        The block of CT and its anatomy.
    other_bone
        Bone that the labels miss, shape of the scene.
    """
    bounds = tuple(
        slice(max(s.start - 1, 0), min(s.stop + 1, n)) for s, n in zip(block, scene.hu.shape, strict=True)
    )
    pad = [(s.start - b.start, b.stop - s.stop) for s, b in zip(block, bounds, strict=True)]
    piece = np.pad(where, pad)
    shell = dilate_faces(piece) & ~piece
    if not shell.any():
        return Contact(0.0, 0.0)
    bone = (around.bone_depth_mm[bounds][shell] > 0) | other_bone[bounds][shell]
    soft = ~bone & (scene.hu[bounds][shell] < SOFT_BELOW_HU)
    return Contact(float(bone.mean()), float(soft.mean()))
