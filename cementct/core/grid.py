"""Where the voxels of an image lie in the patient: a grid without the voxels.

Arrays are indexed ``[z, y, x]``. Points and directions are in the DICOM patient frame LPS (x towards the
patient's left, y towards the back, z towards the head), in millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cementct.core.arrays import FloatArray, as_floats

# Largest deviation from a right angle between the axes of a grid; rounding in headers stays far below it.
ORTHOGONALITY_TOLERANCE = 1e-3

# The patient axes (LPS unit vectors) that the array axes of a canonical grid run along: z to the head,
# y to the back, x to the left.
CANONICAL_DIRECTIONS = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])

Triple = tuple[float, float, float]
IndexTriple = tuple[int, int, int]
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class Box:
    """A block of voxels: ``start`` included, ``stop`` excluded, both as (z, y, x)."""

    start: IndexTriple
    stop: IndexTriple

    @classmethod
    def of(cls, window: tuple[slice, slice, slice]) -> Box:
        """Return the block of an index with both ends named."""
        return cls(_triple([cut.start for cut in window]), _triple([cut.stop for cut in window]))

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The block as an index into an array of the grid it belongs to."""
        z, y, x = (slice(a, b) for a, b in zip(self.start, self.stop, strict=True))
        return z, y, x

    @property
    def shape(self) -> IndexTriple:
        """Number of voxels along z, y and x."""
        z, y, x = (b - a for a, b in zip(self.start, self.stop, strict=True))
        return z, y, x

    @property
    def is_empty(self) -> bool:
        """Whether no voxel lies in the block."""
        return min(self.shape) <= 0

    def within(self, other: Box) -> tuple[slice, slice, slice]:
        """Return this block as an index into an array that covers `other`."""
        z, y, x = (slice(a - o, b - o) for a, b, o in zip(self.start, self.stop, other.start, strict=True))
        return z, y, x

    def placed_in(self, outer: Box) -> Box:
        """Return this block, given on the voxels of `outer`, on the grid that `outer` is given on."""
        start = [a + o for a, o in zip(self.start, outer.start, strict=True)]
        stop = [b + o for b, o in zip(self.stop, outer.start, strict=True)]
        return Box(_triple(start), _triple(stop))

    def intersection(self, other: Box) -> Box:
        """Return the block common to both; empty where there is none."""
        start = tuple(max(a, b) for a, b in zip(self.start, other.start, strict=True))
        stop = tuple(max(s, min(a, b)) for s, a, b in zip(start, self.stop, other.stop, strict=True))
        return Box(_triple(start), _triple(stop))

    def union(self, other: Box) -> Box:
        """Return the smallest block that holds both."""
        start = tuple(min(a, b) for a, b in zip(self.start, other.start, strict=True))
        stop = tuple(max(a, b) for a, b in zip(self.stop, other.stop, strict=True))
        return Box(_triple(start), _triple(stop))


