"""Cement that reaches a wall, an endplate, a pedicle or the basivertebral foramen and stays in the bone."""

from __future__ import annotations

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray, Float32Array
from cementct.testing.places import across_patch, distance_to_basivertebral_foramen, side_sign, surface_axis
from cementct.testing.shapes import Point, distance_to_capsule, distance_to_path
from cementct.testing.site import Site
from cementct.testing.spec import CementSpec, Place, Reach
from cementct.testing.wear import NODE_PLACE, NODE_RADIUS_MM

# Thickness of the layer of cement on a surface that it touches, in the middle of the patch.
LAYER_MM = 3.5
# Radius of the cement between the deposit and the place that it reaches.
STALK_MM = 3.0
# Mouth of a basivertebral foramen that is filled, where the patient's own is not given.
FORAMEN_MM = 7.0
# Cement in a needle's way within a pedicle: its radius, how far behind the wall it ends (as a share of the
# canal's depth), and the bone that stays around it in a narrow pedicle.
TRACK_MM = 1.5
TRACK_END_SHARE = 0.5
TRACK_BONE_MM = 0.4
# Shell of cement around a Schmorl node.
NODE_SHELL_MM = 2.5


def reached(site: Site, cement: CementSpec, *, foramen_mm: float = 0.0) -> BoolArray:
    """Return all voxels of the vertebra that the wanted reaches take.

    Parameters
    ----------
    site
        The vertebra.
    cement
        With its reaches.
    foramen_mm
        Width of the mouth of the vertebra's basivertebral foramen; 0: a usual one.
    """
    out = np.zeros(site.own.shape, dtype=np.bool_)
    for reach in cement.reaches:
        if reach.place is Place.BASIVERTEBRAL_FORAMEN:
            out |= _foramen(site, foramen_mm or FORAMEN_MM)
        elif reach.place is Place.PEDICLE:
            out |= _pedicle(site, reach)
        elif reach.place is Place.PEDICLE_TRACK:
            out |= _pedicle_track(site, reach)
        elif reach.place is Place.AROUND_NODE:
            out |= _around_node(site, reach)
        else:
            out |= _patch(site, cement, reach)
    return np.asarray(out & ~site.solid)


def _patch(site: Site, cement: CementSpec, reach: Reach) -> BoolArray:
    """Return a lens of cement on a surface, and the stalk that feeds it."""
    radius = float(np.sqrt(reach.area_mm2 / np.pi))
    middle, normal = surface_axis(site.measures, reach.place, reach.side)
    own = site.own_body
    at, depth = site.points(own), site.body_depth_mm[own]
    across, before = across_patch(at, site.measures, reach.place, reach.side)
    layer = np.float32(LAYER_MM) * np.clip(1.0 - (across / np.float32(radius)) ** 2, 0.0, 1.0) ** 0.5
    lens = (across < radius) & (before < 0.35 * site.measures.depth_mm) & (-depth < reach.gap_mm + layer)
    end = middle - normal * (reach.gap_mm + 1.0)
    stalk = distance_to_capsule(at, (_seed(site, cement, middle), _point(end)), min(STALK_MM, radius)) < 0
    out = np.zeros(own.shape, dtype=np.bool_)
    # A voxel's own half lies before its middle.
    least = reach.gap_mm + float(np.mean(site.grid.spacing_mm)) / 2 if reach.gap_mm > 0 else 0.0
    out[own] = (lens | stalk) & (-depth >= least)
    return out


