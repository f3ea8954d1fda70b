"""The spine put together: names and doubts of its vertebrae, the spaces between them, and how it lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cementct.anatomy.compartments import map_compartments
from cementct.anatomy.hints import GivenVertebra
from cementct.anatomy.labels import SpineLabels
from cementct.anatomy.model import CompartmentMap, Spine, Vertebra
from cementct.anatomy.naming import Landmarks, LevelHints, Names, name_levels, number_of
from cementct.anatomy.orientation import shown_mirrored
from cementct.anatomy.outline import Outline
from cementct.anatomy.sampling import local_coordinates
from cementct.anatomy.spaces import Neighbours
from cementct.anatomy.view import cut_by_scan
from cementct.core.arrays import BoolArray, FloatArray, as_floats
from cementct.core.findings import LevelSource
from cementct.core.flags import Flag, QualityFlag, raise_flag
from cementct.core.grid import Box, Grid
from cementct.core.image import Mask, Volume

# Discs reach no farther than this above and below a body, mm.
DISC_REACH_MM = 12.0


def vertebrae_of(
    volume: Volume,
    labels: SpineLabels,
    outlines: Sequence[Outline],
    by_user: tuple[LevelHints, dict[int, GivenVertebra]],
) -> list[Vertebra]:
    """Return what was outlined as vertebrae with names and doubts, from top to bottom."""
    hints, given = by_user
    numbers = [outline.number for outline in outlines]
    cut = [cut_by_scan(volume, outline) for outline in outlines]
    landmarks = Landmarks(
        given=tuple(labels.levels.get(n) for n in numbers),
        given_source=labels.level_source,
        whole=tuple(not c for c in cut),
        bears_ribs=tuple(labels.rib_bearing.get(n) for n in numbers),
        last_above_sacrum=_index(numbers, labels.last_above_sacrum),
        by_hand=tuple(given[n].level if n in given else None for n in numbers),
    )
    names = name_levels(landmarks, hints)
    return [
        _by_hand(_vertebra(labels, outline, names, position, cut=cut[position]), given.get(outline.number))
        for position, outline in enumerate(outlines)
    ]


def _by_hand(vertebra: Vertebra, given: GivenVertebra | None) -> Vertebra:
    if given is None:
        return vertebra
    flags = (*vertebra.flags, raise_flag(Flag.ANATOMY_BY_HAND))
    return replace(vertebra, by_hand=given, flags=flags)


def _index(numbers: list[int], number: int | None) -> int | None:
    return numbers.index(number) if number in numbers else None


def _vertebra(labels: SpineLabels, outline: Outline, names: Names, position: int, *, cut: bool) -> Vertebra:
    level = names.levels[position]
    flags: list[QualityFlag] = list(names.flags)
    if level is None and not names.flags:
        flags.append(raise_flag(Flag.LEVEL_UNKNOWN))
    if cut:
        flags.append(raise_flag(Flag.VERTEBRA_CUT))
    wall_rebuilt = outline.wall.rebuilt or outline.number in labels.rebuilt_walls
    if wall_rebuilt and not cut:
        flags.append(raise_flag(Flag.POSTERIOR_WALL_REBUILT))
    if outline.number in labels.notes:
        flags.append(raise_flag(Flag.ANATOMY_UNCERTAIN, labels.notes[outline.number]))
    width, depth, height = outline.size_mm
    return Vertebra(
        position=position,
        number=number_of(level, position),
        level=level,
        level_source=names.source if level else LevelSource.UNKNOWN,
        frame=outline.frame,
        body=outline.body,
        whole=outline.whole,
        superior_endplate=outline.superior_endplate,
        inferior_endplate=outline.inferior_endplate,
        posterior_wall=outline.wall.field,
        left_pedicle=outline.left_pedicle,
        right_pedicle=outline.right_pedicle,
        width_mm=width,
        depth_mm=depth,
        height_mm=height,
        complete=not cut,
        wall_rebuilt=wall_rebuilt,
        confidence=float(labels.confidence.get(outline.number, 1.0)),
        flags=tuple(flags),
        is_drawn=labels.are_drawn,
    )


def assembled(
    volume: Volume, labels: SpineLabels, vertebrae: list[Vertebra], *, against_header: bool
) -> Spine:
    """Return the spine of some vertebrae, from top to bottom, with its spaces and doubts."""
    backs = as_floats([v.frame.posterior for v in vertebrae]).mean(axis=0)
    mirrored = shown_mirrored([v.frame for v in vertebrae], labels.left_organs, labels.right_organs)
    contradicts = against_header or mirrored or float(backs[1]) < 0
    flags = [f for f in vertebrae[0].flags if f.flag.value.startswith("level-")]
    if 0 in labels.notes:
        flags.append(raise_flag(Flag.ANATOMY_UNCERTAIN, labels.notes[0]))
    if contradicts:
        flags.append(raise_flag(Flag.ORIENTATION_CONTRADICTS_ANATOMY))
    return Spine(
        grid=volume.grid,
        vertebrae=tuple(vertebrae),
        compartments=compartments_of(volume, labels, vertebrae),
        canal_centreline_lps_mm=_centreline(vertebrae),
        orientation_contradicts_anatomy=contradicts,
        flags=tuple(flags),
        other_bone=_other_bone(labels),
    )


def compartments_of(volume: Volume, labels: SpineLabels, vertebrae: Sequence[Vertebra]) -> CompartmentMap:
    """Return the compartments in and around the vertebrae, 30 mm beyond them."""
    box = vertebrae[0].whole.box
    for vertebra in vertebrae:
        box = box.union(vertebra.whole.box).union(vertebra.body.box)
    box = volume.grid.expand(box, 30.0)
    bone: BoolArray = np.asarray(labels.vertebrae.labels[box.slices] > 0)
    if labels.other_bone is not None:
        bone = bone | _beside_column(labels.other_bone.voxels[box.slices], volume.grid, box, vertebrae)
    if labels.sacrum is not None:
        bone = bone | labels.sacrum.voxels[box.slices]
    return map_compartments(volume.grid, vertebrae, bone, box, Neighbours(volume.grid, labels.sacrum))


def _beside_column(bone: BoolArray, grid: Grid, box: Box, vertebrae: Sequence[Vertebra]) -> BoolArray:
    """Return bone without what lies between the bodies: a dense disc, or one bridged by spurs, is a disc."""
    out = bone.copy()
    for vertebra in vertebrae:
        near = grid.expand(vertebra.body.box, DISC_REACH_MM).intersection(box)
        left, posterior, superior = local_coordinates(grid, near, vertebra.frame)
        column = np.abs(left) <= 0.5 * vertebra.width_mm
        column &= np.abs(superior) <= 0.5 * vertebra.height_mm + DISC_REACH_MM
        column &= posterior <= float(np.mean(vertebra.posterior_wall.height_mm))
        out[near.within(box)] &= ~column
    return out


def _other_bone(labels: SpineLabels) -> Mask | None:
    """Return bone that is no vertebra's, the sacrum included."""
    parts = [mask for mask in (labels.other_bone, labels.sacrum) if mask is not None]
    if len(parts) < 2:
        return parts[0] if parts else None
    return Mask(parts[0].voxels | parts[1].voxels, parts[0].grid)


def _centreline(vertebrae: Sequence[Vertebra]) -> FloatArray:
    """Return the middle of the canal behind each vertebra: top, middle and bottom of its wall."""
    points: list[FloatArray] = []
    for vertebra in vertebrae:
        wall = vertebra.posterior_wall
        middle = float(np.nanmean(wall.height_mm)) + 8.0
        low, high = float(wall.second_mm[0]), float(wall.second_mm[-1])
        points.extend(vertebra.frame.to_lps((0.0, middle, h)) for h in (high, 0.5 * (low + high), low))
    return as_floats(points)


def no_spine(volume: Volume) -> Spine:
    """Return the spine of a volume in which no vertebral body was found."""
    nothing = np.zeros((0, 0, 0), dtype=np.uint8)
    box = Box((0, 0, 0), (0, 0, 0))
    return Spine(
        grid=volume.grid,
        vertebrae=(),
        compartments=CompartmentMap(box, nothing, nothing),
        canal_centreline_lps_mm=np.zeros((0, 3)),
        flags=(raise_flag(Flag.NO_VERTEBRAE_FOUND),),
    )
