"""Leaks as they are in patients: branching veins, paired epidural cords and sheets, flat discal leaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.findings import Side
from cementct.testing.leak_geometry import Plan, cord_size, distance2, through_bone
from cementct.testing.noise import smooth_noise
from cementct.testing.places import side_sign, surface_axis
from cementct.testing.shapes import Coordinates, Point
from cementct.testing.site import Measures, Site
from cementct.testing.spec import LeakShape, LeakSpec, Place
from cementct.testing.wear import NODE_PLACE, NODE_RADIUS_MM

# Usual diameters of cement in veins (1 to 3 mm) and in the plexus, and thickness of sheets and bulges.
VEIN_MM = 2.0
PLEXUS_MM = 1.5
PAIRED_CORD_MM = 1.6
PAIRED_SHEET_MM = 1.5
BULGE_MM = 2.0
SPREAD_MM = 2.5
# Branches are this much thinner than their stem; calibres vary along a vein by this share.
BRANCH_SHARE = 0.75
CALIBRE_SPREAD = 0.15
# Longitudinal epidural veins lie at this share of half the canal's width beside the midline.
PLEXUS_ASIDE = 0.55
# Narrowest half of a paired sheet.
NARROWEST_SHEET_MM = 2.5
# How far into the neighbouring body a leak goes that breaks into it.
INTO_NEIGHBOUR_MM = 5.0
# Outside a cord a voxel is taken last.
_LAST = 1000.0


@dataclass(frozen=True)
class Vein:
    """One cord of a tree.

    Attributes
    ----------
    points
        Chain of points along its axis.
    radius_mm
        Of the cord.
    from_mm
        Length of the way from the tree's root to its first point.
    """

    points: tuple[Point, ...]
    radius_mm: float
    from_mm: float = 0.0

    @property
    def length_mm(self) -> float:
        """Length of its axis."""
        steps = np.diff(np.asarray(self.points), axis=0)
        return float(np.sqrt((steps**2).sum(axis=1)).sum())


def vein_field(at: Coordinates, veins: Sequence[Vein], seed: tuple[int, ...]) -> Float32Array:
    """Return the way that cement has come to each point inside the cords; far more outside them."""
    calibre = 1 + np.float32(CALIBRE_SPREAD) * smooth_noise(at, seed=seed, scale_mm=3.5)
    out = np.full(at[0].shape, np.float32(2 * _LAST), dtype=np.float32)
    for vein in veins:
        passed = vein.from_mm
        for first, last in pairwise(vein.points):
            step = np.asarray(last) - np.asarray(first)
            length = float(np.sqrt(step @ step))
            offset = [a - np.float32(c) for a, c in zip(at, first, strict=True)]
            share = sum(o * np.float32(s) for o, s in zip(offset, step / length**2, strict=True))
            share = np.clip(share, 0.0, 1.0)
            across = np.sqrt(sum((o - share * np.float32(s)) ** 2 for o, s in zip(offset, step, strict=True)))
            across = across / (np.float32(vein.radius_mm) * calibre)
            way = np.where(across < 1, passed + share * np.float32(length) + across, _LAST * across)
            np.minimum(out, way, out=out)
            passed += length
    return out


def on_outline(site: Site, angle_deg: float, superior_mm: float, clearance_mm: float) -> Point:
    """Return the point a little outside the body's side wall in a direction from the front, on the left."""
    across, along = np.sin(np.deg2rad(angle_deg)), -np.cos(np.deg2rad(angle_deg))
    reach = np.arange(6.0, 45.0, 0.4)
    points = np.stack([across * reach, along * reach, np.full_like(reach, superior_mm)], axis=1)
    index = np.round(site.grid.to_index(site.frame.to_lps(points))).astype(int)
    inside = np.all((index >= 0) & (index < site.grid.shape), axis=1)
    outside = np.full(reach.size, 99.0)
    outside[inside] = site.outline_mm[tuple(index[inside].T)]
    first = int(np.argmax(outside > clearance_mm))
    return float(points[first, 0]), float(points[first, 1]), superior_mm


def _mirrored(points: Sequence[Point], sign: float) -> tuple[Point, ...]:
    return tuple((sign * left, back, up) for left, back, up in points)


