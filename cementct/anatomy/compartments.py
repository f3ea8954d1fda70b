"""The compartment map: to which space or vertebra each voxel near the spine belongs.

Between the middles of two neighbouring vertebrae a voxel has coordinates in both frames. A blend, 0 within
the upper vertebra and 1 within the lower, joins the two, so that every border goes straight across the disc.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy import ndimage

from cementct.anatomy.borders import GREATEST_FORAMEN_DEPTH_MM, Borders, find_borders
from cementct.anatomy.fields import extended_at, interpolated, wall_at
from cementct.anatomy.model import Compartment, CompartmentMap, HeightField, Vertebra
from cementct.anatomy.sampling import Extent, local_coordinates
from cementct.anatomy.spaces import Neighbours
from cementct.core.arrays import BoolArray, Float32Array, FloatArray, IntArray
from cementct.core.grid import Box, Grid

Coordinates = tuple[Float32Array, Float32Array, Float32Array]
ByteArray = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

# Voxels between the rim of a disc and the canal belong to the disc where the gap is no wider than this, mm.
RIM_TO_CANAL_MM = 4.0
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


def map_compartments(
    grid: Grid, vertebrae: Sequence[Vertebra], bone: BoolArray, bone_box: Box, neighbours: Neighbours
) -> CompartmentMap:
    """Return the compartment map of a spine.

    Parameters
    ----------
    grid
        The volume's grid.
    vertebrae
        From top to bottom.
    bone, bone_box
        All labelled bone, the sacrum included, in a block of the grid.
    neighbours
        Stand-ins for the vertebrae above and below those in view.
    """
    borders = find_borders(grid, vertebrae, bone, bone_box)
    chain = neighbours.around(borders)
    intervals = [_interval_box(grid, a, b) for a, b in pairwise(chain)]
    box = bone_box
    for part in intervals:
        box = box.union(part)
    compartment = np.zeros(box.shape, dtype=np.uint8)
    place = np.zeros(box.shape, dtype=np.uint8)
    solid = np.zeros(box.shape, dtype=np.bool_)
    solid[bone_box.within(box)] = bone
    for index, (part, upper, lower) in enumerate(zip(intervals, chain, chain[1:], strict=False)):
        if not part.is_empty:
            into = part.within(box)
            _fill_interval(grid, part, (upper, lower), index, (compartment[into], place[into], solid[into]))
    for vertebra, own in zip(vertebrae, borders, strict=True):
        _fill_bone(grid, box, vertebra, own, (compartment, place))
    return CompartmentMap(box, compartment, place)


def _interval_box(grid: Grid, upper: Borders, lower: Borders) -> Box:
    """Return the voxels around the space between the middles of two neighbours."""
    points = []
    for borders, reach in ((upper, (borders_low(upper), 0.0)), (lower, (0.0, borders_high(lower)))):
        rim = borders.inferior_endplate
        extent = Extent(
            (
                min(borders.right.lateral_mm, float(rim.first_mm[0])) - MARGIN_MM,
                max(borders.left.lateral_mm, float(rim.first_mm[-1])) + MARGIN_MM,
            ),
            (
                float(rim.second_mm[0]) - MARGIN_MM,
                float(np.nanmax(borders.back.height_mm)) + MARGIN_MM,
            ),
            reach,
        )
        points.append(grid.to_index(borders.frame.to_lps(extent.corners())))
    return grid.box_around(np.concatenate(points))


def borders_low(borders: Borders) -> float:
    """Return the lowest height of a vertebra's body or wall."""
    return min(borders.low_mm, 0.0)


def borders_high(borders: Borders) -> float:
    """Return the greatest height of a vertebra's body or wall."""
    return max(borders.high_mm, 0.0)


def _blend(upper: Borders, lower: Borders, w_upper: Float32Array, w_lower: Float32Array) -> Float32Array:
    """Return 0 within the upper vertebra's wall, 1 within the lower's, and the share of the way between."""
    below = upper.low_mm - w_upper
    above = w_lower - lower.high_mm
    total = np.abs(below) + np.abs(above)
    share = np.where((below > 0) & (above > 0), np.abs(below), np.abs(above)) / np.maximum(total, 1e-6)
    share = np.where((below <= 0) & (above > 0), 0.0, share)
    return np.asarray(np.where((below > 0) & (above <= 0), 1.0, share), dtype=np.float32)


