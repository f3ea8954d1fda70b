"""What a user gives by hand, in the terms of the steps of the engine.

A given vertebra draws the track of the canal and the chain of levels to it and lies near the middle of a
block; the walls given are drawn later, on the labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cementct.anatomy.hints import SURFACES, GivenAnatomy, GivenVertebra
from cementct.core.arrays import BoolArray, FloatArray, IntArray
from cementct.core.grid import Grid
from cementct.segmentation.vertebrae.embedded.block import Placement
from cementct.segmentation.vertebrae.embedded.column import BodyColumn
from cementct.segmentation.vertebrae.embedded.given_canal import to_grid_mm
from cementct.segmentation.vertebrae.embedded.place import PlacedVertebra
from cementct.segmentation.vertebrae.embedded.straighten import StraightSpine

# Gain of what the user says: more than any evidence along a whole spine.
CERTAIN = 50.0
# A given centre lies within this share of the spacing from the middle between two discs.
MIDDLE_SHARE = 0.16
# Half a disc, in shares of the spacing: from an endplate to the middle of its disc.
FACE_SHARE = 0.09
# A disc lies within this of where a given endplate has it.
FACE_REACH_MM = 4.0
# No endplate lies deeper than this share of the spacing between two discs.
CORE_SHARE = 0.25
# A given centre lies within this of the middle of its block, where no surface is looked for.
CENTRE_UP_SHARE = 0.14
CENTRE_ASIDE_MM = 7.0
# Of a vertebra that has no neighbour to tell.
USUAL_SPACING_MM = 27.0


def gain_of_given_levels(
    spine: StraightSpine, grid: Grid, given: GivenAnatomy, sizes: IntArray
) -> FloatArray:
    """Return what a vertebra gains by the user's word, over (place of its upper disc, its spacing).

    Vertebrae that agree with what is given gain more than any evidence; those that contradict it lose as
    much.
    """
    upper, size = np.arange(spine.length)[:, None].astype(np.float64), sizes[None].astype(np.float64)
    gain = np.zeros((spine.length, len(sizes)))
    for vertebra in given.vertebrae:
        agrees = np.ones(gain.shape, dtype=np.bool_)
        contradicts = np.zeros(gain.shape, dtype=np.bool_)
        middle = vertebra.middle_lps_mm
        if middle is not None:
            place = along(spine, to_grid_mm(grid, middle))
            agrees &= np.abs(upper - size / 2 - place) <= MIDDLE_SHARE * size
            contradicts |= (upper > place) & (upper - size < place) & ~agrees
        for disc, points in ((upper, SURFACES[0]), (upper - size, SURFACES[1])):
            fits, splits = _with_endplate(spine, grid, getattr(vertebra, points), disc, upper, size)
            agrees &= fits
            contradicts |= splits
        if middle is None and not agrees.any():
            continue
        if agrees.all():  # points on the posterior wall alone say nothing of levels
            continue
        gain += CERTAIN * (agrees & ~contradicts) - CERTAIN * contradicts
    return gain


def _with_endplate(
    spine: StraightSpine,
    grid: Grid,
    points_lps_mm: FloatArray,
    disc: FloatArray,
    upper: FloatArray,
    size: FloatArray,
) -> tuple[BoolArray, BoolArray]:
    """Return which vertebrae end at a given endplate, and through the middle of which it would run."""
    everything = np.ones((upper.shape[0], size.shape[1]), dtype=np.bool_)
    if not len(points_lps_mm):
        return everything, ~everything
    place = float(np.mean([along(spine, to_grid_mm(grid, point)) for point in points_lps_mm]))
    outward = np.sign(disc - upper + size / 2)
    fits = np.abs(disc - outward * FACE_SHARE * size - place) <= FACE_REACH_MM
    splits = (place < upper - CORE_SHARE * size) & (place > upper - (1 - CORE_SHARE) * size)
    return fits, splits


def with_given_centres(
    spine: StraightSpine,
    column: BodyColumn,
    placed: Sequence[PlacedVertebra],
    *,
    grid: Grid,
    given: GivenAnatomy,
) -> list[PlacedVertebra]:
    """Return the vertebrae from top to bottom, one of them around every given middle."""
    out = list(placed)
    for vertebra in given.vertebrae:
        middle = vertebra.middle_lps_mm
        if middle is None:
            continue
        point = to_grid_mm(grid, middle)
        holding = _holding(out, point)
        if holding is None:
            out.append(_placed_anew(spine, column, out, point))
        else:
            out[holding] = _moved_to(out[holding], point, vertebra)
    return sorted(out, key=lambda one: -along(spine, one.placement.centre_mm))


def along(spine: StraightSpine, point_mm: FloatArray) -> float:
    """Return how far along the canal the plane at right angles to it through a point lies."""
    curve = spine.curve
    height = ((point_mm - curve.centre_mm) * curve.up).sum(axis=1)
    near = int(np.abs(height).argmin())
    return near + float(height[near])


def _holding(placed: Sequence[PlacedVertebra], point_mm: FloatArray) -> int | None:
    """Return which vertebra has a point between its discs; None where none has."""
    if not placed:
        return None
    share = [abs(float(one.placement.to_local_mm(point_mm)[2])) / one.spacing_mm for one in placed]
    nearest = int(np.argmin(share))
    return nearest if share[nearest] <= 0.5 else None


def _moved_to(one: PlacedVertebra, point_mm: FloatArray, given: GivenVertebra) -> PlacedVertebra:
    """Return a vertebra moved as little as puts a given centre near the middle of its block."""
    if given.centre_lps_mm is None:
        return one
    placement = one.placement
    local = placement.to_local_mm(point_mm)
    reach = np.array([CENTRE_ASIDE_MM, CENTRE_ASIDE_MM, CENTRE_UP_SHARE * one.spacing_mm])
    beyond = local - np.clip(local, -reach, reach)
    if not beyond.any():
        return one
    centre = placement.to_grid_mm(*(np.asarray(v) for v in beyond))
    return replace(
        one,
        placement=replace(placement, centre_mm=centre),
        canal_back_mm=one.canal_back_mm - float(beyond[1]),
    )


def _placed_anew(
    spine: StraightSpine, column: BodyColumn, others: Sequence[PlacedVertebra], point_mm: FloatArray
) -> PlacedVertebra:
    """Return a vertebra around a point where the chain of levels has none."""
    place = along(spine, point_mm)
    step = int(np.clip(round(place), 0, spine.length - 1))
    canal, up, back, left = spine.curve.at(place)
    spacing = float(np.median([one.spacing_mm for one in others])) if others else USUAL_SPACING_MM
    behind = float((canal - point_mm) @ back)
    depth = float(column.depth_mm[step])
    return PlacedVertebra(
        placement=Placement(point_mm, left, back, up),
        spacing_mm=spacing,
        depth_mm=depth,
        match=float("nan"),
        cut_above=False,
        cut_below=False,
        canal_back_mm=behind,
    )
