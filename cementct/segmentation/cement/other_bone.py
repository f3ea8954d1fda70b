"""Bone that the labels miss, and other dense structures: told from the image itself.

Ribs, joints, processes and the rim of a body whose label is too small are as bright as dilute cement. They
are thick structures of cortex and marrow, where a leak is a cord or a sheet, or a solid mass brighter than
any bone of the same scan over the same width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray, Float32Array, IntArray
from cementct.core.distances import Closeness
from cementct.core.grid import Box
from cementct.core.morphology import bounds_of, dilate_box, erode_box, mask_of
from cementct.core.smoothing import SmoothedInParts
from cementct.core.threads import beside
from cementct.segmentation.cement.scene import DENSE_FROM_HU, Scene
from cementct.segmentation.cement.surroundings import Surroundings

# Bone, marrow included, and vessels with contrast are brighter than this in a smoothed image.
DENSE_ABOVE_HU = DENSE_FROM_HU
SMOOTH_MM = 0.5
# Bone outside the labels starts this far from them; nearer lies the blur of labelled bone.
OUTSIDE_LABELS_MM = 1.0
# Cords and sheets of leaked cement are thinner than this, blur included; bone is thicker.
THICK_MM = 3.0
# Marrow may be fainter than that; a hole so large in a slice of bone is filled, the canal is larger.
LARGEST_HOLE_MM2 = 120.0
# Darker holes hold air.
LEAST_MARROW_HU = -120.0
# The cortex of a thick structure lies within this distance of its thick part.
RIM_MM = 1.5
# Smaller thick structures are not taken for bone.
SMALLEST_ML = 0.25
# Outside canal, discs and foramina whatever is so large is bone or a vessel, thick or not.
LARGE_ML = 1.5
# Over this width cement is solid, where bone holds marrow or ends.
SOLID_SIGMA_MM = 1.5
# Cement is as bright in its middle as at its rim, where bone has cortex around marrow: so even over this
# width (lowest over highest intensity), and denser than vessels with contrast are.
EVEN_OVER_MM = 3.0
EVEN_SHARE = 0.70
EVEN_FROM_HU = 400.0
# How bright bone is in this scan is learned from what exceeds this, so far from cement; the percentile leaves
# out the brightest, which may be leaks. Bounds: what bone reaches in any scan.
LEARNED_ABOVE_HU = 300.0
CLEAR_OF_DENSE_MM = 6.0
BRIGHTEST_PERCENTILE = 99.8
SOLID_PERCENTILE = 99.8
FEWEST_VOXELS = 500
BOUNDS_HU = (700.0, 1750.0)
SOLID_BOUNDS_HU = (450.0, 1200.0)
MARGIN = 1.08
# Canal and foramina hold no bone farther than this from what is known as bone: a dense thing there is cement.
# Nearer to it may lie facets that labels miss, more often than leaks: found on phantoms and implants.
HOLLOW_FROM_MM = 3.5
_HOLLOW = [int(Compartment.CANAL), int(Compartment.FORAMEN_LEFT), int(Compartment.FORAMEN_RIGHT)]
_WITHOUT_BONE = [*_HOLLOW, int(Compartment.DISC)]


@dataclass(frozen=True)
class OtherBone:
    """Dense structures outside the labelled vertebrae that are no cement.

    Attributes
    ----------
    where
        Their voxels, shape of the scene.
    brighter
        Where the image is brighter than bone is anywhere in this scan, by itself or over the width of a solid
        mass.
    """

    where: BoolArray
    brighter: BoolArray


def find_other_bone(
    scene: Scene,
    around: Surroundings,
    *,
    seeds: BoolArray,
    excluded: BoolArray,
    to_dense: Closeness,
    bright_hu: float,
) -> OtherBone:
    """Return thick dense structures outside the labelled bone.

    Parameters
    ----------
    scene, around
        The block of CT and its anatomy.
    seeds
        Cement beyond doubt.
    excluded
        Metal.
    to_dense
        How near seeds and metal lie.
    bright_hu
        Level over which nothing in this scan is bone.
    """
    smoothed, brighter = beside(
        lambda: _smoothed(scene),
        lambda: _brighter_than_bone(scene, to_dense=to_dense, bright_hu=bright_hu),
    )
    outside = around.bone_depth_mm < -OUTSIDE_LABELS_MM
    bright = np.flatnonzero(smoothed.values > DENSE_ABOVE_HU)
    index = bright[outside.ravel()[bright]]
    index = index[~(seeds.ravel()[index] | excluded.ravel()[index] | brighter.ravel()[index])]
    dense = mask_of(index, outside.shape)
    apart = mask_of(index[~np.isin(around.compartment.ravel()[index], _WITHOUT_BONE)], outside.shape)
    marrow = _marrow(scene, smoothed, dense | brighter | ~outside)
    marrow &= outside
    dense |= marrow
    solid = _solid(scene, smoothed.values, bright)
    del smoothed  # as large as the scene
    dense &= ~solid
    apart &= ~solid
    hollow = np.flatnonzero(dense)
    hollow = hollow[around.bone_depth_mm.ravel()[hollow] < -HOLLOW_FROM_MM]
    dense.ravel()[hollow[np.isin(around.compartment.ravel()[hollow], _HOLLOW)]] = False
    found, large = beside(
        lambda: _at_least(_thick(scene, dense), SMALLEST_ML, scene.voxel_ml),
        lambda: _at_least(apart, LARGE_ML, scene.voxel_ml),
    )
    found |= large
    size = [2 * max(1, round(RIM_MM / s)) + 1 for s in scene.spacing_mm]
    found = dilate_box(found, size)
    found &= outside
    found &= ~solid
    return OtherBone(found, brighter)


def _smoothed(scene: Scene) -> SmoothedInParts:
    """Return the smoothed image, taken as 0 where it cannot be dense."""
    smoothed = SmoothedInParts(scene.hu, [SMOOTH_MM / s for s in scene.spacing_mm])
    smoothed.smooth_around(scene.brighter_than(DENSE_ABOVE_HU))
    return smoothed


def _solid(scene: Scene, smooth: Float32Array, bright: IntArray) -> BoolArray:
    """Return what is dense and even over a deposit's width, along each axis; it is looked for in `bright`."""
    size = [max(1, round(EVEN_OVER_MM / s)) for s in scene.spacing_mm]
    size = [n + 1 - n % 2 for n in size]
    flat = smooth.ravel()
    index = bright[flat[bright] > EVEN_FROM_HU]
    low = high = flat[index]
    for axis, length in enumerate(size):
        along, step = smooth.shape[axis], int(np.prod(smooth.shape[axis + 1 :]))
        place = index // step % along
        for shift in range(-(length // 2), length // 2 + 1):
            beside = flat[index + (np.clip(place + shift, 0, along - 1) - place) * step]
            low, high = np.minimum(low, beside), np.maximum(high, beside)
            # Most are out after a few.
            even = (low > EVEN_FROM_HU) & (low > EVEN_SHARE * high)
            index, place, low, high = index[even], place[even], low[even], high[even]
    found = mask_of(index, smooth.shape)
    window = bounds_of(found, size)
    if window is not None:
        found[window] = dilate_box(found[window], size)
    return found


def _at_least(where: BoolArray, volume_ml: float, voxel_ml: float) -> BoolArray:
    """Return the connected components of at least so large a volume."""
    import cc3d

    labels = cc3d.connected_components(where, connectivity=6).ravel()
    index = np.flatnonzero(where)
    numbers = labels[index]
    large = np.bincount(numbers) * voxel_ml >= volume_ml
    return mask_of(index[large[numbers]], where.shape)


def _thick(scene: Scene, dense: BoolArray) -> BoolArray:
    """Return what of a mask is at least `THICK_MM` wide along every axis."""
    size = [max(1, round(THICK_MM / s)) for s in scene.spacing_mm]
    size = [n + 1 - n % 2 for n in size]
    return dilate_box(erode_box(dense, size), size)


def _marrow(scene: Scene, smoothed: SmoothedInParts, bone: BoolArray) -> BoolArray:
    """Return the small holes of bone in each slice that are no brighter than soft tissue."""
    import cc3d

    found = np.zeros(bone.shape, dtype=np.bool_)
    most = int(LARGEST_HOLE_MM2 / (scene.spacing_mm[1] * scene.spacing_mm[2]))
    for plane, holes in zip(bone, found, strict=True):
        bounds = bounds_of(plane[None])
        if bounds is None:
            continue
        # Around all bone of a slice lies what is no hole: of that, more pixels than a hole has are enough.
        _, rows, columns = Box.of(bounds).shape
        _, y, x = bounds_of(plane[None], (0, most // columns + 1, most // rows + 1)) or bounds
        labels = cc3d.connected_components(~plane[y, x], connectivity=4)
        small = np.bincount(labels.ravel()) <= most
        small[0] = False
        if small.any():
            holes[y, x] = small[labels]
    index = np.flatnonzero(found)
    found.ravel()[index] = smoothed.at(index) > LEAST_MARROW_HU
    return found


def _brighter_than_bone(scene: Scene, *, to_dense: Closeness, bright_hu: float) -> BoolArray:
    """Return where the image exceeds what bone far from cement shows in this scan."""
    index = scene.brighter_than(LEARNED_ABOVE_HU)
    hu = scene.hu.ravel()[index]
    clear = scene.measured.ravel()[index] & ~to_dense.within(CLEAR_OF_DENSE_MM).ravel()[index]
    bone = clear & (hu < bright_hu)
    brighter = hu > bright_hu
    if np.count_nonzero(bone) >= FEWEST_VOXELS:
        sigma = [SOLID_SIGMA_MM / s for s in scene.spacing_mm]
        wide = SmoothedInParts(scene.hu, sigma, highest=bright_hu).at(index)
        own = MARGIN * float(np.percentile(hu[bone], BRIGHTEST_PERCENTILE))
        solid = MARGIN * float(np.percentile(wide[bone], SOLID_PERCENTILE))
        own = min(float(np.clip(own, *BOUNDS_HU)), bright_hu)
        solid = float(np.clip(solid, *SOLID_BOUNDS_HU))
        brighter = (hu > own) | ((wide > solid) & (hu > solid))
    return mask_of(index[brighter], scene.hu.shape)
