"""Cement in the canal: plexus, paired cords and sheets over several levels, bulges behind a lost wall."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray
from cementct.core.findings import Side
from cementct.testing.leak_geometry import Plan, cord_size, through_bone
from cementct.testing.measures import Measures
from cementct.testing.places import side_sign, surface_axis
from cementct.testing.shapes import Coordinates, Point
from cementct.testing.site import Site
from cementct.testing.spec import LeakShape, LeakSpec, Place
from cementct.testing.veins import BRANCH_SHARE, Vein, vein_field

# Usual diameters of cords in the plexus and of paired cords; thickness of paired sheets and of bulges.
PLEXUS_MM = 1.5
PAIRED_CORD_MM = 1.6
PAIRED_SHEET_MM = 1.5
BULGE_MM = 2.0
# Longitudinal epidural veins lie at this share of half the canal's width beside the midline.
PLEXUS_ASIDE = 0.55
# Narrowest paired sheet.
NARROWEST_SHEET_MM = 2.5


def _behind_wall(site: Site, allowed: BoolArray) -> Coordinates:
    """Return coordinates in the canal whose second one counts from the walls: veins there follow them."""
    left, _, up = site.points(allowed)
    return left, site.behind_front_mm[allowed], up


def _through_foramen(site: Site, radius_mm: float) -> BoolArray:
    m = site.measures
    return through_bone(site, ((0.0, 0.1 * m.depth_mm, 0.0), (0.0, m.wall_mm + 1.5, 0.0)), radius_mm)


def plan_plexus(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
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
            veins.append(Vein(tuple(bow), radius, root.length_mm))
        rung = 2.0 + 0.45 * m.height_mm
        link = ((sign * aside, radius, rung), (0.0, radius, rung + 1.5))
        veins.append(Vein(link, radius * BRANCH_SHARE, root.length_mm + rung))
    field = vein_field(_behind_wall(site, allowed), veins, (site.number, 43))
    return allowed, field, _through_foramen(site, 1.3)


def plan_paired_cords(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
    """Plan a cord on either side of the midline; it grows thicker where it would become too long."""
    m = site.measures
    allowed = free & (site.compartments == Compartment.CANAL)
    left, front, up = _behind_wall(site, allowed)
    longest = leak.levels * (m.spacing_above_mm + m.spacing_below_mm) / 2
    radius, half_length = cord_size(leak.volume_ml * 500, (leak.thickness_mm or PAIRED_CORD_MM) / 2, longest)
    sideways = np.abs(np.abs(left) - np.float32(PLEXUS_ASIDE * m.half_canal_mm))
    across = np.hypot(front - np.float32(radius), sideways) / np.float32(radius)
    field = np.maximum(across, np.abs(up) / np.float32(half_length))
    return allowed, np.asarray(field, dtype=np.float32), _through_foramen(site, 1.3)


def plan_paired_sheets(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
    """Plan a sheet on either side of the midline: as thick as wanted, over all levels, as wide as needed."""
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


def plan_beyond_wall(site: Site, leak: LeakSpec, free: BoolArray) -> Plan:
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


def _at(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Point:
    left, posterior, superior = (float(v) for v in values)
    return left, posterior, superior


def reach_along_spine_mm(leaks: Sequence[LeakSpec], measures: Measures) -> float:
    """Return how far above and below a vertebra's middle its long epidural leaks reach."""
    long = {LeakShape.PLEXUS, LeakShape.PAIRED_CORDS, LeakShape.PAIRED_SHEETS}
    levels = max((leak.levels for leak in leaks if leak.shape in long), default=0.0)
    return levels * (measures.spacing_above_mm + measures.spacing_below_mm) / 4
