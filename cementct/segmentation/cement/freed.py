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
from cementct.core.arrays import BoolArray, FloatArray, IntArray
from cementct.core.image import Region, Volume
from cementct.segmentation.model import Cement

# The other side shows bone where the brightest fifth of what lies within a millimetre reaches this, in HU:
# laminae and facets do, marrow between their cortex included; fat, cord, nerves and muscle do not.
BONE_FROM_HU, BONE_PERCENTILE = 180.0, 80.0
MIRROR_REACH_MM = 1.0
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
    if beneath is None or not outlined or cement.box.is_empty:
        return spine
    freed = np.zeros(cement.box.shape, dtype=np.bool_)
    covered = _covered(spine.compartments, beneath, cement)
    for vertebra in outlined:
        mine = covered & (cement.owner == vertebra.number)
        if mine.any():
            freed |= mine & ~_has_bone_on_other_side(mine, vertebra, cement, volume)
    freed = _with_most(freed, covered)
    return _without_bone(spine, beneath, freed, cement) if freed.any() else spine


def _covered(compartments: CompartmentMap, beneath: Beneath, cement: Cement) -> BoolArray:
    """Return drawn cement in bone behind the bodies that covers canal or foramina; on the cement's block."""
    whole = np.zeros(compartments.box.shape, dtype=np.bool_)
    behind = compartments.compartment.ravel()[beneath.index] != int(Compartment.BODY)
    whole.ravel()[beneath.index[behind]] = True
    common = cement.box.intersection(compartments.box)
    found = np.zeros(cement.box.shape, dtype=np.bool_)
    found[common.within(cement.box)] = whole[common.within(compartments.box)]
    return found & cement.region


def _has_bone_on_other_side(
    where: BoolArray, vertebra: Vertebra, cement: Cement, volume: Volume
) -> BoolArray:
    """Return the voxels of `where` whose place on the vertebra's other side is bone, or not in view."""
    index = np.argwhere(where)
    local = vertebra.frame.to_local(volume.grid.to_lps(index + np.asarray(cement.box.start)))
    local[:, 0] *= -1.0
    place = volume.grid.to_index(vertebra.frame.to_lps(local))
    bone = _brightness(volume, place) >= BONE_FROM_HU
    bone |= ((place < 0) | (place > np.asarray(volume.grid.shape) - 1)).any(axis=1)
    out = np.zeros_like(where)
    out[tuple(index[bone].T)] = True
    return out


def _brightness(volume: Volume, place: FloatArray) -> FloatArray:
    """Return how bright it is around places given as indices."""
    steps = np.stack(np.meshgrid(*[(-1.0, 0.0, 1.0)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    around = place + steps * (MIRROR_REACH_MM / np.asarray(volume.grid.spacing_mm))
    first = np.maximum(np.floor(around.min(axis=(0, 1))).astype(int), 0)
    last = np.minimum(np.ceil(around.max(axis=(0, 1))).astype(int) + 1, volume.grid.shape)
    if (last <= first).any():
        return np.full(len(place), np.inf)
    hu = volume.hu[tuple(slice(a, b) for a, b in zip(first, last, strict=True))].astype(np.float32)
    values = ndimage.map_coordinates(
        hu, (around - first).reshape(-1, 3).T, order=1, mode="nearest", output=np.float32
    )
    return np.asarray(np.percentile(values.reshape(len(steps), -1), BONE_PERCENTILE, axis=0))


def _with_most(freed: BoolArray, possible: BoolArray) -> BoolArray:
    """Return what could be freed and has most of its neighbours that could be among the freed."""
    share = ndimage.uniform_filter(freed.astype(np.float32), 3, mode="constant")
    among = ndimage.uniform_filter(possible.astype(np.float32), 3, mode="constant")
    return np.asarray(possible & (share > MOST * among))


def _without_bone(spine: Spine, beneath: Beneath, freed: BoolArray, cement: Cement) -> Spine:
    compartments = spine.compartments
    at: IntArray = np.argwhere(freed) + np.subtract(cement.box.start, compartments.box.start)
    index = np.ravel_multi_index(tuple(at.T), compartments.box.shape)
    found = np.searchsorted(beneath.index, index)
    compartment, place = compartments.compartment.copy(), compartments.place.copy()
    compartment.ravel()[index], place.ravel()[index] = beneath.compartment[found], beneath.place[found]
    vertebrae = tuple(replace(v, whole=_without(v.whole, freed, cement)) for v in spine.vertebrae)
    return replace(
        spine,
        vertebrae=vertebrae,
        compartments=replace(compartments, compartment=compartment, place=place),
    )


def _without(region: Region, freed: BoolArray, cement: Cement) -> Region:
    common = region.box.intersection(cement.box)
    if common.is_empty:
        return region
    taken = freed[common.within(cement.box)]
    if not (region.voxels[common.within(region.box)] & taken).any():
        return region
    voxels = region.voxels.copy()
    voxels[common.within(region.box)] &= ~taken
    return Region(region.box, voxels)
