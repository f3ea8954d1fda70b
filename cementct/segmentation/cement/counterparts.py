"""What lies in a piece's place on the other side of its vertebra, and at the levels above and below.

Bone repeats itself, from side to side and from level to level; a leak does not. The edge of a process that
the labels miss has its like in both places, dilute cement that is as bright seldom in either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray, HuArray, IntArray
from cementct.core.frame import Frame
from cementct.core.grid import Grid
from cementct.segmentation.cement.scene import Scene

# Turns a vertebra's coordinates (left, posterior, superior) into those of the same place on its other side.
OTHER_SIDE = (-1.0, 1.0, 1.0)
# A counterpart is looked for this far around its place: vertebrae are turned and grow unalike.
WITHIN_MM, STEP_MM = 2.5, 1.25
# So many voxels of a piece are looked at.
MOST_VOXELS = 150
# Soft tissue, over which brightness is compared, and the highest ratio that counts.
SOFT_TISSUE_HU = 50.0
HIGHEST_RATIO = 1.5
# Where neither place is in view nothing is known.
UNKNOWN = 0.5


@dataclass(frozen=True)
class Counterparts:
    """How bright the counterparts of a piece are, over the piece itself: 0 soft tissue, 1 as bright.

    Attributes
    ----------
    other_side
        On the other side of the nearest vertebra.
    other_levels
        In the neighbours of that vertebra, the brighter of the two.
    """

    other_side: float
    other_levels: float


def find_counterparts(scene: Scene, frames: tuple[Frame, ...], index: IntArray) -> Counterparts:
    """Return how bright the counterparts of a piece are.

    Parameters
    ----------
    scene
        The block of CT.
    frames
        Of the vertebrae in view, from top to bottom.
    index
        The piece's voxels, (z, y, x) in the scene, shape (n, 3).
    """
    if not frames:
        return Counterparts(UNKNOWN, UNKNOWN)
    some = index[:: max(1, len(index) // MOST_VOXELS)]
    own_hu = scene.hu[tuple(some.T)].astype(np.float64)
    points = scene.grid.to_lps(some)
    centres = np.array([frame.centre_lps_mm for frame in frames])
    nearest = int(np.argmin(np.linalg.norm(centres - points.mean(axis=0), axis=1)))
    local = frames[nearest].to_local(points)
    side = _ratio(scene, frames[nearest].to_lps(local * OTHER_SIDE), own_hu)
    levels = [
        ratio
        for near in (nearest - 1, nearest + 1)
        if 0 <= near < len(frames)
        and (ratio := _ratio(scene, frames[near].to_lps(local), own_hu)) is not None
    ]
    level = max(levels, default=side)
    return Counterparts(
        next((r for r in (side, level) if r is not None), UNKNOWN),
        next((r for r in (level, side) if r is not None), UNKNOWN),
    )


def look_around(
    hu: Float32Array | HuArray, grid: Grid, points_lps_mm: FloatArray, reach_mm: float, step_mm: float
) -> tuple[Float32Array, BoolArray]:
    """Return the intensities of the voxels around points, and which of them are in view.

    Parameters
    ----------
    hu, grid
        The image, and where its voxels lie.
    points_lps_mm
        Shape (n, 3).
    reach_mm, step_mm
        How far around each point is looked, and in what steps.

    Returns
    -------
    tuple
        Two arrays of n rows, one column a place around the point; what is not in view has no meaning.
    """
    steps = np.arange(-reach_mm, reach_mm + 1e-6, step_mm)
    shifts = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    shifts = shifts[np.linalg.norm(shifts, axis=1) <= reach_mm] / grid.spacing_mm
    at = grid.to_index(points_lps_mm)
    # Axis by axis: what is looked up on three axes at once takes twice the time.
    places, seen = [], np.ones((len(at), len(shifts)), dtype=np.bool_)
    for axis, length in enumerate(hu.shape):
        place = np.rint(at[:, axis, None] + shifts[:, axis]).astype(np.intp)
        seen &= (place >= 0) & (place < length)
        places.append(np.clip(place, 0, length - 1, out=place))
    return hu[tuple(places)].astype(np.float32), seen


def _ratio(scene: Scene, points_lps_mm: FloatArray, own_hu: FloatArray) -> float | None:
    """Return the median brightness near points over that of the piece; None where most are out of view."""
    around_hu, seen = look_around(scene.hu, scene.grid, points_lps_mm, WITHIN_MM, STEP_MM)
    in_view = seen.any(axis=1)
    if np.count_nonzero(in_view) < 0.5 * len(own_hu):
        return None
    hu = np.where(seen, around_hu, -np.inf).max(axis=1)[in_view]
    ratio = (hu - SOFT_TISSUE_HU) / np.maximum(own_hu[in_view] - SOFT_TISSUE_HU, 1.0)
    return float(np.median(np.clip(ratio, 0.0, HIGHEST_RATIO)))
