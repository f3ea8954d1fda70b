"""The vertebral column: which vertebrae there are, how they are stacked, and coordinates along them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray, as_floats
from cementct.core.frame import Frame
from cementct.core.grid import Grid
from cementct.core.levels import Level
from cementct.testing.morphometry import size_of
from cementct.testing.shapes import Coordinates
from cementct.testing.spec import CaseSpec, Compression, Movement, Wear
from cementct.testing.vertebra import VertebraShape

# Far more than the rounding of single-precision coordinates.
ROUNDING_MM = 0.01


class Station(Protocol):
    """What coordinates along the column need of a vertebra."""

    @property
    def frame(self) -> Frame:
        """Where it lies."""

    @property
    def wall_mm(self) -> float:
        """Posterior coordinate of its posterior wall."""


@dataclass(frozen=True)
class PlacedVertebra:
    """A vertebra at its place in the patient.

    Attributes
    ----------
    shape
        Its form, in its own frame.
    frame
        Where it lies.
    later
        Its form after it was raised, where its marrow will be raised as well.
    """

    shape: VertebraShape
    frame: Frame
    later: VertebraShape | None = None

    @property
    def level(self) -> Level:
        """Its name."""
        return self.shape.level

    @property
    def number(self) -> int:
        """Its number in label maps."""
        return self.level.verse_number

    @property
    def wall_mm(self) -> float:
        """Posterior coordinate of its posterior wall."""
        return self.shape.wall_mm

    def coordinates(self, grid: Grid) -> Coordinates:
        """Return left, posterior and superior coordinates of every voxel of `grid`."""
        return local_coordinates(grid, self.frame)


def local_coordinates(grid: Grid, frame: Frame, layers: slice = slice(None)) -> Coordinates:
    """Return (left, posterior, superior) coordinates of a grid's voxels, or of some of its layers along z."""
    to_local = frame.axes @ grid.affine_lps[:3, :3]
    origin = frame.to_local(grid.origin_lps_mm)
    steps = [np.arange(n, dtype=np.float32) for n in grid.shape]
    steps[0] = steps[0][layers]
    found = []
    for axis in range(3):
        z, y, x = (np.float32(v) for v in to_local[axis])
        found.append(
            np.asarray(
                (np.float32(origin[axis]) + z * steps[0])[:, None, None]
                + (y * steps[1])[None, :, None]
                + (x * steps[2])[None, None, :],
                dtype=np.float32,
            )
        )
    return found[0], found[1], found[2]


def levels_of(spec: CaseSpec) -> list[Level]:
    """Return all levels from T1 to S1 of this patient, variants included."""
    last_rib = {Level.T11: 11, Level.T12: 12, Level.T13: 13}.get(spec.last_rib_level, 12)
    thoracic = [Level(f"T{i}") for i in range(1, last_rib + 1)]
    lumbar = [Level(f"L{i}") for i in range(1, spec.lumbar_count + 1)]
    return [*thoracic, *lumbar, Level.S1]


def build_column(spec: CaseSpec, movement: Movement | None = None) -> tuple[PlacedVertebra, ...]:
    """Return the patient's vertebrae from T1 to S1, the focus's body at the origin.

    Parameters
    ----------
    spec
        The patient.
    movement
        How the patient lies differently from the post-injection scan; None: as there.
    """
    levels = levels_of(spec)
    focus = levels.index(spec.focus)
    before = movement is not None and spec.compressed_before is not None
    lost = dict((spec.compressed_before if before else spec.compressed) or ())
    worn = dict(spec.worn)
    shapes: list[VertebraShape] = []
    for level in levels:
        size = size_of(level, scale=spec.scale, curvature=spec.curvature)
        if level is Level.S1:
            size = replace(size, anterior_height_mm=27 * spec.scale, posterior_height_mm=25 * spec.scale)
        above = shapes[-1].size.disc_below_mm if shapes else 4.0
        ribs = level.is_thoracic
        shapes.append(
            VertebraShape(level, size, above, lost.get(level, Compression()), ribs, worn.get(level, Wear()))
        )
    bend = movement or Movement(0.0, 0.0, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    axes = [_axes(spec, shape, index - focus, bend) for index, shape in enumerate(shapes)]
    turn = turn_matrix(spec.rotation_deg) @ turn_matrix(bend.rotation_deg)
    axes = [rows @ turn.T for rows in axes]
    centres = _stack(shapes, axes, focus) + as_floats(bend.shift_mm)
    later = dict(spec.compressed) if before and spec.stretch_raised else lost
    return tuple(
        PlacedVertebra(
            shape,
            Frame.from_axes(centre, rows[2], rows[1]),
            _later(shape, later.get(shape.level, Compression())),
        )
        for shape, rows, centre in zip(shapes, axes, centres, strict=True)
    )


def _later(shape: VertebraShape, compression: Compression) -> VertebraShape | None:
    return replace(shape, compression=compression) if compression != shape.compression else None


def turn_matrix(degrees: tuple[float, float, float]) -> FloatArray:
    """Return the rotation about the left, posterior and superior axis, in this order."""
    out = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(degrees)):
        c, s = np.cos(angle), np.sin(angle)
        turn = np.eye(3)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn[i, i], turn[i, j], turn[j, i], turn[j, j] = c, -s, s, c
        out = turn @ out
    return as_floats(out)


