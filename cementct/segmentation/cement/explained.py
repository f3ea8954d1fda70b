"""How bright a place may be without new cement, by what an earlier scan shows there and beside it."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.distances import within
from cementct.segmentation.cement.scene import Scene
from cementct.segmentation.cement.surroundings import Surroundings

# Vertebrae are carried over to within this distance; a structure may lie so far from where it was expected.
CARRIED_WITHIN_MM = 1.3
# Below this intensity of the earlier scan lies soft tissue or marrow, which looks the same in both scans.
NO_EDGE_HU = 150.0
# From this intensity on the earlier scan shows cortex, whose height depends on kernel and slice thickness.
CORTEX_FROM_HU = 350.0
# How far bone rises over what the earlier scan showed near it is learned from this scan's own bone: the
# highest share of voxels but the last, which may be leaks or ill-registered, within these bounds.
RISE_PERCENTILE = 99.5
RISE_BOUNDS_HU = (250.0, 420.0)
# What is brighter than at the same place before by this is new: what bone's edge gains where vertebrae are
# carried a little beside their place is less over most of a piece.
NEW_RISE_HU = 250.0
# Bone is compared this far from cement and metal, and if it is so many voxels.
CLEAR_OF_DENSE_MM = 4.0
FEWEST_VOXELS = 500
# So far around the seeds lies the solid deposit itself, whose edge is measured against bone beside it.
DEPOSIT_REACH_MM = 2.5


def explained_level(
    scene: Scene, around: Surroundings, *, seeds: BoolArray, excluded: BoolArray
) -> Float32Array:
    """Return the intensity that has to be exceeded where an earlier scan is known; -inf elsewhere.

    It is to be compared with the scene as dull as that scan: thick slices hardly show an endplate.

    Parameters
    ----------
    scene, around
        The block of CT and its anatomy; `around.expected_hu` is the earlier scan where `around.known`.
    seeds
        Cement beyond doubt; around it the level does not apply.
    excluded
        Metal.
    """
    level = brightest_without_cement(scene, around, around.as_dull_as_before(scene), dense=seeds | excluded)
    level[within(seeds, DEPOSIT_REACH_MM, scene.spacing_mm)] = -np.inf
    return level


def doubt_of_bone(scene: Scene, around: Surroundings, *, dense: BoolArray) -> Float32Array | None:
    """Return by how much bone may be brighter than an earlier scan showed; None where there is no such scan.

    Parameters
    ----------
    scene, around
        The block of CT and its anatomy.
    dense
        Cement and metal, from which nothing is learned.
    """
    if not around.known.any():
        return None
    brightest = brightest_without_cement(scene, around, scene.hu, dense=dense)
    return np.asarray(np.maximum(brightest - around.expected_hu, 0.0), dtype=np.float32)


def brighter_than_before(scene: Scene, around: Surroundings) -> BoolArray | None:
    """Return where the scene is well brighter than an earlier scan at the same place; None without one.

    Parameters
    ----------
    scene, around
        The block of CT and its anatomy.
    """
    if not around.known.any():
        return None
    return around.known & (around.as_dull_as_before(scene) > around.expected_hu + NEW_RISE_HU)


def brightest_without_cement(
    scene: Scene, around: Surroundings, hu: Float32Array, *, dense: BoolArray
) -> Float32Array:
    """Return how bright bone beside cortex may be by an earlier scan; -inf where that is not known.

    Parameters
    ----------
    scene, around
        The block of CT and its anatomy; `around.expected_hu` is the earlier scan where `around.known`.
    hu
        Its intensities, or these as dull as the earlier scan's.
    dense
        Cement and metal, from which nothing is learned.
    """
    nothing = np.full(scene.hu.shape, -np.inf, dtype=np.float32)
    if not around.known.any():
        return nothing
    nearby = _brightest_nearby(np.where(around.known, around.expected_hu, -1000.0), scene)
    clear = around.known & ~within(dense, CLEAR_OF_DENSE_MM, scene.spacing_mm)
    bone = clear & (nearby > CORTEX_FROM_HU)
    rise = RISE_BOUNDS_HU[0]
    if np.count_nonzero(bone) >= FEWEST_VOXELS:
        rise = float(np.percentile(hu[bone] - nearby[bone], RISE_PERCENTILE))
    rise = float(np.clip(rise, *RISE_BOUNDS_HU))
    edge = np.clip((nearby - NO_EDGE_HU) / (CORTEX_FROM_HU - NO_EDGE_HU), 0.0, 1.0)
    applies = around.known & (edge > 0)
    return np.where(applies, nearby + edge * rise, nothing).astype(np.float32)


def _brightest_nearby(hu: Float32Array, scene: Scene) -> Float32Array:
    """Return the highest intensity within the error of carrying, at least one voxel each way."""
    from scipy import ndimage

    reach = [max(1, int(CARRIED_WITHIN_MM / s)) for s in scene.spacing_mm]
    axes = [np.arange(-n, n + 1) * s for n, s in zip(reach, scene.spacing_mm, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    near = np.sqrt(z**2 + y**2 + x**2) <= CARRIED_WITHIN_MM
    steps = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in reach], indexing="ij"))
    near |= np.abs(steps).sum(axis=0) <= 1
    return np.asarray(ndimage.maximum_filter(hu, footprint=near), dtype=np.float32)
