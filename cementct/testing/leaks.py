"""Leaks: cords, sheets and blobs of an exact volume in a wanted compartment, and their ways out of bone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray
from cementct.core.findings import LeakType, Side
from cementct.testing.diskal_leaks import neighbours_body
from cementct.testing.leak_forms import MAKERS
from cementct.testing.leak_geometry import (
    Plan,
    along_and_across,
    cord_size,
    distance2,
    needle_line,
    through_bone,
)
from cementct.testing.noise import smooth_noise
from cementct.testing.places import side_sign
from cementct.testing.site import Site, grow
from cementct.testing.spec import LeakShape, LeakSpec

# Radius of cement in a vein, of an epidural cord, of a needle track, and of a way through the cortex.
VEIN_RADIUS_MM = 1.2
EPIDURAL_RADIUS_MM = 1.1
TRACK_RADIUS_MM = 1.3
WAY_RADIUS_MM = 0.9
# How far a transcostovertebral needle passes beside the middle of the pedicle.
BESIDE_PEDICLE_MM = 7.0
# Paravertebral leaks stay this near to the body.
FURTHEST_MM = 14.0
# Thickness of an epidural sheet.
SHEET_MM = 1.6
# Irregularity of a leak's surface, as a share of a cord's radius (in millimetres for blobs).
ROUGHNESS = 0.12
# A cord that would grow longer than this becomes thicker instead.
LONGEST_CORD_MM = 28.0


@dataclass(frozen=True)
class LeakPlan:
    """A leak before its voxels are chosen.

    Attributes
    ----------
    spec
        What was wanted.
    voxels
        Where it lies, outside the vertebra.
    way
        The way to it through the bone, which counts to the vertebra.
    """

    spec: LeakSpec
    voxels: BoolArray
    way: BoolArray


def place_leak(site: Site, leak: LeakSpec, taken: BoolArray, *, seed: tuple[int, ...]) -> LeakPlan:
    """Return where a leak lies.

    Parameters
    ----------
    site
        The vertebra it comes from.
    leak
        What is wanted.
    taken
        Voxels of other leaks.
    seed
        Of its irregularity.

    Raises
    ------
    ValueError
        Where the compartment has no room for it.
    """
    maker = {
        LeakType.EPIDURAL: _epidural,
        LeakType.DISKAL: _diskal,
        LeakType.FORAMINAL: _foraminal,
        LeakType.PARAVERTEBRAL: _paravertebral,
        LeakType.ACCESS_TRACK: _access_track,
    }[leak.type]
    free = ~taken & ~site.solid & (site.vertebrae == 0)
    if leak.shape is LeakShape.INTO_NEIGHBOUR:
        free |= ~taken & neighbours_body(site, above=leak.above)
    allowed, field, way = MAKERS.get(leak.shape, maker)(site, leak, free)
    field += np.float32(ROUGHNESS) * smooth_noise(site.points(allowed), seed=(*seed, 41), scale_mm=2.5)
    try:
        voxels = grow(field, allowed, max(1, site.voxels_of(leak.volume_ml)))
    except ValueError as error:
        raise ValueError(f"no room for a {leak.type} leak of {leak.volume_ml:.2f} ml: {error}") from None
    return LeakPlan(leak, voxels, way)


def _epidural(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
    m = site.measures
    sign = side_sign(leak.side)
    along_mm = leak.levels * (m.spacing_above_mm + m.spacing_below_mm) / 2
    allowed = free & (site.compartments == Compartment.CANAL)
    left, _, up = site.points(allowed)
    front = site.behind_front_mm[allowed]
    off = sign * 0.5 * m.half_canal_mm
    sideways = np.abs(left - np.float32(off))
    if leak.side is Side.MIDLINE and leak.shape is not LeakShape.SHEET:
        sideways = np.abs(np.abs(left) - np.float32(0.5 * m.half_canal_mm))
    volume_mm3 = leak.volume_ml * 1000
    if leak.shape in {LeakShape.SHEET, LeakShape.BLOB}:
        thick = SHEET_MM if leak.shape is LeakShape.SHEET else 4.0
        half_width = min(0.45 * m.half_canal_mm, float(np.sqrt(volume_mm3 / thick)) / 2)
        half_length = volume_mm3 / thick / (4 * half_width)
        field = np.maximum(
            np.abs(front - np.float32(thick / 2)) / np.float32(thick / 2),
            np.hypot(sideways / np.float32(half_width), up / np.float32(half_length)),
        )
    else:
        cords = 2 if leak.side is Side.MIDLINE else 1
        radius, half_length = cord_size(volume_mm3 / cords, EPIDURAL_RADIUS_MM, along_mm)
        across = np.hypot(front - np.float32(radius), sideways) / np.float32(radius)
        field = np.maximum(across, np.abs(up) / np.float32(half_length))
    # Through the basivertebral foramen, then to the side behind the wall.
    way = through_bone(site, ((0.0, 0.1 * m.depth_mm, 0.0), (0.5 * off, m.wall_mm + 1.5, 0.0)), 1.3)
    return allowed, np.asarray(field, dtype=np.float32), way


def _diskal(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
    m = site.measures
    up = 1.0 if leak.above else -1.0
    allowed = free & (site.compartments == Compartment.DISC) & (site.at[2] * np.float32(up) > 0)
    entry = (0.35 * side_sign(leak.side) * m.width_mm / 2, -0.15 * m.depth_mm / 2, up * m.height_mm / 2)
    left, back, above = (a - np.float32(c) for a, c in zip(site.points(allowed), entry, strict=True))
    field = np.sqrt(left**2 + (1.2 * back) ** 2 + (0.9 * (above - np.float32(2.0 * up))) ** 2)
    inner, outer = (*entry[:2], 0.1 * up * m.height_mm), (*entry[:2], entry[2] + up)
    return allowed, np.asarray(field, dtype=np.float32), through_bone(site, (inner, outer), 1.5)


def _foraminal(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
    m = site.measures
    sign = side_sign(leak.side) or 1.0
    wanted = Compartment.FORAMEN_LEFT if sign > 0 else Compartment.FORAMEN_RIGHT
    allowed = free & (site.compartments == wanted) & ((site.at[2] > 0) == leak.above)
    if not allowed.any():
        raise ValueError("the foramen is not in view")
    level = m.spacing_above_mm / 2 if leak.above else -m.spacing_below_mm / 2
    # Veins run through the foramen's upper part, in front of the nerve.
    points = site.points(allowed)
    wish = (sign * (m.half_canal_mm + 3.0), m.wall_mm + 3.0, level + 2.0)
    nearest = int(np.argmin(distance2(points, wish)))
    start = (float(points[0][nearest]), float(points[1][nearest]), float(points[2][nearest]))
    edge = float(np.clip(start[2], -0.4 * m.height_mm, 0.4 * m.height_mm))
    way = ((0.2 * start[0], 0.1 * m.depth_mm, 0.3 * start[2]), (start[0], m.wall_mm - 1.0, edge))
    return allowed, np.sqrt(distance2(points, start)), through_bone(site, way, WAY_RADIUS_MM)


def _paravertebral(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
    m = site.measures
    sign = side_sign(leak.side) or 1.0
    allowed = free & (site.compartments == Compartment.ELSEWHERE) & (site.at[0] * np.float32(sign) > 0)
    allowed &= (site.at[1] < np.float32(m.wall_mm - 3.0)) & (site.outline_mm < np.float32(FURTHEST_MM))
    allowed &= np.abs(site.at[2]) < np.float32(0.5 * m.height_mm + 6.0)
    left, back, up = site.points(allowed)
    exit_left = sign * m.width_mm / 2
    if leak.shape is LeakShape.BLOB:
        centre = (exit_left + sign * 3.0, -0.1 * m.depth_mm, 0.0)
        field = np.sqrt(distance2((left, back, up), centre))
    else:
        # A segmental vein around the waist of the body, from its side to its front.
        radius, half_length = cord_size(leak.volume_ml * 1000, VEIN_RADIUS_MM, 36.0)
        angle = np.arctan2(left * np.float32(sign), -back)
        reach = 0.42 * (m.width_mm + m.depth_mm) / 2
        along = (np.float32(np.pi / 2) - angle) * np.float32(reach)
        beside = site.outline_mm[allowed] - np.float32(radius + 0.2)
        across = np.hypot(beside, up - 0.08 * along) / np.float32(radius)
        field = np.maximum(across, np.abs(along - np.float32(half_length)) / np.float32(half_length))
    way = ((0.5 * exit_left, -0.1 * m.depth_mm, 0.0), (1.1 * exit_left, -0.05 * m.depth_mm, 0.0))
    return allowed, np.asarray(field, dtype=np.float32), through_bone(site, way, WAY_RADIUS_MM)


def _access_track(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
    m = site.measures
    beside = BESIDE_PEDICLE_MM if leak.shape in {LeakShape.SHEET, LeakShape.TRANSCOSTOVERTEBRAL} else 0.0
    tip, direction = needle_line(site, leak.side, beside_pedicle_mm=beside)
    along, across = along_and_across(site.points(site.own), tip, direction)
    hit = along[across < 1.0]
    leaves = float(hit.max()) if hit.size else m.depth_mm
    radius, half_length = cord_size(leak.volume_ml * 1000, TRACK_RADIUS_MM, LONGEST_CORD_MM)
    allowed = free & (site.compartments == Compartment.ELSEWHERE) & (site.at[1] > np.float32(m.wall_mm))
    track = np.zeros(site.own.shape, dtype=np.bool_)
    track[site.own] = (across < WAY_RADIUS_MM) & (along > 0)
    along, across = along_and_across(site.points(allowed), tip, direction)
    field = np.maximum(
        across / np.float32(radius),
        np.abs(along - np.float32(leaves + half_length)) / np.float32(half_length),
    )
    return allowed, np.where(along > leaves - 4.0, field, np.float32(1e3)).astype(np.float32), track
