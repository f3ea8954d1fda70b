"""The bones of the independent spines: analytic vertebrae on a bent column, from morphometric tables.

Written from anatomy alone, without knowledge of the algorithms that are judged by it. Local frame of a
vertebra: u to the patient's left, v to the back, w to the head, millimetres, from the centre of its body.
Distances are signed, negative inside, and approximate away from the surface.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cementct.core.arrays import Float32Array, FloatArray
from cementct.core.grid import Grid
from cementct.core.levels import Level

Triple = tuple[float, float, float]
Window = tuple[slice, slice, slice]

# Width and depth of the endplates, posterior height, pedicle width and height, canal width and depth, height
# of the disc below, mm. Panjabi et al., Spine 1991;16:888 (thoracic) and 1992;17:299 (lumbar), rounded;
# discs from Frobin et al., Clin Biomech 1997;12 (lumbar) and common radiological practice (thoracic).
MORPHOMETRY_MM: dict[str, tuple[float, float, float, float, float, float, float, float]] = {
    "T3": (25, 19, 15.7, 5.0, 11, 17, 16, 3.5), "T4": (25, 21, 16.2, 4.6, 11.5, 17, 16, 3.5),
    "T5": (25, 22, 16.2, 4.7, 11.5, 17, 16, 4.0), "T6": (27, 24, 17.4, 4.9, 12, 17, 16, 4.0),
    "T7": (28, 26, 18.2, 5.2, 12, 17, 16, 4.5), "T8": (30, 28, 18.7, 5.6, 12.5, 17.5, 16, 5.0),
    "T9": (31, 29, 19.3, 6.0, 13.5, 18, 16, 5.5), "T10": (33, 30, 20.2, 6.6, 15, 18.5, 15.5, 6.0),
    "T11": (36, 31, 21.3, 8.0, 17, 19.5, 16, 6.5), "T12": (40, 31.5, 22.7, 8.3, 16.5, 22, 18, 7.0),
    "L1": (42, 32, 23.8, 8.6, 15.9, 23.5, 18, 8.0), "L2": (43.5, 33, 24.3, 8.5, 15, 23.5, 17.8, 9.5),
    "L3": (45, 33.5, 24.5, 10.2, 14.4, 24, 17.5, 10.5), "L4": (47, 34, 24.4, 13, 15, 24.8, 18, 11.0),
    "L5": (49, 34, 23.6, 17, 17, 26, 18.5, 9.5),
}  # fmt: skip
# Length of a pedicle from the posterior wall to the articular pillar, mm (Zindrick, Spine 1987;12:160).
PEDICLE_LENGTH_MM = 8.0
# Exponents of the superellipse in front of and behind the middle: a rounded front and flatter back.
FRONT_EXPONENT, BACK_EXPONENT = 2.2, 3.0
FAR_MM = 60.0


@dataclass(frozen=True)
class Frame:
    """Where a vertebra stands: centre of its body (LPS, mm), rows u, v and w of its axes in LPS."""

    centre_lps_mm: Triple
    axes: tuple[Triple, Triple, Triple]

    def to_local(self, points_lps_mm: FloatArray) -> FloatArray:
        """Return points in u, v, w."""
        return np.asarray((points_lps_mm - np.asarray(self.centre_lps_mm)) @ np.asarray(self.axes).T)

    def to_lps(self, points_uvw_mm: FloatArray) -> FloatArray:
        """Return local points in LPS."""
        return np.asarray(points_uvw_mm @ np.asarray(self.axes) + np.asarray(self.centre_lps_mm))

    def block(self, grid: Grid, low_uvw: Triple, high_uvw: Triple) -> tuple[Window, list[Float32Array]]:
        """Return the window of a canonical grid around a local box, and u, v and w of its voxels."""
        corners = np.array(np.meshgrid(*zip(low_uvw, high_uvw, strict=True))).reshape(3, -1).T
        box = grid.box_around(grid.to_index(self.to_lps(corners)))
        origin, spacing = np.asarray(grid.origin_lps_mm)[::-1], np.asarray(grid.spacing_mm)
        offsets = [
            (origin[i] + np.arange(box.start[i], box.stop[i]) * spacing[i] - self.centre_lps_mm[2 - i])
            for i in range(3)
        ]
        z, y, x = np.ix_(*offsets)
        return box.slices, [np.asarray(a[0] * x + a[1] * y + a[2] * z, dtype=np.float32) for a in self.axes]


@dataclass(frozen=True)
class Bump:
    """A local change of shape: `place` is (angle, end) for osteophytes and (u, v, end) for dents.

    `size_mm` is its height or depth and `width_mm` its breadth; `end` is 1 at the top and −1 at the bottom.
    """

    place: tuple[float, ...]
    size_mm: float
    width_mm: float


@dataclass(frozen=True)
class Shape:
    """Size and shape of one vertebra, mm; half sizes where the name says so.

    `anterior_loss` and `central_loss` are shares of height lost to compression; `arthrosis` widens the
    articular processes; `skew` is a difference between its sides.
    """

    level: Level
    half_width: float
    half_depth: float
    height: float
    pedicle_half_width: float
    pedicle_half_height: float
    canal_half_width: float
    canal_depth: float
    disc_below: float
    waist: float
    cups: tuple[float, float]
    wall_hollow: float
    anterior_loss: float = 0.0
    central_loss: float = 0.0
    arthrosis: float = 0.0
    skew: float = 0.0
    osteophytes: tuple[Bump, ...] = ()
    dents: tuple[Bump, ...] = ()

    def ring(self, u: Float32Array, v: Float32Array) -> Float32Array:
        """Return the relative radius in the plane of the endplates; 1 on the rim."""
        first, second = np.abs(u) / self.half_width, np.abs(v) / self.half_depth
        front = (first**FRONT_EXPONENT + second**FRONT_EXPONENT) ** (1 / FRONT_EXPONENT)
        back = (first**BACK_EXPONENT + second**BACK_EXPONENT) ** (1 / BACK_EXPONENT)
        return np.asarray(np.where(v < 0, front, back), dtype=np.float32)

    def endplate_w(self, u: Float32Array, v: Float32Array, end: int) -> Float32Array:
        """Return where the outer surface of an endplate lies; `end` 1: superior, −1: inferior."""
        ring = np.minimum(self.ring(u, v), 1.0)
        cup = self.cups[0 if end > 0 else 1]
        forward = np.clip((self.half_depth - v) / (2 * self.half_depth), 0.0, 1.2)
        share = 0.7 if end > 0 else 0.3
        lost = self.height * share * (self.anterior_loss * forward + self.central_loss * (1 - ring**2))
        depth = cup * (1 - ring**2) + lost + self.skew * end * u / self.half_width
        for dent in self.dents:
            if dent.place[2] == end:
                gap2 = (u - dent.place[0]) ** 2 + (v - dent.place[1]) ** 2
                depth = depth + dent.size_mm * np.exp(-((gap2 / dent.width_mm**2) ** 2))
        return np.asarray(end * (self.height / 2 - depth), dtype=np.float32)

    def wall_v(self, u: Float32Array, w: Float32Array) -> Float32Array:
        """Return where the posterior wall lies; bridged straight across the basivertebral foramen."""
        across = np.clip(1 - (u / (0.65 * self.half_width)) ** 2, 0, 1)
        along = np.clip(1 - (2 * w / self.height) ** 2, 0, 1)
        return np.asarray(self.half_depth - self.wall_hollow * (across + 0.5 * along), dtype=np.float32)

    def side_mm(self, u: Float32Array, v: Float32Array, w: Float32Array) -> Float32Array:
        """Return the distance from the body's mantle, outward positive."""
        level = np.clip(2 * w / self.height, -1, 1)
        scale = 1 - self.waist * (1 - level**2)
        angle = np.arctan2(v, u)
        for spur in self.osteophytes:
            off = np.angle(np.exp(1j * (angle - spur.place[0]))) * self.half_width
            near = np.exp(-((off / spur.width_mm) ** 2) - ((level - spur.place[1]) * self.height / 7.0) ** 2)
            scale = scale + spur.size_mm / self.half_width * near
        radius = np.hypot(u, v)
        ring = np.maximum(self.ring(u, v), 1e-3)
        return np.asarray(radius * (1 - scale / ring), dtype=np.float32)

    def body_mm(self, u: Float32Array, v: Float32Array, w: Float32Array) -> Float32Array:
        """Return the signed distance from the body's outer surface."""
        ends = np.maximum(w - self.endplate_w(u, v, 1), self.endplate_w(u, v, -1) - w)
        back = v - self.wall_v(u, w)
        return np.asarray(np.maximum(np.maximum(self.side_mm(u, v, w), back), ends), dtype=np.float32)

    def heights_mm(self) -> Triple:
        """Return the heights at 10, 50 and 90 % of the depth in the midsagittal plane."""
        back = float(self.wall_v(np.zeros(1, np.float32), np.zeros(1, np.float32))[0])
        v = np.asarray([-self.half_depth + s * (back + self.half_depth) for s in (0.1, 0.5, 0.9)], np.float32)
        u = np.zeros(3, np.float32)
        tall = self.endplate_w(u, v, 1) - self.endplate_w(u, v, -1)
        return float(tall[0]), float(tall[1]), float(tall[2])


