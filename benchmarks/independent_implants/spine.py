"""Where the compartments of a spine lie, from its masks and from anatomy alone.

Everything is told in the coordinates t, u and v of `independent_line`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from benchmarks.independent_implants.line import Line, canal_line, coordinates
from benchmarks.independent_implants.sources import (
    LATTICE_MM,
    Bools,
    Doubles,
    Floats,
    Labels,
    Source,
    labels_on,
    lattice_over,
)
from cementct.core.findings import LeakType
from cementct.core.grid import Grid

# Pedicles are looked for at these distances from the canal's middle, mm.
PEDICLE_U_MM, PEDICLE_V_MM = (5.0, 21.0), (-7.0, 1.0)
# Quantile of the wall's depth over a body that gives the plane of the posterior wall: a wall is slightly
# concave, and the plane touches its lateral parts.
WALL_QUANTILE = 0.85
# Where the posterior wall can lie, mm from the canal's middle; elsewhere the canal was lost.
WALL_RANGE_MM = (-14.0, -2.0)
# Half size of the tables over u and v, mm.
TABLE_MM = 75.0

CANAL, FORAMEN, DISC = LeakType.EPIDURAL.number, LeakType.FORAMINAL.number, LeakType.DISKAL.number
BESIDE, TRACK = LeakType.PARAVERTEBRAL.number, LeakType.ACCESS_TRACK.number


@dataclass
class Frame:
    """One vertebra's measures along the line, mm.

    Attributes
    ----------
    t_pedicle, pedicle_range
        Middle and ends of the pedicles along the line.
    medial, lateral
        Borders of the pedicles by side (+1 left, -1 right), as distances from the middle.
    lamina_v
        Front of the laminae.
    wall
        Plane of the posterior wall: v = wall[0] + wall[1] * (t - t_pedicle).
    t_mid, u_mid, v_front
        Middle of the body's height and width, and its front.
    complete
        Whether the scan holds all of it.
    """

    t_pedicle: float
    pedicle_range: tuple[float, float]
    medial: dict[int, float]
    lateral: dict[int, float]
    lamina_v: float
    wall: tuple[float, float]
    t_mid: float = 0.0
    u_mid: float = 0.0
    v_front: float = 0.0
    complete: bool = True


@dataclass
class Spine:
    """The anatomy of a case on the fine lattice.

    Attributes
    ----------
    grid
        The lattice.
    labels, body, disc
        Vertebrae; their bodies; discs, by the number of the vertebra above.
    t, u, v
        Coordinates of every voxel.
    zone
        Types of leaks that cement outside bone has there (access tracks depend on how they came about).
    edge_v
        v of the posterior edge of body and disc at every voxel's (t, u).
    """

    grid: Grid
    labels: Labels
    line: Line
    t: Floats
    u: Floats
    v: Floats
    frames: dict[int, Frame]
    body: Labels
    disc: Labels
    zone: Labels
    edge_v: Floats
    order: list[int] = field(default_factory=list)


def build_spine(source: Source) -> Spine:
    """Return the anatomy of a source; ValueError where its canal cannot be followed."""
    grid = lattice_over(source)
    labels = labels_on(grid, source)
    line = canal_line(labels, grid)
    t, u, v = coordinates(grid, line)
    frames = {}
    for number in [int(n) for n in np.unique(labels) if n]:
        frame = _frame(labels == number, t, u, v, grid)
        if frame is not None:
            frames[number] = frame
    body = np.zeros_like(labels)
    for number, frame in frames.items():
        body[_body_of(labels == number, frame, t, v)] = number
    spine = Spine(
        grid, labels, line, t, u, v, frames, body, np.zeros_like(labels), body * 0, v * 0, sorted(frames)
    )
    _measure_bodies(spine)
    spine.disc = _discs(spine)
    spine.edge_v = _edge(spine)
    spine.zone = _zones(spine)
    return spine


def _frame(mask: Bools, t: Floats, u: Floats, v: Floats, grid: Grid) -> Frame | None:
    """Return one vertebra's measures; None where its pedicles or its body are not in view."""
    window = ndimage.find_objects(mask.astype(np.int8))[0]
    z = window[0]
    complete = z.start > 1 and z.stop < grid.shape[0] - 1
    ts, us, vs = (a[window][mask[window]] for a in (t, u, v))
    zone = (vs > PEDICLE_V_MM[0]) & (vs < PEDICLE_V_MM[1])
    zone &= (np.abs(us) > PEDICLE_U_MM[0]) & (np.abs(us) < PEDICLE_U_MM[1])
    front = vs < PEDICLE_V_MM[0] - 2
    if zone.sum() < 200 or front.sum() < 2000:
        return None
    bins = np.arange(ts.min(), ts.max() + 1.0, 1.0)
    counts, _ = np.histogram(ts[zone], bins)
    smooth = ndimage.gaussian_filter1d(counts.astype(float), 2.0)
    # Pedicles stand in the upper half of the body; facets further down are thin there.
    peak = int(np.argmax(smooth))
    low = high = peak
    while low > 0 and smooth[low - 1] > 0.5 * smooth[peak]:
        low -= 1
    while high < len(smooth) - 1 and smooth[high + 1] > 0.5 * smooth[peak]:
        high += 1
    ends = (float(bins[low]), float(bins[high] + 1.0))
    here = (ts > ends[0]) & (ts < ends[1])
    medial, lateral = {}, {}
    for side in (1, -1):
        own = here & zone & (us * side > 0)
        if own.sum() < 60:
            return None
        medial[side] = float(np.quantile(us[own] * side, 0.05))
        widths = [
            np.quantile(us[own & (np.abs(vs - depth) < 0.6)] * side, 0.95)
            for depth in np.arange(-6.0, 0.0, 1.0)
            if (own & (np.abs(vs - depth) < 0.6)).sum() > 10
        ]
        lateral[side] = float(max(min(widths, default=medial[side] + 6.0), medial[side] + 3.0))
    behind = here & (vs > 3) & (np.abs(us) < 4)
    lamina = float(np.quantile(vs[behind], 0.05)) if behind.sum() > 20 else 9.0
    half = 0.7 * min(medial.values())
    middle = (np.abs(us) < half) & (vs < 0)
    key = np.rint(ts[middle]).astype(int) * 1000 + np.rint(us[middle]).astype(int) + 500
    names, places = np.unique(key, return_inverse=True)
    depth = np.full(len(names), -np.inf)
    np.maximum.at(depth, places, vs[middle])
    height = (names // 1000).astype(float)
    core = np.abs(height - np.median(height)) < 0.4 * np.ptp(height)
    slope, level = np.polyfit(height[core], depth[core], 1)
    t_pedicle = 0.5 * sum(ends)
    rest = depth[core] - (slope * height[core] + level)
    base = float(slope * t_pedicle + level + np.quantile(rest, WALL_QUANTILE))
    if not WALL_RANGE_MM[0] < base < WALL_RANGE_MM[1]:
        return None
    return Frame(t_pedicle, ends, medial, lateral, lamina, (base, float(slope)), complete=complete)


def wall_of(frame: Frame, t: Floats) -> Floats:
    """Return v of the plane of the posterior wall."""
    return np.asarray(frame.wall[0] + frame.wall[1] * (t - frame.t_pedicle), dtype=np.float32)


def _body_of(mask: Bools, frame: Frame, t: Floats, v: Floats) -> Bools:
    out = np.zeros_like(mask)
    window = ndimage.find_objects(mask.astype(np.int8))[0]
    cut = mask[window] & (v[window] <= wall_of(frame, t[window]))
    pieces, count = ndimage.label(cut)
    if count > 1:
        cut = np.asarray(pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:])))
    out[window] = cut
    return out


