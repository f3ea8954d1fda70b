"""The line through the canal, and the coordinates along, left of and behind it.

A curved line through the middle of the canal gives every point three coordinates: `t` (mm along z of the
foot on the line), `u` (mm to the patient's left) and `v` (mm to the back; the canal's middle is 0). In these
the spine stands straight, and borders are simple: pedicles lie at |u| of some 8 to 20 mm, bodies at v below
some -8 mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from benchmarks.independent_implants.sources import LATTICE_MM, Doubles, Floats, Labels
from cementct.core.grid import Grid

# A hole in an axial cut through the bone is the canal where its area lies between these, mm² (cervical canals
# reach 350, lumbar ones 450; with epidural recesses more).
CANAL_AREA_MM2 = (70.0, 900.0)
# Canal and body lines are smoothed over this standard deviation along z, mm (less than half a vertebra).
LINE_SMOOTHING_MM = 7.0


@dataclass(frozen=True)
class Line:
    """The canal's middle and the directions there, one row for every layer of the lattice."""

    z0: float
    centre: Doubles
    up: Doubles
    left: Doubles
    back: Doubles

    def rows(self, t: Doubles) -> Doubles:
        """Return the fractional row of positions along the line."""
        return np.asarray(np.clip((t - self.z0) / LATTICE_MM, 0, len(self.centre) - 1.001))

    def point(self, t: Doubles, u: Doubles, v: Doubles) -> Doubles:
        """Return LPS points of coordinates along, left of and behind the line."""
        row = self.rows(np.asarray(t, float))
        low = row.astype(int)
        w = (row - low)[..., None]

        def at(table: Doubles) -> Doubles:
            return np.asarray(table[low] * (1 - w) + table[low + 1] * w)

        return np.asarray(
            at(self.centre)
            + np.asarray(u)[..., None] * at(self.left)
            + np.asarray(v)[..., None] * at(self.back)
        )


def canal_line(labels: Labels, grid: Grid) -> Line:
    """Return the line through the canal of the vertebrae on a lattice; ValueError where it is not closed."""
    centres: list[tuple[int, float, float]] = []
    bodies: list[tuple[int, float, float]] = []
    bone = labels > 0
    for z in range(bone.shape[0]):
        plane = ndimage.binary_closing(bone[z], iterations=1)
        holes, count = ndimage.label(ndimage.binary_fill_holes(plane) & ~plane)
        if not count:
            continue
        areas = np.bincount(holes.ravel())[1:] * LATTICE_MM**2
        best = int(np.argmax(areas))
        if CANAL_AREA_MM2[0] <= areas[best] <= CANAL_AREA_MM2[1]:
            y, x = (float(np.mean(c)) for c in np.nonzero(holes == best + 1))
            centres.append((z, y, x))
    if len(centres) < 10:
        raise ValueError("the canal is closed in too few slices")
    zs, ys, xs = (np.array(c, float) for c in zip(*centres, strict=True))
    every = np.arange(bone.shape[0], dtype=float)
    cy, cx = (_smooth(np.interp(every, zs, ndimage.median_filter(c, 9))) for c in (ys, xs))
    for z in range(bone.shape[0]):
        ahead = bone[z].copy()
        ahead[int(cy[z] - 9.0 / LATTICE_MM) :] = False
        if ahead.sum() * LATTICE_MM**2 > 200:
            y, x = (float(np.mean(c)) for c in np.nonzero(ahead))
            bodies.append((z, y, x))
    zs, ys, xs = (np.array(c, float) for c in zip(*bodies, strict=True))
    by, bx = (_smooth(np.interp(every, zs, c)) for c in (ys, xs))
    centre = grid.to_lps(np.stack([every, cy, cx], axis=1))
    front = grid.to_lps(np.stack([every, by, bx], axis=1))
    # Directions of the bodies' line: endplates stand at right angles to it.
    up = np.gradient(ndimage.gaussian_filter1d(0.5 * (centre + front), 10.0 / LATTICE_MM, axis=0), axis=0)
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    back = centre - front
    back -= (back * up).sum(axis=1, keepdims=True) * up
    back = ndimage.gaussian_filter1d(back, 10.0 / LATTICE_MM, axis=0)
    back -= (back * up).sum(axis=1, keepdims=True) * up
    back /= np.linalg.norm(back, axis=1, keepdims=True)
    # x to the left, y to the back, z up: left = back x up.
    return Line(float(centre[0, 2]), centre, up, np.cross(back, up), back)


def _smooth(values: Doubles) -> Doubles:
    return np.asarray(ndimage.gaussian_filter1d(values, LINE_SMOOTHING_MM / LATTICE_MM, mode="nearest"))


def coordinates(grid: Grid, line: Line) -> tuple[Floats, Floats, Floats]:
    """Return t, u and v of every voxel: the foot on the line is found in three steps."""
    nz, ny, nx = grid.shape
    x0, y0, z0 = grid.origin_lps_mm
    x = (x0 + LATTICE_MM * np.arange(nx, dtype=np.float32))[None, None, :]
    y = (y0 + LATTICE_MM * np.arange(ny, dtype=np.float32))[None, :, None]
    out = [np.empty(grid.shape, np.float32) for _ in range(3)]
    tables = [a.astype(np.float32) for a in (line.centre, line.up, line.left, line.back)]
    slab = 24
    for first in range(0, nz, slab):
        z = (z0 + LATTICE_MM * np.arange(first, min(nz, first + slab), dtype=np.float32))[:, None, None]
        row = np.broadcast_to((z - line.z0) / LATTICE_MM, (len(z), ny, nx)).copy()
        for _ in range(3):
            at = np.clip(np.rint(row), 0, nz - 1).astype(np.int32)
            c, up = tables[0][at], tables[1][at]
            gap = (x - c[..., 0]) * up[..., 0] + (y - c[..., 1]) * up[..., 1] + (z - c[..., 2]) * up[..., 2]
            row = np.clip(at + gap * up[..., 2] / LATTICE_MM, 0, nz - 1).astype(np.float32)
        at = np.clip(np.rint(row), 0, nz - 1).astype(np.int32)
        c, left, back = tables[0][at], tables[2][at], tables[3][at]
        window = slice(first, first + len(z))
        out[0][window] = line.z0 + row * LATTICE_MM
        for target, way in ((out[1], left), (out[2], back)):
            target[window] = (
                (x - c[..., 0]) * way[..., 0] + (y - c[..., 1]) * way[..., 1] + (z - c[..., 2]) * way[..., 2]
            )
    return out[0], out[1], out[2]
