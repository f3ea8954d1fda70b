"""From labelled vertebrae to the geometry of the spine: the order of the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from cementct.anatomy.carried import CarriedVertebra
from cementct.anatomy.compartments import map_compartments
from cementct.anatomy.given_walls import with_given_walls
from cementct.anatomy.hints import GivenAnatomy, GivenVertebra
from cementct.anatomy.labels import SpineLabels
from cementct.anatomy.matching import match_given
from cementct.anatomy.model import CompartmentMap, Spine, Vertebra
from cementct.anatomy.naming import Landmarks, LevelHints, Names, name_levels, number_of
from cementct.anatomy.orientation import agreed_axes, is_near, rough_frames, shown_mirrored, shown_upside_down
from cementct.anatomy.outline import (
    Bone,
    Expectation,
    Outline,
    measure_outline,
    recentred,
    refined_frame,
)
from cementct.anatomy.parts import Pieces
from cementct.anatomy.pedicles import agreed_pedicles
from cementct.anatomy.sampling import local_coordinates
from cementct.anatomy.spaces import Neighbours
from cementct.anatomy.view import cut_by_scan, with_body_in_view
from cementct.anatomy.walls import LEAST_INTACT_SHARE
from cementct.core.arrays import BoolArray, FloatArray, as_floats
from cementct.core.findings import LevelSource
from cementct.core.flags import Flag, QualityFlag, raise_flag
from cementct.core.frame import Frame
from cementct.core.grid import Box, Grid
from cementct.core.image import LabelMap, Mask, Region, Volume

__all__ = ["LevelHints", "describe_spine", "draw_given_walls", "replace_vertebrae"]

# The first look, which only has to find the frames, uses every so manieth voxel that spacing stays under this
# and samples this far apart, mm.
THINNED_SPACING_MM = 1.6
FIRST_STEP_MM = 1.5
# It is repeated for frames that still move, at most so often.
FIRST_ROUNDS = 3
# A canal deeper than its neighbours' by more than this has lost its front wall, mm; sound ones differ by
# 1–2 mm from level to level.
DEEPER_CANAL_MM = 3.5
# Discs reach no farther than this above and below a body, mm.
DISC_REACH_MM = 12.0
# Distance of samples in the measurement itself, mm.
STEP_MM = 1.0


NO_HINTS = LevelHints()


def describe_spine(volume: Volume, labels: SpineLabels, *, hints: LevelHints = NO_HINTS) -> Spine:
    """Measure every vertebra in view and the spaces between them.

    Parameters
    ----------
    volume
        The scan; its intensities matter only where they say that nothing was measured.
    labels
        Labelled vertebrae on the volume's grid.
    hints
        What the user says about levels.

    Returns
    -------
    Spine
        Vertebrae from top to bottom with their walls, names and doubts, and the compartment map. Empty, with
        the flag ``no-vertebrae-found``, where no vertebral body is labelled.
    """
    pieces = Pieces.of(labels)
    order, against_header = _order(labels, pieces.whole)
    outlines = _outlines(labels, pieces, order)
    if outlines and not labels.frames and shown_upside_down(_pedicle_heights(outlines)):
        outlines, against_header = _outlines(labels, pieces, order[::-1]), True
    given = match_given(outlines, volume.grid, hints.by_hand)
    if not outlines:
        return _empty(volume)
    outlines = [_as_given(outline, volume.grid, given.get(outline.number)) for outline in outlines]
    vertebrae = _vertebrae(volume, labels, outlines, (hints, given))
    return _assembled(volume, labels, vertebrae, against_header=against_header)


def draw_given_walls(labels: SpineLabels, given: GivenAnatomy) -> SpineLabels:
    """Return the labels with bodies that end at the endplates and walls that the user gives by hand.

    Parameters
    ----------
    labels
        Labelled vertebrae.
    given
        What the user gives; without points on walls the labels are returned as they are.

    Raises
    ------
    StudyRefused
        Where what is given fits no vertebra, or contradicts itself.
    """
    if not any(vertebra.has_surfaces for vertebra in given.vertebrae):
        return labels
    grid = labels.vertebrae.grid
    pieces = Pieces.of(labels)
    outlines = _outlines(labels, pieces, _order(labels, pieces.whole)[0])
    matched = match_given(outlines, grid, given)
    whole, bodies = labels.vertebrae.labels.copy(), np.zeros_like(labels.vertebrae.labels)
    for outline in outlines:
        bodies[outline.body.box.slices][outline.body.voxels] = outline.number
    for outline in outlines:
        if outline.number in matched:
            moved = _as_given(outline, grid, matched[outline.number])
            for array, old, new in ((whole, outline.whole, moved.whole), (bodies, outline.body, moved.body)):
                array[old.box.slices][old.voxels] = 0
                array[new.box.slices][new.voxels] = outline.number
    return replace(labels, vertebrae=LabelMap(whole, grid), bodies=LabelMap(bodies, grid))


def _as_given(outline: Outline, grid: Grid, given: GivenVertebra | None) -> Outline:
    return outline if given is None else with_given_walls(outline, grid, given)


def replace_vertebrae(
    volume: Volume, labels: SpineLabels, spine: Spine, carried: Mapping[int, CarriedVertebra]
) -> Spine:
    """Return the spine with vertebrae as another scan shows them; walls and spaces are drawn anew.

    Parameters
    ----------
    volume, labels
        What the spine was described from.
    spine
        The spine so far; names, numbers and flags are kept.
    carried
        What takes the place of the outlines so far, by position.
    """
    labels = _with_carried_bone(labels, spine, carried)
    bone = Bone(labels.vertebrae.labels, volume.grid, _canal_of(labels))
    vertebrae = []
    for vertebra in spine.vertebrae:
        new = carried.get(vertebra.position)
        if new is None or new.body.is_empty:
            vertebrae.append(vertebra)
            continue
        outline = measure_outline(
            bone,
            new.whole or vertebra.whole,
            vertebra.frame,
            number=vertebra.number,
            step_mm=STEP_MM,
            body=new.body,
        )
        outline = _as_given(outline, volume.grid, vertebra.by_hand)
        vertebrae.append(
            replace(
                vertebra,
                body=outline.body,
                whole=outline.whole if new.whole else vertebra.whole,
                superior_endplate=outline.superior_endplate,
                inferior_endplate=outline.inferior_endplate,
                posterior_wall=outline.wall.field,
                left_pedicle=new.left_pedicle or vertebra.left_pedicle,
                right_pedicle=new.right_pedicle or vertebra.right_pedicle,
                width_mm=outline.size_mm[0],
                depth_mm=outline.size_mm[1],
                height_mm=outline.size_mm[2],
                wall_rebuilt=vertebra.wall_rebuilt or new.wall_rebuilt,
            )
        )
    return replace(spine, vertebrae=tuple(vertebrae), compartments=_compartments(volume, labels, vertebrae))


def _with_carried_bone(
    labels: SpineLabels, spine: Spine, carried: Mapping[int, CarriedVertebra]
) -> SpineLabels:
    """Return the labels with carried vertebrae in the place of those found; no other bone gives way."""
    array = labels.vertebrae.labels.copy()
    changed = [(v, carried[v.position].whole) for v in spine.vertebrae if v.position in carried]
    numbers = {}
    for vertebra, whole in changed:
        if whole is not None:
            here = array[vertebra.whole.box.slices]
            own = here[vertebra.whole.voxels]
            numbers[vertebra.position] = int(np.bincount(own[own > 0]).argmax()) if np.any(own) else 0
            here[vertebra.whole.voxels & (here == numbers[vertebra.position])] = 0
    for vertebra, whole in changed:
        if whole is not None:
            here = array[whole.box.slices]
            here[whole.voxels & (here == 0)] = numbers[vertebra.position]
    return replace(labels, vertebrae=LabelMap(array, labels.vertebrae.grid))


def _outlines(labels: SpineLabels, pieces: Pieces, order: Sequence[int]) -> list[Outline]:
    """Return what is measured of each vertebra whose body is in view, from top to bottom."""
    frames = _first_frames(labels, pieces.thinned(THINNED_SPACING_MM), order)
    return with_body_in_view(_measure(pieces, frames)) if frames else []


def _pedicle_heights(outlines: Sequence[Outline]) -> list[tuple[float, float]]:
    """Return for each vertebra how far its pedicles lie above its middle (share of height), and its depth."""
    places = []
    for outline in outlines:
        sides = [p for p in (outline.left_pedicle, outline.right_pedicle) if p is not None]
        faces = (outline.superior_endplate.height_mm, outline.inferior_endplate.height_mm)
        if len(sides) == 2 and all(np.isfinite(face).any() for face in faces):
            upper, lower = (float(np.nanmean(face)) for face in faces)
            middle = float(np.mean([0.5 * (p.superior_mm + p.inferior_mm) for p in sides]))
            share = (middle - 0.5 * (upper + lower)) / max(upper - lower, 1.0)
            places.append((share, outline.size_mm[1]))
    return places


def _canal_of(labels: SpineLabels) -> BoolArray | None:
    return None if labels.canal is None else labels.canal.voxels


def _order(labels: SpineLabels, regions: dict[int, Region]) -> tuple[list[int], bool]:
    """Return the numbers from top to bottom, and whether the header has head and feet exchanged.

    The frames of an engine that looked at the scan say so, or the names of a label file.
    """
    heights = {
        n: float(labels.vertebrae.grid.to_lps(region.indices().mean(axis=0))[2])
        for n, region in regions.items()
    }
    by_header = sorted(regions, key=lambda n: -heights[n])
    upward = [frame.superior[2] for frame in labels.frames.values()]
    if upward and float(np.mean(upward)) < 0:
        return by_header[::-1], True
    named = [n for n in by_header if n in labels.levels]
    if len(named) < 2 or labels.level_source is not LevelSource.LABEL_FILE:
        return by_header, False
    ranks = as_floats([labels.levels[n].rank for n in named])
    against = float(np.corrcoef(ranks, [-heights[n] for n in named])[0, 1]) < 0
    if len(named) == len(by_header):
        return sorted(regions, key=lambda n: labels.levels[n].rank), against
    return by_header[::-1] if against else by_header, against


def _first_frames(labels: SpineLabels, pieces: Pieces, order: Sequence[int]) -> dict[int, Frame]:
    """Return the frames found in a first look at thinned-out pieces, from top to bottom."""
    order = [n for n in order if n in pieces.whole]
    frames: dict[int, Frame | None] = dict(labels.frames)
    if any(n not in frames for n in order):
        rough = rough_frames(pieces.grid, [pieces.whole[n] for n in order])
        frames = {**dict(zip(order, rough, strict=True)), **frames}
    known = {n: frame for n in order if (frame := frames[n]) is not None}
    bone = Bone(pieces.labels, pieces.grid, pieces.canal)
    outlines: dict[int, Outline] = {}
    moving = set(known)
    for _ in range(FIRST_ROUNDS):
        for n in moving:
            outlines[n] = measure_outline(
                bone,
                pieces.whole[n],
                known[n],
                number=n,
                step_mm=FIRST_STEP_MM,
                body=pieces.bodies.get(n),
            )
        first = with_body_in_view([outlines[n] for n in known])
        refined = agreed_axes([refined_frame(outline, bone.grid) for outline in first])
        pairs = list(zip(first, refined, strict=True))
        known = {outline.number: frame for outline, frame in pairs}
        moving = {outline.number for outline, frame in pairs if not is_near(outline.frame, frame)}
        if not moving:
            break
    return known


def _measure(pieces: Pieces, frames: dict[int, Frame]) -> list[Outline]:
    """Measure every vertebra in its frame, then those without a ring of bone with their neighbours' help."""
    bone = Bone(pieces.labels, pieces.grid, pieces.canal)

    def measure(number: int, expectation: Expectation | None) -> Outline:
        return measure_outline(
            bone,
            pieces.whole[number],
            frames[number],
            number=number,
            step_mm=STEP_MM,
            body=pieces.bodies.get(number),
            expectation=expectation,
        )

    numbers = [n for n in frames if n in pieces.whole]
    outlines = [measure(n, None) for n in numbers]
    for i, n in enumerate(numbers):
        expected = _expectation(outlines, i)
        deeper = _beyond_neighbours_mm(outlines, i)
        if not outlines[i].canal.found or outlines[i].wall.intact_share < LEAST_INTACT_SHARE:
            outlines[i] = measure(n, expected)
        elif deeper is not None and deeper > DEEPER_CANAL_MM:
            own = outlines[i].canal_depth_mm
            depth = None if own is None else own - deeper
            outlines[i] = measure(n, replace(expected, canal=None, canal_depth_mm=depth))
    centred = [recentred(outline, bone.grid) for outline in outlines]
    return centred if pieces.canal is None else _with_agreed_pedicles(centred)


