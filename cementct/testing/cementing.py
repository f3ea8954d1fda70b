"""Cement inside a vertebra, grown from where it was injected to an exact volume, with fingers into marrow."""

from __future__ import annotations

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray, Float32Array
from cementct.testing.noise import smooth_noise
from cementct.testing.reaching import reached
from cementct.testing.site import Site, grow
from cementct.testing.spec import CementSpec

# Depth and coarseness of the fingers with which cement enters trabecular bone, at `fingers` = 1.
FINGER_MM = 3.5
FINGER_SCALE_MM = 1.8
# Coarseness of the strands of a frayed rim: the pores of trabecular bone are about 1 mm wide.
STRAND_SCALE_MM = 0.9


def cement_in_bone(
    site: Site, cement: CementSpec, channels: BoolArray, *, seed: tuple[int, ...]
) -> BoolArray:
    """Return where cement lies in the vertebra, `channels` through the cortex included.

    Parameters
    ----------
    site
        The vertebra.
    cement
        What is wanted; its volume is met to a few voxels.
    channels
        Ways through the bone that leaked cement took; they count towards the volume.
    seed
        Of the fingers.

    Raises
    ------
    ValueError
        Where the bone has less room.
    """
    own = site.own
    room = own & (site.compartments == Compartment.BODY)
    room &= site.body_depth_mm < -cement.keep_from_wall_mm
    room |= site.lesion & (site.body_depth_mm < min(0.0, -cement.keep_from_wall_mm + 0.6))
    if cement.may_enter_pedicle:
        pedicle = site.compartments == Compartment.PEDICLE_LEFT
        pedicle |= site.compartments == Compartment.PEDICLE_RIGHT
        room |= own & pedicle
    way = channels & own
    wanted = site.voxels_of(cement.volume_ml)
    if cement.reaches:
        way |= reached(site, cement, foramen_mm=site.foramen_mm)
        wanted = max(wanted, int(way.sum()))
    room = (room | way) & ~site.solid
    field = _flow_field(site, cement, room, seed)
    field[way[room]] = -100.0
    if cement.filling is None:
        return grow(field, room, wanted)
    lesion = site.lesion[room]
    in_lesion = min(round(cement.filling * float(site.lesion.sum())), wanted)
    filled = _grow_up_to(field[lesion], room & site.lesion, in_lesion)
    # What the lesion does not take flows on from there into the marrow.
    missing = wanted - int(filled.sum())
    beside = room & ~site.lesion & ~filled
    flow = 0.3 * field[~lesion] + _distance_to(filled | way, beside, site)
    flow[way[beside]] = -100.0
    filled |= _grow_up_to(np.asarray(flow, dtype=np.float32), beside, missing)
    return filled | (way & room) if cement.reaches else filled


def _grow_up_to(field: Float32Array, allowed: BoolArray, count: int) -> BoolArray:
    return grow(field, allowed, min(count, int(allowed.sum())))


def _distance_to(source: BoolArray, at: BoolArray, site: Site) -> Float32Array:
    """Return the distance in millimetres from `source`, one value for each voxel of `at`."""
    from scipy import ndimage

    if not source.any():
        return np.zeros(int(at.sum()), dtype=np.float32)
    block = ndimage.find_objects((source | at).astype(np.uint8))[0]
    distance = ndimage.distance_transform_edt(~source[block], sampling=site.grid.spacing_mm)
    return np.asarray(distance[at[block]], dtype=np.float32)


def _flow_field(site: Site, cement: CementSpec, room: BoolArray, seed: tuple[int, ...]) -> Float32Array:
    """Return when cement reaches each voxel of `room`: distance from the tips, disturbed by the marrow."""
    m = site.measures
    half = (m.width_mm / 2, m.depth_mm / 2, m.height_mm / 2)
    at = site.points(room)
    arrival = np.full(at[0].shape, np.inf, dtype=np.float32)
    for tip in cement.seeds:
        offset = [a - np.float32(t * h) for a, t, h in zip(at, tip, half, strict=True)]
        np.minimum(arrival, np.sqrt(offset[0] ** 2 + offset[1] ** 2 + (1.15 * offset[2]) ** 2), out=arrival)
    fine = smooth_noise(at, seed=(*seed, 31), scale_mm=FINGER_SCALE_MM)
    wide = smooth_noise(at, seed=(*seed, 32), scale_mm=6.0)
    field = arrival + np.float32(cement.fingers * FINGER_MM * 0.6) * fine + np.float32(1.5) * wide
    if cement.fray_mm > 0:
        strands = smooth_noise(at, seed=(*seed, 33), scale_mm=STRAND_SCALE_MM)
        field = field + np.float32(0.5 * cement.fray_mm) * strands
    return np.asarray(field, dtype=np.float32)