def _axes(spec: CaseSpec, shape: VertebraShape, steps_below_focus: int, bend: Movement) -> FloatArray:
    """Return left, posterior and superior (LPS) of a vertebra before the patient as a whole is turned."""
    lean = shape.size.tilt_deg - bend.bend_deg * steps_below_focus
    sideways = spec.scoliosis_deg * np.cos(steps_below_focus * np.pi / 5.0)
    sideways += -bend.side_bend_deg * steps_below_focus
    # A positive turn about the left axis leans the superior axis forwards; scoliosis also twists.
    twist = -0.5 * spec.scoliosis_deg * np.cos(steps_below_focus * np.pi / 5.0)
    return turn_matrix((lean, float(sideways), float(twist))).T


def _stack(shapes: Sequence[VertebraShape], axes: Sequence[FloatArray], focus: int) -> FloatArray:
    """Return the bodies' centres, each resting on the disc under it."""
    centres = np.zeros((len(shapes), 3))
    for index in range(1, len(shapes)):
        upper, lower = shapes[index - 1], shapes[index]
        zero = np.zeros(1, dtype=np.float32)
        half_above = float(-upper.inferior_endplate_mm(zero + 99, zero)[0])
        half_below = float(lower.superior_endplate_mm(zero + 99, zero)[0])
        between = axes[index - 1][2] + axes[index][2]
        between /= np.linalg.norm(between)
        centres[index] = (
            centres[index - 1]
            - axes[index - 1][2] * half_above
            - between * upper.size.disc_below_mm
            - axes[index][2] * half_below
        )
    return as_floats(centres - centres[focus])


def _layers_near(grid: Grid, column: Sequence[Station]) -> list[tuple[slice, BoolArray]]:
    """Return, for each vertebra, the layers of a grid that its coordinates weigh in, and those far below it.

    The layers far below (as a mask) have passed it, and the next one, altogether.
    """
    n_z, n_y, n_x = grid.shape
    corners = np.array([[z, y, x] for z in range(n_z) for y in (0, n_y - 1) for x in (0, n_x - 1)])
    points = grid.to_lps(corners)
    up = [v.frame.to_local(points)[:, 2].reshape(n_z, 4) for v in column]
    found = []
    has_passed, is_above = np.ones(n_z, dtype=np.bool_), np.zeros(n_z, dtype=np.bool_)
    for index, here in enumerate(up):
        last = index + 1 == len(up)
        idle = is_above & (last | (here.min(axis=1) > ROUNDING_MM))
        if last:
            has_passed[:] = False
        else:
            has_passed &= (up[index + 1].max(axis=1) < -ROUNDING_MM) & (here.max(axis=1) < -1 - ROUNDING_MM)
        active = np.flatnonzero(~idle & ~has_passed)
        layers = slice(int(active[0]), int(active[-1]) + 1) if active.size else slice(0, 0)
        has_passed[layers] = False
        found.append((layers, has_passed.copy()))
        is_above = ~has_passed & (here.min(axis=1) > ROUNDING_MM)
    return found


@dataclass(frozen=True)
class ColumnCoordinates:
    """Positions relative to the bent column, on a grid.

    Attributes
    ----------
    place
        Fractional index of the vertebra, counted from the top: 2.5 is half-way between centres 2 and 3.
    left_mm, behind_wall_mm
        To the left of the midsagittal surface, and behind the posterior walls.
    """

    place: Float32Array
    left_mm: Float32Array
    behind_wall_mm: Float32Array

    @classmethod
    def on(cls, grid: Grid, column: Sequence[Station]) -> ColumnCoordinates:
        """Return the coordinates of a grid's voxels along a column of two or more vertebrae."""
        place, left, behind = (np.zeros(grid.shape, dtype=np.float32) for _ in range(3))
        weight_above = np.ones(grid.shape, dtype=np.float32)
        for index, (layers, passed) in enumerate(_layers_near(grid, column)):
            place[passed] += 1
            if layers.start == layers.stop:
                continue
            here = local_coordinates(grid, column[index].frame, layers)
            share = np.zeros(here[0].shape, dtype=np.float32)
            if index + 1 < len(column):
                lower = local_coordinates(grid, column[index + 1].frame, layers)
                share = np.clip(-here[2] / np.maximum(lower[2] - here[2], 1.0), 0.0, 1.0)
                place[layers] += share
            weight = weight_above[layers] - share
            left[layers] += weight * here[0]
            behind[layers] += weight * (here[1] - np.float32(column[index].wall_mm))
            weight_above[layers] = share
        return cls(place, left, behind)

    def part(self, where: BoolArray) -> ColumnCoordinates:
        """Return the coordinates of the voxels in a mask, one value each."""
        return ColumnCoordinates(self.place[where], self.left_mm[where], self.behind_wall_mm[where])

    def interpolate(self, values: Sequence[float]) -> Float32Array:
        """Return a quantity known at the vertebrae, interpolated along the column."""
        return np.interp(self.place, np.arange(len(values)), values).astype(np.float32)
