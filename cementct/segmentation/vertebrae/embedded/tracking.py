"""The track of the canal through the slices: the best chain of canal-like points, and no longer than it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray, IntArray
from cementct.core.image import Volume
from cementct.core.threads import each
from cementct.segmentation.vertebrae.embedded.canal import (
    BONE_THRESHOLDS_HU,
    describe_surroundings,
    measure_canal_likeness,
    smooth,
)
from cementct.segmentation.vertebrae.embedded.coarse import CoarseVolume, average_blocks
from cementct.segmentation.vertebrae.embedded.given_canal import gain_of_given_canals

# Largest sideways step of the canal per step along z: 35 degrees, the sacrum included.
STEEPEST = 0.7
# Cost of a sideways step, per mm² and mm along z.
WEIGHT_BEND = 0.03
# A slice adds to a track what its likeness exceeds this by: tracks end where canals end.
ORDINARY_LIKENESS = 0.35
# What a slice without a candidate adds: a gap is crossed only between two good stretches.
GAP = -0.4
# The same within bone: no canal runs through it, but cement may fill one.
GAP_IN_BONE = -2.0
# Sum over slices of about 2.5 mm; tracks below it were chance on volumes without a spine.
LEAST_TRACK_SCORE = 4.0
SHORTEST_TRACK_MM = 18.0
# Threshold for the bone around the canal where thicker bone led to no vertebrae, or to a track that scores so
# much less: osteopenia with much noise. The ratio was 0.97 to 1.12 in sound spines, there 1.23 to 1.48.
THIN_BONE_HU = 105.0
THIN_BONE_GAIN = 1.17
# A further track keeps so far away from one on which no vertebrae were found, in rows and in columns.
AVOIDED_MM = 16.0


@dataclass(frozen=True)
class CanalTrack:
    """Points in the middle of the canal, one a coarse slice, from the bottom to the top of the array.

    Attributes
    ----------
    points_mm
        Positions along the grid's axes z, y, x (index times spacing), shape (n, 3).
    score
        Sum of what the points' likeness exceeds the ordinary by.
    """

    points_mm: FloatArray
    score: float


def track_canal(
    volume: Volume, middles_mm: FloatArray | None = None, *, avoided: Sequence[CanalTrack] = ()
) -> CanalTrack | None:
    """Return the track of the spinal canal, or None where no canal is seen.

    It runs behind the `middles_mm` of bodies that the user gives by hand, (z, y, x) along the grid's axes. It
    keeps away from the tracks `avoided`, on which no vertebrae were found. Until there are such, thin bone
    counts only where it makes a much better track.
    """
    coarse = average_blocks(volume)
    around = describe_surroundings(smooth(coarse), coarse.spacing_mm)

    def best_chain(bone_hu: float) -> tuple[float, IntArray]:
        likeness = measure_canal_likeness(around, bone_hu)
        for track in avoided:
            _forbid(likeness, coarse, volume, track)
        known = (
            None
            if middles_mm is None
            else gain_of_given_canals(likeness.shape, coarse.spacing_mm, middles_mm)
        )
        bone = around.smoothed_hu > bone_hu
        return find_best_chain(likeness, coarse.spacing_mm, known, bone)

    thresholds_hu = (*(BONE_THRESHOLDS_HU[1:] if avoided else BONE_THRESHOLDS_HU), THIN_BONE_HU)
    *usual, thin = each(best_chain, thresholds_hu)
    score, path = max(usual, key=lambda chain: chain[0])
    if thin[0] > (1.0 if avoided else THIN_BONE_GAIN) * score:
        score, path = thin
    points = coarse.to_index(path.astype(np.float64)) * volume.grid.spacing_mm
    long_enough = points[-1, 0] - points[0, 0] >= SHORTEST_TRACK_MM
    normalised = score * float(coarse.spacing_mm[0]) / 2.5
    if normalised < LEAST_TRACK_SCORE or not long_enough:
        return None
    return CanalTrack(points, normalised)


def _forbid(likeness: Float32Array, coarse: CoarseVolume, volume: Volume, track: CanalTrack) -> None:
    """Take away the likeness near a track."""
    spacing = coarse.spacing_mm
    first_mm = coarse.to_index(np.zeros(3)) * volume.grid.spacing_mm
    middles = np.round((track.points_mm - first_mm) / spacing).astype(int)
    rows, columns = (int(AVOIDED_MM / s) for s in spacing[1:])
    for z, row, column in middles:
        near = (
            slice(max(0, row - rows), row + rows + 1),
            slice(max(0, column - columns), column + columns + 1),
        )
        likeness[z][near] = np.nan


def find_best_chain(
    likeness: Float32Array,
    spacing_mm: FloatArray,
    known: Float32Array | None = None,
    bone: BoolArray | None = None,
) -> tuple[float, IntArray]:
    """Return the score and the (z, y, x) indices, a slice each, of the chain with the highest sum.

    What is `known` otherwise adds to the likeness, also where there is none. Through `bone` a chain runs
    unwillingly.
    """
    possible = ~np.isnan(likeness)
    if known is not None:
        possible |= known > 0
    rows, columns = (_extent(np.asarray(possible.any(axis=axes))) for axes in ((0, 2), (0, 1)))
    part = likeness[:, rows, columns]
    gain = np.where(np.isnan(part), np.float32(GAP), part - np.float32(ORDINARY_LIKENESS))
    if bone is not None:
        gain[np.isnan(part) & bone[:, rows, columns]] = GAP_IN_BONE
    if known is not None:
        gain += known[:, rows, columns]
    score, path = _best_chain(gain, _allowed_steps(spacing_mm))
    return score, path + np.array([0, rows.start, columns.start])


def _extent(hit: BoolArray) -> slice:
    """Return the stretch that holds all hits: a chain has no reason to leave it."""
    where = np.flatnonzero(hit)
    return slice(int(where[0]), int(where[-1]) + 1) if where.size else slice(0, 1)


def _best_chain(gain: Float32Array, steps: list[tuple[int, int, float]]) -> tuple[float, IntArray]:
    total = gain[0]
    came_from = []
    ends = [_highest(total)]
    for layer in gain[1:]:
        best, step = _best_predecessor(total, steps)
        came_from.append(step)
        total = best + layer
        ends.append(_highest(total))
    last = int(np.argmax([score for score, _, _ in ends]))
    score, row, column = ends[last]
    path = [(last, row, column)]
    for z in range(last, 0, -1):
        move = int(came_from[z - 1][row, column])
        if move < 0:
            break
        row, column = row + steps[move][0], column + steps[move][1]
        path.append((z - 1, row, column))
    return score, np.asarray(path[::-1], dtype=np.intp)


def _allowed_steps(spacing_mm: FloatArray) -> list[tuple[int, int, float]]:
    """Return the moves (rows, columns, cost) to a predecessor one slice below."""
    # A canal that leans moves a voxel aside now and then, however thin slices are.
    farthest_mm = max(STEEPEST * float(spacing_mm[0]) + min(spacing_mm[1:]) / 2, *spacing_mm[1:])
    rows, columns = (int(farthest_mm / s) for s in spacing_mm[1:])
    moves = []
    for row in range(-rows, rows + 1):
        for column in range(-columns, columns + 1):
            moved_mm = float(np.hypot(row * spacing_mm[1], column * spacing_mm[2]))
            if moved_mm <= farthest_mm:
                moves.append((row, column, WEIGHT_BEND * moved_mm**2 / float(spacing_mm[0])))
    return moves


def _best_predecessor(
    total: Float32Array, steps: list[tuple[int, int, float]]
) -> tuple[Float32Array, np.ndarray]:
    """Return the best sum so far that reaches each place, and by which step; -1 starts a new chain."""
    height, width = total.shape
    reach = max(max(abs(r), abs(c)) for r, c, _ in steps)
    padded = np.pad(total, reach, constant_values=np.float32(-1e9))
    best = np.zeros((height, width), dtype=np.float32)
    chosen = np.full((height, width), -1, dtype=np.int16)
    for number, (row, column, cost) in enumerate(steps):
        moved = padded[reach + row : reach + row + height, reach + column : reach + column + width]
        moved = moved - np.float32(cost)
        better = moved > best
        np.copyto(best, moved, where=better)
        np.copyto(chosen, np.int16(number), where=better)
    return best, chosen


def _highest(total: Float32Array) -> tuple[float, int, int]:
    row, column = np.unravel_index(int(np.argmax(total)), total.shape)
    return float(total[row, column]), int(row), int(column)
