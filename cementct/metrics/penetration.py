"""How far cement reaches out of a vertebra, finer than a voxel.

Partial volume carries the blurred rim of cement that lies flush against a wall across that wall, and walls
are known to a fraction of a millimetre only. So a voxel of cement outside the bone is evidence of a leak only
where the half-height outline lies further out than blur and anatomy can explain, or where the image shows a
gap between it and the cement inside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cementct.anatomy.model import Compartment, Vertebra
from cementct.core.arrays import BoolArray, FloatArray
from cementct.metrics.surroundings import Kind, Surroundings

# How far outside its wall the outline of cement that lies flush inside may come to be seen, in millimetres,
# on voxels so small that they add nothing: error of the outline (0.2) and of a smooth wall (0.3), added up
# because both grow where cement is bright.
FLUSH_MM = 0.5
# What voxels add: labels are cut at voxel centres, so a wall can be wrong by half a voxel along its normal,
# 0.29 voxels root mean square.
FLUSH_VOXELS = 0.3
# What a rebuilt wall adds, in millimetres: the spread of posterior walls about a straight bridge.
REBUILT_WALL_MM = 0.5
# What an outline of no confidence at all adds, in millimetres; sound outlines (confidence 1) add nothing.
UNCERTAIN_OUTLINE_MM = 1.0
# Where a gap between the outer and the inner cement is seen, this depth is enough, in millimetres: the
# deposit is not the rim of what lies inside, only the wall's place remains uncertain.
BEHIND_GAP_MM = 0.2
# How far inside the border the gap is looked for, in millimetres and in voxels along the normal: the
# posterior cortex is about 0.5-1 mm thick.
GAP_MM = 0.8
GAP_VOXELS = 0.75
# A gap is seen where the fraction inside falls below this share of the fraction outside.
GAP_SHARE = 0.6
# The rim of a leak reaches this far into the bone, from the centre of its nearest voxel outside, in
# millimetres and in voxels along the way: half the blur's width and the voxel that the border cuts.
RIM_MM = 0.6
RIM_VOXELS = 1.0
# The half-height outline of cement that fills its voxels.
OUTLINE = 0.5
# Height fields replace the distance to voxels only this near to the bone, in millimetres.
NEAR_MM = 6.0


@dataclass(frozen=True)
class Beyond:
    """Drawn cement outside a vertebra, on the block of its surroundings.

    Attributes
    ----------
    outside
        All of it.
    core
        Where no blur or misplaced wall explains it: the certain core of leaks.
    tolerated_mm
        For each voxel of `core` the depth that blur and a misplaced wall explain, in the order of
        ``core.ravel()``.
    """

    outside: BoolArray
    core: BoolArray
    tolerated_mm: FloatArray


def find_cement_beyond_bone(around: Surroundings) -> Beyond:
    """Return the drawn cement outside the vertebra, and the part that no blur or misplaced wall explains."""
    outside = around.region & (around.kind != Kind.INSIDE)
    core = np.zeros_like(outside)
    points = np.argwhere(outside)
    inside = around.kind == Kind.INSIDE
    if points.size == 0 or not inside.any():
        return Beyond(outside, outside, np.zeros(len(points)))
    depth_mm, normal, step_mm = _depth_outside(around, inside, points)
    reach_mm = depth_mm + _outline_beyond(around, points, normal, step_mm)
    gap = _is_behind_gap(around, points, normal, depth_mm, step_mm)
    flush_mm = _flush_tolerance_mm(around.vertebra) + FLUSH_VOXELS * step_mm
    tolerated_mm = np.where(gap, BEHIND_GAP_MM, flush_mm)
    far = reach_mm >= tolerated_mm
    core[tuple(points[far].T)] = True
    return Beyond(outside, core, tolerated_mm[far])


def find_inner_rim(around: Surroundings, leaked: BoolArray) -> BoolArray:
    """Return the drawn voxels inside the bone that are no more than the blurred rim of a leak outside it."""
    rim = np.zeros_like(leaked)
    if not leaked.any():
        return rim
    distance_mm, nearest = ndimage.distance_transform_edt(
        ~leaked, sampling=around.spacing_mm, return_indices=True
    )
    reach_mm = RIM_MM + RIM_VOXELS * float(around.spacing_mm.max())
    points = np.argwhere(around.region & (around.kind == Kind.INSIDE) & (distance_mm <= reach_mm))
    if points.size == 0:
        return rim
    foot = np.stack([axis[tuple(points.T)] for axis in nearest], axis=1)
    offset_mm = (foot - points) * around.spacing_mm
    far_mm = np.linalg.norm(offset_mm, axis=1)
    normal = offset_mm / far_mm[:, None]
    step_mm = np.sqrt(((normal * around.spacing_mm) ** 2).sum(axis=1))
    near = far_mm <= RIM_MM + RIM_VOXELS * step_mm
    inner = _sample(around, points, normal, -np.maximum(GAP_MM, GAP_VOXELS * step_mm))
    outer = around.fraction[tuple(foot.T)]
    is_rim = near & (inner < GAP_SHARE * np.maximum(outer, around.fraction[tuple(points.T)]))
    rim[tuple(points[is_rim].T)] = True
    return rim


def _flush_tolerance_mm(vertebra: Vertebra) -> float:
    rebuilt = REBUILT_WALL_MM if vertebra.wall_rebuilt else 0.0
    return FLUSH_MM + rebuilt + UNCERTAIN_OUTLINE_MM * (1.0 - vertebra.confidence)


def _depth_outside(
    around: Surroundings, inside: BoolArray, points: NDArray[np.intp]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return depth beyond the bone, outward unit normal (z, y, x) and voxel size along it, for `points`."""
    nearest = ndimage.distance_transform_edt(
        ~inside, sampling=around.spacing_mm, return_distances=False, return_indices=True
    )
    foot = np.stack([axis[tuple(points.T)] for axis in nearest], axis=1)
    offset_mm = (points - foot) * around.spacing_mm
    distance_mm = np.linalg.norm(offset_mm, axis=1)
    normal = offset_mm / distance_mm[:, None]
    step_mm = np.sqrt(((normal * around.spacing_mm) ** 2).sum(axis=1))
    depth_mm = distance_mm - step_mm / 2
    from_body = around.compartment[tuple(foot.T)] == Compartment.BODY
    finer_mm = depth_behind_walls(around, points, around.kind[tuple(points.T)])
    use = from_body & np.isfinite(finer_mm) & (distance_mm < NEAR_MM)
    return np.where(use, finer_mm, depth_mm), normal, step_mm