def _seed(site: Site, cement: CementSpec, near: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Point:
    """Return the point of injection nearest to a place."""
    m = site.measures
    half = np.array([m.width_mm / 2, m.depth_mm / 2, m.height_mm / 2])
    seeds = np.asarray(cement.seeds) * half
    return _point(seeds[int(np.argmin(((seeds - near) ** 2).sum(axis=1)))])


def _foramen(site: Site, width_mm: float) -> BoolArray:
    m = site.measures
    own = site.own_body
    cone = distance_to_basivertebral_foramen(site.points(own), m.wall_mm, m.depth_mm, width_mm) < 0
    out = np.zeros(own.shape, dtype=np.bool_)
    ends = ((0.0, -0.2 * m.depth_mm, 0.0), (0.0, m.wall_mm - 0.3 * m.depth_mm, 0.0))
    out[own] = cone | (distance_to_capsule(site.points(own), ends, 2.0) < 0)
    return out


def _pedicle(site: Site, reach: Reach) -> BoolArray:
    """Return a whole pedicle but for the bone that `gap_mm` leaves, and the stalk from the body."""
    m, sign = site.measures, side_sign(reach.side) or 1.0
    kind = Compartment.PEDICLE_LEFT if sign > 0 else Compartment.PEDICLE_RIGHT
    inside = site.own & (site.compartments == kind)
    stalk = _rod(
        site, ((0.3 * sign * m.width_mm / 2, -0.1 * m.depth_mm, 0.0), _behind(site, sign, 0.0)), STALK_MM
    )
    if reach.gap_mm <= 0:
        return np.asarray(inside | stalk)
    return np.asarray((inside | stalk) & (_own_depth_mm(site) >= reach.gap_mm))


def _pedicle_track(site: Site, reach: Reach) -> BoolArray:
    """Return a cord in the needle's way that ends inside the bone."""
    m, sign = site.measures, side_sign(reach.side) or 1.0
    tip = (0.2 * sign * m.width_mm, -0.1 * m.depth_mm, -0.05 * m.height_mm)
    cord = _rod(site, (tip, _behind(site, sign, TRACK_END_SHARE * m.canal_depth_mm)), TRACK_MM)
    return np.asarray(cord & (_own_depth_mm(site) >= max(TRACK_BONE_MM, reach.gap_mm)))


def _behind(site: Site, sign: float, behind_mm: float) -> Point:
    m = site.measures
    return (sign * m.pedicle_left_mm, m.wall_mm + behind_mm, m.pedicle_superior_mm)


def _rod(site: Site, ends: tuple[Point, Point], radius_mm: float) -> BoolArray:
    out = np.zeros(site.own.shape, dtype=np.bool_)
    out[site.own] = distance_to_path(site.points(site.own), ends, radius_mm) < 0
    return out


def _around_node(site: Site, reach: Reach) -> BoolArray:
    """Return a shell of bone under and beside the Schmorl node of the upper endplate."""
    m = site.measures
    own = site.own_body
    left, back, _ = site.points(own)
    aside = np.hypot(
        left - np.float32(NODE_PLACE[0] * m.width_mm / 2), back - np.float32(NODE_PLACE[1] * m.depth_mm / 2)
    )
    near = (aside < NODE_RADIUS_MM + NODE_SHELL_MM) & (site.at[2][own] > 0)
    depth = -site.body_depth_mm[own]
    out = np.zeros(own.shape, dtype=np.bool_)
    out[own] = near & (depth >= reach.gap_mm) & (depth < reach.gap_mm + NODE_SHELL_MM)
    return out | _rod(
        site, ((0.3 * m.width_mm / 2, -0.1 * m.depth_mm, 0.0), (4.0, 0.0, 0.2 * m.height_mm)), STALK_MM
    )


def _own_depth_mm(site: Site) -> Float32Array:
    """Return how deep each voxel reaches under the surface of the whole vertebra; under 0 outside."""
    from scipy import ndimage

    block = ndimage.find_objects(site.own.astype(np.uint8))[0]
    out = np.zeros(site.own.shape, dtype=np.float32)
    depth = ndimage.distance_transform_edt(site.own[block], sampling=site.grid.spacing_mm)
    # A voxel begins half its size before its middle, and what is outside half of that beyond the surface.
    out[block] = depth - float(np.mean(site.grid.spacing_mm))
    return out


def _point(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Point:
    left, posterior, superior = (float(v) for v in values)
    return left, posterior, superior