@dataclass(frozen=True)
class Grid:
    """A regular, right-angled lattice of voxel centres in the patient.

    Attributes
    ----------
    shape
        Number of voxels along z, y and x.
    spacing_mm
        Distance between neighbouring voxel centres along z, y and x.
    origin_lps_mm
        Position of the centre of voxel ``[0, 0, 0]``.
    direction
        Unit vectors (LPS) of the array axes z, y and x, one a row.
    """

    shape: IndexTriple
    spacing_mm: Triple
    origin_lps_mm: Triple
    direction: tuple[Triple, Triple, Triple] = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))

    def __post_init__(self) -> None:
        numbers = as_floats([*self.spacing_mm, *self.origin_lps_mm, *np.ravel(self.direction)])
        if not np.all(np.isfinite(numbers)):
            raise ValueError(f"a grid needs finite numbers, got {self}")
        if min(self.shape) < 1:
            raise ValueError(f"a grid needs at least one voxel along each axis, got shape {self.shape}")
        if min(self.spacing_mm) <= 0:
            raise ValueError(f"spacing has to be positive, got {self.spacing_mm} mm")
        gram = self._rows @ self._rows.T
        if np.abs(gram - np.eye(3)).max() > ORTHOGONALITY_TOLERANCE:
            raise ValueError(
                f"the axes of a grid have to be unit vectors at right angles, got {self.direction}"
            )

    @classmethod
    def from_affine(cls, affine_lps: ArrayLike, shape: IndexTriple) -> Grid:
        """Return the grid whose 4 by 4 `affine_lps` takes (z, y, x, 1) to LPS millimetres."""
        affine = as_floats(affine_lps)
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        if not np.all(np.isfinite(affine)) or np.any(spacing <= 0):
            raise ValueError("an affine needs finite numbers and three axes of positive length")
        rows = (affine[:3, :3] / spacing).T
        return cls(
            shape,
            _floats(spacing),
            _floats(affine[:3, 3]),
            (_floats(rows[0]), _floats(rows[1]), _floats(rows[2])),
        )

    @cached_property
    def _rows(self) -> FloatArray:
        return as_floats(self.direction)

    @cached_property
    def affine_lps(self) -> FloatArray:
        """The 4 by 4 matrix that takes (z, y, x, 1) to LPS millimetres."""
        affine = np.eye(4)
        affine[:3, :3] = (self._rows * as_floats(self.spacing_mm)[:, None]).T
        affine[:3, 3] = self.origin_lps_mm
        return affine

    @property
    def box(self) -> Box:
        """The block of all voxels."""
        return Box((0, 0, 0), self.shape)

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel in cubic millimetres."""
        return float(np.prod(self.spacing_mm))

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return self.voxel_mm3 / 1000.0

    @property
    def extent_mm(self) -> Triple:
        """Outer size along z, y and x, half a voxel beyond the outermost centres included."""
        return _floats(as_floats(self.shape) * self.spacing_mm)

    def to_lps(self, index_zyx: ArrayLike) -> FloatArray:
        """Return the LPS positions of (fractional) indices; the last axis holds z, y, x."""
        return as_floats(index_zyx) @ self.affine_lps[:3, :3].T + self.affine_lps[:3, 3]

    def to_index(self, point_lps_mm: ArrayLike) -> FloatArray:
        """Return the fractional indices (z, y, x) of LPS positions; the last axis holds x, y, z."""
        offset = as_floats(point_lps_mm) - self.affine_lps[:3, 3]
        return (offset @ self._rows.T) / self.spacing_mm

    def crop(self, box: Box) -> Grid:
        """Return the grid of the voxels in `box`."""
        return Grid(box.shape, self.spacing_mm, _floats(self.to_lps(box.start)), self.direction)

    def box_around(self, index_zyx: ArrayLike, margin_mm: float = 0.0) -> Box:
        """Return the block that holds the indices with a margin, cut at the grid's edge."""
        points = as_floats(index_zyx).reshape(-1, 3)
        pad = margin_mm / as_floats(self.spacing_mm)
        start = np.clip(np.floor(points.min(axis=0) - pad).astype(int), 0, self.shape)
        stop = np.clip(np.ceil(points.max(axis=0) + pad).astype(int) + 1, start, self.shape)
        return Box(_triple(start), _triple(stop))

    def expand(self, box: Box, margin_mm: float) -> Box:
        """Return `box` grown by a margin on every side, cut at the grid's edge."""
        corners = as_floats([box.start, as_floats(box.stop) - 1])
        return self.box_around(corners, margin_mm)

    def contains(self, point_lps_mm: ArrayLike) -> bool:
        """Tell whether all points lie within the outer faces of the grid."""
        index = self.to_index(point_lps_mm)
        return bool(np.all(index >= -0.5) and np.all(index <= as_floats(self.shape) - 0.5))

    def is_close(self, other: Grid, tolerance_mm: float = 1e-3) -> bool:
        """Tell whether both grids place every voxel at the same spot within a tolerance."""
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape])).reshape(3, -1).T
        return bool(np.abs(self.to_lps(corners) - other.to_lps(corners)).max() <= tolerance_mm)

    def resized(self, spacing_mm: Triple) -> Grid:
        """Return the grid of another spacing that covers the same block of the patient."""
        spacing = as_floats(spacing_mm)
        shape = np.maximum(1, np.ceil(as_floats(self.extent_mm) / spacing - 1e-6).astype(int))
        first = as_floats(self.origin_lps_mm) + (spacing - self.spacing_mm) / 2 @ self._rows
        return Grid(_triple(shape), _floats(spacing), _floats(first), self.direction)


@dataclass(frozen=True)
class Reorientation:
    """The exchange and reversal of array axes that brings an image into canonical order, and back.

    Attributes
    ----------
    axes
        For each axis of the canonical array, the axis of the source array it comes from.
    flipped
        For each axis of the canonical array, whether it runs against the source.
    """

    axes: IndexTriple
    flipped: tuple[bool, bool, bool]

    @property
    def _steps(self) -> tuple[slice, slice, slice]:
        z, y, x = (slice(None, None, -1 if flip else 1) for flip in self.flipped)
        return z, y, x

    def apply(self, array: NDArray[Scalar]) -> NDArray[Scalar]:
        """Return a view of a source array in canonical order."""
        return array.transpose(self.axes)[self._steps]

    def undo(self, array: NDArray[Scalar]) -> NDArray[Scalar]:
        """Return a view of a canonical array in the order of the source."""
        return array[self._steps].transpose(np.argsort(self.axes))


def canonical(grid: Grid) -> tuple[Grid, Reorientation]:
    """Return `grid` with its axes exchanged and reversed to run nearest to head, back and left.

    No voxel moves: the canonical grid holds the same centres in another order.
    """
    closeness = np.abs(CANONICAL_DIRECTIONS @ as_floats(grid.direction).T)
    axes = max(_permutations(), key=lambda p: sum(closeness[i, p[i]] for i in range(3)))
    signs = [float(CANONICAL_DIRECTIONS[i] @ as_floats(grid.direction[axes[i]])) for i in range(3)]
    z, y, x = (sign < 0 for sign in signs)
    turn = Reorientation(axes, (z, y, x))
    shape = as_floats(grid.shape)[list(axes)].astype(int)
    spacing = as_floats(grid.spacing_mm)[list(axes)]
    rows = as_floats(grid.direction)[list(axes)] * np.where(turn.flipped, -1.0, 1.0)[:, None]
    first = np.zeros(3)
    for i, axis in enumerate(axes):
        first[axis] = grid.shape[axis] - 1 if turn.flipped[i] else 0
    turned = Grid(
        _triple(shape),
        _floats(spacing),
        _floats(grid.to_lps(first)),
        (_floats(rows[0]), _floats(rows[1]), _floats(rows[2])),
    )
    return turned, turn


def _permutations() -> list[IndexTriple]:
    return [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]


def _triple(values: ArrayLike) -> IndexTriple:
    z, y, x = (int(v) for v in np.asarray(values))
    return z, y, x


def _floats(values: ArrayLike) -> Triple:
    z, y, x = (float(v) for v in np.asarray(values))
    return z, y, x
