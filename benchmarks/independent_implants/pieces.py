"""Shapes of lesions, cement and leaks, drawn into a spine's own coordinates."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from benchmarks.independent_implants.sources import LATTICE_MM, Bools, Doubles, Floats, Labels
from benchmarks.independent_implants.spine import BESIDE, CANAL, TRACK, Spine

VOXEL_ML = LATTICE_MM**3 / 1000.0
# Cement grows out into leaks through channels of this radius, mm (a vein, a crack).
CHANNEL_MM = 0.9


@dataclass
class Canvas:
    """What has been drawn into a spine.

    Attributes
    ----------
    cement, cement_hu
        Number of the vertebra that cement came from, and its intensity.
    leak
        Type of leak; 0 within the vertebra.
    lesion, lesion_hu, sclerotic
        Number of the vertebra whose bone is destroyed, its intensity, and where it is sclerotic.
    gas
        Where the lesion holds gas after injection.
    blocked
        Where no cement can come: ribs.
    """

    spine: Spine
    rng: np.random.Generator
    cement: Labels = field(init=False)
    cement_hu: Floats = field(init=False)
    leak: Labels = field(init=False)
    lesion: Labels = field(init=False)
    lesion_hu: Floats = field(init=False)
    sclerotic: Bools = field(init=False)
    gas: Bools = field(init=False)
    blocked: Bools = field(init=False)

    def __post_init__(self) -> None:
        shape = self.spine.labels.shape
        self.cement, self.leak, self.lesion = (np.zeros(shape, np.int16) for _ in range(3))
        self.cement_hu, self.lesion_hu = (np.zeros(shape, np.float32) for _ in range(2))
        self.sclerotic, self.gas, self.blocked = (np.zeros(shape, bool) for _ in range(3))

    def window(self, number: int, margin_mm: float = 22.0) -> tuple[slice, slice, slice]:
        """Return the block around a vertebra's body."""
        box = ndimage.find_objects((self.spine.body == number).astype(np.int8))[0]
        corners = [[cut.start, cut.stop - 1] for cut in box]
        index = np.array(np.meshgrid(*corners)).reshape(3, -1).T
        return self.spine.grid.box_around(index, margin_mm).slices

    def pour(
        self, number: int, where: Bools, window: tuple[slice, slice, slice], *, track: bool = False
    ) -> None:
        """Put cement where there is none; its types of leak follow from where it lies.

        What lies in another vertebra is left out; `track`: behind the body it lies along the needle's way.
        """
        spine = self.spine
        labels, zone = spine.labels[window], spine.zone[window]
        take = (
            where & ~self.blocked[window] & (self.cement[window] == 0) & ((labels == 0) | (labels == number))
        )
        self.cement[window][take] = number
        kind = np.where(labels == number, 0, zone)
        if track:
            behind = (kind == BESIDE) & (spine.v[window] > spine.edge_v[window])
            kind = np.where(behind, TRACK, kind)
        self.leak[window][take] = kind[take]

    def volume_ml(self, number: int) -> float:
        """Return all cement that came from a vertebra."""
        return float((self.cement == number).sum()) * VOXEL_ML


def waves(shape: tuple[int, ...], scale_mm: float, rng: np.random.Generator) -> Floats:
    """Return smooth random waves of unit standard deviation and a wavelength of some four scales."""
    coarse = max(1.0, scale_mm / LATTICE_MM / 2)
    small = tuple(int(np.ceil(n / coarse)) + 2 for n in shape)
    noise = ndimage.gaussian_filter(rng.standard_normal(small).astype(np.float32), 2.0)
    big = ndimage.zoom(noise, coarse, order=1)[tuple(slice(n) for n in shape)]
    if big.shape != shape:
        big = np.pad(big, [(0, n - m) for n, m in zip(shape, big.shape, strict=True)], mode="edge")
    return np.asarray(big / big.std(), dtype=np.float32)


