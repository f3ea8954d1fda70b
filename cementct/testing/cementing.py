"""Cement inside a vertebra: grown from where it was injected to an exact volume, with fingers into the marrow."""

from __future__ import annotations

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray, Float32Array
from cementct.testing.noise import smooth_noise
from cementct.testing.site import Site, grow
from cementct.testing.spec import CementSpec

# Depth and coarseness of the fingers with which cement enters trabecular bone, at `fingers` = 1.
FINGER_MM = 3.5
FINGER_SCALE_MM = 1.8
# Cortex that stays free around cement in the pedicle.
_PEDICLE_MARGIN_MM = 1.0


def cement_in_bone(
    site: Site, cement: CementSpec, channels: BoolArray, *, seed: tuple[int, ...]
) -> BoolArray:
    """Return where cement lies in the vertebra, `channels` through the cortex included.

    Parameters
    ----------
    site
        The vertebra.
    cement
        What is wanted; its volume is met to one voxel.
    channels
        Ways through the bone that leaked cement took; they count towards the volume.
    seed
        Of the fingers.

    Raises
    ------
    ValueError
        Where the bone has less room.
    """
    open_to_cement = site.own_body & (site.body_depth_mm < -cement.keep_from_wall_mm)
    open_to_cement |= site.lesion & (site.body_depth_mm < min(0.0, -cement.keep_from_wall_mm + 0.6))
    if cement.may_enter_pedicle:
        pedicle = (site.compartments == Compartment.PEDICLE_LEFT) | (
            site.compartments == Compartment.PEDICLE_RIGHT
        )
        open_to_cement |= site.own & pedicle
    way = channels & site.own
    open_to_cement = (open_to_cement | way) & ~site.solid
    field = _flow_field(site, cement, seed)
    field = np.where(way, np.float32(-100.0), field)
    wanted = site.voxels_of(cement.volume_ml)
    if cement.filling is None:
        return grow(field, open_to_cement, wanted)
    in_lesion = min(int(round(cement.filling * site.lesion.sum())), wanted)
    filled = _grow_up_to(field, open_to_cement & site.lesion, in_lesion)
    rest = _grow_up_to(field, open_to_cement & ~site.lesion, wanted - int(filled.sum()))
    return filled | rest


def _grow_up_to(field: Float32Array, allowed: BoolArray, count: int) -> BoolArray:
    return grow(field, allowed, min(count, int(allowed.sum())))


def _flow_field(site: Site, cement: CementSpec, seed: tuple[int, ...]) -> Float32Array:
    """Return when cement reaches a voxel: distance from the nearest needle tip, disturbed by the marrow."""
    m = site.measures
    half = (m.width_mm / 2, m.depth_mm / 2, m.height_mm / 2)
    reached = np.full(site.at[0].shape, np.inf, dtype=np.float32)
    for tip in cement.seeds:
        offset = [a - np.float32(t * h) for a, t, h in zip(site.at, tip, half, strict=True)]
        np.minimum(reached, np.sqrt(offset[0] ** 2 + offset[1] ** 2 + (1.15 * offset[2]) ** 2), out=reached)
    near = reached < 30
    at = (site.at[0][near], site.at[1][near], site.at[2][near])
    fine = smooth_noise(at, seed=(*seed, 31), scale_mm=FINGER_SCALE_MM)
    wide = smooth_noise(at, seed=(*seed, 32), scale_mm=6.0)
    reached[near] += np.float32(cement.fingers * FINGER_MM * 0.6) * fine + np.float32(1.5) * wide
    return reached