@dataclass(frozen=True)
class Rod:
    """A bony process: an ellipsoid drawn along a line; radii across, front to back, up and down, mm."""

    start: Triple
    stop: Triple
    radii: Triple

    def bounds(self) -> tuple[Triple, Triple]:
        """Return the corners of the local box that holds it with 2 mm to spare."""
        ends, radii = np.asarray([self.start, self.stop]), np.asarray(self.radii) + 2.0
        low, high = ends.min(axis=0) - radii, ends.max(axis=0) + radii
        return (low[0], low[1], low[2]), (high[0], high[1], high[2])

    def distance_mm(self, u: Float32Array, v: Float32Array, w: Float32Array) -> Float32Array:
        """Return the signed distance (first order at the surface)."""
        axis = np.subtract(self.stop, self.start) / self.radii
        off = [(c - s) / r for c, s, r in zip((u, v, w), self.start, self.radii, strict=True)]
        along = sum(o * a for o, a in zip(off, axis, strict=True)) / max(float(axis @ axis), 1e-6)
        t = np.clip(along, 0, 1)
        rest = [o - t * a for o, a in zip(off, axis, strict=True)]
        first = np.sqrt(sum(r * r for r in rest))
        second = np.sqrt(sum((r / s) ** 2 for r, s in zip(rest, self.radii, strict=True)))
        return np.asarray(first * (first - 1) / np.maximum(second, 1e-3), dtype=np.float32)


