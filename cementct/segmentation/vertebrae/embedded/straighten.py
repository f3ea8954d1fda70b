"""The spine made straight: planes at right angles to the canal, stacked along it.

Coordinates here are (along, back, left): millimetres along the canal from its lower end, towards the back of
the patient, and to the left. What is in front of the canal lies at negative `back`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray, IntArray, as_floats, read_only
from cementct.core.image import NOT_MEASURED_BELOW_HU, PADDING_HU, Volume
from cementct.segmentation.vertebrae.embedded.tracking import CanalTrack

STEP_MM = 1.0
# Extent of the straightened block around the canal: a lumbar body is 40 mm deep and 55 mm wide at most,
# spinous processes end 40 mm behind the canal.
FRONT_MM = 62
BACK_MM = 45
ASIDE_MM = 40
# Standard deviation of the smoothing of the track: bends of the spine are gentler, its errors are sharper.
SMOOTH_TRACK_MM = 10.0
# Samples for the axial rotation, and how far from the canal: it is judged in averages over 21 mm along it.
ROUGH_ALONG_MM = 3.0
ROUGH_ACROSS_MM = 1.5
ROUGH_REACH_MM = 42.0
# Axial rotation of vertebrae that is looked for: scoliosis and lying askew give up to 15 to 20 degrees.
LARGEST_TURN_DEG = 24.0
TURN_STEP_DEG = 3.0
# What a degree squared of rotation has to earn in mirror correlation: little evidence means no rotation.
TURN_PRIOR_PER_DEG2 = 2e-4
SMOOTH_TURN_MM = 20.0
# Stands where nothing was measured while sides are compared.
NOT_SEEN = -5000.0
# Of the compared points: with fewer no rotation is assumed.
LEAST_SEEN_SHARE = 0.6


@dataclass(frozen=True)
class CanalCurve:
    """The middle line of the canal with the directions at each millimetre of it.

    All positions and directions are along the grid's axes z, y, x, in millimetres (index times spacing).

    Attributes
    ----------
    centre_mm, up, back, left
        Position and unit vectors at each step, shape (n, 3).
    """

    centre_mm: FloatArray
    up: FloatArray
    back: FloatArray
    left: FloatArray

    def at(self, along_mm: float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return centre, up, back and left at a place along the curve, clamped to its ends."""
        place = int(np.clip(round(along_mm / STEP_MM), 0, len(self.centre_mm) - 1))
        return self.centre_mm[place], self.up[place], self.back[place], self.left[place]

    def reversed(self) -> CanalCurve:
        """Return the curve with head and feet exchanged; the back stays."""
        return CanalCurve(self.centre_mm[::-1], -self.up[::-1], self.back[::-1], -self.left[::-1])

    def turned_round(self) -> CanalCurve:
        """Return the curve with front and back exchanged; head and feet stay."""
        return CanalCurve(self.centre_mm, self.up, -self.back, -self.left)


@dataclass(frozen=True)
class StraightSpine:
    """A volume resampled along the canal.

    Attributes
    ----------
    hu
        Intensities over (along, back, left), at 1 mm.
    curve
        Where the steps along lie.
    back_mm, left_mm
        Coordinates of the samples.
    """

    hu: Float32Array
    curve: CanalCurve
    back_mm: FloatArray
    left_mm: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "hu", read_only(self.hu))

    @property
    def length(self) -> int:
        """Number of steps along the canal."""
        return int(self.hu.shape[0])

    def measured(self) -> BoolArray:
        """Return along which steps most of the column around the canal was measured."""
        rows = (self.back_mm >= -28) & (self.back_mm <= 14)
        columns = np.abs(self.left_mm) <= 14
        column = self.hu[:, rows][:, :, columns] > NOT_MEASURED_BELOW_HU
        return np.asarray(column.mean(axis=(1, 2)) > 0.55)

    def upside_down(self) -> StraightSpine:
        """Return the same spine with head and feet exchanged."""
        return replace(self, hu=self.hu[::-1, :, ::-1], curve=self.curve.reversed())