def grow(order: Floats, allowed: Bools, volume_ml: float, seed: tuple[int, ...] | None = None) -> Bools:
    """Return the voxels that come first: one piece of the wanted volume, less where room ends."""
    count = round(volume_ml / VOXEL_ML)
    values = order[allowed]
    if not values.size or count < 1:
        return np.zeros_like(allowed)
    for _ in range(4):
        limit = np.partition(values, min(count, values.size) - 1)[min(count, values.size) - 1]
        mask = allowed & (order <= limit)
        pieces, number = ndimage.label(mask)
        if number <= 1:
            return np.asarray(mask)
        sizes = np.bincount(pieces.ravel())
        sizes[0] = 0
        at = pieces[seed] if seed is not None and pieces[seed] else int(np.argmax(sizes))
        mask = np.asarray(pieces == at)
        missing = round(volume_ml / VOXEL_ML) - int(mask.sum())
        if missing < 0.05 * volume_ml / VOXEL_ML or count >= values.size:
            return mask
        count += missing
    return np.asarray(mask)


def lobes(
    canvas: Canvas, number: int, centres: Doubles, radii_mm: Doubles, rough: float
) -> tuple[Floats, tuple[slice, slice, slice]]:
    """Return an order in which cement fills a body: blunt lobes around points (t, u, v), uneven borders."""
    window = canvas.window(number, 4.0)
    spine = canvas.spine
    t, u, v = spine.t[window], spine.u[window], spine.v[window]
    order = np.full(t.shape, np.inf, np.float32)
    for (t0, u0, v0), (rt, ru, rv) in zip(centres, radii_mm, strict=True):
        order = np.minimum(order, ((t - t0) / rt) ** 2 + ((u - u0) / ru) ** 2 + ((v - v0) / rv) ** 2)
    return np.sqrt(order) + rough * waves(t.shape, 2.5, canvas.rng), window


def cord(canvas: Canvas, path_tuv: Doubles, radius_mm: float) -> tuple[Bools, tuple[slice, slice, slice]]:
    """Return a cord along a path of points (t, u, v), a little knotty."""
    spine = canvas.spine
    points = spine.line.point(path_tuv[:, 0], path_tuv[:, 1], path_tuv[:, 2])
    gaps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(gaps)])
    fine = np.arange(0.0, along[-1] + 0.15, 0.3)
    dense = np.stack([np.interp(fine, along, points[:, k]) for k in range(3)], axis=1)
    box = spine.grid.box_around(spine.grid.to_index(dense), 2 * radius_mm + 1)
    window = box.slices
    if box.is_empty:
        return np.zeros(box.shape, bool), window
    local = spine.grid.crop(box)
    index = np.moveaxis(np.indices(box.shape), 0, -1).reshape(-1, 3)
    gap, near = cKDTree(dense).query(local.to_lps(index), distance_upper_bound=2 * radius_mm + 1)
    knots = 1 + 0.2 * np.sin(fine / 2.3 + canvas.rng.uniform(0, 6)) + 0.1 * np.sin(fine / 0.9)
    limit = radius_mm * np.append(knots, 0.0)[near]
    return np.asarray((gap <= limit).reshape(box.shape)), window


def channel(canvas: Canvas, number: int, end_tuv: Doubles, radius_mm: float = CHANNEL_MM) -> None:
    """Join a leak to the nearest cement within the body by a thin straight way."""
    spine = canvas.spine
    window = canvas.window(number, 1.0)
    inside = (canvas.cement[window] == number) & (spine.body[window] == number)
    if not inside.any():
        return
    places = np.stack([a[window][inside] for a in (spine.t, spine.u, spine.v)], axis=1)
    start = places[int(np.argmin(np.linalg.norm(places - end_tuv, axis=1)))]
    mask, where = cord(canvas, np.array([start, end_tuv]), radius_mm)
    canvas.pour(number, mask, where)


