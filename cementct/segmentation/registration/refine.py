"""Robust least-squares alignment of intensities: each vertebra rigid, what changed in between outvoted.

Sample points of the pre-injection scan are moved into the post-injection scan, and the movement is
improved by Gauss-Newton steps on the intensity differences. Each point's say falls with its own
difference (Welsch's weights), so a raised endplate, dilute cement or a streak loses its say to the bone
that did not change.
Gain and offset between the two scans (tube voltage, kernel) are fitted along.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cementct.core.arrays import Float32Array, FloatArray
from cementct.core.grid import Grid
from cementct.segmentation.registration.movement import Movement
from cementct.segmentation.registration.scene import Scene

# Gauss-Newton steps at one scale; most vertebrae settle within ten.
MAX_STEPS = 30
# A step that moves no sample further than this ends the search.
SETTLED_MM = 0.004
# Differences beyond this many standard deviations lose their say (Welsch's weight falls to exp(-1/2) at one).
ROBUSTNESS = 2.5
# The spread is not taken lower, or noise-free images would let single points decide.
LEAST_SPREAD_HU = 15.0
# Bone reads up to a third higher at 80 kVp than at 140 kVp.
GAIN_BOUNDS = (0.6, 1.6)
# Fewer usable points than this cannot hold six degrees of freedom.
MIN_POINTS = 200


@dataclass(frozen=True)
class Samples:
    """Points of the pre-injection scan with their intensities.

    Attributes
    ----------
    points_lps_mm
        Shape (n, 3).
    hu
        Shape (n,).
    weight
        How much each counts, shape (n,).
    """

    points_lps_mm: FloatArray
    hu: FloatArray
    weight: FloatArray


@dataclass(frozen=True)
class Fit:
    """Where a search ended.

    Attributes
    ----------
    movement
        The best movement found.
    similarity
        Weighted correlation of the intensities of all usable points, -1 to 1.
    usable_share
        Share of the points that lie in the other scan clear of cement.
    """

    movement: Movement
    similarity: float
    usable_share: float


class Target:
    """The post-injection scan at one scale, ready to be sampled with its gradient.

    Parameters
    ----------
    scene
        The scan at that scale.
    """

    def __init__(self, scene: Scene) -> None:
        self.grid: Grid = scene.grid
        self._hu = scene.hu
        self._usable = scene.usable.astype(np.float32)
        self._gradient = [
            np.gradient(scene.hu, axis=axis) if scene.hu.shape[axis] > 1 else np.zeros_like(scene.hu)
            for axis in range(3)
        ]

    def sample(self, points_lps_mm: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return intensities and how far they are usable (0 or 1) at LPS points."""
        index = self.grid.to_index(points_lps_mm).T
        hu = _interpolate(self._hu, index)
        usable = ndimage.map_coordinates(self._usable, index, order=1, mode="constant", cval=0.0) > 0.5
        return hu, usable.astype(np.float64)

    def gradient(self, points_lps_mm: FloatArray) -> FloatArray:
        """Return the intensity's gradient in HU per mm along x, y, z at LPS points, shape (n, 3)."""
        index = self.grid.to_index(points_lps_mm).T
        per_axis = np.stack([_interpolate(g, index) for g in self._gradient], axis=1)
        return np.asarray((per_axis / self.grid.spacing_mm) @ np.asarray(self.grid.direction))


def refine_movement(samples: Samples, target: Target, start: Movement) -> Fit:
    """Return the movement near `start` that lays the samples best over the target.

    Where too few points can be compared, the start is returned with a similarity of 0.
    """
    movement = start
    for _ in range(MAX_STEPS):
        moved = movement.apply(samples.points_lps_mm)
        hu, usable = target.sample(moved)
        keep = usable > 0
        if np.count_nonzero(keep) < MIN_POINTS:
            return Fit(start, 0.0, float(np.mean(keep)))
        centre = moved.mean(axis=0)
        step = _step(
            moved[keep] - centre,
            target.gradient(moved[keep]),
            samples.hu[keep],
            hu[keep],
            samples.weight[keep],
        )
        movement = movement.nudged(step[:3], step[3:], centre)
        reach = float(np.abs(moved - centre).max())
        if np.linalg.norm(step[3:]) + np.linalg.norm(step[:3]) * reach < SETTLED_MM:
            break
    return Fit(movement, *measure_similarity(samples, target, movement))


