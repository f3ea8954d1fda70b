"""The compartment map: to which space or vertebra each voxel near the spine belongs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from cementct.anatomy.between import MARGIN_MM, ByteArray, Spaces, spaces_of, taken
from cementct.anatomy.borders import Borders, find_borders
from cementct.anatomy.model import Beneath, Compartment, CompartmentMap, Vertebra
from cementct.anatomy.sampling import Extent, local_coordinates
from cementct.anatomy.spaces import Neighbours
from cementct.core.arrays import BoolArray
from cementct.core.grid import Box, Grid
from cementct.core.threads import each


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
    spaces = each(
        lambda index: spaces_of(
            grid,
            intervals[index],
            (chain[index], chain[index + 1]),
            index,
            solid[intervals[index].within(box)],
        ),
        [index for index, part in enumerate(intervals) if not part.is_empty],
    )
    beneath = []
    for found in spaces:
        if found is not None:
            into = found.box.within(box)
            found.draw(compartment[into], place[into])
            beneath.append(_beneath(found, box))
    bones = each(lambda pair: _parts_of(grid, *pair), zip(vertebrae, borders, strict=True))
    for vertebra, (part, kind) in zip(vertebrae, bones, strict=True):
        into, known = part.within(box), kind > 0
        compartment[into][known] = kind[known]
        place[into][known] = vertebra.position + 1
    return CompartmentMap(box, compartment, place, _joined(beneath))


def _beneath(found: Spaces, box: Box) -> Beneath:
    """Return canal and foramina that bone of these spaces covers, on a larger block."""
    covered = np.flatnonzero(found.solid & (found.kind > 0))
    zyx = np.unravel_index(found.voxels[covered], found.box.shape)
    start = np.subtract(found.box.start, box.start)
    index = np.ravel_multi_index(tuple(axis + s for axis, s in zip(zyx, start, strict=True)), box.shape)
    return Beneath(index, found.kind[covered], found.place[covered].astype(np.uint8))


def _joined(parts: Sequence[Beneath]) -> Beneath:
    """Return one of several; no two intervals share a voxel."""
    index = np.concatenate([np.zeros(0, dtype=np.intp), *(part.index for part in parts)])
    order = np.argsort(index, kind="stable")
    kinds = [np.zeros(0, dtype=np.uint8), *(part.compartment for part in parts)]
    places = [np.zeros(0, dtype=np.uint8), *(part.place for part in parts)]
    return Beneath(index[order], np.concatenate(kinds)[order], np.concatenate(places)[order])


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


def _parts_of(grid: Grid, vertebra: Vertebra, borders: Borders) -> tuple[Box, ByteArray]:
    """Return body, pedicles and posterior elements of one vertebra: compartments in a block."""
    part = vertebra.whole.box.union(vertebra.body.box) if not vertebra.body.is_empty else vertebra.whole.box
    whole = vertebra.whole.in_box(part)
    body = vertebra.body.in_box(part)
    kind = np.where(whole, np.uint8(Compartment.POSTERIOR_ELEMENTS), np.uint8(0))
    voxels = np.flatnonzero(whole & ~body)
    left, posterior, superior = taken(local_coordinates(grid, part, vertebra.frame), voxels)
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
    return part, kind
