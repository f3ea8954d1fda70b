"""Endplates and posterior walls drawn through points that the user gives by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cementct.anatomy.fields import extended_at
from cementct.anatomy.hints import GivenVertebra
from cementct.anatomy.model import HeightField
from cementct.anatomy.outline import Outline
from cementct.anatomy.sampling import local_coordinates
from cementct.core.arrays import BoolArray, FloatArray, as_floats
from cementct.core.errors import StudyRefused
from cementct.core.frame import Frame
from cementct.core.grid import Box, Grid
from cementct.core.image import Region

# A given point is met to within this, mm; points that leave more are at odds with each other.
EXACT_MM = 0.3
# Rounds of correction; each leaves what linear interpolation between samples makes of the one before.
ROUNDS = 6
# What points have in common moves and tilts the whole surface; what is left of each bends it around the point
# and has faded to nothing at this distance, mm (to half of it at a third of the way).
FADES_AT_MM = 24.0
# Points less than about half a millimetre apart are one place, which has one height: added to the diagonal of
# the equations for what bends the surface, it keeps it from being torn between them.
SAME_PLACE = 1e-3
# Tilts are believed in as far as points lie apart: their sum of squares along the surface against this, mm².
TILT_RIDGE_MM2 = 20.0
# A surface is carried on beyond its rim to meet a given point, but no farther than this, mm.
BESIDE_RIM_MM = 6.0
# It is then drawn this far around the point, mm.
AROUND_POINT_MM = 1.5
# Bone is added from so far inside the old surface on, so that no gap stays between, mm.
OVERLAP_MM = 1.0
# Less than this between both endplates is no body, mm; a vertebra plana keeps a few.
LEAST_HEIGHT_MM = 2.0


@dataclass(frozen=True)
class _Surface:
    """One wall of a body: where it is kept, its plane's axes, its height's axis, and which way is out."""

    points: str
    axes: tuple[int, int, int]
    outward: float


_SUPERIOR = _Surface("superior_endplate_lps_mm", (0, 1, 2), 1.0)
_INFERIOR = _Surface("inferior_endplate_lps_mm", (0, 1, 2), -1.0)
_WALL = _Surface("posterior_wall_lps_mm", (0, 2, 1), 1.0)


def with_given_walls(outline: Outline, grid: Grid, given: GivenVertebra) -> Outline:
    """Return an outline whose walls pass through the given points, its voxels moved with them.

    Parameters
    ----------
    outline
        What was measured.
    grid
        The grid of the volume.
    given
        Points on the walls; where none is given, a wall stays.

    Raises
    ------
    StudyRefused
        Where points lie far beside the wall, contradict each other, or leave no room for a body or for the
        centre given.
    """
    fields = {
        _SUPERIOR: outline.superior_endplate,
        _INFERIOR: outline.inferior_endplate,
        _WALL: outline.wall.field,
    }
    body, whole = outline.body, outline.whole
    for surface, old in fields.items():
        points = getattr(given, surface.points)
        if not len(points):
            continue
        places = outline.frame.to_local(points)[:, surface.axes]
        key = f"{given.key}.{surface.points}"
        new = _through(_known_at(old, places, key) if surface is not _WALL else old, places, key)
        body, whole = _moved(body, whole, (grid, outline.frame, surface), (old, new))
        fields[surface] = new
    _check_room(outline.frame, fields, given)
    low, high = fields[_INFERIOR].height_mm, fields[_SUPERIOR].height_mm
    return replace(
        outline,
        body=body,
        whole=whole,
        superior_endplate=fields[_SUPERIOR],
        inferior_endplate=fields[_INFERIOR],
        wall=replace(outline.wall, field=fields[_WALL]),
        size_mm=(*outline.size_mm[:2], float(np.nanmax(high) - np.nanmin(low))),
    )


def _known_at(field: HeightField, places: FloatArray, key: str) -> HeightField:
    """Return a height field that exists at all places, carried on beyond its rim where needed."""
    step = float(field.first_mm[1] - field.first_mm[0])
    margin = int(np.ceil((BESIDE_RIM_MM + AROUND_POINT_MM) / step)) + 1
    axes = [
        np.arange(-margin, axis.size + margin) * step + axis[0] for axis in (field.first_mm, field.second_mm)
    ]
    heights = np.pad(field.height_mm, margin, constant_values=np.nan)
    known = np.isfinite(heights)
    first, second = np.meshgrid(*axes, indexing="ij")
    wider = known.copy()
    for a, b, _ in places:
        away = np.hypot(first - a, second - b)
        beside = float(away[known].min(initial=np.inf))
        if beside > BESIDE_RIM_MM:
            raise StudyRefused(
                f"{key}: expected points on this vertebra's surface, found one {beside:.0f} mm beside it"
            )
        wider |= away <= max(beside, 0.0) + AROUND_POINT_MM
    return HeightField(axes[0], axes[1], np.where(wider, extended_at(field, first, second), np.nan))


def _through(field: HeightField, places: FloatArray, key: str) -> HeightField:
    """Return the field moved, tilted and bent so that it passes through (first, second, height) places."""
    first, second = np.meshgrid(field.first_mm, field.second_mm, indexing="ij")
    samples = np.stack([first, second], axis=-1)
    ends = [(axis[0], axis[-1]) for axis in (field.first_mm, field.second_mm)]
    at = np.stack([np.clip(places[:, i], *ends[i]) for i in (0, 1)], axis=-1)
    for _ in range(ROUNDS):
        rest = places[:, 2] - extended_at(field, at[:, 0], at[:, 1])
        field = replace(field, height_mm=field.height_mm + _correction(at, rest, samples))
    rest = places[:, 2] - extended_at(field, at[:, 0], at[:, 1])
    if np.abs(rest).max() > EXACT_MM:
        raise StudyRefused(f"{key}: expected points on one surface, found points that contradict each other")
    return field


def _correction(at: FloatArray, rest: FloatArray, samples: FloatArray) -> FloatArray:
    """Return at all samples the smooth field that takes on the values `rest` at the places `at`."""
    middle = at.mean(axis=0)
    design = np.column_stack([np.ones(len(at)), at - middle])
    ridge = np.diag([0.0, TILT_RIDGE_MM2, TILT_RIDGE_MM2])
    plane = np.linalg.solve(design.T @ design + ridge, design.T @ rest)
    left = rest - design @ plane
    among = _fading(np.linalg.norm(at[:, None] - at[None], axis=-1))
    weights = np.linalg.solve(among + SAME_PLACE * np.eye(len(at)), left)
    near = _fading(np.linalg.norm(samples[..., None, :] - at, axis=-1))
    return np.asarray(plane[0] + (samples - middle) @ plane[1:] + near @ weights)


def _fading(distance_mm: FloatArray) -> FloatArray:
    """Return 1 at no distance, falling smoothly to 0 (Wendland's C2 function, positive definite)."""
    share = np.minimum(distance_mm / FADES_AT_MM, 1.0)
    return np.asarray((1.0 - share) ** 4 * (4.0 * share + 1.0))


def _moved(
    body: Region,
    whole: Region,
    where: tuple[Grid, Frame, _Surface],
    fields: tuple[HeightField, HeightField],
) -> tuple[Region, Region]:
    """Return body and whole vertebra with what lies between the old and the new surface added or taken."""
    grid, frame, surface = where
    old, new = fields
    samples = np.meshgrid(new.first_mm, new.second_mm, indexing="ij")
    farthest = float(np.abs(extended_at(new, *samples) - extended_at(old, *samples)).max())
    box = grid.expand(whole.box.union(body.box), farthest + OVERLAP_MM)
    local = local_coordinates(grid, box, frame)
    first, second, height = (local[axis] for axis in surface.axes)
    before, after = (surface.outward * (height - extended_at(f, first, second)) for f in fields)
    on_surface = np.isfinite(new.at(first, second))
    inside = body.in_box(box)
    added = ~inside & on_surface & (after <= 0) & (before > -OVERLAP_MM)
    taken = inside & (after > 0) & (on_surface | (before <= 0))
    bones = whole.in_box(box)
    return _region(box, (inside | added) & ~taken), _region(box, (bones | added) & ~taken)


def _region(box: Box, voxels: BoolArray) -> Region:
    inner = Region.of(voxels)
    z, y, x = box.start
    (z0, y0, x0), (z1, y1, x1) = inner.box.start, inner.box.stop
    return Region(Box((z + z0, y + y0, x + x0), (z + z1, y + y1, x + x1)), inner.voxels)


def _check_room(frame: Frame, fields: dict[_Surface, HeightField], given: GivenVertebra) -> None:
    """Refuse endplates that meet, and a centre that does not lie between the walls given."""
    superior, inferior = fields[_SUPERIOR], fields[_INFERIOR]
    height = superior.height_mm - extended_at(
        inferior, *np.meshgrid(superior.first_mm, superior.second_mm, indexing="ij")
    )
    if float(np.nanmedian(height)) < LEAST_HEIGHT_MM:
        raise StudyRefused(f"{given.key}: expected a body between its endplates, found them meeting")
    if given.centre_lps_mm is None:
        return
    centre = frame.to_local(as_floats(given.centre_lps_mm))
    for surface, field in fields.items():
        first, second, height = centre[list(surface.axes)]
        beyond = surface.outward * (height - float(extended_at(field, [first], [second])[0]))
        if len(getattr(given, surface.points)) and beyond > 0:
            raise StudyRefused(
                f"{given.key}: expected centre_lps_mm inside the body, found it beyond {surface.points}"
            )