def zone_blob(
    canvas: Canvas, number: int, kind: int, seed_tuv: Doubles, volume_ml: float, flat: float
) -> float:
    """Grow a leak within one compartment around a point, and join it to the body; return its volume, ml."""
    spine = canvas.spine
    window = canvas.window(number, 26.0)
    allowed = (spine.zone[window] == kind) & (canvas.cement[window] == 0) & ~canvas.blocked[window]
    t, u, v = spine.t[window], spine.u[window], spine.v[window]
    order = np.sqrt(((t - seed_tuv[0]) * flat) ** 2 + (u - seed_tuv[1]) ** 2 + (v - seed_tuv[2]) ** 2)
    order = np.asarray(order * (1 + 0.18 * waves(t.shape, 2.0, canvas.rng)), dtype=np.float32)
    allowed &= order < 30
    mask = grow(order, allowed, volume_ml)
    if not mask.any():
        return 0.0
    canvas.pour(number, mask, window)
    place = np.argwhere(mask)
    values = order[mask]
    first = tuple(place[int(np.argmin(values))])
    channel(canvas, number, np.array([float(a[first]) for a in (t, u, v)]))
    return float(mask.sum()) * VOXEL_ML


def epidural_sheet(
    canvas: Canvas, number: int, *, middle_u: float, half_width_mm: float, length_mm: float, thick_mm: float
) -> None:
    """Pour a sheet behind the wall, as in the anterior epidural veins, fed by the basivertebral vein."""
    spine = canvas.spine
    frame = spine.frames[number]
    window = canvas.window(number, 26.0)
    t, u, v, edge = spine.t[window], spine.u[window], spine.v[window], spine.edge_v[window]
    t0 = frame.t_mid + canvas.rng.uniform(-2, 2)
    shape = ((t - t0) / (0.5 * length_mm)) ** 2 + ((u - middle_u) / half_width_mm) ** 2
    shape = shape + 0.35 * waves(t.shape, 3.0, canvas.rng)
    sheet = (spine.zone[window] == CANAL) & (shape < 1) & (v - edge < thick_mm)
    canvas.pour(number, sheet, window)
    if sheet.any():
        depth = float(np.median(edge[sheet]))
        # The basivertebral vein leaves the body in the midline at mid-height.
        channel(canvas, number, np.array([t0, 0.4 * middle_u, depth + 0.3]), 0.8)
        joint, where = cord(
            canvas, np.array([[t0, 0.4 * middle_u, depth + 0.5], [t0, middle_u, depth + 0.6]]), 0.7
        )
        canvas.pour(number, joint, where)


def around_body(canvas: Canvas, number: int, t0: float, angles_deg: Doubles, gap_mm: float) -> Doubles:
    """Return a path (t, u, v) around the side of a body, a little outside it; 0° is left, −90° the front."""
    spine = canvas.spine
    frame = spine.frames[number]
    near = (spine.body == number) & (np.abs(spine.t - t0) < 1.0)
    us, vs = spine.u[near], spine.v[near]
    v_mid = 0.5 * (frame.v_front + wall_at(spine, number, t0))
    turn = np.degrees(np.arctan2(vs - v_mid, us - frame.u_mid))
    reach = np.hypot(vs - v_mid, us - frame.u_mid)
    path = []
    for angle in angles_deg:
        close = np.abs((turn - angle + 180) % 360 - 180) < 7
        if close.any():
            far = float(np.quantile(reach[close], 0.98)) + gap_mm
            a = np.radians(angle)
            path.append((t0, frame.u_mid + far * np.cos(a), v_mid + far * np.sin(a)))
    return np.array(path)


def wall_at(spine: Spine, number: int, t: float) -> float:
    """Return v of the plane of the posterior wall."""
    frame = spine.frames[number]
    return frame.wall[0] + frame.wall[1] * (t - frame.t_pedicle)