def posterior_rods(s: Shape) -> list[Rod]:
    """Return pedicles, articular processes, laminae, transverse and spinous processes."""
    back, deep = s.half_depth, s.half_depth + PEDICLE_LENGTH_MM
    x = s.canal_half_width + s.pedicle_half_width
    up, half, lumbar = 0.2 * s.height, s.height / 2, s.level.is_lumbar
    wide = 1 + s.arthrosis
    roof = back + s.canal_depth + 2.6
    rods: list[Rod] = []
    for side in (-1, 1):
        tilt = s.skew * side
        inner = max(x - (4.5 if lumbar else 1.0), 5.0)
        outer = x + (3.0 if lumbar else 1.0)
        front, behind = deep + (4.0 if lumbar else 2.0), deep + (8.5 if lumbar else 7.8)
        joint = half + 0.6 * s.disc_below + 4
        thick = (3.3 * wide, 3.6 * wide) if lumbar else (4.2 * wide, 2.3 * wide)
        mid = deep + 3
        pedicle = (s.pedicle_half_width, 3.0, s.pedicle_half_height)
        rods += [
            Rod((side * x, back - 3, up), (side * (x + 0.8), deep, up), pedicle),
            Rod((side * x, mid, up), (side * outer, front, joint), (thick[0], thick[1], 3.0)),
            Rod((side * x, mid, up), (side * inner, behind - 0.5, -0.35 * half), (3.6, 3.4, 4.0)),
            Rod((side * inner, behind, -0.3 * half), (side * inner, behind, -joint), (*thick, 3.0)),
            Rod((side * inner, behind - 1, -0.3 * half), (side * 1.5, roof, -0.45 * half), (3.0, 2.5, 8.0)),
        ]
        if lumbar:
            tip = (side * (s.half_width + 19), deep + 5 + tilt, up - 2 + tilt)
            rods.append(Rod((side * (x + 2), mid, up - 2), tip, (3.0, 2.6, 4.8)))
        else:
            reach = 30.0 if s.level.rank < Level.T11.rank else 20.0
            tip = (side * reach, deep + 15 + tilt, up + 3)
            rods.append(Rod((side * (x + 1), mid, up - 1), tip, (4.0, 3.6, 4.6)))
    base = (0.0, roof + 1, -0.45 * half)
    if lumbar or s.level.rank > Level.T10.rank:
        rods.append(Rod(base, (s.skew, roof + 24, -0.7 * half), (2.8, 3.5, 8.5)))
    else:
        rods.append(Rod(base, (s.skew, roof + 22, -half - 14), (2.8, 3.5, 4.5)))
    return rods


