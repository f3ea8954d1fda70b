"""Images put in order along their normal: spacing, gaps, tilt and what lies at the same place.

Order comes from positions, never from file names or instance numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import FloatArray, as_floats
from cementct.io.header import ImageHeader

# Images nearer than this along the normal lie at the same place: an eighth of the thinnest clinical spacing
# (0.4 mm), and far above the rounding of positions in headers.
SAME_PLACE_MM = 0.05
# How far an image may lie from its place on the regular lattice: a tenth of the spacing moves no boundary by
# more than partial volume already blurs it, and 0.06 mm is what positions rounded to 0.1 mm need.
PLACE_TOLERANCE = 0.1
PLACE_TOLERANCE_MM = 0.06
# Largest difference of a direction cosine within a stack: 0.2 mm at the edge of a 400 mm image, less than
# half a pixel.
ORIENTATION_TOLERANCE = 5e-4
# Largest relative difference of pixel spacing within a stack: half a pixel over 512.
SPACING_TOLERANCE = 1e-3
# How far rows and columns may be from a right angle and from unit length.
AXIS_TOLERANCE = 1e-2
# In-plane drift over the whole stack below which it counts as rounding and not as tilt, in pixels.
DRIFT_TOLERANCE_PX = 0.25
# How far in plane an image may lie from the straight line of a tilted stack, in pixels.
JUMP_TOLERANCE_PX = 0.5
# Fewest images that make a volume.
MIN_IMAGES = 3
# Fewest images of a stretch between gaps; among uneven positions three in a row are even by chance.
MIN_STRETCH = 4
# Share of the images that must lie in even stretches; below it a stack is uneven as a whole.
LEAST_EVEN_SHARE = 0.5


@dataclass(frozen=True)
class Axes:
    """Directions of a stack's rows, columns and normal.

    Attributes
    ----------
    along_row, along_column, normal
        Unit vectors (LPS) of rising column number, rising row number, and their cross product.
    """

    along_row: FloatArray
    along_column: FloatArray
    normal: FloatArray


def axes_of(image: ImageHeader) -> Axes | None:
    """Return the directions of an image, or None where they are not at right angles."""
    row, column = as_floats(image.orientation[:3]), as_floats(image.orientation[3:])
    lengths = float(np.linalg.norm(row)), float(np.linalg.norm(column))
    if abs(lengths[0] - 1) > AXIS_TOLERANCE or abs(lengths[1] - 1) > AXIS_TOLERANCE:
        return None
    row, column = row / lengths[0], column / lengths[1]
    if abs(float(row @ column)) > AXIS_TOLERANCE:
        return None
    column = column - row * float(row @ column)
    column /= np.linalg.norm(column)
    return Axes(row, column, np.cross(row, column))


def same_stack(image: ImageHeader, other: ImageHeader) -> bool:
    """Tell whether two images can lie in one stack: same matrix, and the same orientation and spacing."""
    if image.format.rows != other.format.rows or image.format.columns != other.format.columns:
        return False
    if image.orientation != other.orientation:
        turned = np.abs(np.subtract(image.orientation, other.orientation)).max()
        if turned > ORIENTATION_TOLERANCE:
            return False
    return all(
        abs(a - b) <= SPACING_TOLERANCE * b for a, b in zip(image.spacing_mm, other.spacing_mm, strict=True)
    )


@dataclass(frozen=True)
class Placed:
    """Images of one stack in order along their normal.

    Attributes
    ----------
    images
        From low to high along the normal.
    axes
        Directions, of the first image.
    offset_mm
        Position of each image along row, column and normal, shape (n, 3).
    """

    images: tuple[ImageHeader, ...]
    axes: Axes
    offset_mm: FloatArray

    @property
    def along_mm(self) -> FloatArray:
        """Position of each image along the normal."""
        return np.asarray(self.offset_mm[:, 2], dtype=np.float64)

    def part(self, chosen: Sequence[int]) -> Placed:
        """Return the stack of some of the images."""
        index = list(chosen)
        return Placed(tuple(self.images[i] for i in index), self.axes, self.offset_mm[index])

    def places(self) -> list[list[int]]:
        """Return the images that lie at the same place together, in order."""
        found: list[list[int]] = []
        along = self.along_mm
        for i in range(len(self.images)):
            if found and along[i] - along[found[-1][0]] <= SAME_PLACE_MM:
                found[-1].append(i)
            else:
                found.append([i])
        return found


def place(images: Sequence[ImageHeader]) -> Placed | None:
    """Put images of one orientation in order; None where their axes are not at right angles."""
    axes = axes_of(images[0])
    if axes is None:
        return None
    frame = np.stack([axes.along_row, axes.along_column, axes.normal])
    offset = as_floats([image.position_lps_mm for image in images]) @ frame.T
    order = sorted(
        range(len(images)), key=lambda i: (round(float(offset[i, 2]), 3), images[i].file, images[i].frame)
    )
    return Placed(tuple(images[i] for i in order), axes, offset[order])


@dataclass(frozen=True)
class Run:
    """Images that follow each other at one spacing, without a gap.

    Attributes
    ----------
    first, last
        Indices of the first and last image.
    spacing_mm
        Distance between neighbours along the normal.
    """

    first: int
    last: int
    spacing_mm: float

    @property
    def count(self) -> int:
        """Number of images."""
        return self.last - self.first + 1


def runs(along_mm: FloatArray) -> list[Run]:
    """Return the longest stretches of even spacing among rising positions, the most images first.

    A mean of the gaps would hide a missing image; so every gap is compared with its neighbours, and every
    image of a stretch with its place on the stretch's lattice.
    """
    gaps = np.diff(along_mm)
    found: list[Run] = []
    start = 0
    while start < len(gaps):
        spacing, tolerance = float(gaps[start]), _tolerance(float(gaps[start]))
        stop = start + 1
        while stop < len(gaps) and abs(float(gaps[stop]) - spacing) <= 2 * tolerance:
            stop += 1
        found.extend(_even_stretches(along_mm, start, stop))
        start = stop
    fewest = min(MIN_STRETCH, len(along_mm))
    found = [run for run in found if run.count >= fewest]
    found.sort(key=lambda run: (-run.count, run.first))
    kept: list[Run] = []
    for run in found:
        if all(run.last <= other.first or run.first >= other.last for other in kept):
            kept.append(run)
    enough = sum(run.count for run in kept) >= LEAST_EVEN_SHARE * len(along_mm)
    return kept if enough else []


def _even_stretches(along_mm: FloatArray, first: int, last: int) -> list[Run]:
    """Return images `first` to `last` as one run, or cut where they leave the lattice."""
    if last - first < 1:
        return []
    places = along_mm[first : last + 1]
    spacing = float((places[-1] - places[0]) / (last - first))
    lattice = places[0] + spacing * np.arange(last - first + 1)
    off = places - lattice
    if float(np.ptp(off)) / 2 <= _tolerance(spacing):
        return [Run(first, last, spacing)]
    cut = first + int(np.argmax(np.abs(off)))
    if cut in {first, last}:
        return []
    return _even_stretches(along_mm, first, cut) + _even_stretches(along_mm, cut, last)


def _tolerance(spacing_mm: float) -> float:
    return max(PLACE_TOLERANCE * spacing_mm, PLACE_TOLERANCE_MM)


def drift(placed: Placed) -> tuple[float, float] | None:
    """Return how far rows and columns move per millimetre along the normal (the tangent of a tilt).

    None where images lie beside the straight line, so that no shear can put them right.
    """
    along = placed.along_mm - placed.along_mm.mean()
    pixel = min(placed.images[0].spacing_mm)
    slopes: list[float] = []
    for axis in (0, 1):
        aside = placed.offset_mm[:, axis] - placed.offset_mm[:, axis].mean()
        slope = float(along @ aside / max(float(along @ along), 1e-12))
        if np.abs(aside - slope * along).max() > JUMP_TOLERANCE_PX * pixel:
            return None
        slopes.append(slope)
    extent = float(np.ptp(placed.along_mm))
    if math.hypot(*slopes) * extent <= DRIFT_TOLERANCE_PX * pixel:
        return 0.0, 0.0
    return slopes[0], slopes[1]
