"""Which of the vertebrae found each one given by hand is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cementct.anatomy.fields import extended_at
from cementct.anatomy.hints import GivenAnatomy, GivenVertebra
from cementct.anatomy.outline import Outline
from cementct.core.arrays import FloatArray, as_floats
from cementct.core.errors import StudyRefused
from cementct.core.grid import Grid

# A centre given by hand lies in its body, but for what rounding to voxels moves its border, mm.
BESIDE_BODY_MM = 0.5
# Width times depth of the smallest body, mm²: T1 of a small woman has 27 mm × 16 mm. What is outlined in soft
# tissue, where somebody expects a vertebra, is smaller.
LEAST_FOOTPRINT_MM2 = 300.0
# A point on a wall is taken for that of the vertebra with the nearest such wall, if that is within this, mm:
# half a thoracic body; engines err by less where they find a vertebra at all.
FARTHEST_WALL_MM = 12.0


def match_given(outlines: Sequence[Outline], grid: Grid, given: GivenAnatomy) -> dict[int, GivenVertebra]:
    """Return what is given by hand by the number of the vertebra that it speaks of.

    Parameters
    ----------
    outlines
        The vertebrae found, from top to bottom.
    grid
        The grid of the volume.
    given
        What the user gives.

    Raises
    ------
    StudyRefused
        Where no vertebra lies there, two entries speak of the same one, or names run from bottom to top.
    """
    matched: dict[int, GivenVertebra] = {}
    for entry in given.vertebrae:
        outline = _nearest(outlines, grid, entry)
        if outline is None:
            raise StudyRefused(
                f"{entry.key}: expected a vertebral body at the place given, none could be outlined there"
            )
        other = matched.get(outline.number)
        if other is not None:
            raise StudyRefused(f"{entry.key}: expected a vertebra of its own, found that of {other.key}")
        matched[outline.number] = entry
    levels = [matched[o.number].level for o in outlines if o.number in matched]
    ranks = [level.rank for level in levels if level is not None]
    if ranks != sorted(ranks):
        raise StudyRefused(
            f"{given.vertebrae[0].key.split(':')[0]}: expected levels that run from top to bottom, found "
            + ", ".join(level.value for level in levels if level is not None)
        )
    return matched


def _nearest(outlines: Sequence[Outline], grid: Grid, entry: GivenVertebra) -> Outline | None:
    if not outlines:
        return None
    middle = entry.middle_lps_mm
    if middle is not None:
        away = [_outside_mm(outline, grid, middle) for outline in outlines]
        limit = BESIDE_BODY_MM if entry.centre_lps_mm is not None else FARTHEST_WALL_MM
    else:
        away = [_from_walls_mm(outline, entry) for outline in outlines]
        limit = FARTHEST_WALL_MM
    nearest = int(np.argmin(away))
    width, depth, _ = outlines[nearest].size_mm
    there = away[nearest] <= limit and width * depth >= LEAST_FOOTPRINT_MM2
    return outlines[nearest] if there else None


def _outside_mm(outline: Outline, grid: Grid, point_lps_mm: FloatArray) -> float:
    """Return how far a point lies from a body; 0 in it, to half a voxel."""
    index = grid.to_index(point_lps_mm)
    offset = np.maximum(np.abs(outline.body.indices() - index) - 0.5, 0.0) * as_floats(grid.spacing_mm)
    return float(np.sqrt((offset**2).sum(axis=1).min(initial=np.inf)))


def _from_walls_mm(outline: Outline, entry: GivenVertebra) -> float:
    """Return how far given points lie from the walls that they are said to lie on, on average."""
    walls = (
        (entry.superior_endplate_lps_mm, outline.superior_endplate, (0, 1, 2)),
        (entry.inferior_endplate_lps_mm, outline.inferior_endplate, (0, 1, 2)),
        (entry.posterior_wall_lps_mm, outline.wall.field, (0, 2, 1)),
    )
    away: list[float] = []
    for points, field, axes in walls:
        if len(points):
            first, second, height = outline.frame.to_local(points)[:, axes].T
            aside = np.hypot(_beyond(first, field.first_mm), _beyond(second, field.second_mm))
            away.extend(np.hypot(height - extended_at(field, first, second), aside).tolist())
    return float(np.mean(away))


def _beyond(place_mm: FloatArray, axis_mm: FloatArray) -> FloatArray:
    return np.asarray(np.maximum(np.maximum(axis_mm[0] - place_mm, place_mm - axis_mm[-1]), 0.0))
