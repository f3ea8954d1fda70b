"""Leaks as medicine knows them: sheets and cords in epidural veins, disc fills, vein cords, needle tracks."""

from __future__ import annotations

import numpy as np

from benchmarks.independent_implants.pieces import (
    Canvas,
    around_body,
    channel,
    cord,
    epidural_sheet,
    wall_at,
    zone_blob,
)
from benchmarks.independent_implants.plan import Scene
from benchmarks.independent_implants.sources import Doubles
from benchmarks.independent_implants.spine import BESIDE, DISC, FORAMEN

# Radius of a needle's track, mm: a 13-gauge needle is 2.4 mm wide.
TRACK_MM = 1.3


def draw_leak(canvas: Canvas, number: int, scene: Scene, *, toward_u: float) -> None:
    """Draw a scene's leaks; `toward_u`: side of the great vessel that a vein leads to."""
    side = int(canvas.rng.choice([-1, 1]))
    if scene is Scene.SHEET:
        _sheet(canvas, number)
    elif scene is Scene.CORDS:
        _epidural_cords(canvas, number, side)
    elif scene is Scene.DISC:
        _into_disc(canvas, number, upper=True)
        _into_disc(canvas, number, upper=False)
    elif scene is Scene.POROTIC:
        _into_disc(canvas, number, upper=bool(canvas.rng.integers(2)))
    elif scene in {Scene.AORTA, Scene.DILUTE}:
        _vein_cord(canvas, number, toward_u=toward_u)
    elif scene is Scene.RIB:
        _beside(canvas, number, side)
    elif scene is Scene.FORAMEN:
        _into_foramen(canvas, number, side)
    elif scene is Scene.TRACK:
        needle_way(canvas, number, side, beyond_mm=float(canvas.rng.uniform(9, 24)))


def _volume_ml(canvas: Canvas, low_ml: float, high_ml: float) -> float:
    """Return a volume; small ones are the more frequent."""
    return float(np.exp(canvas.rng.uniform(np.log(low_ml), np.log(high_ml))))


def _sheet(canvas: Canvas, number: int) -> None:
    rng = canvas.rng
    epidural_sheet(
        canvas,
        number,
        middle_u=float(rng.uniform(-3, 3)),
        half_width_mm=float(rng.uniform(3, 6)),
        length_mm=float(rng.uniform(9, 22)),
        thick_mm=float(rng.uniform(1.0, 2.2)),
    )


def _epidural_cords(canvas: Canvas, number: int, side: int) -> None:
    rng = canvas.rng
    for way in (-1, 1) if rng.random() < 0.6 else (side,):
        epidural_sheet(
            canvas,
            number,
            middle_u=way * float(rng.uniform(3.5, 5.0)),
            half_width_mm=float(rng.uniform(1.3, 2.2)),
            length_mm=float(rng.uniform(16, 34)),
            thick_mm=float(rng.uniform(1.2, 2.0)),
        )


def _beside(canvas: Canvas, number: int, side: int) -> None:
    t_mid = canvas.spine.frames[number].t_mid + float(canvas.rng.uniform(-4, 6))
    path = around_body(canvas, number, t_mid, np.array([30.0 if side > 0 else 150.0]), 3.0)
    if len(path):
        zone_blob(canvas, number, BESIDE, path[0], _volume_ml(canvas, 0.08, 1.0), 0.7)


def _into_foramen(canvas: Canvas, number: int, side: int) -> None:
    rng, frame = canvas.rng, canvas.spine.frames[number]
    u = side * (frame.medial[side] + float(rng.uniform(0.5, 3.5)))
    t = frame.pedicle_range[0] - float(rng.uniform(2.5, 5.0))
    start = np.array([t, u, wall_at(canvas.spine, number, frame.t_mid) + 1.5])
    zone_blob(canvas, number, FORAMEN, start, _volume_ml(canvas, 0.04, 0.35), 0.9)