def measure_similarity(samples: Samples, target: Target, movement: Movement) -> tuple[float, float]:
    """Return the weighted correlation of the intensities, and the share of points that could be compared."""
    hu, usable = target.sample(movement.apply(samples.points_lps_mm))
    weight = usable * samples.weight
    total = float(weight.sum())
    if np.count_nonzero(weight) < MIN_POINTS:
        return 0.0, float(np.mean(usable))
    first = samples.hu - float(weight @ samples.hu) / total
    second = hu - float(weight @ hu) / total
    spread = float(np.sqrt((weight @ first**2) * (weight @ second**2)))
    similarity = float(weight @ (first * second)) / spread if spread > 0 else 0.0
    return similarity, float(np.mean(usable))


def _step(
    lever_mm: FloatArray, gradient: FloatArray, before: FloatArray, after: FloatArray, weight: FloatArray
) -> FloatArray:
    """Return the turn (rad) and shift (mm) of one weighted Gauss-Newton step."""
    gain, offset = _gain_and_offset(before, after, weight)
    difference = after - gain * before - offset
    spread = max(LEAST_SPREAD_HU, 1.4826 * _median(np.abs(difference)))
    say = weight * np.exp(-0.5 * (difference / (ROBUSTNESS * spread)) ** 2)
    jacobian = np.concatenate([np.cross(lever_mm, gradient), gradient], axis=1)
    weighted = jacobian * say[:, None]
    normal = weighted.T @ jacobian
    damping = 1e-3 * np.diag(np.diag(normal)) + 1e-9 * np.eye(6)
    step = -np.linalg.solve(normal + damping, weighted.T @ difference)
    return _limited(step)


def _gain_and_offset(before: FloatArray, after: FloatArray, weight: FloatArray) -> tuple[float, float]:
    gain, offset = 1.0, 0.0
    for _ in range(3):
        difference = after - gain * before - offset
        spread = max(LEAST_SPREAD_HU, 1.4826 * _median(np.abs(difference - _median(difference))))
        say = weight * np.exp(-0.5 * (difference / (ROBUSTNESS * spread)) ** 2) + 1e-9
        total = float(say.sum())
        mean_before, mean_after = float(say @ before) / total, float(say @ after) / total
        spread_before = float(say @ (before - mean_before) ** 2)
        if spread_before <= 0:
            return 1.0, mean_after - mean_before
        gain = float(say @ ((before - mean_before) * (after - mean_after))) / spread_before
        gain = float(np.clip(gain, *GAIN_BOUNDS))
        offset = mean_after - gain * mean_before
    return gain, offset


def _median(values: FloatArray) -> float:
    """Return the median; numpy's own also looks for what is not a number, and takes longer."""
    middle = values.size // 2
    parted = np.partition(values, middle)
    if values.size % 2:
        return float(parted[middle])
    return 0.5 * (float(parted[:middle].max()) + float(parted[middle]))


def _limited(step: FloatArray) -> FloatArray:
    """Return the step, shortened to at most 3 degrees and 3 mm, beyond which the linear model is no guide."""
    longest = max(float(np.linalg.norm(step[:3])) / np.radians(3.0), float(np.linalg.norm(step[3:])) / 3.0)
    return step / longest if longest > 1 else step


def _interpolate(array: Float32Array, index: FloatArray) -> FloatArray:
    return np.asarray(
        ndimage.map_coordinates(array, index, output=np.float64, order=1, mode="nearest"), dtype=np.float64
    )