def rib_rods(s: Shape) -> list[Rod]:
    """Return the ribs that belong to a thoracic vertebra, as far as the field of view may reach."""
    if not s.level.is_thoracic:
        return []
    joined = s.level.rank < Level.T10.rank
    head_w = s.height / 2 + 0.3 * s.disc_below if joined else 0.2 * s.height
    deep, head_u = s.half_depth + PEDICLE_LENGTH_MM, s.half_width * 0.86 + 5.5
    short = s.level.rank >= Level.T11.rank
    way: list[Triple] = [
        (head_u, s.half_depth - 4.5, head_w), (31.0, deep + 6.0, 4.0), (46.0, deep + 13.0, -6.0),
        (62.0, deep + 6.0, -18.0), (78.0, s.half_depth - 12.0, -32.0),
    ]  # fmt: skip
    if short:
        way = [way[0], (34.0, deep + 8.0, -2.0), (52.0, deep + 10.0, -16.0), (70.0, deep, -34.0)]
    radii = (3.2, 3.2, 4.6)
    return [
        Rod((side * a[0], a[1], a[2]), (side * b[0], b[1], b[2]), radii)
        for side in (-1, 1)
        for a, b in pairwise(way)
    ]


def stand(shapes: list[Shape], bends_deg: list[Triple]) -> list[Frame]:
    """Return frames from the top down; bends are sagittal, coronal and axial angles of each vertebra."""
    frames: list[Frame] = []
    point = np.zeros(3)
    for i, (shape, bend) in enumerate(zip(shapes, bends_deg, strict=True)):
        axes = _rotation(*np.deg2rad(bend))
        if i:
            above, last = shapes[i - 1], np.asarray(frames[-1].axes)
            point = point - last[2] * (above.height + above.disc_below) / 2
            point = point - axes[2] * (shape.height + above.disc_below) / 2
            # Posterior walls, not centres, are in line.
            point = point + last[1] * above.half_depth - axes[1] * shape.half_depth
        rows = [(float(r[0]), float(r[1]), float(r[2])) for r in axes]
        frames.append(Frame((float(point[0]), float(point[1]), float(point[2])), (rows[0], rows[1], rows[2])))
    return frames


def _rotation(sagittal: float, coronal: float, axial: float) -> FloatArray:
    c, s = np.cos((sagittal, coronal, axial)), np.sin((sagittal, coronal, axial))
    about_x = np.array([[1, 0, 0], [0, c[0], -s[0]], [0, s[0], c[0]]])
    about_y = np.array([[c[1], 0, s[1]], [0, 1, 0], [-s[1], 0, c[1]]])
    about_z = np.array([[c[2], -s[2], 0], [s[2], c[2], 0], [0, 0, 1]])
    return np.asarray((about_x @ about_y @ about_z).T)