def _into_disc(canvas: Canvas, number: int, *, upper: bool) -> None:
    spine, rng = canvas.spine, canvas.rng
    volume_ml = _volume_ml(canvas, 0.05, 1.1)
    here = canvas.cement == number
    u0, v0 = float(np.median(spine.u[here])), float(np.median(spine.v[here]))
    u0, v0 = u0 + float(rng.uniform(-4, 4)), v0 + float(rng.uniform(-4, 4))
    ts = spine.t[(spine.body == number) & (np.abs(spine.u - u0) < 1) & (np.abs(spine.v - v0) < 1)]
    if not ts.size:
        return
    t0 = float(ts.max() + 1.2) if upper else float(ts.min() - 1.2)
    zone_blob(canvas, number, DISC, np.array([t0, u0, v0]), volume_ml, 1.6)


def _vein_cord(canvas: Canvas, number: int, *, toward_u: float) -> None:
    """Draw a segmental vein around the body's side, then up or down beside the great vessel."""
    rng, frame = canvas.rng, canvas.spine.frames[number]
    side = 1.0 if toward_u > 0 else -1.0
    start, end = (5.0, -rng.uniform(45, 80)) if side > 0 else (175.0, 180 + rng.uniform(45, 80))
    path = around_body(
        canvas, number, frame.t_mid + float(rng.uniform(-3, 3)), np.linspace(start, end, 12), 1.6
    )
    if len(path) < 4:
        return
    radius = float(rng.uniform(0.8, 1.6))
    tail = np.repeat(path[-1:], 2, axis=0)
    climb = float(rng.choice([-1, 1]) * rng.uniform(4, 14))
    tail[0] += [0.5 * climb, 0, -1.5]
    tail[1] += [climb, 0, -2.0]
    mask, window = cord(canvas, np.concatenate([path, tail]), radius)
    canvas.pour(number, mask, window)
    channel(canvas, number, path[int(rng.integers(0, len(path) // 2))])


def needle_way(canvas: Canvas, number: int, side: int, *, beyond_mm: float) -> None:
    """Fill the needle's way through a pedicle; `beyond_mm`: its way outside the bone, 0: none."""
    spine = canvas.spine
    frame = spine.frames[number]
    wall = wall_at(spine, number, frame.t_mid)
    inside = (canvas.cement == number) & (spine.body == number)
    pedicle = np.array([frame.t_pedicle, side * 0.5 * (frame.medial[side] + frame.lateral[side]), wall + 3.0])
    places = np.stack([a[inside] for a in (spine.t, spine.u, spine.v)], axis=1)
    # The tip lies in the deposit, ahead of the pedicle and nearer to the middle.
    target = np.array([frame.t_mid, side * 0.35 * frame.medial[side], wall - 12.0])
    tip = places[int(np.argmin(np.linalg.norm(places - target, axis=1)))]
    way = (pedicle - tip) / np.linalg.norm(pedicle - tip)
    exit_mm = _bone_ends(canvas, number, pedicle, way)
    stop = exit_mm + beyond_mm if beyond_mm > 0 else min(exit_mm - 2.0, 9.0)
    mask, window = cord(canvas, np.array([tip, pedicle, pedicle + way * stop]), TRACK_MM)
    if beyond_mm <= 0:
        mask &= spine.labels[window] == number
    canvas.pour(number, mask, window, track=True)


def _bone_ends(canvas: Canvas, number: int, start: Doubles, way: Doubles) -> float:
    """Return how far along a way (t, u, v) the vertebra's bone reaches, mm."""
    spine = canvas.spine
    steps = np.arange(0.0, 40.0, 0.5)
    points = start + steps[:, None] * way
    index = np.rint(spine.grid.to_index(spine.line.point(points[:, 0], points[:, 1], points[:, 2]))).astype(
        int
    )
    index = np.clip(index, 0, np.array(spine.labels.shape) - 1)
    bone = spine.labels[tuple(index.T)] == number
    return float(steps[bone].max()) if bone.any() else 6.0