def _veins(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
    """Plan a segmental vein that hugs the waist, with the ascending lumbar vein and a prevertebral branch."""
    m, sign = site.measures, side_sign(leak.side) or 1.0
    radius = (leak.thickness_mm or VEIN_MM) / 2
    thin, clear = radius * BRANCH_SHARE, radius + 0.3
    allowed = free & (site.compartments == Compartment.ELSEWHERE) & (site.at[0] * np.float32(sign) > -6)
    allowed &= site.outline_mm < 22.0
    stem = [
        on_outline(site, a * sign, 0.04 * m.height_mm * i, clear) for i, a in enumerate((88, 70, 52, 34, 18))
    ]
    back = [on_outline(site, a * sign, -0.03 * m.height_mm * i, clear) for i, a in enumerate((88, 102, 114))]
    turn = back[-1]
    step = 0.5 * m.height_mm
    up = [turn] + [
        (turn[0] + sign * (1.0 + 0.6 * (i % 2)), turn[1] + 1.0, turn[2] + step * i) for i in (1, 2, 3)
    ]
    down = [turn] + [
        (turn[0] + sign * (1.5 - 0.8 * (i % 2)), turn[1] + 0.5, turn[2] - step * i) for i in (1, 2, 3)
    ]
    front = [
        stem[2],
        (stem[2][0], stem[2][1] - 2.5, 0.45 * m.height_mm),
        (stem[2][0] * 0.8, stem[2][1] - 4, 0.8 * m.height_mm),
    ]
    first, behind = Vein(tuple(stem), radius), Vein(tuple(back), radius)
    veins = (
        first,
        behind,
        Vein(tuple(up), thin, behind.length_mm),
        Vein(tuple(down), thin, behind.length_mm),
        Vein(tuple(front), thin, 0.5 * first.length_mm),
    )
    exit_left = sign * m.width_mm / 2
    way = ((0.5 * exit_left, -0.1 * m.depth_mm, 0.0), (1.1 * exit_left, 0.0, 0.0))
    field = vein_field(site.points(allowed), veins, (site.number, 42))
    return allowed, field, through_bone(site, way, max(0.9, thin))


def _behind_wall(site: Site, allowed: BoolArray) -> Coordinates:
    """Return coordinates in the canal whose second one counts from the walls: veins there follow them."""
    left, _, up = site.points(allowed)
    return left, site.behind_front_mm[allowed], up


def _through_foramen(site: Site, radius_mm: float) -> BoolArray:
    m = site.measures
    return through_bone(site, ((0.0, 0.1 * m.depth_mm, 0.0), (0.0, m.wall_mm + 1.5, 0.0)), radius_mm)


def _plexus(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
    """Plan cords from the basivertebral foramen to both longitudinal veins, with a rung at either pedicle."""
    m = site.measures
    radius = (leak.thickness_mm or PLEXUS_MM) / 2
    allowed = free & (site.compartments == Compartment.CANAL)
    aside = PLEXUS_ASIDE * m.half_canal_mm
    reach = leak.levels * (m.spacing_above_mm + m.spacing_below_mm) / 4
    veins = []
    for sign in (side_sign(leak.side),) if leak.side is not Side.MIDLINE else (1.0, -1.0):
        root = Vein(
            ((0.0, radius, 0.0), (0.5 * sign * aside, radius, 1.0), (sign * aside, radius, 2.0)), radius
        )
        veins.append(root)
        for up in (1.0, -1.0):
            bow = [
                (sign * (aside + 0.8 * np.sin(2.5 * t)), radius, 2.0 + up * reach * t)
                for t in np.linspace(0, 1, 7)
            ]
            veins.append(Vein(_mirrored(bow, 1.0), radius, root.length_mm))
        rung = 2.0 + 0.45 * m.height_mm
        link = ((sign * aside, radius, rung), (0.0, radius, rung + 1.5))
        veins.append(Vein(link, radius * BRANCH_SHARE, root.length_mm + rung))
    field = vein_field(_behind_wall(site, allowed), veins, (site.number, 43))
    return allowed, field, _through_foramen(site, 1.3)


def _paired_cords(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
    m = site.measures
    allowed = free & (site.compartments == Compartment.CANAL)
    left, front, up = _behind_wall(site, allowed)
    longest = leak.levels * (m.spacing_above_mm + m.spacing_below_mm) / 2
    radius, half_length = cord_size(leak.volume_ml * 500, (leak.thickness_mm or PAIRED_CORD_MM) / 2, longest)
    sideways = np.abs(np.abs(left) - np.float32(PLEXUS_ASIDE * m.half_canal_mm))
    across = np.hypot(front - np.float32(radius), sideways) / np.float32(radius)
    field = np.maximum(across, np.abs(up) / np.float32(half_length))
    return allowed, np.asarray(field, dtype=np.float32), _through_foramen(site, 1.3)


def _paired_sheets(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
    m = site.measures
    allowed = free & (site.compartments == Compartment.CANAL)
    left, front, up = _behind_wall(site, allowed)
    thick = leak.thickness_mm or PAIRED_SHEET_MM
    length = leak.levels * (m.spacing_above_mm + m.spacing_below_mm) / 2
    area = leak.volume_ml * 500 / thick
    width = max(area / length, NARROWEST_SHEET_MM)
    sideways = np.abs(np.abs(left) - np.float32(PLEXUS_ASIDE * m.half_canal_mm)) / np.float32(width / 2)
    along = np.abs(up) / np.float32(area / width / 2)
    flat = (sideways**4 + along**4) ** 0.25
    field = np.maximum(np.abs(front - np.float32(thick / 2)) / np.float32(thick / 2), flat)
    return allowed, np.asarray(field, dtype=np.float32), _through_foramen(site, 1.3)


def _beyond_wall(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
    """Plan a cap behind the posterior wall, as thick as wanted in its middle, and cement up to the wall."""
    allowed = free & (site.compartments == Compartment.CANAL)
    thick = leak.thickness_mm or BULGE_MM
    radius = float(np.sqrt(2 * leak.volume_ml * 1000 / (np.pi * thick)))
    middle, _ = surface_axis(site.measures, Place.POSTERIOR_WALL, leak.side)
    left, front, up = _behind_wall(site, allowed)
    across2 = ((left - np.float32(middle[0])) ** 2 + (up - np.float32(middle[2])) ** 2) / np.float32(
        radius**2
    )
    field = np.maximum(front, 0) / np.float32(thick) + across2
    way = ((float(middle[0]), 0.1 * site.measures.depth_mm, float(middle[2])), _at(middle))
    return allowed, np.asarray(field, dtype=np.float32), through_bone(site, way, min(3.5, radius))


def _endplate(site: Site, leak: LeakSpec) -> tuple[Point, float]:
    """Return where a discal leak leaves the bone, and +1 upwards or -1 downwards."""
    m, up = site.measures, 1.0 if leak.above else -1.0
    return (0.3 * side_sign(leak.side) * m.width_mm / 2, -0.12 * m.depth_mm / 2, up * m.height_mm / 2), up


def _spreading(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
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


def _into_neighbour(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
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


def _node(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
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


def _spanning(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
    """Plan one cord from the canal through a foramen to beside the spine."""
    m, sign = site.measures, side_sign(leak.side) or 1.0
    foramen = Compartment.FORAMEN_LEFT if sign > 0 else Compartment.FORAMEN_RIGHT
    inside = free & (site.compartments == foramen) & ((site.at[2] > 0) == leak.above)
    if not inside.any():
        raise ValueError("the foramen is not in view")
    allowed = free & np.isin(site.compartments, (Compartment.CANAL, foramen, Compartment.ELSEWHERE))
    level = m.spacing_above_mm / 2 if leak.above else -m.spacing_below_mm / 2
    points = site.points(inside)
    nearest = int(np.argmin(distance2(points, (sign * m.pedicle_left_mm, m.wall_mm + 4.0, level + 2.0))))
    _, back, up = (float(a[nearest]) for a in points)
    chain = (
        (0.35 * sign * m.half_canal_mm, m.wall_mm + 2.5, up - 6.0),
        (0.75 * sign * m.half_canal_mm, m.wall_mm + 3.0, up - 1.0),
        (sign * m.pedicle_left_mm, back, up),
        (sign * (2 * m.pedicle_left_mm - m.half_canal_mm), back, up),
        (sign * (2 * m.pedicle_left_mm - m.half_canal_mm + 6.0), back - 4.0, up + 1.0),
        (sign * (2 * m.pedicle_left_mm - m.half_canal_mm + 9.0), back - 12.0, up + 2.0),
    )
    cord = Vein(chain, 1.0)
    radius = float(np.sqrt(leak.volume_ml * 1000 / (np.pi * cord.length_mm)))
    field = vein_field(site.points(allowed), (Vein(chain, radius),), (site.number, 46))
    edge = float(np.clip(up, -0.4 * m.height_mm, 0.4 * m.height_mm))
    way = (
        (0.1 * sign * m.width_mm, 0.1 * m.depth_mm, 0.3 * up),
        (0.6 * sign * m.half_canal_mm, m.wall_mm + 1.0, edge),
    )
    return allowed, field, through_bone(site, way, 1.0)


def _at(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Point:
    left, posterior, superior = (float(v) for v in values)
    return left, posterior, superior


MAKERS: dict[LeakShape, Callable[[Site, LeakSpec, BoolArray], Plan]] = {
    LeakShape.VEINS: _veins,
    LeakShape.PLEXUS: _plexus,
    LeakShape.PAIRED_CORDS: _paired_cords,
    LeakShape.PAIRED_SHEETS: _paired_sheets,
    LeakShape.BEYOND_WALL: _beyond_wall,
    LeakShape.SPREADING: _spreading,
    LeakShape.INTO_NEIGHBOUR: _into_neighbour,
    LeakShape.NODE: _node,
    LeakShape.SPANNING: _spanning,
}


def reach_along_spine_mm(leaks: Sequence[LeakSpec], measures: Measures) -> float:
    """Return how far above and below a vertebra's middle its long epidural leaks reach."""
    long = {LeakShape.PLEXUS, LeakShape.PAIRED_CORDS, LeakShape.PAIRED_SHEETS}
    levels = max((leak.levels for leak in leaks if leak.shape in long), default=0.0)
    return levels * (measures.spacing_above_mm + measures.spacing_below_mm) / 4
