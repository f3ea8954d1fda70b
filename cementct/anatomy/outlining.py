"""The outlines of all vertebrae: frames in a first look, then each measured, some with neighbours' help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from cementct.anatomy.labels import SpineLabels
from cementct.anatomy.orientation import agreed_axes, is_near, rough_frames
from cementct.anatomy.outline import Bone, Expectation, Outline, measure_outline, recentred, refined_frame
from cementct.anatomy.parts import Pieces
from cementct.anatomy.pedicles import agreed_pedicles
from cementct.anatomy.view import with_body_in_view
from cementct.anatomy.walls import LEAST_INTACT_SHARE
from cementct.core.arrays import as_floats
from cementct.core.findings import LevelSource
from cementct.core.frame import Frame
from cementct.core.image import Region
from cementct.core.levels import Level
from cementct.core.threads import each

# The first look, which only has to find the frames, uses every so manieth voxel that spacing stays under this
# and samples this far apart, mm.
THINNED_SPACING_MM = 1.6
FIRST_STEP_MM = 1.5
# It is repeated for frames that still move, at most so often.
FIRST_ROUNDS = 3
# A canal deeper than its neighbours' by more than this has lost its front wall, mm; sound ones differ by
# 1–2 mm from level to level.
DEEPER_CANAL_MM = 3.5
# Distance of samples in the measurement itself, mm.
STEP_MM = 1.0


def find_outlines(labels: SpineLabels, pieces: Pieces, order: Sequence[int]) -> list[Outline]:
    """Return what is measured of each vertebra whose body is in view, from top to bottom."""
    frames = _first_frames(labels, pieces.thinned(THINNED_SPACING_MM), order)
    return with_body_in_view(_measure(pieces, frames)) if frames else []


def pedicle_heights(outlines: Sequence[Outline]) -> list[tuple[float, float]]:
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


def order_of(labels: SpineLabels, regions: dict[int, Region]) -> tuple[list[int], bool]:
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
        sacral = [i for i, n in enumerate(order) if labels.levels.get(n) is Level.S1]
        rough = rough_frames(pieces.grid, [pieces.whole[n] for n in order], sacral=sacral)
        frames = {**dict(zip(order, rough, strict=True)), **frames}
    known = {n: frame for n in order if (frame := frames[n]) is not None}
    bone = Bone(pieces.labels, pieces.grid, pieces.canal)
    outlines: dict[int, Outline] = {}
    moving = set(known)
    for _ in range(FIRST_ROUNDS):
        looked = each(
            partial(_first_look, bone, pieces),
            [(n, known[n]) for n in moving],
        )
        outlines.update(zip(moving, looked, strict=True))
        first = with_body_in_view([outlines[n] for n in known])
        refined = agreed_axes([refined_frame(outline, bone.grid) for outline in first])
        pairs = list(zip(first, refined, strict=True))
        known = {outline.number: frame for outline, frame in pairs}
        moving = {outline.number for outline, frame in pairs if not is_near(outline.frame, frame)}
        if not moving:
            break
    return known


def _first_look(bone: Bone, pieces: Pieces, of: tuple[int, Frame]) -> Outline:
    """Return the rough outline of the vertebra of a number in a frame."""
    number, frame = of
    return measure_outline(
        bone,
        pieces.whole[number],
        frame,
        number=number,
        step_mm=FIRST_STEP_MM,
        body=pieces.bodies.get(number),
    )


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
    outlines = each(lambda n: measure(n, None), numbers)
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
