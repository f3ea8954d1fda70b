"""Disc, canal and foramina between two neighbouring vertebrae.

Between the middles of two neighbours a voxel has coordinates in both frames. A blend, 0 within the upper
vertebra and 1 within the lower, joins the two, so that every border goes straight across the disc.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from cementct.anatomy.borders import GREATEST_FORAMEN_DEPTH_MM, Borders
from cementct.anatomy.fields import extended_at, interpolated, wall_at
from cementct.anatomy.model import Compartment, HeightField
from cementct.anatomy.sampling import local_coordinates
from cementct.core.arrays import BoolArray, Float32Array, FloatArray, IntArray
from cementct.core.grid import Box, Grid

Coordinates = tuple[Float32Array, Float32Array, Float32Array]
ByteArray = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

# Voxels between the rim of a disc and the canal belong to the disc where the gap is no wider than this, mm.
RIM_TO_CANAL_MM = 4.0
# Behind the rounded edge of a body, and of a disc, the foramen begins so far in front of the wall, which is
# carried on straight from its middle.
FORAMEN_BEFORE_WALL_MM = 2.5
# Room in front of and beside the body that is looked at, mm.
MARGIN_MM = 3.0


@dataclass(frozen=True)
class _Place:
    """Where the voxels of one interval lie: coordinates in both frames, and the blend between them."""

    upper: Coordinates
    lower: Coordinates
    blend: Float32Array

    @cached_property
    def left(self) -> Float32Array:
        return self.mix(self.upper[0], self.lower[0])

    @cached_property
    def posterior(self) -> Float32Array:
        return self.mix(self.upper[1], self.lower[1])

    def mix(self, upper: Float32Array | float, lower: Float32Array | float) -> Float32Array:
        return np.asarray((1.0 - self.blend) * upper + self.blend * lower, dtype=np.float32)


@dataclass(frozen=True)
class Spaces:
    """Disc, canal and foramina between two neighbours.

    Attributes
    ----------
    box
        The block around them.
    voxels
        Places in the flat array of the block.
    kind, place
        Compartment of each of these voxels, 0 for none, and which one.
    solid
        Which of them are bone: they would be of that compartment otherwise.
    """

    box: Box
    voxels: IntArray
    kind: ByteArray
    place: IntArray
    solid: BoolArray

    def draw(self, compartment: ByteArray, place: ByteArray) -> None:
        """Write these compartments into arrays of the block; later ones win over earlier ones."""
        known = np.zeros(self.box.shape, dtype=np.bool_)
        known.ravel()[self.voxels] = (self.kind > 0) & ~self.solid
        for target, values in ((compartment, self.kind), (place, self.place)):
            drawn = np.zeros(self.box.shape, dtype=np.uint8)
            drawn.ravel()[self.voxels] = values
            np.copyto(target, drawn, where=known)


def spaces_of(
    grid: Grid, box: Box, pair: tuple[Borders, Borders], index: int, solid: BoolArray
) -> Spaces | None:
    """Return the spaces between two neighbours, canal and foramina under bone too; None where there is none.

    Parameters
    ----------
    grid, box
        The volume's grid, and the block of it between the middles of the neighbours.
    pair
        The borders at the upper and at the lower neighbour.
    index
        Position of the lower one, from the top.
    solid
        All bone in the block.
    """
    upper, lower = pair
    above, below = (local_coordinates(grid, box, borders.frame) for borders in pair)
    voxels = np.flatnonzero((above[2] <= 0) & (below[2] > 0))
    coords = [taken(c, voxels) for c in (above, below)]
    bone = solid.ravel()[voxels]
    near = np.flatnonzero(_near(upper, lower, coords, bone))
    if near.size == 0:
        return None
    voxels, bone = voxels[near], bone[near]
    where = _place(upper, lower, [taken(c, near) for c in coords])
    wall = where.mix(_wall(upper, where.upper), _wall(lower, where.lower))
    back = where.mix(_at(upper.back, where.upper), _at(lower.back, where.lower))
    behind = (where.posterior > wall) & (where.posterior < back)
    at_edge = (where.posterior > wall - FORAMEN_BEFORE_WALL_MM) & (where.posterior <= wall)
    kind = np.zeros(wall.shape, dtype=np.uint8)
    disc = _in_disc(where, upper, lower, wall)
    kind[disc & ~bone] = Compartment.DISC
    for side, number in ((1, Compartment.FORAMEN_LEFT), (-1, Compartment.FORAMEN_RIGHT)):
        kind[(behind | (at_edge & ~disc)) & _in_foramen(where, upper, lower, side)] = number
    kind[behind & _between(where, upper, lower)] = Compartment.CANAL
    nearest = np.where(where.blend < 0.5, max(index, 1), index + 1)
    return Spaces(box, voxels, kind, np.where(kind == Compartment.CANAL, nearest, index), bone)


def _blend(upper: Borders, lower: Borders, w_upper: Float32Array, w_lower: Float32Array) -> Float32Array:
    """Return 0 within the upper vertebra's wall, 1 within the lower's, and the share of the way between."""
    below = upper.low_mm - w_upper
    above = w_lower - lower.high_mm
    total = np.abs(below) + np.abs(above)
    share = np.where((below > 0) & (above > 0), np.abs(below), np.abs(above)) / np.maximum(total, 1e-6)
    share = np.where((below <= 0) & (above > 0), 0.0, share)
    return np.asarray(np.where((below > 0) & (above <= 0), 1.0, share), dtype=np.float32)


def taken(coords: Coordinates, places: IntArray) -> Coordinates:
    """Return the coordinates of some of the voxels, given as places in the flat arrays."""
    left, posterior, superior = (axis.ravel().take(places) for axis in coords)
    return left, posterior, superior


def _near(upper: Borders, lower: Borders, coords: Sequence[Coordinates], bone: BoolArray) -> BoolArray:
    """Tell which voxels can lie in a space at all, by plain limits; no bone in a disc."""
    left, posterior, superior = coords[0]
    faces = (upper.inferior_endplate, lower.superior_endplate)
    sides = (upper.left, upper.right, lower.left, lower.right)
    lateral = max(abs(side.lateral_mm) for side in sides) + MARGIN_MM
    medial = max(abs(side.medial_mm) for side in sides) + MARGIN_MM
    front = float(min(np.min(upper.wall.height_mm), np.min(lower.wall.height_mm))) - 2 * MARGIN_MM
    canal_end = float(max(np.nanmax(upper.back.height_mm), np.nanmax(lower.back.height_mm))) + 2 * MARGIN_MM
    foramen_end = front + 4 * MARGIN_MM + GREATEST_FORAMEN_DEPTH_MM
    outward = np.abs(left)
    behind = (posterior >= front) & (outward <= lateral)
    behind &= posterior <= np.where(outward <= medial, canal_end, foramen_end)
    in_disc = (superior <= float(np.nanmax(faces[0].height_mm, initial=-np.inf))) & (posterior < front)
    in_disc &= coords[1][2] >= float(np.nanmin(faces[1].height_mm, initial=np.inf))
    in_disc &= (left >= min(float(f.first_mm[0]) for f in faces) - MARGIN_MM) & (
        left <= max(float(f.first_mm[-1]) for f in faces) + MARGIN_MM
    )
    return np.asarray(behind | (in_disc & ~bone))


def _place(upper: Borders, lower: Borders, coords: Sequence[Coordinates]) -> _Place:
    above, below = coords
    return _Place(above, below, _blend(upper, lower, above[2], below[2]))


def _wall(borders: Borders, at: Coordinates) -> Float32Array:
    return wall_at(borders.wall, at[0], at[2]).astype(np.float32)


def _at(field: HeightField, at: Coordinates) -> Float32Array:
    return extended_at(field, at[0], at[2]).astype(np.float32)


def _between(where: _Place, upper: Borders, lower: Borders) -> BoolArray:
    left = where.left
    return np.asarray(
        (left < where.mix(upper.left.medial_mm, lower.left.medial_mm))
        & (left > where.mix(upper.right.medial_mm, lower.right.medial_mm))
    )


def _in_foramen(where: _Place, upper: Borders, lower: Borders, side: int) -> BoolArray:
    above, below = (upper.left, lower.left) if side > 0 else (upper.right, lower.right)
    outward = side * where.left
    medial = where.mix(side * above.medial_mm, side * below.medial_mm)
    lateral = where.mix(side * above.lateral_mm, side * below.lateral_mm)
    return np.asarray(
        (outward >= medial)
        & (outward <= lateral)
        & (where.upper[2] < above.inferior_mm)
        & (where.lower[2] > below.superior_mm)
    )


def _in_disc(where: _Place, upper: Borders, lower: Borders, wall: Float32Array) -> BoolArray:
    """Tell what lies between the faces and within the line that joins their rims."""
    top, bottom = upper.inferior_endplate, lower.superior_endplate
    inside = np.zeros(wall.shape, dtype=np.bool_)
    highest = float(np.nanmax(top.height_mm, initial=-np.inf))
    lowest = float(np.nanmin(bottom.height_mm, initial=np.inf))
    some = np.flatnonzero(
        (where.upper[2] <= highest) & (where.lower[2] >= lowest) & (where.posterior <= wall + RIM_TO_CANAL_MM)
    )
    above: Coordinates = (where.upper[0][some], where.upper[1][some], where.upper[2][some])
    below: Coordinates = (where.lower[0][some], where.lower[1][some], where.lower[2][some])
    gap_above = extended_at(top, above[0], above[1]) - above[2]
    gap_below = below[2] - extended_at(bottom, below[0], below[1])
    share = gap_above / np.maximum(gap_above + gap_below, 1e-6)
    outside = (1 - share) * rim_distance(top, above) + share * rim_distance(bottom, below)
    at_canal = (
        (outside <= RIM_TO_CANAL_MM) & (where.posterior[some] > 0) & (where.posterior[some] <= wall[some])
    )
    at_canal &= _between(where, upper, lower)[some]
    inside[some] = (gap_above >= 0) & (gap_below >= 0) & ((outside <= 0) | at_canal)
    return inside


def rim_distance(face: HeightField, at: Coordinates) -> FloatArray:
    """Return the signed distance from the rim of a face, negative within it, in millimetres."""
    known = np.pad(np.isfinite(face.height_mm), 12)
    step = float(face.first_mm[1] - face.first_mm[0])
    inner = np.asarray(ndimage.distance_transform_edt(known))
    outer = np.asarray(ndimage.distance_transform_edt(~known))
    signed = (np.where(known, 0.5 - inner, outer - 0.5)) * step
    rows = (at[0] - face.first_mm[0]) / step + 12
    columns = (at[1] - face.second_mm[0]) / step + 12
    return interpolated(signed, rows, columns)