def depth_behind_walls(
    around: Surroundings, points: NDArray[np.intp], kind: NDArray[np.uint16]
) -> FloatArray:
    """Return how far points lie behind the posterior wall or beyond an endplate, in millimetres.

    Parameters
    ----------
    around
        The vertebra and its block.
    points
        Indices (z, y, x) in the block, shape (n, 3).
    kind
        For each point the compartment that the surface borders: the canal, or the disc above or below. NaN is
        returned for other kinds and off the surfaces.
    """
    vertebra = around.vertebra
    left, posterior, superior = around.local_mm(points).T
    depth_mm = np.full(len(points), np.nan)
    canal = kind == Kind.CANAL
    depth_mm[canal] = posterior[canal] - vertebra.posterior_wall.at(left[canal], superior[canal])
    above = kind == Kind.DISC + vertebra.position
    depth_mm[above] = superior[above] - vertebra.superior_endplate.at(left[above], posterior[above])
    below = kind == Kind.DISC + vertebra.position + 1
    depth_mm[below] = vertebra.inferior_endplate.at(left[below], posterior[below]) - superior[below]
    return depth_mm


def share_behind_walls(
    around: Surroundings, points: NDArray[np.intp], kind: NDArray[np.uint16]
) -> FloatArray:
    """Return how much of each voxel lies behind the posterior wall or beyond an endplate, 0 to 1.

    Parameters and unknown surfaces (NaN) are those of `depth_behind_walls`.
    """
    axes = np.asarray(around.grid.direction) @ around.vertebra.frame.axes.T
    across = np.where(kind == Kind.CANAL, 1, 2)
    step_mm = np.sqrt(((axes[:, across].T * around.spacing_mm) ** 2).sum(axis=1))
    return np.asarray(np.clip(0.5 + depth_behind_walls(around, points, kind) / step_mm, 0.0, 1.0))


def _outline_beyond(
    around: Surroundings, points: NDArray[np.intp], normal: FloatArray, step_mm: FloatArray
) -> FloatArray:
    """Return how far beyond each voxel's centre the half-height outline lies, at most one voxel."""
    samples = 5
    previous = around.fraction[tuple(points.T)].astype(np.float64)
    beyond = np.zeros(len(points))
    open_end = previous > OUTLINE
    for k in range(1, samples + 1):
        share = k / samples
        here = _sample(around, points, normal, step_mm * share)
        crossing = open_end & (here <= OUTLINE)
        part = (previous - OUTLINE) / np.maximum(previous - here, 1e-6)
        beyond = np.where(crossing, (k - 1 + part) / samples, beyond)
        open_end &= here > OUTLINE
        previous = here
    return np.where(open_end, 1.0, beyond) * step_mm


def _is_behind_gap(
    around: Surroundings,
    points: NDArray[np.intp],
    normal: FloatArray,
    depth_mm: FloatArray,
    step_mm: FloatArray,
) -> BoolArray:
    """Tell for each voxel whether there is less cement just inside the border than here."""
    inward_mm = np.maximum(depth_mm, 0) + np.maximum(GAP_MM, GAP_VOXELS * step_mm)
    inner = _sample(around, points, normal, -inward_mm)
    here = around.fraction[tuple(points.T)]
    return np.asarray(inner < GAP_SHARE * here)


def _sample(
    around: Surroundings, points: NDArray[np.intp], normal: FloatArray, offset_mm: FloatArray
) -> FloatArray:
    where = points + normal * offset_mm[:, None] / around.spacing_mm
    return np.asarray(ndimage.map_coordinates(around.fraction, where.T, order=1, mode="nearest"), np.float64)