def straighten(volume: Volume, track: CanalTrack) -> StraightSpine:
    """Return the spine along a track, axial rotation of the vertebrae undone."""
    curve = follow(track.points_mm, as_floats(volume.grid.extent_mm))
    return sample_along(volume, turn(curve, estimate_axial_rotation(volume, curve)))


def follow(points_mm: FloatArray, extent_mm: FloatArray) -> CanalCurve:
    """Return a smooth curve through points one below the other, with y as the first guess of the back."""
    z = np.arange(points_mm[0, 0], points_mm[-1, 0] + 0.01, 1.0)
    sideways = [_smoothed(np.interp(z, points_mm[:, 0], points_mm[:, axis])) for axis in (1, 2)]
    reach = (len(sideways[0]) - len(z)) // 2
    long_z = np.concatenate([z[0] - np.arange(reach, 0, -1), z, z[-1] + np.arange(1, reach + 1)])
    line = np.stack([long_z, *sideways], axis=1)
    line = line[(line[:, 0] >= -15) & (line[:, 0] <= extent_mm[0] + 15)]
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    steps = np.arange(0, length[-1], STEP_MM)
    centre = np.stack([np.interp(steps, length, line[:, axis]) for axis in range(3)], axis=1)
    up = np.gradient(centre, axis=0)
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    back = np.array([0.0, 1.0, 0.0]) - up * up[:, 1:2]
    back /= np.linalg.norm(back, axis=1, keepdims=True)
    return CanalCurve(centre, up, back, _left_of(back, up))


def turn(curve: CanalCurve, angle_rad: FloatArray) -> CanalCurve:
    """Return the curve with back and left turned about the canal by an angle at each step."""
    cosine, sine = np.cos(angle_rad)[:, None], np.sin(angle_rad)[:, None]
    back = cosine * curve.back + sine * curve.left
    return CanalCurve(curve.centre_mm, curve.up, back, _left_of(back, curve.up))


def sample_along(volume: Volume, curve: CanalCurve) -> StraightSpine:
    """Return the volume on planes at right angles to the curve."""
    back_mm = np.arange(-FRONT_MM, BACK_MM + 1, STEP_MM)
    left_mm = np.arange(-ASIDE_MM, ASIDE_MM + 1, STEP_MM)
    steps = np.arange(len(curve.centre_mm))
    return StraightSpine(_sampled(volume, curve, steps, back_mm, left_mm), curve, back_mm, left_mm)


def _sampled(
    volume: Volume, curve: CanalCurve, steps: IntArray, back_mm: FloatArray, left_mm: FloatArray
) -> Float32Array:
    """Return intensities at some steps of a curve, over (step, back, left)."""
    from scipy import ndimage

    index = np.empty((3, len(steps), len(back_mm), len(left_mm)), dtype=np.float32)
    for axis, spacing_mm in enumerate(volume.grid.spacing_mm):
        centre, back, left = (
            (field[steps, axis] / spacing_mm).astype(np.float32)
            for field in (curve.centre_mm, curve.back, curve.left)
        )
        rows = centre[:, None] + back[:, None] * back_mm.astype(np.float32)
        columns = left[:, None] * left_mm.astype(np.float32)
        np.add(rows[:, :, None], columns[:, None], out=index[axis])
    return np.asarray(
        ndimage.map_coordinates(
            volume.hu, index, order=1, output=np.float32, mode="constant", cval=PADDING_HU
        )
    )


