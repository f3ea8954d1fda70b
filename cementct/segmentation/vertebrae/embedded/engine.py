"""The steps of the embedded engine in their order."""

from __future__ import annotations

import numpy as np

from cementct.anatomy.labels import SpineLabels
from cementct.core.arrays import FloatArray, as_floats
from cementct.core.frame import Frame
from cementct.core.grid import Grid
from cementct.core.image import LabelMap, Volume
from cementct.segmentation.vertebrae.embedded.body import BodyOutline, outline_body
from cementct.segmentation.vertebrae.embedded.column import BodyColumn
from cementct.segmentation.vertebrae.embedded.levels import Levels, find_levels
from cementct.segmentation.vertebrae.embedded.place import place_vertebrae
from cementct.segmentation.vertebrae.embedded.rasterize import draw_bodies
from cementct.segmentation.vertebrae.embedded.straighten import StraightSpine, straighten
from cementct.segmentation.vertebrae.embedded.tracking import track_canal


def segment_vertebrae(volume: Volume) -> SpineLabels:
    """Return the vertebrae of a CT volume, numbered 1, 2, … from the top.

    Parameters
    ----------
    volume
        In canonical order. Where its header contradicts the anatomy, the frames follow the anatomy.

    Returns
    -------
    SpineLabels
        No vertebra where no spine is seen.
    """
    empty = SpineLabels(LabelMap(np.zeros(volume.grid.shape, dtype=np.uint8), volume.grid))
    track = track_canal(volume)
    if track is None:
        return empty
    found = _oriented_levels(volume, straighten(volume, track))
    if found is None:
        return empty
    spine, levels, column = found
    outlines = [outline_body(volume, placed) for placed in place_vertebrae(spine, column, levels)]
    bodies = LabelMap(draw_bodies(volume.grid, outlines), volume.grid)
    frames = {number: frame_of(volume.grid, outline) for number, outline in enumerate(outlines, start=1)}
    confidence = dict.fromkeys(frames, 0.5)
    return SpineLabels(vertebrae=bodies, bodies=bodies, frames=frames, confidence=confidence)


def _oriented_levels(volume: Volume, spine: StraightSpine) -> tuple[StraightSpine, Levels, BodyColumn] | None:
    """Return the spine the right way up with its levels, None where no vertebra is found."""
    candidates = []
    for turned in (spine, spine.upside_down()):
        levels, column = find_levels(turned)
        if levels is not None:
            candidates.append((levels.score, turned, levels, column))
    if not candidates:
        return None
    _, best, levels, column = max(candidates, key=lambda c: c[0])
    return best, levels, column


def frame_of(grid: Grid, outline: BodyOutline) -> Frame:
    """Return the frame (LPS) of an outlined body."""
    placement = outline.placed.placement
    rows = as_floats(grid.direction)

    def to_lps(vector_zyx: FloatArray) -> FloatArray:
        return np.asarray(vector_zyx @ rows)

    centre = grid.to_lps(placement.centre_mm / as_floats(grid.spacing_mm))
    return Frame.from_axes(centre, to_lps(placement.up), to_lps(placement.back))
