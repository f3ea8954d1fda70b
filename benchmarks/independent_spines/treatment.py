"""Cement of the independent spines: what stays in bone, and leaks in the shapes that medicine knows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.spatial import cKDTree

from benchmarks.independent_spines.anatomy import PEDICLE_LENGTH_MM, Frame, Shape, Triple, Window
from benchmarks.independent_spines.scene import NOBODY, Scene, body_block, vertebra_block, waves
from benchmarks.independent_spines.surroundings import GAS_HU
from cementct.core.arrays import BoolArray, Float32Array, LabelArray
from cementct.core.grid import Grid

# Cement flows this much easier through a lesion than between trabeculae.
EASE_IN_LESION = 0.55
# Radius of the way by which leaking cement passes the cortex, mm.
CHANNEL_MM = 1.1
# A body is never filled beyond this share.
FULLEST = 0.8


class Way(StrEnum):
    """Shapes of leaks."""

    DISC = "disc"
    EPIDURAL_SHEET = "epidural sheet"
    EPIDURAL_CORD = "epidural cord"
    FORAMEN = "foramen"
    SEGMENTAL_VEIN = "segmental vein"
    ANTERIOR_PLEXUS = "anterior plexus"
    CORTEX_SHEET = "sheet on cortex"
    BLOB = "blob beside the body"
    TRACK = "access track"


@dataclass(frozen=True)
class LeakPlan:
    """One leak as wanted.

    Attributes
    ----------
    way
        Its shape.
    volume_ml
        As wanted; what fits is what is true.
    side, end
        1 left or top, −1 right or bottom.
    thick_mm
        Thickness of a sheet, diameter of a cord.
    place
        Where along its border, −1 to 1.
    gap_mm
        From the bone that it lies on.
    is_joined
        Whether the way through the cortex shows cement.
    """

    way: Way
    volume_ml: float
    side: int
    end: int
    thick_mm: float
    place: float
    gap_mm: float
    is_joined: bool


@dataclass(frozen=True)
class Injection:
    """Cement put into one vertebra.

    Attributes
    ----------
    number
        Of the vertebra.
    tips_uvw_mm
        Where the needles ended.
    volume_ml
        What is to stay in the body.
    cement_hu
        Of pure cement.
    border_mm
        Over which it fades into marrow.
    margin_mm
        That is left free under the surface of the body.
    phase
        Of its lobes.
    gas_mm
        Radius of a bubble in it; 0: none.
    leaks
        What left the bone.
    """

    number: int
    tips_uvw_mm: tuple[Triple, ...]
    volume_ml: float
    cement_hu: float
    border_mm: float
    margin_mm: float
    phase: float
    gas_mm: float
    leaks: tuple[LeakPlan, ...] = ()


@dataclass
class Deposits:
    """Cement on the lattice of a scene: numbers of source vertebrae, and which voxels are access tracks."""

    numbers: LabelArray
    is_track: BoolArray


Local = tuple[Float32Array, Float32Array, Float32Array]
Shaped = tuple[BoolArray, Float32Array, Triple]


def inject(scene: Scene, deposits: Deposits, shape: Shape, frame: Frame, injection: Injection) -> None:
    """Put cement into one vertebra, and paint it."""
    window, (u, v, w) = body_block(shape, frame, scene.grid, 1.0)
    lesion = scene.lesion[window] == injection.number
    inside = (scene.body[window] == injection.number) & (shape.body_mm(u, v, w) < -injection.margin_mm)
    lumps = 1 + 0.28 * waves(u, v, w, injection.phase, 14.0)
    gaps = [np.sqrt((u - t[0]) ** 2 + (v - t[1]) ** 2 + 1.3 * (w - t[2]) ** 2) for t in injection.tips_uvw_mm]
    cost = np.minimum.reduce(gaps) * lumps * np.where(lesion, EASE_IN_LESION, 1.0)
    voxels = min(_voxels(injection.volume_ml, scene.grid), int(FULLEST * inside.sum()))
    bound = np.partition(cost[inside], voxels)[voxels] if voxels < inside.sum() else np.inf
    border = max(injection.border_mm, 0.3)
    share = np.where(inside, np.clip(0.5 + (bound - cost) / border, 0, 1), 0).astype(np.float32)
    if injection.gas_mm > 0:
        tip = injection.tips_uvw_mm[0]
        bubble = (u - tip[0]) ** 2 + (v - tip[1] + 3) ** 2 + (w - tip[2] - 2) ** 2 < injection.gas_mm**2
        share[bubble] = 0
        scene.hu[window][bubble & inside] = GAS_HU
    _paint_cement(scene, deposits, window, share, injection)
    points = np.stack([c[share >= 0.5] for c in (u, v, w)], axis=1)
    for leak in injection.leaks:
        _let_leak(scene, deposits, (shape, frame, injection), leak, points)


def _voxels(volume_ml: float, grid: Grid) -> int:
    return max(1, round(volume_ml / grid.voxel_ml))


def _paint_cement(
    scene: Scene, deposits: Deposits, window: Window, share: Float32Array, injection: Injection
) -> None:
    hu = scene.hu[window]
    hu += share * (injection.cement_hu - hu)
    numbers = deposits.numbers[window]
    numbers[share >= 0.5] = injection.number


def _let_leak(
    scene: Scene,
    deposits: Deposits,
    source: tuple[Shape, Frame, Injection],
    leak: LeakPlan,
    points: Float32Array,
) -> None:
    shape, frame, injection = source
    if leak.way in {Way.TRACK, Way.FORAMEN}:
        window, (u, v, w) = vertebra_block(shape, frame, scene.grid)
    else:
        window, (u, v, w) = body_block(shape, frame, scene.grid, 13.0)
    free = (scene.owner[window] == NOBODY) & (deposits.numbers[window] == 0)
    if leak.way is Way.TRACK:
        room, cost, exit_uvw = _track(shape, injection, leak, (u, v, w))
    else:
        room, cost, exit_uvw = _SHAPES[leak.way](shape, leak, (u, v, w))
    room &= free
    if not room.any():
        raise ValueError(f"no room for {leak.way} at {shape.level}")
    voxels = min(_voxels(leak.volume_ml, scene.grid), int(room.sum()) - 1)
    bound = np.partition(cost[room], voxels)[voxels]
    filled = room & (cost <= bound)
    if leak.way is Way.TRACK:
        deposits.is_track[window][filled] = True
    if leak.is_joined and len(points):
        start = points[int(cKDTree(points).query(exit_uvw)[1])]
        channel = _segment_mm((u, v, w), start, np.asarray(exit_uvw)) < CHANNEL_MM
        filled |= channel & (scene.owner[window] == injection.number)
    _paint_cement(scene, deposits, window, filled.astype(np.float32), injection)


def _segment_mm(local: Local, start: Float32Array, stop: Float32Array) -> Float32Array:
    axis = stop - start
    off = [c - s for c, s in zip(local, start, strict=True)]
    t = np.clip(sum(o * a for o, a in zip(off, axis, strict=True)) / max(float(axis @ axis), 1e-6), 0, 1)
    return np.asarray(np.sqrt(sum((o - t * a) ** 2 for o, a in zip(off, axis, strict=True))))


def _disc(s: Shape, k: LeakPlan, local: Local) -> Shaped:
    u, v, w = local
    at_u, at_v = k.side * 0.35 * s.half_width * abs(k.place), -0.3 * s.half_depth * k.place
    plate = s.endplate_w(u, v, k.end)
    room = (s.ring(u, v) < 0.92) & (k.end * (w - plate) > 0) & (v < s.wall_v(u, w) - 1)
    cost = np.hypot(u - at_u, (v - at_v) * 1.2) + 0.4 * np.abs(w - plate)
    one = np.ones(1, np.float32)
    height = float(s.endplate_w(one * at_u, one * at_v, k.end)[0])
    return room, np.asarray(cost, np.float32), (at_u, at_v, height)


def _behind_wall(s: Shape, k: LeakPlan, local: Local) -> tuple[Float32Array, float, float]:
    u, v, w = local
    return v - s.wall_v(u, w), k.side * (1.5 + 3.0 * abs(k.place)), 0.3 * s.height * k.place


def _epidural_sheet(s: Shape, k: LeakPlan, local: Local) -> Shaped:
    u, _, w = local
    off, at_u, at_w = _behind_wall(s, k, local)
    room = (off > k.gap_mm) & (off < k.gap_mm + k.thick_mm) & (np.abs(u) < s.canal_half_width - 0.6)
    return room, np.hypot(u - at_u, (w - at_w) / 2.2), (0.0, s.half_depth - s.wall_hollow, 0.0)


def _epidural_cord(s: Shape, k: LeakPlan, local: Local) -> Shaped:
    u, _, w = local
    off, at_u, at_w = _behind_wall(s, k, local)
    radius = k.thick_mm / 2
    path = at_u + 1.2 * np.sin(w / 5)
    room = (np.hypot(u - path, off - k.gap_mm - radius) < radius) & (np.abs(u) < s.canal_half_width - 0.5)
    return room, np.abs(w - at_w), (0.0, s.half_depth - s.wall_hollow, 0.0)


def _foramen(s: Shape, k: LeakPlan, local: Local) -> Shaped:
    u, v, w = local
    at_u = k.side * (s.canal_half_width + s.pedicle_half_width)
    at_v, at_w = s.half_depth + 2.5, 0.2 * s.height - s.pedicle_half_height - 3.0
    low, high = s.canal_half_width + 0.4, s.canal_half_width + 2 * s.pedicle_half_width - 0.4
    room = (k.side * u > low) & (k.side * u < high) & (v > s.wall_v(u, w) + 0.3)
    room &= v < s.half_depth + PEDICLE_LENGTH_MM
    cost = np.sqrt((0.6 * (u - at_u)) ** 2 + (v - at_v) ** 2 + (w - at_w) ** 2)
    return room, cost, (at_u, s.half_depth - 3, at_w)


def _angle(s: Shape, k: LeakPlan, local: Local, at: float) -> tuple[Float32Array, float]:
    """Return arc lengths from an angle (0 at the side, positive forwards), mm, and the angle in u and v."""
    u, v, _ = local
    angle = np.arctan2(-v, k.side * u)
    return np.asarray(np.angle(np.exp(1j * (angle - at))) * s.half_width, dtype=np.float32), at


def _on_side(s: Shape, k: LeakPlan, at: float, w: float) -> Triple:
    return k.side * s.half_width * np.cos(at) * 0.93, -s.half_depth * np.sin(at) * 0.93, w


def _segmental_vein(s: Shape, k: LeakPlan, local: Local) -> Shaped:
    u, v, w = local
    arc, at = _angle(s, k, local, -0.45)
    radius, at_w = k.thick_mm / 2, 0.15 * s.height * k.place
    off = s.side_mm(u, v, w) - radius - k.gap_mm
    room = (np.hypot(off, w - at_w - 0.8 * np.sin(arc / 6)) < radius) & (arc > 0)
    return room, arc, _on_side(s, k, at, at_w)


def _anterior_plexus(s: Shape, k: LeakPlan, local: Local) -> Shaped:
    u, v, w = local
    arc, at = _angle(s, k, local, 1.15 + 0.3 * k.place)
    radius = k.thick_mm / 2
    off = s.side_mm(u, v, w) - radius - k.gap_mm
    room = np.hypot(off, arc - 1.0 * np.sin(w / 6)) < radius
    return room, np.abs(w), _on_side(s, k, at, 0.0)


def _cortex_sheet(s: Shape, k: LeakPlan, local: Local) -> Shaped:
    u, v, w = local
    arc, at = _angle(s, k, local, 0.35 + 0.7 * k.place)
    off = s.side_mm(u, v, w)
    at_w = 0.12 * s.height * k.end
    room = (off > k.gap_mm) & (off < k.gap_mm + k.thick_mm) & (np.abs(w) < s.height / 2 - 1.5)
    return room, np.hypot(arc, w - at_w), _on_side(s, k, at, at_w)


def _blob(s: Shape, k: LeakPlan, local: Local) -> Shaped:
    u, v, w = local
    at = 0.2 + 0.6 * k.place
    near = _on_side(s, k, at, 0.1 * s.height * k.end)
    far = tuple(1.25 * c for c in near)
    cost = np.sqrt(sum((c - f) ** 2 for c, f in zip((u, v, w), far, strict=True))) * (1 + 0.2 * np.sin(w / 2))
    return s.side_mm(u, v, w) > 0, np.asarray(cost, np.float32), near


def _track(s: Shape, injection: Injection, k: LeakPlan, local: Local) -> Shaped:
    v = local[1]
    tips = injection.tips_uvw_mm
    tip = np.asarray(max(tips, key=lambda t: k.side * t[0]))
    x = k.side * (s.canal_half_width + s.pedicle_half_width)
    gate = np.asarray([x, s.half_depth + 3.0, 0.2 * s.height])
    axis = (gate - tip) / np.linalg.norm(gate - tip)
    off = [c - g for c, g in zip(local, gate, strict=True)]
    along = sum(o * a for o, a in zip(off, axis, strict=True))
    aside = np.sqrt(np.maximum(sum(o * o for o in off) - along**2, 0))
    room = (aside < k.thick_mm / 2) & (along > 0) & (v > s.half_depth + PEDICLE_LENGTH_MM)
    stop = gate + axis * (PEDICLE_LENGTH_MM + 8)
    return room, np.asarray(along, np.float32), (float(stop[0]), float(stop[1]), float(stop[2]))


_SHAPES = {
    Way.DISC: _disc,
    Way.EPIDURAL_SHEET: _epidural_sheet,
    Way.EPIDURAL_CORD: _epidural_cord,
    Way.FORAMEN: _foramen,
    Way.SEGMENTAL_VEIN: _segmental_vein,
    Way.ANTERIOR_PLEXUS: _anterior_plexus,
    Way.CORTEX_SHEET: _cortex_sheet,
    Way.BLOB: _blob,
}