def _measure_bodies(spine: Spine) -> None:
    for number, frame in spine.frames.items():
        here = spine.body == number
        ts, us, vs = spine.t[here], spine.u[here], spine.v[here]
        frame.t_mid = 0.5 * float(np.quantile(ts, 0.02) + np.quantile(ts, 0.98))
        frame.u_mid = 0.5 * float(np.quantile(us, 0.02) + np.quantile(us, 0.98))
        frame.v_front = float(np.quantile(vs, 0.01))


def endplate_table(spine: Spine, number: int, *, upper: bool) -> Doubles:
    """Return t of a body's upper or lower surface over (u, v), one bin a lattice step; NaN beside it."""
    here = spine.body == number
    size = int(2 * TABLE_MM / LATTICE_MM) + 1
    table = np.full((size, size), -np.inf)
    sign = 1.0 if upper else -1.0
    i, j = (_bin(a[here]) for a in (spine.u, spine.v))
    np.maximum.at(table, (i, j), sign * spine.t[here])
    table[~np.isfinite(table)] = np.nan
    hole = np.isnan(table)
    filled = ndimage.binary_closing(~hole, iterations=2) & hole
    if filled.any():
        nearest = ndimage.distance_transform_edt(hole, return_distances=False, return_indices=True)
        table[filled] = table[tuple(nearest)][filled]
    return np.asarray(sign * table)


