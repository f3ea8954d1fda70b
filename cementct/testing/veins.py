"""Trees of thin cords: cement in the veins beside a body, and in one piece through a foramen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray, Float32Array
from cementct.testing.leak_geometry import Plan, distance2, through_bone
from cementct.testing.noise import smooth_noise
from cementct.testing.places import side_sign
from cementct.testing.shapes import Coordinates, Point
from cementct.testing.site import Site
from cementct.testing.spec import LeakSpec

# Usual diameter of cement in veins (1 to 3 mm). Branches are this much thinner than their stem; calibres vary
# along a vein by this share.
VEIN_MM = 2.0
BRANCH_SHARE = 0.75
CALIBRE_SPREAD = 0.15
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


def plan_veins(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
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


def plan_spanning(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
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