def _with_agreed_pedicles(outlines: Sequence[Outline]) -> list[Outline]:
    pairs = agreed_pedicles([(o.left_pedicle, o.right_pedicle) for o in outlines])
    return [
        replace(outline, left_pedicle=left, right_pedicle=right)
        for outline, (left, right) in zip(outlines, pairs, strict=True)
    ]


def _beyond_neighbours_mm(outlines: Sequence[Outline], index: int) -> float | None:
    """Return by how much a canal is deeper than its neighbours'; None where that cannot be told."""
    own = outlines[index].canal_depth_mm
    others = [
        depth
        for j in sorted(range(len(outlines)), key=lambda j: abs(j - index))
        if j != index and (depth := outlines[j].canal_depth_mm) is not None
    ][:2]
    return own - float(np.mean(others)) if own is not None and others else None


def _expectation(outlines: Sequence[Outline], index: int) -> Expectation:
    """Return where the nearest neighbours with a ring of bone say that canal and wall are."""
    found = [j for j, outline in enumerate(outlines) if outline.canal.found and j != index]
    if not found:
        return Expectation()
    near = sorted(found, key=lambda j: abs(j - index))[:2]
    gaps = [outlines[j].canal.posterior_mm - float(np.mean(outlines[j].wall.field.height_mm)) for j in near]
    canals = [outlines[j].canal for j in near]
    canal = replace(
        canals[0],
        left_mm=0.0,
        posterior_mm=float(np.mean([c.posterior_mm for c in canals])),
        right_edge_mm=float(np.mean([c.right_edge_mm - c.left_mm for c in canals])),
        left_edge_mm=float(np.mean([c.left_edge_mm - c.left_mm for c in canals])),
        found=False,
    )
    return Expectation(canal, float(np.mean(gaps)))


def _vertebrae(
    volume: Volume,
    labels: SpineLabels,
    outlines: Sequence[Outline],
    by_user: tuple[LevelHints, dict[int, GivenVertebra]],
) -> list[Vertebra]:
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
    )


def _assembled(
    volume: Volume, labels: SpineLabels, vertebrae: list[Vertebra], *, against_header: bool
) -> Spine:
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
        compartments=_compartments(volume, labels, vertebrae),
        canal_centreline_lps_mm=_centreline(vertebrae),
        orientation_contradicts_anatomy=contradicts,
        flags=tuple(flags),
        other_bone=_other_bone(labels),
    )


def _compartments(volume: Volume, labels: SpineLabels, vertebrae: Sequence[Vertebra]) -> CompartmentMap:
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


def _empty(volume: Volume) -> Spine:
    nothing = np.zeros((0, 0, 0), dtype=np.uint8)
    box = Box((0, 0, 0), (0, 0, 0))
    return Spine(
        grid=volume.grid,
        vertebrae=(),
        compartments=CompartmentMap(box, nothing, nothing),
        canal_centreline_lps_mm=np.zeros((0, 3)),
        flags=(raise_flag(Flag.NO_VERTEBRAE_FOUND),),
    )
