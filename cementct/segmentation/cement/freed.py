"""Cement behind the bodies that an engine took for bone, and what of canal and foramina it fills.

An engine that follows bone by its density follows cement in a foramen too, and says that it is a lamina, a
pedicle or a rib. Bone behind the bodies is the same on both sides: where the other side of the vertebra shows
soft tissue, the cement lies outside bone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from cementct.anatomy.model import Beneath, Compartment, CompartmentMap, Spine, Vertebra
from cementct.core.arrays import BoolArray, IntArray
from cementct.core.image import Region, Volume
from cementct.segmentation.cement.counterparts import OTHER_SIDE, look_around
from cementct.segmentation.model import Cement

# The other side shows bone where the brightest fifth of what lies within a millimetre reaches this, in HU:
# laminae and facets do, marrow between their cortex included; fat, cord, nerves and muscle do not.
BONE_FROM_HU, BONE_PERCENTILE = 180.0, 80.0
MIRROR_REACH_MM, MIRROR_STEP_MM = 1.0, 0.5
# A voxel is freed with most of its neighbours that could be.
MOST = 0.5


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
    outlined = [v for v in spine.vertebrae if not v.is_drawn]
    if beneath is None or not outlined:
        return spine
    covered = _covered(spine.compartments, beneath, cement)
    freed = np.zeros_like(covered)
    for vertebra in outlined:
        index = np.argwhere(covered & (cement.owner == vertebra.number))
        if len(index):
            soft = ~_has_bone_on_other_side(index + np.asarray(cement.box.start), vertebra, volume)
            freed[tuple(index[soft].T)] = True
    freed = _with_most(freed, covered)
    return _without_bone(spine, beneath, Region(cement.box, freed)) if freed.any() else spine


def _covered(compartments: CompartmentMap, beneath: Beneath, cement: Cement) -> BoolArray:
    """Return drawn cement in bone behind the bodies that covers canal or foramina; on the cement's block."""
    behind = compartments.compartment.ravel()[beneath.index] != int(Compartment.BODY)
    places = np.stack(np.unravel_index(beneath.index[behind], compartments.box.shape), axis=1)
    places += np.subtract(compartments.box.start, cement.box.start)
    places = places[((places >= 0) & (places < cement.box.shape)).all(axis=1)]
    found = np.zeros(cement.box.shape, dtype=np.bool_)
    found[tuple(places.T)] = True
    return found & cement.region


def _has_bone_on_other_side(index: IntArray, vertebra: Vertebra, volume: Volume) -> BoolArray:
    """Tell of voxels of the volume whether their vertebra shows bone on its other side, or nothing there."""
    local = vertebra.frame.to_local(volume.grid.to_lps(index))
    hu, seen = look_around(
        volume.hu, volume.grid, vertebra.frame.to_lps(local * OTHER_SIDE), MIRROR_REACH_MM, MIRROR_STEP_MM
    )
    brightest = np.percentile(np.where(seen, hu, np.inf), BONE_PERCENTILE, axis=1, method="higher")
    return np.asarray(brightest >= BONE_FROM_HU)


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
