"""From labelled vertebrae to the geometry of the spine: the order of the steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from cementct.anatomy.assembling import assembled, compartments_of, no_spine, vertebrae_of
from cementct.anatomy.carried import CarriedVertebra
from cementct.anatomy.given_walls import with_given_walls
from cementct.anatomy.hints import GivenAnatomy, GivenVertebra
from cementct.anatomy.labels import SpineLabels
from cementct.anatomy.matching import match_given
from cementct.anatomy.model import Spine
from cementct.anatomy.naming import LevelHints
from cementct.anatomy.orientation import shown_upside_down
from cementct.anatomy.outline import (
    Bone,
    Outline,
    measure_outline,
)
from cementct.anatomy.outlining import STEP_MM, find_outlines, order_of, pedicle_heights
from cementct.anatomy.parts import Pieces
from cementct.core.arrays import BoolArray
from cementct.core.grid import Grid
from cementct.core.image import LabelMap, Volume

__all__ = ["LevelHints", "describe_spine", "draw_given_walls", "replace_vertebrae"]


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
    order, against_header = order_of(labels, pieces.whole)
    outlines = find_outlines(labels, pieces, order)
    if outlines and not labels.frames and shown_upside_down(pedicle_heights(outlines)):
        outlines, against_header = find_outlines(labels, pieces, order[::-1]), True
    given = match_given(outlines, volume.grid, hints.by_hand)
    if not outlines:
        return no_spine(volume)
    outlines = [_as_given(outline, volume.grid, given.get(outline.number)) for outline in outlines]
    vertebrae = vertebrae_of(volume, labels, outlines, (hints, given))
    return assembled(volume, labels, vertebrae, against_header=against_header)


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
    outlines = find_outlines(labels, pieces, order_of(labels, pieces.whole)[0])
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
    return replace(spine, vertebrae=tuple(vertebrae), compartments=compartments_of(volume, labels, vertebrae))


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


def _canal_of(labels: SpineLabels) -> BoolArray | None:
    return None if labels.canal is None else labels.canal.voxels
