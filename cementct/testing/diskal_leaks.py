"""Cement in discs: flat and irregular, across into the neighbour, and in a Schmorl node."""

from __future__ import annotations

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray
from cementct.testing.leak_geometry import Plan, through_bone
from cementct.testing.noise import smooth_noise
from cementct.testing.places import side_sign
from cementct.testing.shapes import Point
from cementct.testing.site import Site
from cementct.testing.spec import LeakSpec
from cementct.testing.wear import NODE_PLACE, NODE_RADIUS_MM

# Thickness of cement that spreads in a disc, and how far into the neighbouring body a leak goes that breaks
# into it.
SPREAD_MM = 2.5
INTO_NEIGHBOUR_MM = 5.0


def _endplate(site: Site, leak: LeakSpec) -> tuple[Point, float]:
    """Return where a discal leak leaves the bone, and +1 upwards or -1 downwards."""
    m, up = site.measures, 1.0 if leak.above else -1.0
    return (0.3 * side_sign(leak.side) * m.width_mm / 2, -0.12 * m.depth_mm / 2, up * m.height_mm / 2), up


def plan_spreading(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
    """Plan cement that leaves through a crack of the endplate and spreads under the disc's fibres."""
    m = site.measures
    entry, up = _endplate(site, leak)
    allowed = free & (site.compartments == Compartment.DISC) & (site.at[2] * np.float32(up) > 0)
    at = site.points(allowed)
    thick = leak.thickness_mm or SPREAD_MM
    wander = smooth_noise(at, seed=(site.number, 44), scale_mm=5.0)
    height = site.body_depth_mm[allowed] - np.float32(0.5 * thick + 0.3) + np.float32(0.6) * wander
    radius = np.hypot(at[0] - np.float32(entry[0]), at[1] - np.float32(entry[1]))
    field = radius + 3.0 * wander + 5.0 * np.maximum(np.abs(height) - np.float32(thick / 2), 0.0)
    inner = (entry[0], entry[1], 0.1 * up * m.height_mm)
    crack = through_bone(site, (inner, (entry[0] + 1.5, entry[1], entry[2] + up)), 1.2)
    return allowed, np.asarray(field, dtype=np.float32), crack


def neighbours_body(site: Site, *, above: bool) -> BoolArray:
    """Return where the next body above or below lies."""
    other = (site.vertebrae > 0) & (site.vertebrae != site.number) & (site.compartments == Compartment.BODY)
    return np.asarray(other & ((site.at[2] > 0) == above))


def plan_into_neighbour(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
    """Plan a pillar from one body across the disc into the next one."""
    m = site.measures
    entry, up = _endplate(site, leak)
    allowed = free & (site.at[2] * np.float32(up) > 0)
    allowed &= (site.compartments == Compartment.DISC) | neighbours_body(site, above=leak.above)
    gap = (m.spacing_above_mm if leak.above else m.spacing_below_mm) - m.height_mm
    far = max(gap, 3.0) + INTO_NEIGHBOUR_MM
    radius = float(np.sqrt(leak.volume_ml * 1000 / (np.pi * far)))
    at = site.points(allowed)
    across = np.hypot(at[0] - np.float32(entry[0]), at[1] - np.float32(entry[1])) / np.float32(radius)
    field = np.maximum(across, site.body_depth_mm[allowed] / np.float32(far))
    field = field + 0.12 * smooth_noise(at, seed=(site.number, 45), scale_mm=4.0)
    way = ((entry[0], entry[1], 0.1 * up * m.height_mm), (entry[0], entry[1], entry[2] + up))
    return allowed, np.asarray(field, dtype=np.float32), through_bone(site, way, min(2.5, radius))


def plan_node(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
    """Plan cement that fills a Schmorl node from its bottom."""
    m = site.measures
    _, up = _endplate(site, leak)
    centre = (up * NODE_PLACE[0] * m.width_mm / 2, NODE_PLACE[1] * m.depth_mm / 2)
    allowed = free & (site.compartments == Compartment.DISC) & (site.at[2] * np.float32(up) > 0)
    left, back, height = site.points(allowed)
    aside = np.hypot(left - np.float32(centre[0]), back - np.float32(centre[1]))
    field = height * np.float32(up) + np.where(aside < 1.4 * NODE_RADIUS_MM, 0.1 * aside, 20.0 + aside)
    way = ((*centre, -0.1 * up * m.height_mm), (*centre, 0.45 * up * m.height_mm))
    return allowed, np.asarray(field, dtype=np.float32), through_bone(site, way, 1.5)