def _fill_interval(
    grid: Grid,
    box: Box,
    pair: tuple[Borders, Borders],
    index: int,
    into: tuple[ByteArray, ByteArray, BoolArray],
) -> None:
    """Mark disc, canal and foramina between two neighbours; earlier compartments win over later ones."""
    upper, lower = pair
    compartment, place, solid = into
    above, below = (local_coordinates(grid, box, borders.frame) for borders in pair)
    voxels = np.flatnonzero((above[2] <= 0) & (below[2] > 0) & ~solid)
    coords = [_taken(c, voxels) for c in (above, below)]
    near = np.flatnonzero(_near(upper, lower, coords))
    if near.size == 0:
        return
    voxels = voxels[near]
    where = _place(upper, lower, [_taken(c, near) for c in coords])
    wall = where.mix(_wall(upper, where.upper), _wall(lower, where.lower))
    back = where.mix(_at(upper.back, where.upper), _at(lower.back, where.lower))
    behind = (where.posterior > wall) & (where.posterior < back)
    kind = np.zeros(wall.shape, dtype=np.uint8)
    kind[_in_disc(where, upper, lower, wall)] = Compartment.DISC
    for side, number in ((1, Compartment.FORAMEN_LEFT), (-1, Compartment.FORAMEN_RIGHT)):
        kind[behind & _in_foramen(where, upper, lower, side)] = number
    kind[behind & _between(where, upper, lower)] = Compartment.CANAL
    nearest = np.where(where.blend < 0.5, max(index, 1), index + 1)
    own_place = np.where(kind == Compartment.CANAL, nearest, index)
    known = np.zeros(box.shape, dtype=np.bool_)
    known.ravel()[voxels] = kind > 0
    for target, values in ((compartment, kind), (place, own_place)):
        drawn = np.zeros(box.shape, dtype=np.uint8)
        drawn.ravel()[voxels] = values
        np.copyto(target, drawn, where=known)


def _taken(coords: Coordinates, places: IntArray) -> Coordinates:
    left, posterior, superior = (axis.ravel().take(places) for axis in coords)
    return left, posterior, superior


def _near(upper: Borders, lower: Borders, coords: Sequence[Coordinates]) -> BoolArray:
    """Tell which voxels can lie in a space at all, by plain limits on their coordinates."""
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
    return np.asarray(behind | in_disc)


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


def _fill_bone(
    grid: Grid,
    box: Box,
    vertebra: Vertebra,
    borders: Borders,
    into: tuple[ByteArray, ByteArray],
) -> None:
    """Mark body, pedicles and posterior elements of one vertebra."""
    compartment, place = into
    part = vertebra.whole.box.union(vertebra.body.box) if not vertebra.body.is_empty else vertebra.whole.box
    whole = vertebra.whole.in_box(part)
    body = vertebra.body.in_box(part)
    kind = np.where(whole, np.uint8(Compartment.POSTERIOR_ELEMENTS), np.uint8(0))
    voxels = np.flatnonzero(whole & ~body)
    left, posterior, superior = _taken(local_coordinates(grid, part, vertebra.frame), voxels)
    depth_end = float(np.nanmedian(borders.back.height_mm))
    for pedicle, sign, number in (
        (vertebra.left_pedicle, 1, Compartment.PEDICLE_LEFT),
        (vertebra.right_pedicle, -1, Compartment.PEDICLE_RIGHT),
    ):
        if pedicle is None:
            continue
        outward = sign * left
        inside = (outward >= sign * pedicle.medial_mm - 1.0) & (outward <= sign * pedicle.lateral_mm + 1.0)
        inside &= (superior >= pedicle.inferior_mm - 1.0) & (superior <= pedicle.superior_mm + 1.0)
        inside &= posterior <= depth_end
        kind.ravel()[voxels[inside]] = number
    kind[body] = Compartment.BODY
    target, target_place = compartment[part.within(box)], place[part.within(box)]
    target[kind > 0] = kind[kind > 0]
    target_place[kind > 0] = vertebra.position + 1
