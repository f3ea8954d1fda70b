"""How far a found surface lies from the true one, along the true one's normals."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray, as_floats
from cementct.core.frame import Frame
from cementct.core.grid import Grid

# Masks are smoothed by this many voxels before their surface is taken, true and found ones alike.
SMOOTHING_VOXELS = 0.7
# A normal belongs to a face of the body where it is this near to the face's direction, degrees.
CONE_DEG = 45.0
# Surfaces are looked for so far along a normal, in such steps, mm.
REACH_MM, STEP_MM = 8.0, 0.1
# Behind the wall between the pedicles there is no bone of the vertebra at this distance, mm.
FREE_BEHIND_MM = 3.0
# The wall's share of the body's half-width that can lie between the pedicles.
WALL_SHARE = 0.6
# A plane through an endplate needs so many points.
LEAST_POINTS = 20
# At most so many points of a face are measured, evenly chosen.
MOST_POINTS = 2000


class Face(StrEnum):
    """The faces of a body that are measured."""

    WALL = "posterior wall"
    SUPERIOR = "superior endplate"
    INFERIOR = "inferior endplate"


@dataclass(frozen=True)
class Surface:
    """Points of a surface (LPS, mm) and their outward unit normals, shape (n, 3) each."""

    points_lps_mm: FloatArray
    normals_lps: FloatArray


def surface_of(mask: BoolArray, grid: Grid) -> Surface:
    """Return the surface of a mask on a grid."""
    from skimage.measure import marching_cubes

    soft = _softened(mask)
    vertices, _, normals, _ = marching_cubes(soft, 0.5, gradient_direction="descent")
    points = grid.to_lps(vertices)
    # Normals come in voxels; across an anisotropic grid they transform with the inverse of the spacing.
    world = (as_floats(normals) / as_floats(grid.spacing_mm)) @ as_floats(grid.direction)
    return Surface(points, world / np.maximum(np.linalg.norm(world, axis=1, keepdims=True), 1e-9))


def body_frame(body: Surface, superior: FloatArray, posterior: FloatArray) -> Frame:
    """Return a body's frame, its superior axis upright on the mean of the planes through its endplates."""
    rough = Frame.from_axes(body.points_lps_mm.mean(axis=0), superior, posterior)
    along = body.normals_lps @ rough.axes[2]
    local = rough.to_local(body.points_lps_mm)
    steep = np.cos(np.deg2rad(CONE_DEG))
    slopes = []
    for plate in (along > steep, along < -steep):
        # Planes through points, not means of normals: the steps of thick slices have upright normals.
        if np.count_nonzero(plate) >= LEAST_POINTS:
            left, back, up = local[plate].T
            fit, *_ = np.linalg.lstsq(np.stack([left, back, np.ones_like(left)], axis=1), up, rcond=None)
            slopes.append(fit[:2])
    if not slopes:
        return rough
    left_slope, back_slope = np.mean(slopes, axis=0)
    upright = rough.axes.T @ as_floats([-left_slope, -back_slope, 1.0])
    return Frame.from_axes(rough.centre_lps_mm, upright, posterior)


def face_points(body: Surface, frame: Frame, whole: BoolArray, grid: Grid) -> dict[Face, Surface]:
    """Return the parts of a true body's surface that are its wall and endplates.

    Parameters
    ----------
    body, frame
        The true body.
    whole
        The true vertebra: where its bone goes on behind the body there is no wall but a pedicle.
    grid
        Of `whole`.
    """
    local = frame.to_local(body.points_lps_mm)
    towards = body.normals_lps @ frame.axes.T
    steep = np.cos(np.deg2rad(CONE_DEG))
    behind = grid.to_index(body.points_lps_mm + FREE_BEHIND_MM * frame.axes[1])
    half_width = np.percentile(np.abs(local[:, 0]), 98)
    wall = (towards[:, 1] > steep) & ~_at(whole, behind) & (np.abs(local[:, 0]) < WALL_SHARE * half_width)
    chosen = {
        Face.WALL: wall,
        Face.SUPERIOR: towards[:, 2] > steep,
        Face.INFERIOR: towards[:, 2] < -steep,
    }
    return {face: _thinned(body, np.flatnonzero(where)) for face, where in chosen.items()}


def distances_mm(surface: Surface, found: BoolArray, grid: Grid) -> FloatArray:
    """Return by how much a found mask's surface lies outside (positive) or inside of a surface's points.

    Measured along the normals; where a normal does not meet the found surface, to its nearest point; never
    more than `REACH_MM`.
    """
    from scipy import ndimage

    steps = np.arange(-REACH_MM, REACH_MM + STEP_MM / 2, STEP_MM)
    soft = _softened(found)
    points = surface.points_lps_mm[:, None] + steps[None, :, None] * surface.normals_lps[:, None]
    index = grid.to_index(points)
    values = ndimage.map_coordinates(soft, np.moveaxis(index, -1, 0), order=1, mode="constant")
    leaves = (values[:, :-1] >= 0.5) & (values[:, 1:] < 0.5)
    offset = np.where(leaves, np.abs(steps[:-1] + STEP_MM / 2)[None], np.inf)
    best = offset.argmin(axis=1)
    met = np.isfinite(offset[np.arange(best.size), best])
    distance = steps[:-1][best] + STEP_MM / 2
    if not met.all():
        inside = values[~met, steps.size // 2] >= 0.5
        nearest = _nearest_mm(surface.points_lps_mm[~met], found, grid)
        distance[~met] = np.where(inside, nearest, -nearest)
    return as_floats(distance)


def _nearest_mm(points: FloatArray, found: BoolArray, grid: Grid) -> FloatArray:
    from scipy.spatial import cKDTree

    if not found.any() or found.all():
        return np.full(len(points), REACH_MM)
    distance, _ = cKDTree(surface_of(found, grid).points_lps_mm).query(points)
    return as_floats(np.minimum(distance, REACH_MM))


def _softened(mask: BoolArray) -> Float32Array:
    from scipy import ndimage

    return np.asarray(ndimage.gaussian_filter(mask.astype(np.float32), SMOOTHING_VOXELS), dtype=np.float32)


def _at(mask: BoolArray, index: FloatArray) -> BoolArray:
    where = np.round(index).astype(np.intp)
    inside = np.all((where >= 0) & (where < mask.shape), axis=1)
    out = np.zeros(where.shape[0], dtype=np.bool_)
    out[inside] = mask[tuple(where[inside].T)]
    return out


def _thinned(surface: Surface, chosen: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> Surface:
    step = max(1, -(-chosen.size // MOST_POINTS))
    return Surface(surface.points_lps_mm[chosen[::step]], surface.normals_lps[chosen[::step]])
