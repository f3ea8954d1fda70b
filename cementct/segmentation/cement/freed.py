"""What an engine took for bone behind the bodies and is none, and what of canal and foramina it fills.

An engine that follows bone by its density follows cement in a foramen too, and says that it is a lamina, a
pedicle or a rib. Bone behind the bodies is the same on both sides: where the other side of the vertebra shows
soft tissue, what is dense lies outside bone. Whatever is solid is asked about before cement is looked for,
lest cement as faint as bone be lost in it; the cement itself afterwards.
"""

from __future__ import annotations

from dataclasses import replace

import cc3d
import numpy as np
from scipy import ndimage

from cementct.anatomy.model import Beneath, Compartment, CompartmentMap, Spine
from cementct.core.arrays import BoolArray, FloatArray, IntArray, LabelArray
from cementct.core.grid import Box
from cementct.core.image import Region, Volume
from cementct.core.morphology import dilate_box, erode_box
from cementct.segmentation.cement.counterparts import OTHER_SIDE, look_around
from cementct.segmentation.model import Cement

# The other side shows bone where the brightest fifth of what lies within a millimetre reaches this, in HU:
# laminae and facets do, marrow between their cortex included; fat, cord, nerves and muscle do not.
BONE_FROM_HU, BONE_PERCENTILE = 180.0, 80.0
MIRROR_REACH_MM, MIRROR_STEP_MM = 1.0, 0.5
# Bone is marrow in a shell of cortex; cement is this bright over this far in all directions, in pieces of at
# least this size, and its blurred surface goes with it.
SOLID_HU, SOLID_MM, LEAST_SOLID_ML = 400.0, 2.5, 0.05
SURFACE_MM = 1.5
# A voxel is freed with most of its neighbours that could be.
MOST = 0.5


def free_solid(spine: Spine, volume: Volume) -> Spine:
    """Return the spine without what its engine took for bone in canal and foramina, and is too solid for it.

    Parameters
    ----------
    spine
        Vertebrae and compartments.
    volume
        The scan.
    """
    beneath = spine.compartments.beneath
    if beneath is None or all(v.is_drawn for v in spine.vertebrae):
        return spine
    places, positions = _behind_bodies(spine.compartments, beneath)
    if not len(places):
        return spine
    box = volume.grid.box_around(places, SURFACE_MM)
    owner = np.zeros(box.shape, dtype=np.uint8)
    numbers = np.array([0, *(v.number for v in spine.vertebrae)], dtype=np.uint8)
    owner[tuple((places - np.asarray(box.start)).T)] = numbers[positions]
    owner[~_solid(volume.crop(box))] = 0
    freed = _without_counterpart(spine, volume, box, owner, with_levels=True)
    least = max(2, round(LEAST_SOLID_ML / volume.grid.voxel_ml))
    freed = cc3d.dust(freed, threshold=least, connectivity=26) > 0
    return _without_bone(spine, beneath, Region(box, freed)) if freed.any() else spine


def free_cement(spine: Spine, cement: Cement, volume: Volume) -> Spine:
    """Return the spine without bone where its engine took cement in canal and foramina for it.

    Parameters
    ----------
    spine
        Vertebrae and compartments.
    cement
        All cement.
    volume
        The scan that shows both.
    """
    beneath = spine.compartments.beneath
    if beneath is None or all(v.is_drawn for v in spine.vertebrae):
        return spine
    places = _behind_bodies(spine.compartments, beneath)[0] - np.asarray(cement.box.start)
    places = places[((places >= 0) & (places < cement.box.shape)).all(axis=1)]
    covered = np.zeros(cement.box.shape, dtype=np.bool_)
    covered[tuple(places.T)] = True
    owner = np.where(covered & cement.region, cement.owner, np.uint8(0))
    freed = _without_counterpart(spine, volume, cement.box, owner)
    return _without_bone(spine, beneath, Region(cement.box, freed)) if freed.any() else spine


