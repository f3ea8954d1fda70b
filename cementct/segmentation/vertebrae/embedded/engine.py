"""The steps of the embedded engine in their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cementct.anatomy.hints import NOTHING_GIVEN, GivenAnatomy
from cementct.anatomy.labels import SpineLabels
from cementct.core.arrays import FloatArray, as_floats
from cementct.core.frame import Frame
from cementct.core.grid import Grid
from cementct.core.image import LabelMap, Mask, Volume
from cementct.core.threads import beside
from cementct.segmentation.vertebrae.embedded.body import BodyOutline, outline_bodies
from cementct.segmentation.vertebrae.embedded.by_hand import (
    gain_of_given_levels,
    with_given_centres,
)
from cementct.segmentation.vertebrae.embedded.canal_tube import draw_canal, outline_canal
from cementct.segmentation.vertebrae.embedded.chain import SPACINGS_MM
from cementct.segmentation.vertebrae.embedded.column import BodyColumn
from cementct.segmentation.vertebrae.embedded.confidence import measure_confidence
from cementct.segmentation.vertebrae.embedded.given_canal import given_middles_mm
from cementct.segmentation.vertebrae.embedded.levels import Levels, find_levels
from cementct.segmentation.vertebrae.embedded.place import PlacedVertebra, place_vertebrae
from cementct.segmentation.vertebrae.embedded.posterior_elements import share_out_bone
from cementct.segmentation.vertebrae.embedded.rasterize import block_box, draw_bodies
from cementct.segmentation.vertebrae.embedded.ribs import find_rib_bearing
from cementct.segmentation.vertebrae.embedded.sacrum import draw_sacrum, find_sacral_disc
from cementct.segmentation.vertebrae.embedded.settling import settled
from cementct.segmentation.vertebrae.embedded.straighten import StraightSpine, sample_along, straighten
from cementct.segmentation.vertebrae.embedded.tracking import CanalTrack, track_canal

# Smaller than any body in view worth speaking of: a sliver at the edge of the scan.
LEAST_BODY_ML = 1.0
# Of the median body of the scan: the same, for the sizes of this patient.
LEAST_BODY_SHARE = 0.2
# So many tracks are tried until vertebrae match the pattern at least like this, for what of them is in view.
MOST_TRACKS = 4
LEAST_LIKENESS = 0.5
# The canal is drawn so far beyond the outermost discs.
CANAL_BEYOND_MM = 30.0
# A header that has front and back, or head and feet, exchanged is believed in unless the anatomy gains this
# much by exchanging them: more than chance differences between the two directions.
TURN_ROUND_GAIN = 0.8
# Or, where few vertebrae are in view and gains small: the score reaches this, and so many times that of the
# header's direction, and the mean match with the pattern this, and so much more.
TURNED_SCORE = 0.6
TURNED_RATIO = 1.5
TURNED_LIKENESS = 0.6
TURNED_LIKENESS_GAIN = 0.2
# The score where nothing is found by the header: chance reached 0.81 where the header was right. Over 128
# scans and crops of 44 to 56 mm (tuning half of the bench) no right header was given up; of headers with head
# and feet exchanged 88 were noticed, with front and back exchanged 100.
TURNED_FROM_NOTHING = 1.0
# Mean match of vertebrae for which nothing is exchanged by way of trial: upside down it stayed under 0.9, and
# mostly under 0.6 with front and back exchanged.
CERTAINLY_UPRIGHT, CERTAINLY_FORWARDS = 1.1, 0.85


@dataclass(frozen=True)
class FoundSpine:
    """A straightened spine the right way round, with its levels."""

    spine: StraightSpine
    levels: Levels
    column: BodyColumn


def segment_vertebrae(volume: Volume, given: GivenAnatomy = NOTHING_GIVEN) -> SpineLabels:
    """Return the vertebrae of a CT volume, numbered 1, 2, … from the top.

    Parameters
    ----------
    volume
        In canonical order. Where its header contradicts the anatomy, the frames follow the anatomy.
    given
        Vertebrae that the user gives by hand: there is one where a centre is given, and it ends near the
        endplates given. Names and the exact course of walls are left to `anatomy.describe`.

    Returns
    -------
    SpineLabels
        No vertebra where no spine is seen.
    """
    found = _find_vertebrae(volume, given)
    if found is None:
        return SpineLabels(LabelMap(np.zeros(volume.grid.shape, dtype=np.uint8), volume.grid))
    sacral = find_sacral_disc(found.spine, found.levels)
    placed = place_vertebrae(found.spine, found.column, found.levels, first=sacral or 0)
    if given:
        placed = with_given_centres(found.spine, found.column, placed, grid=volume.grid, given=given)
    (bodies, outlines), canal = beside(
        lambda: _drawn(volume.grid, _outlined(volume, placed)), lambda: _canal(volume, found)
    )
    numbers = range(1, len(outlines) + 1)
    bone, rib_bearing = beside(
        lambda: share_out_bone(volume, outlines, bodies, canal.voxels),
        lambda: find_rib_bearing(volume, found.spine, [o.placed for o in outlines]),
    )
    return SpineLabels(
        vertebrae=LabelMap(bone.vertebrae, volume.grid),
        bodies=LabelMap(bodies, volume.grid),
        frames={n: frame_of(volume.grid, o) for n, o in zip(numbers, outlines, strict=True)},
        canal=canal,
        other_bone=Mask(bone.other, volume.grid),
        sacrum=None if sacral is None else _sacrum(volume, found, sacral),
        rib_bearing=rib_bearing,
        last_above_sacrum=len(outlines) if sacral is not None and outlines else None,
        confidence=measure_confidence(outlines),
        rebuilt_walls=frozenset(n for n, o in zip(numbers, outlines, strict=True) if o.wall_rebuilt),
        are_drawn=False,
    )


def _find_vertebrae(volume: Volume, given: GivenAnatomy) -> FoundSpine | None:
    """Return the spine along the best track on which vertebrae are found.

    The marrow of an iliac wing or a femur may look more like a canal than the canal, but has no vertebrae. An
    aorta has the spine beside it, whose vertebrae are seen from there too, but looks less like a canal.
    """
    middles_mm = given_middles_mm(volume.grid, given)
    best: FoundSpine | None = None
    most = 0.0
    avoided: list[CanalTrack] = []
    while len(avoided) < MOST_TRACKS and _likeness(best) < LEAST_LIKENESS:
        track = track_canal(volume, middles_mm, avoided=avoided)
        if track is None:
            break
        avoided.append(track)
        found = find_spine(volume, straighten(volume, track), given)
        worth = measure_worth(track, found)
        if worth > most:
            best, most = found, worth
    return best


def measure_worth(track: CanalTrack, found: FoundSpine | None) -> float:
    """Return how much speaks for what was found along a track: vertebrae, times what looks like a canal."""
    return _score(found) * track.score


def _outlined(volume: Volume, placed: Sequence[PlacedVertebra]) -> list[BodyOutline]:
    """Return the outlines of all bodies, their surfaces where cortex ends in this scan."""
    return settled(volume, outline_bodies(volume, placed))


def _drawn(
    grid: Grid, outlines: list[BodyOutline]
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint8]], list[BodyOutline]]:
    """Return the label array of the bodies, slivers left out, and the outlines that stand in it."""
    labels = draw_bodies(grid, outlines)
    counts = [
        np.count_nonzero(labels[block_box(grid, outline).slices] == number)
        for number, outline in enumerate(outlines, start=1)
    ]
    volume_ml = np.asarray(counts) * grid.voxel_ml
    least_ml = max(LEAST_BODY_ML, LEAST_BODY_SHARE * float(np.median(volume_ml)))
    kept = [n for n, size_ml in enumerate(volume_ml, start=1) if size_ml >= least_ml]
    if len(kept) == len(outlines):
        return labels, outlines
    new = {old: place for place, old in enumerate(kept, start=1)}
    for number, outline in enumerate(outlines, start=1):
        part = labels[block_box(grid, outline).slices]
        part[part == number] = new.get(number, 0)
    return labels, [outlines[n - 1] for n in kept]


def _canal(volume: Volume, found: FoundSpine) -> Mask:
    discs = found.levels.discs
    reach = discs[0].along_mm - CANAL_BEYOND_MM, discs[-1].along_mm + CANAL_BEYOND_MM
    tube = outline_canal(found.spine)
    return Mask(draw_canal(volume.grid, found.spine.curve, tube, reach), volume.grid)


def _sacrum(volume: Volume, found: FoundSpine, disc: int) -> Mask:
    return Mask(draw_sacrum(volume, found.spine, found.levels.discs[disc]), volume.grid)


def find_spine(
    volume: Volume, spine: StraightSpine, given: GivenAnatomy = NOTHING_GIVEN
) -> FoundSpine | None:
    """Return the spine the right way round with its levels, None where no vertebra is found.

    Head and feet, then front and back, are exchanged where the vertebrae fit clearly better that way.
    """
    by_header = _with_levels(spine, volume.grid, given)
    likeness = _likeness(by_header)
    others = [spine.upside_down()] if likeness < CERTAINLY_UPRIGHT else []
    if likeness < CERTAINLY_FORWARDS:
        turned = sample_along(volume, spine.curve.turned_round())
        others += [turned, turned.upside_down()]
    best = by_header
    for other in others:
        found = _with_levels(other, volume.grid, given)
        if found is not None and _fits_better(found, by_header):
            best = max((found, best), key=_score)
    return best


def _fits_better(turned: FoundSpine, by_header: FoundSpine | None) -> bool:
    """Tell whether the vertebrae fit so much better in another direction that the header is not believed."""
    if by_header is None:
        return _score(turned) >= TURNED_FROM_NOTHING and _likeness(turned) >= TURNED_LIKENESS
    gain = _score(turned) - _score(by_header)
    likeness = _likeness(turned)
    clear = _score(turned) >= max(TURNED_SCORE, TURNED_RATIO * _score(by_header))
    alike = likeness >= max(TURNED_LIKENESS, _likeness(by_header) + TURNED_LIKENESS_GAIN)
    return gain > TURN_ROUND_GAIN or (clear and alike)


def _score(found: FoundSpine | None) -> float:
    return 0.0 if found is None else found.levels.score


def _likeness(found: FoundSpine | None) -> float:
    """Return the mean match of the vertebrae with the pattern, for what of them is in view."""
    return 0.0 if found is None else sum(found.levels.matches) / sum(found.levels.seen)


def _with_levels(spine: StraightSpine, grid: Grid, given: GivenAnatomy) -> FoundSpine | None:
    known = gain_of_given_levels(spine, grid, given, SPACINGS_MM) if given else None
    levels, column = find_levels(spine, known)
    return None if levels is None else FoundSpine(spine, levels, column)


def frame_of(grid: Grid, outline: BodyOutline) -> Frame:
    """Return the frame (LPS) of an outlined body, its origin in the middle of the body."""
    placement = outline.placed.placement
    rows = as_floats(grid.direction)

    def to_lps(vector_zyx: FloatArray) -> FloatArray:
        return np.asarray(vector_zyx @ rows)

    middle = outline.middle()
    centre = grid.to_lps(placement.to_grid_mm(*(np.asarray(c) for c in middle)) / as_floats(grid.spacing_mm))
    return Frame.from_axes(centre, to_lps(placement.up), to_lps(placement.back))
