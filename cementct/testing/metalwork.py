"""Metal that is neither needle nor screw: wires, clips, stents, filters, cages and prostheses."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import Float32Array
from cementct.core.findings import Side
from cementct.testing.column import PlacedVertebra
from cementct.testing.painting import Solid
from cementct.testing.places import side_sign
from cementct.testing.shapes import Coordinates, Point, distance_to_box, distance_to_path
from cementct.testing.spec import ForeignObject, ForeignSpec
from cementct.testing.tissue import BACK_DEPTH_MM, aorta_left_mm

# Metal lies far above what 12 bits hold.
METAL_HU = 9000.0
# Radii: electrode leads, sternal wires, clips; struts of stents and legs of filters (half their thickness).
LEAD_MM, STERNAL_MM, CLIP_MM, STRUT_MM = 0.6, 0.5, 0.6, 0.3
# Aorta and the mesh in it: radius, height of a crown, crowns around the ring, and length.
STENT_RADIUS_MM, CROWN_MM, CROWNS, STENT_LENGTH_MM = 10.0, 9.0, 8, 60.0
# A vertebral stent: radius, length from front to back, distance from the midline.
BODY_STENT_MM, BODY_STENT_LENGTH_MM, BODY_STENT_ASIDE_MM = 6.5, 20.0, 9.0
# Radius of a prosthesis' ball and of its stem.
BALL_MM, STEM_MM = 16.0, 7.0


def metal_solids(vertebra: PlacedVertebra, thing: ForeignSpec) -> list[Solid]:
    """Return the solids that make up a thing of metal; none for other kinds."""
    maker = {
        ForeignObject.LEAD: _lead,
        ForeignObject.STERNAL_WIRE: _sternal_wire,
        ForeignObject.CLIPS: _clips,
        ForeignObject.AORTIC_STENT: _aortic_stent,
        ForeignObject.CAVA_FILTER: _cava_filter,
        ForeignObject.HIP_PROSTHESIS: _hip_prosthesis,
        ForeignObject.VERTEBRAL_STENT: _vertebral_stent,
        ForeignObject.DISC_CAGE: _disc_cage,
    }.get(thing.kind)
    return maker(vertebra, thing.side) if maker else []


def _wire(points: tuple[Point, ...], radius_mm: float) -> Solid:
    low, high = np.min(points, axis=0) - 2, np.max(points, axis=0) + 2
    extent = ((low[0], high[0]), (low[1], high[1]), (low[2], high[2]))
    return Solid(extent, lambda at: distance_to_path(at, points, radius_mm), METAL_HU, is_metal=True)


def _lead(vertebra: PlacedVertebra, side: Side) -> list[Solid]:
    sign = side_sign(side) or 1.0
    back = vertebra.wall_mm + BACK_DEPTH_MM + 2.0
    points = tuple((sign * (-50.0 + 14 * i), back, 6.0 * float(np.sin(i)) - 4.0 * i) for i in range(8))
    return [_wire(points, LEAD_MM)]


def _sternal_wire(vertebra: PlacedVertebra, side: Side) -> list[Solid]:
    front = vertebra.wall_mm - vertebra.shape.size.depth_mm - 80.0
    turn = np.linspace(0, 2 * np.pi, 13)
    shift = 6.0 * side_sign(side)
    return [
        _wire(tuple((shift + 9 * float(np.cos(t)), front, 6 * float(np.sin(t))) for t in turn), STERNAL_MM)
    ]


def _clips(vertebra: PlacedVertebra, side: Side) -> list[Solid]:
    """Return five V-shaped clips along the front and one side of the body."""
    m, sign = vertebra.shape.measures, side_sign(side) or 1.0
    wires = []
    for i in range(5):
        angle = np.deg2rad(20.0 + 18.0 * i)
        left = sign * (m.width_mm / 2 + 6.0) * float(np.sin(angle))
        back = -(m.depth_mm / 2 + 6.0) * float(np.cos(angle))
        up = 5.0 * (i - 2)
        tip = (left, back, up)
        wires.append(
            _wire(((left + 3.0, back + 1.0, up + 2.5), tip, (left + 3.0, back - 1.0, up - 2.0)), CLIP_MM)
        )
    return wires


def _mesh(radius: Float32Array, turn: Float32Array, along: Float32Array, radius_mm: float) -> Float32Array:
    """Return the distance to crowns of struts on a cylinder, given cylinder coordinates."""
    share = np.mod(turn * np.float32(CROWNS / (2 * np.pi)), 1.0)
    zigzag = np.float32(CROWN_MM) * (2 * np.abs(share - 0.5) - 0.5)
    pitch = np.float32(CROWN_MM * 0.75)
    off = np.abs(np.mod(along - zigzag + pitch / 2, pitch) - pitch / 2)
    # The struts lean: their distance is shorter than the one along the cylinder.
    half_arc = np.pi * radius_mm / CROWNS
    lean = float(np.cos(np.arctan2(CROWN_MM, half_arc)))
    return np.asarray(
        np.hypot(off * np.float32(lean), radius - np.float32(radius_mm)) - STRUT_MM, dtype=np.float32
    )


def _aortic_stent(vertebra: PlacedVertebra, _: Side) -> list[Solid]:
    m = vertebra.shape.measures
    forwards = 4.0 if vertebra.level.is_thoracic else 12.0
    left, back = aorta_left_mm(vertebra.level), m.wall_mm - m.depth_mm - forwards
    half, reach = STENT_LENGTH_MM / 2, STENT_RADIUS_MM + 2

    def distance(at: Coordinates) -> Float32Array:
        across, along = at[0] - np.float32(left), at[1] - np.float32(back)
        mesh = _mesh(np.hypot(across, along), np.arctan2(along, across), at[2], STENT_RADIUS_MM)
        return np.asarray(np.maximum(mesh, np.abs(at[2]) - np.float32(half)), dtype=np.float32)

    extent = ((left - reach, left + reach), (back - reach, back + reach), (-half, half))
    return [Solid(extent, distance, METAL_HU, is_metal=True)]


def _cava_filter(vertebra: PlacedVertebra, _: Side) -> list[Solid]:
    m = vertebra.shape.measures
    left, back = -17.0, m.wall_mm - m.depth_mm - 11.0
    legs = []
    for angle in np.deg2rad(np.arange(6) * 60.0 + 15.0):
        foot = (left + 10.0 * float(np.cos(angle)), back + 8.0 * float(np.sin(angle)), -20.0)
        legs.append(_wire(((left, back, 12.0), foot), STRUT_MM + 0.1))
    return legs


def _hip_prosthesis(vertebra: PlacedVertebra, side: Side) -> list[Solid]:
    sign, low_mm = side_sign(side) or 1.0, -vertebra.shape.size.height_mm
    ball: Point = (sign * 62.0, -18.0, low_mm)
    stem: Point = (sign * 82.0, -14.0, low_mm - 50.0)
    low, high = np.minimum(ball, stem) - BALL_MM - 2, np.maximum(ball, stem) + BALL_MM + 2

    def distance(at: Coordinates) -> Float32Array:
        head = np.sqrt(sum((a - np.float32(c)) ** 2 for a, c in zip(at, ball, strict=True))) - BALL_MM
        return np.asarray(np.minimum(head, distance_to_path(at, (ball, stem), STEM_MM)), dtype=np.float32)

    extent = ((low[0], high[0]), (low[1], high[1]), (low[2], high[2]))
    return [Solid(extent, distance, METAL_HU, is_metal=True, outside_bone=True)]


def _vertebral_stent(vertebra: PlacedVertebra, side: Side) -> list[Solid]:
    """Return mesh cylinders that lie from front to back in the body; both sides for the midline."""
    m = vertebra.shape.measures
    half = min(BODY_STENT_LENGTH_MM, 0.7 * m.depth_mm) / 2
    radius = min(BODY_STENT_MM, 0.35 * m.height_mm)
    solids = []
    for sign in (1.0, -1.0) if side is Side.MIDLINE else (side_sign(side),):
        left, back = sign * min(BODY_STENT_ASIDE_MM, 0.22 * m.width_mm), -0.05 * m.depth_mm

        def distance(at: Coordinates, left: float = left, back: float = back) -> Float32Array:
            across, along = at[0] - np.float32(left), at[1] - np.float32(back)
            mesh = _mesh(np.hypot(across, at[2]), np.arctan2(at[2], across), along, radius)
            return np.asarray(np.maximum(mesh, np.abs(along) - np.float32(half)), dtype=np.float32)

        reach = radius + 2
        extent = ((left - reach, left + reach), (back - half - 1, back + half + 1), (-reach, reach))
        solids.append(Solid(extent, distance, METAL_HU, is_metal=True))
    return solids


def _disc_cage(vertebra: PlacedVertebra, _: Side) -> list[Solid]:
    m = vertebra.shape.measures
    gap = m.spacing_below_mm - m.height_mm
    half = (0.3 * m.width_mm, 0.2 * m.depth_mm, max(gap, 4.0) / 2)
    centre = (0.0, -2.0, -m.height_mm / 2 - gap / 2)

    def distance(at: Coordinates) -> Float32Array:
        outer = distance_to_box(at, centre, half, 1.5)
        bore = distance_to_box(at, centre, (half[0] - 2.0, half[1] - 2.0, 50.0), 1.0)
        return np.maximum(outer, -bore)

    (left, back, up), (w, d, h) = centre, half
    extent = ((left - w, left + w), (back - d, back + d), (up - h, up + h))
    return [Solid(extent, distance, METAL_HU, is_metal=True)]