def _behind_bodies(compartments: CompartmentMap, beneath: Beneath) -> tuple[IntArray, IntArray]:
    """Return bone behind the bodies over canal and foramina: voxels of the volume, and their places."""
    behind = compartments.compartment.ravel()[beneath.index] != int(Compartment.BODY)
    index = beneath.index[behind]
    zyx = np.stack(np.unravel_index(index, compartments.box.shape), axis=1)
    return zyx + np.asarray(compartments.box.start), compartments.place.ravel()[index].astype(np.intp)


def _solid(volume: Volume) -> BoolArray:
    """Return what is bright over more than the thickness of cortex, with its blurred surface."""

    def odd(reach_mm: float) -> list[int]:
        return [2 * round(reach_mm / 2 / s) + 1 for s in volume.grid.spacing_mm]

    inside = erode_box(volume.hu >= SOLID_HU, odd(SOLID_MM))
    return dilate_box(inside, odd(SOLID_MM + 2 * SURFACE_MM)) & (volume.hu >= BONE_FROM_HU)


def _without_counterpart(
    spine: Spine, volume: Volume, box: Box, owner: LabelArray, *, with_levels: bool = False
) -> BoolArray:
    """Return the voxels in which the other side of the vertebra of that number shows no bone.

    With levels, its neighbours neither: what repeats itself from level to level is bone in a spine that is
    turned, and not the same on both sides.
    """
    found = np.zeros(box.shape, dtype=np.bool_)
    frames = [v.frame for v in spine.vertebrae]
    for vertebra in (v for v in spine.vertebrae if not v.is_drawn):
        index = np.argwhere(owner == vertebra.number)
        if not len(index):
            continue
        local = vertebra.frame.to_local(volume.grid.to_lps(index + np.asarray(box.start)))
        soft = ~_is_bone(vertebra.frame.to_lps(local * OTHER_SIDE), volume, unseen=True)
        if with_levels:
            place = vertebra.position
            for frame in (*frames[max(0, place - 1) : place], *frames[place + 1 : place + 2]):
                soft &= ~_is_bone(frame.to_lps(local), volume, unseen=False)
        found[tuple(index[soft].T)] = True
    return _with_most(found, owner > 0)


def _is_bone(points_lps_mm: FloatArray, volume: Volume, *, unseen: bool) -> BoolArray:
    """Tell of points whether the scan shows bone there; `unseen` is said of those out of view."""
    hu, seen = look_around(volume.hu, volume.grid, points_lps_mm, MIRROR_REACH_MM, MIRROR_STEP_MM)
    brightest = np.percentile(np.where(seen, hu, np.inf), BONE_PERCENTILE, axis=1, method="higher")
    return np.where(np.isfinite(brightest), brightest >= BONE_FROM_HU, unseen)


def _with_most(freed: BoolArray, possible: BoolArray) -> BoolArray:
    """Return what could be freed and has most of its neighbours that could be among the freed."""
    share = ndimage.uniform_filter(freed.astype(np.float32), 3, mode="constant")
    among = ndimage.uniform_filter(possible.astype(np.float32), 3, mode="constant")
    return np.asarray(possible & (share > MOST * among))


def _without_bone(spine: Spine, beneath: Beneath, freed: Region) -> Spine:
    compartments = spine.compartments
    at = freed.indices() - np.asarray(compartments.box.start)
    index = np.ravel_multi_index(tuple(at.T), compartments.box.shape)
    found = np.searchsorted(beneath.index, index)
    compartment, place = compartments.compartment.copy(), compartments.place.copy()
    compartment.ravel()[index], place.ravel()[index] = beneath.compartment[found], beneath.place[found]
    vertebrae = tuple(
        replace(v, whole=Region(v.whole.box, v.whole.voxels & ~freed.in_box(v.whole.box)))
        for v in spine.vertebrae
    )
    return replace(
        spine,
        vertebrae=vertebrae,
        compartments=replace(compartments, compartment=compartment, place=place),
    )
