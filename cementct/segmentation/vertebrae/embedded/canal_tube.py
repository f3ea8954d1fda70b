"""The canal as a tube: at each step along its middle line, how far it reaches in each direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray, as_floats
from cementct.core.grid import Grid
from cementct.segmentation.vertebrae.embedded.straighten import CanalCurve, StraightSpine
from cementct.segmentation.vertebrae.embedded.surfaces import find_surface

DIRECTIONS = 32
# From the middle to the wall: thoracic canals are 14 mm, lumbar ones up to 27 mm wide (Panjabi 1991, 1992).
RADII_MM = np.arange(4.0, 17.0, 0.5)
STEP_MM = 2
# Where there is no wall (foramina, gaps between laminae, discs) the tube keeps its neighbours' size, or this.
USUAL_MM = 9.0
PRIOR_PER_MM2 = 0.006
STEP_COST = 0.35
JUMP_COST = 1.0
STRONG_RISE_HU = 220.0
BRIGHTEST_HU = 400.0
# Walls next to what is this dense are not looked for: cement in the canal has edges of its own, which would
# draw the canal in to one side of it.
CEMENT_HU = 900.0
CEMENT_REACH_MM = 3
# Sampling of the tube when it is drawn: this, or so much of a voxel across it and of a slice along it.
FINE_MM, FINE_SHARE, SLICE_SHARE = 0.4, 0.45, 0.2


@dataclass(frozen=True)
class CanalTube:
    """The outline of the canal along its middle line.

    Attributes
    ----------
    along_mm
        Steps at which the outline is known.
    radius_mm
        Over (step, direction); direction 0 points to the back, a quarter turn to the left.
    """

    along_mm: FloatArray
    radius_mm: FloatArray

    def middle(self) -> tuple[FloatArray, FloatArray]:
        """Return the (back, left) coordinates of the outline's centroid at each step."""
        angle = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
        area = (self.radius_mm**2).sum(axis=1)
        back = (self.radius_mm**3 * np.cos(angle)).sum(axis=1) * 2 / 3 / area
        left = (self.radius_mm**3 * np.sin(angle)).sum(axis=1) * 2 / 3 / area
        return back, left


def outline_canal(spine: StraightSpine) -> CanalTube:
    """Return the tube that the walls around the middle of the canal enclose."""
    from scipy import ndimage

    along = np.arange(0, spine.length, STEP_MM)
    near = np.clip(spine.hu[:, 38:86, 16:66], -50, BRIGHTEST_HU)
    smoothed = ndimage.gaussian_filter(near, (2.0, 0.7, 0.7))
    dense = ndimage.gaussian_filter(spine.hu[:, 38:86, 16:66], 0.7) > CEMENT_HU
    plain = ~ndimage.maximum_filter(dense, 2 * CEMENT_REACH_MM + 1)
    angle = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS

    def at(shift_mm: float, values: Float32Array) -> FloatArray:
        radius = RADII_MM + shift_mm
        back = np.cos(angle)[:, None] * radius - spine.back_mm[38]
        left = np.sin(angle)[:, None] * radius - spine.left_mm[16]
        index = np.broadcast_arrays(along[:, None, None].astype(float), back, left)
        return np.asarray(ndimage.map_coordinates(values, index, order=1, mode="nearest"))

    trust = at(0.0, plain.astype(np.float32))
    rise = np.clip((at(1.0, smoothed) - at(-1.0, smoothed)) / STRONG_RISE_HU, 0, 1) * trust
    inside_bone = np.maximum.accumulate(np.clip((at(0.0, smoothed) - 200) / 200, 0, 1) * trust, axis=2)
    cost = PRIOR_PER_MM2 * (RADII_MM - USUAL_MM) ** 2 - rise + 1.2 * inside_bone
    place = find_surface(
        np.ascontiguousarray(np.moveaxis(cost, 0, 1), dtype=np.float32),
        step_cost=STEP_COST,
        jump_cost=JUMP_COST,
        first_axis_closed=True,
    )
    place = ndimage.gaussian_filter(place, (0.8, 1.5), mode=("wrap", "nearest"))
    radius = RADII_MM[0] + place.T * (RADII_MM[1] - RADII_MM[0])
    return CanalTube(along.astype(np.float64), radius)


def draw_canal(grid: Grid, curve: CanalCurve, tube: CanalTube, reach_mm: tuple[float, float]) -> BoolArray:
    """Return the voxels within the tube between two places along it."""
    voxels = np.zeros(grid.shape, dtype=np.bool_)
    spacing = as_floats(grid.spacing_mm)
    along_mm = max(FINE_MM, SLICE_SHARE * float(spacing[0]))
    along = np.arange(max(reach_mm[0], 0.0), min(reach_mm[1], len(curve.centre_mm) - 1.0), along_mm)
    if not len(along):
        return voxels
    fine_mm = max(FINE_MM, FINE_SHARE * float(min(spacing)))
    across = np.arange(-RADII_MM[-1], RADII_MM[-1] + fine_mm, fine_mm)
    back, left = (a.ravel() for a in np.meshgrid(across, across, indexing="ij"))
    # From the middle outwards, so that what lies beyond the farthest wall is not looked at.
    outwards = np.argsort(np.hypot(back, left), kind="stable")
    back, left = back[outwards], left[outwards]
    distance = np.hypot(back, left)
    direction = np.arctan2(left, back) / (2 * np.pi) * DIRECTIONS % DIRECTIONS
    low = direction.astype(int) % DIRECTIONS
    part = direction - direction.astype(int)
    steps = np.arange(len(curve.centre_mm))
    centre, backwards, leftwards = (
        np.stack([np.interp(along, steps, field[:, axis]) / spacing[axis] for axis in range(3)], axis=1)
        for field in (curve.centre_mm, curve.back, curve.left)
    )
    flat, (deep, high, wide) = voxels.ravel(), grid.shape
    for number, place in enumerate(along):
        row = min(place / STEP_MM, len(tube.along_mm) - 1.0)
        below = int(row)
        above = min(below + 1, len(tube.along_mm) - 1)
        outline = tube.radius_mm[below] * (1 - row + below) + tube.radius_mm[above] * (row - below)
        some = slice(0, int(np.searchsorted(distance, outline.max(), side="right")))
        wall = outline[low[some]] * (1 - part[some]) + outline[(low[some] + 1) % DIRECTIONS] * part[some]
        inside = np.flatnonzero(distance[some] <= wall)
        z, y, x = (
            np.rint(
                centre[number, a] + back[inside] * backwards[number, a] + left[inside] * leftwards[number, a]
            )
            for a in range(3)
        )
        seen = (z >= 0) & (y >= 0) & (x >= 0) & (z < deep) & (y < high) & (x < wide)
        flat[((z * high + y) * wide + x)[seen].astype(np.intp)] = True
    return voxels