def estimate_axial_rotation(volume: Volume, curve: CanalCurve) -> FloatArray:
    """Return the angle (radians) at each step by which left best mirrors right, smooth along the spine."""
    from scipy import ndimage

    length = len(curve.centre_mm)
    steps = np.arange(0, length, int(ROUGH_ALONG_MM / STEP_MM))
    across = np.arange(-ROUGH_REACH_MM, ROUGH_REACH_MM + 0.1, ROUGH_ACROSS_MM)
    hu = _sampled(volume, curve, steps, across, across)
    hu = np.where(hu > NOT_MEASURED_BELOW_HU, np.clip(hu, -100, 500), np.float32(NOT_SEEN))
    coarse = ndimage.uniform_filter1d(hu, int(21 / ROUGH_ALONG_MM), axis=0)[::2]
    stations = steps[::2]
    angles = np.radians(np.arange(-LARGEST_TURN_DEG, LARGEST_TURN_DEG + 0.1, TURN_STEP_DEG))
    back, left = np.meshgrid(np.arange(-30.0, 21.0, 2.0), np.arange(1.0, 26.0, 2.0), indexing="ij")
    score = np.empty((len(stations), len(angles)))
    for number, angle in enumerate(angles):
        one = _looked_up(coarse, *_rotated(back, left, angle))
        other = _looked_up(coarse, *_rotated(back, -left, angle))
        score[:, number] = _mirror_likeness(one, other)
    score = ndimage.gaussian_filter1d(score, SMOOTH_TURN_MM / 6, axis=0)
    score -= TURN_PRIOR_PER_DEG2 * np.degrees(angles) ** 2
    best = angles[np.argmax(score, axis=1)]
    best = ndimage.gaussian_filter1d(best, SMOOTH_TURN_MM / 6)
    return np.interp(np.arange(length), stations, best)


def _mirror_likeness(one: Float32Array, other: Float32Array) -> FloatArray:
    """Return minus the relative squared difference of both sides where seen; 0 where too little is."""
    seen = ((one > NOT_SEEN / 4) & (other > NOT_SEEN / 4)).astype(np.float64)
    count = np.maximum(seen.sum(axis=(1, 2)), 1)

    def mean(values: Float32Array) -> FloatArray:
        return np.asarray((values * seen).sum(axis=(1, 2)) / count, dtype=np.float64)

    spread: FloatArray = mean(one**2) - mean(one) ** 2 + mean(other**2) - mean(other) ** 2
    likeness = -mean((one - other) ** 2) / (spread + 30.0**2)
    return np.where(seen.mean(axis=(1, 2)) > LEAST_SEEN_SHARE, likeness, 0.0)


def _rotated(back: FloatArray, left: FloatArray, angle: float) -> tuple[FloatArray, FloatArray]:
    return (
        np.cos(angle) * back - np.sin(angle) * left,
        np.sin(angle) * back + np.cos(angle) * left,
    )


def _looked_up(stack: Float32Array, back: FloatArray, left: FloatArray) -> Float32Array:
    rows, columns = (np.round((a + ROUGH_REACH_MM) / ROUGH_ACROSS_MM).astype(int) for a in (back, left))
    return np.asarray(stack[:, rows, columns], dtype=np.float32)


def _left_of(back: FloatArray, up: FloatArray) -> FloatArray:
    """Return back × up for vectors stored as (z, y, x)."""
    return np.asarray(np.cross(back[:, ::-1], up[:, ::-1])[:, ::-1])


def _smoothed(values: FloatArray) -> FloatArray:
    """Return values smoothed along the track and carried on straight beyond both ends."""
    from scipy import ndimage

    reach = int(3 * SMOOTH_TRACK_MM)
    run = min(len(values) - 1, reach)
    slope_low = (values[run] - values[0]) / run
    slope_high = (values[-1] - values[-1 - run]) / run
    longer = np.concatenate(
        [
            values[0] - slope_low * np.arange(reach, 0, -1),
            values,
            values[-1] + slope_high * np.arange(1, reach + 1),
        ]
    )
    return np.asarray(ndimage.gaussian_filter1d(longer, SMOOTH_TRACK_MM), dtype=np.float64)