def _bin(values: Floats) -> Labels:
    size = int(2 * TABLE_MM / LATTICE_MM)
    return np.asarray(np.clip(np.rint((values + TABLE_MM) / LATTICE_MM), 0, size).astype(np.int16))


def _discs(spine: Spine) -> Labels:
    """Return discs: what lies between two endplates, straight above the one and below the other."""
    out = np.zeros_like(spine.labels)
    for above, below in zip(spine.order, spine.order[1:], strict=False):
        roof = endplate_table(spine, above, upper=False)
        floor = endplate_table(spine, below, upper=True)
        # A rim that overhangs the waist of its own body bounds no disc.
        roof[roof > spine.frames[above].t_mid] = np.nan
        floor[floor < spine.frames[below].t_mid] = np.nan
        pad = np.nan_to_num(roof, nan=1e6), np.nan_to_num(floor, nan=-1e6)
        if not (np.isfinite(roof) & np.isfinite(floor)).any():
            continue
        low, high = np.nanmin(floor), np.nanmax(roof)
        near = np.abs(spine.line.centre[:, 2] - 0.5 * (low + high)) < 0.5 * (high - low) + 30
        zs = np.flatnonzero(near)
        cut = slice(int(zs[0]), int(zs[-1]) + 1)
        i, j = _bin(spine.u[cut]), _bin(spine.v[cut])
        inside = (spine.t[cut] < pad[0][i, j]) & (spine.t[cut] > pad[1][i, j])
        inside &= np.isfinite(roof)[i, j] & np.isfinite(floor)[i, j] & (spine.labels[cut] == 0)
        out[cut][inside] = above
    return out


def _edge(spine: Spine) -> Floats:
    """Return v of the posterior edge of body and disc, a smooth surface over (t, u), at every voxel."""
    solid = (spine.body > 0) | (spine.disc > 0)
    size_u = int(2 * TABLE_MM / LATTICE_MM) + 1
    table = np.full((spine.grid.shape[0], size_u), -np.inf)
    rows = np.clip(np.rint((spine.t - spine.line.z0) / LATTICE_MM), 0, len(table) - 1).astype(np.int32)
    np.maximum.at(table, (rows[solid], _bin(spine.u[solid])), spine.v[solid])
    hole = ~np.isfinite(table)
    nearest = ndimage.distance_transform_edt(hole, return_distances=False, return_indices=True)
    table = table[tuple(nearest)]
    # Rims of endplates stand out by a voxel or two; the basivertebral foramen is bridged.
    table = ndimage.median_filter(table, (7, 7))
    return np.asarray(table[rows, _bin(spine.u)].astype(np.float32))


def _zones(spine: Spine) -> Labels:
    """Return the type that a leak has at every voxel outside bone; 0 in bone."""
    frames = [spine.frames[n] for n in spine.order][::-1]
    at = np.array([f.t_pedicle for f in frames])
    rows = spine.line.z0 + LATTICE_MM * np.arange(spine.grid.shape[0])

    def over_t(values: list[float]) -> Floats:
        table = np.interp(rows, at, values).astype(np.float32)
        index = np.clip(np.rint((spine.t - spine.line.z0) / LATTICE_MM), 0, len(table) - 1).astype(np.int32)
        return np.asarray(table[index])

    zone = np.full(spine.labels.shape, BESIDE, np.int16)
    left = spine.u > 0
    medial = np.where(left, over_t([f.medial[1] for f in frames]), over_t([f.medial[-1] for f in frames]))
    lateral = np.where(left, over_t([f.lateral[1] for f in frames]), over_t([f.lateral[-1] for f in frames]))
    lamina = over_t([f.lamina_v for f in frames])
    width = np.abs(spine.u)
    behind = (spine.v > spine.edge_v) & (spine.v < lamina)
    span = (spine.t > at[0] - 12) & (spine.t < at[-1] + 12)
    zone[span & behind & (width >= medial) & (width <= lateral)] = FORAMEN
    zone[(spine.disc > 0)] = DISC
    zone[span & behind & (width < medial)] = CANAL
    # The basivertebral foramen is bridged: what lies before the bridge is inside the body.
    zone[
        span & (zone == BESIDE) & (width < medial) & (spine.v <= spine.edge_v) & (spine.v > spine.edge_v - 4)
    ] = 0
    zone[spine.labels > 0] = 0
    return zone
