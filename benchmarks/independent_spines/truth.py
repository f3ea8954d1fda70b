"""What is true of an independent spine, counted on its fine lattice by the contract's definitions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from benchmarks.independent_spines.anatomy import PEDICLE_LENGTH_MM, Frame, Shape
from benchmarks.independent_spines.scene import NOBODY, Lesion, Scene
from benchmarks.independent_spines.surroundings import Column
from benchmarks.independent_spines.treatment import Deposits, Injection
from cementct.core.arrays import BoolArray, Float32Array, FloatArray, IntArray, LabelArray
from cementct.core.findings import Destruction, LeakType, Side
from cementct.core.grid import Box, Grid
from cementct.testing.truth import LeakTruth, VertebraTruth, category_of

# The contract: pieces this near are one leak, mm; what is listed, ml; what is in the middle, mm; touching
# cement, mm; involvement of the wall, mm and mm²; sclerotic share of mixed lesions; compression.
ONE_LEAK_MM, LISTED_ML, MIDLINE_MM, TOUCHES_MM = 2.0, 0.02, 3.0, 0.3
INVOLVED_MM, INVOLVED_MM2, MIXED_SHARES, COMPRESSED = 1.0, 10.0, (0.2, 0.8), 0.20
# A vertebra is in view from this share of its body.
IN_VIEW = 0.15
TO_CANAL = (LeakType.EPIDURAL, LeakType.FORAMINAL)


@dataclass(frozen=True)
class Treatment:
    """What was done: injections by number of vertebra, lesions, and which vertebrae were injected before."""

    injections: dict[int, Injection]
    lesions: tuple[Lesion, ...]
    old: frozenset[int]


@dataclass(frozen=True)
class Place:
    """Where points lie along the column: blended coordinates and sizes of the nearest vertebrae."""

    u: FloatArray
    behind: FloatArray
    ring: FloatArray
    medial: FloatArray
    lateral: FloatArray
    roof: FloatArray
    beyond_endplate: BoolArray
    upper: IntArray


def place_of(points_lps_mm: FloatArray, column: Column) -> Place:
    """Return where points lie in the column."""
    gaps, beyond, tables = [], [], []
    for s, f in zip(column.shapes, column.frames, strict=True):
        u, v, w = (c.astype(np.float32) for c in f.to_local(points_lps_mm).T)
        gaps.append(np.abs(w) - s.height / 2)
        beyond.append((w > s.endplate_w(u, v, 1)) | (w < s.endplate_w(u, v, -1)))
        wide = s.canal_half_width + 2 * s.pedicle_half_width
        full = np.full_like
        tables.append(
            np.stack([
                u, v - s.wall_v(u, w), s.ring(u, v), full(u, s.canal_half_width), full(u, wide),
                full(u, s.canal_depth),
            ])
        )  # fmt: skip
    order = np.argsort(gaps, axis=0)
    first, second = order[0], order[1]
    rows = np.arange(len(points_lps_mm))
    near, next_ = np.maximum(np.asarray(gaps)[first, rows], 0), np.maximum(np.asarray(gaps)[second, rows], 0)
    t = near / np.maximum(near + next_, 1e-6)
    table = np.asarray(tables)
    mixed = table[first, :, rows] * (1 - t)[:, None] + table[second, :, rows] * t[:, None]
    u, behind, ring, medial, lateral, roof = mixed.T
    return Place(
        u, behind, ring, medial, lateral, roof, np.asarray(beyond)[first, rows], np.minimum(first, second)
    )


def kinds_of(points_lps_mm: FloatArray, column: Column, is_track: BoolArray) -> LabelArray:
    """Return the numbers of the compartments that points outside bone lie in."""
    p = place_of(points_lps_mm, column)
    kinds = np.full(len(points_lps_mm), LeakType.PARAVERTEBRAL.number, np.uint8)
    kinds[is_track] = LeakType.ACCESS_TRACK.number
    kinds[(p.behind <= 0) & (p.ring <= 1) & p.beyond_endplate] = LeakType.DISKAL.number
    aside = (np.abs(p.u) > p.medial) & (np.abs(p.u) <= p.lateral)
    kinds[aside & (p.behind > 0) & (p.behind <= PEDICLE_LENGTH_MM + 2)] = LeakType.FORAMINAL.number
    kinds[(np.abs(p.u) <= p.medial) & (p.behind > 0) & (p.behind <= p.roof + 1)] = LeakType.EPIDURAL.number
    return kinds


def leaks_of(
    number: int,
    scene: Scene,
    deposits: Deposits,
    column: Column,
    shown: LabelArray,
) -> tuple[LeakTruth, ...]:
    """Return the leaks from a vertebra; `shown` gets their types on the lattice."""
    mine = deposits.numbers == number
    outside = mine & (scene.owner == NOBODY)
    if not outside.any():
        return ()
    index = np.argwhere(outside)
    points = scene.grid.to_lps(index)
    kinds = kinds_of(points, column, deposits.is_track[outside])
    box = Box(_three(index.min(axis=0)), _three(index.max(axis=0) + 1))
    types = np.zeros(box.shape, np.uint8)
    types[tuple((index - box.start).T)] = kinds
    _absorb_slivers(types, scene.grid)
    order = [s.level.verse_number for s in column.shapes]
    frame, leaks = column.frames[order.index(number)], []
    for kind in LeakType:
        pieces, count = _joined(types == kind.number, scene.grid)
        for piece in range(1, count + 1):
            voxels = np.argwhere(pieces == piece) + box.start
            volume = len(voxels) * scene.grid.voxel_ml
            listed = volume >= LISTED_ML or kind in TO_CANAL
            where = scene.grid.to_lps(voxels)
            centre = where.mean(axis=0)
            across = float(frame.to_local(centre[None])[0, 0])
            side = Side.MIDLINE if abs(across) <= MIDLINE_MM else Side.LEFT if across > 0 else Side.RIGHT
            between = None
            if kind is LeakType.DISKAL:
                top = int(np.median(place_of(where, column).upper))
                low = min(top + 1, len(order) - 1)
                between = (column.shapes[top].level.value, column.shapes[low].level.value)
            if listed:
                shown[tuple(voxels.T)] = kind.number
            leaks.append(LeakTruth(kind, side, volume, _point(centre), between, listed))
    return tuple(leaks)


def _joined(mask: BoolArray, grid: Grid) -> tuple[IntArray, int]:
    """Return pieces, those two millimetres apart or less being one."""
    if not mask.any():
        return np.zeros(mask.shape, np.intp), 0
    pad = np.pad(mask, 3)
    near = ndimage.distance_transform_edt(~pad, sampling=grid.spacing_mm) <= ONE_LEAK_MM / 2 + 1e-6
    pieces, count = ndimage.label(near, structure=np.ones((3, 3, 3)))
    return np.where(mask, pieces[3:-3, 3:-3, 3:-3], 0), count


def _absorb_slivers(types: LabelArray, grid: Grid) -> None:
    """Give parts under the listed volume to what they touch, those in canal and foramina aside."""
    for kind in (LeakType.DISKAL, LeakType.ACCESS_TRACK, LeakType.PARAVERTEBRAL):
        pieces, count = ndimage.label(types == kind.number, structure=np.ones((3, 3, 3)))
        for piece in range(1, count + 1):
            own = pieces == piece
            if own.sum() * grid.voxel_ml >= LISTED_ML:
                continue
            round_it = ndimage.binary_dilation(own, np.ones((3, 3, 3), np.bool_)) & (types > 0) & ~own
            if round_it.any():
                types[own] = np.bincount(types[round_it]).argmax()


def vertebra_truth(
    place: int, scene: Scene, deposits: Deposits, column: Column, *, view: Grid, treatment: Treatment,
    shown: LabelArray,
) -> VertebraTruth | None:  # fmt: skip
    """Return the truth of one vertebra; None where hardly any of it is in view."""
    shape, frame = column.shapes[place], column.frames[place]
    number, ml = shape.level.verse_number, scene.grid.voxel_ml
    body = scene.body == number
    index = np.argwhere(body)
    whole_ml = _whole_ml(shape)
    if len(index) * ml < IN_VIEW * whole_ml:
        return None
    heights, sound = shape.heights_mm(), _sound(shape).heights_mm()
    loss = 1 - min(h / s for h, s in zip(heights, sound, strict=True))
    points = scene.grid.to_lps(index)
    complete = view.contains(points) and len(index) * ml > 0.9 * whole_ml
    common = {
        "level": shape.level.value, "number": number, "complete": complete,
        "centroid_lps_mm": _point(points.mean(axis=0)), "body_volume_ml": len(index) * ml,
        "heights_mm": heights, "height_loss": loss, "compressed": loss >= COMPRESSED,
    }  # fmt: skip
    cement = deposits.numbers == number
    plan = treatment.injections.get(number)
    if plan is None or not cement.any():
        return VertebraTruth(**common, treated=False)  # type: ignore[arg-type]
    if number in treatment.old:
        return VertebraTruth(**common, treated=False, old_cement_ml=float(cement.sum()) * ml)  # type: ignore[arg-type]
    leaks = leaks_of(number, scene, deposits, column, shown)
    in_body = cement & body
    lesion = scene.lesion == number
    lesion_ml = float(lesion.sum()) * ml
    rate = float((cement & lesion).sum()) * ml / lesion_ml if lesion_ml else None
    epidural = any(k.type is LeakType.EPIDURAL for k in leaks)
    cement_lps = scene.grid.to_lps(np.argwhere(cement))
    gates = [_foramen_mm(cement_lps, column, place, side) for side in (1, -1)]
    body_cement = float(in_body.sum()) * ml
    return VertebraTruth(
        **common,  # type: ignore[arg-type]
        treated=True,
        cement_volume_ml=float(cement.sum()) * ml,
        cement_in_body_ml=body_cement,
        cement_in_pedicle_ml=float((cement & ~body & (scene.owner == number)).sum()) * ml,
        cement_to_body_ratio=body_cement / (len(index) * ml),
        cement_opacity_hu=plan.cement_hu,
        lesion_volume_ml=lesion_ml or None,
        filling_rate=rate,
        filling_category=category_of(rate) if rate is not None else None,
        destruction=_destruction([k for k in treatment.lesions if k.number == number]),
        posterior_wall_involved=_involved(lesion, shape, frame, scene.grid) if lesion_ml else False,
        leaks=leaks,
        posterior_wall_distance_mm=0.0 if epidural else _wall_mm(in_body, shape, frame, scene.grid),
        left_foramen_distance_mm=gates[0],
        right_foramen_distance_mm=gates[1],
    )


def _sound(shape: Shape) -> Shape:
    return replace(shape, anterior_loss=0.0, central_loss=0.0, dents=())


def _whole_ml(shape: Shape) -> float:
    step = 1.0
    a, b, h = shape.half_width + 8, shape.half_depth + 2, shape.height / 2 + 1
    u, v, w = np.meshgrid(*(np.arange(-n, n, step, dtype=np.float32) for n in (a, b, h)), indexing="ij")
    return float((shape.body_mm(u, v, w) < 0).sum()) * step**3 / 1000


def _destruction(lesions: list[Lesion]) -> Destruction:
    if not lesions:
        return Destruction.NONE
    share = lesions[0].sclerotic_share
    if MIXED_SHARES[0] <= share <= MIXED_SHARES[1]:
        return Destruction.MIXED
    return Destruction.OSTEOLYTIC if share < MIXED_SHARES[0] else Destruction.OSTEOBLASTIC


def _wall_points(shape: Shape, frame: Frame) -> FloatArray:
    u, w = np.meshgrid(
        np.arange(-shape.canal_half_width, shape.canal_half_width, 0.4, dtype=np.float32),
        np.arange(-shape.height / 2, shape.height / 2, 0.4, dtype=np.float32),
    )
    v = shape.wall_v(u, w)
    on = (w < shape.endplate_w(u, v, 1)) & (w > shape.endplate_w(u, v, -1))
    return frame.to_lps(np.stack([c[on] for c in (u, v, w)], axis=1).astype(np.float64))


def _wall_mm(in_body: BoolArray, shape: Shape, frame: Frame, grid: Grid) -> float | None:
    index = np.argwhere(in_body)
    if not len(index):
        return None
    gap = float(np.min(cKDTree(_wall_points(shape, frame)).query(grid.to_lps(index))[0]))
    gap -= grid.spacing_mm[1] / 2
    return 0.0 if gap < TOUCHES_MM else gap


def _involved(lesion: BoolArray, shape: Shape, frame: Frame, grid: Grid) -> bool:
    u, v, w = frame.to_local(grid.to_lps(np.argwhere(lesion))).T.astype(np.float32)
    near = (shape.wall_v(u, w) - v <= INVOLVED_MM) & (np.abs(u) < shape.canal_half_width)
    columns = {(a, b) for a, b in zip(np.rint(u[near]), np.rint(w[near]), strict=True)}
    return len(columns) >= INVOLVED_MM2


def _foramen_mm(cement_lps: FloatArray, column: Column, place: int, side: int) -> float | None:
    """Return the shortest distance to the foramina above and below on one side."""
    tree, best = cKDTree(cement_lps), np.inf
    for top in (place - 1, place):
        if not 0 <= top < len(column.shapes) - 1:
            continue
        upper, lower = column.shapes[top], column.shapes[top + 1]
        frame = column.frames[top]
        roof = 0.2 * upper.height - upper.pedicle_half_height
        floor = -upper.height / 2 - upper.disc_below - 0.3 * lower.height + lower.pedicle_half_height
        u, v, w = np.meshgrid(
            side
            * np.linspace(upper.canal_half_width, upper.canal_half_width + 2 * upper.pedicle_half_width, 9),
            upper.half_depth + np.linspace(0.2, PEDICLE_LENGTH_MM, 9),
            np.linspace(min(floor, roof), roof, 30),
        )
        points = frame.to_lps(np.stack([u.ravel(), v.ravel(), w.ravel()], axis=1))
        best = min(best, float(np.min(tree.query(points)[0])))
    return None if np.isinf(best) else max(0.0, best - 0.5)


def _three(values: IntArray) -> tuple[int, int, int]:
    return int(values[0]), int(values[1]), int(values[2])


def _point(values: FloatArray | Float32Array) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
