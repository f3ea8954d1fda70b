"""How near to the truth each outline is likely to be: by what of its surfaces was seen and by likeness.

The strength of edges says nothing about quality (an outline on the wrong strong edge is wrong). How much of
the surfaces had to be filled in without an edge of their own does, and so does a body's height against the
vertebrae next to it. The weights were fitted to the share of the body that is wrong (1 - Dice) on simulated
and real scans used for tuning: rank correlation 0.7, also where each case was left out in turn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cementct.segmentation.vertebrae.embedded.body import BodyOutline

# Natural logarithm of the share that is wrong of a body whose surfaces are all seen: 3 %.
LEAST_ERROR_LOG = -3.5
# What surfaces without an edge of their own add to it, by their share.
UNSEEN_ENDPLATES = 0.8
UNSEEN_WALL = 0.4
UNSEEN_SIDES = 1.1
# What a height unlike the neighbours' adds (natural logarithm of the ratio), and the most that counts.
STRANGE_HEIGHT = 1.4
STRANGEST_HEIGHT = 0.5
# The same for a middle off the middle between the discs, in shares of the spacing.
OFF_CENTRE = 0.4
FARTHEST_OFF = 0.2
# What each millimetre between slices adds.
THICK_SLICES = 0.12
# The confidence is one half where this share of a body is likely to be wrong.
HALF_ERROR = 0.15
# Of a vertebra whose one disc is not in view.
CUT_FACTOR = 0.8
# Only what somebody drew is beyond doubt.
MOST_CONFIDENCE = 0.999


def measure_confidence(outlines: Sequence[BodyOutline]) -> dict[int, float]:
    """Return a confidence between 0 and less than 1 per number."""
    heights = np.log([_height_mm(outline) for outline in outlines]) if outlines else np.zeros(0)
    confidence = {}
    for position, outline in enumerate(outlines):
        others = [p for p in range(max(0, position - 2), min(len(outlines), position + 3)) if p != position]
        strange = abs(float(heights[position] - np.median(heights[others]))) if others else 0.0
        error = np.exp(_error_log(outline, min(strange, STRANGEST_HEIGHT)))
        factor = CUT_FACTOR if outline.is_cut else 1.0
        likely = float(factor / (1 + (error / HALF_ERROR) ** 2))
        confidence[position + 1] = round(min(likely, MOST_CONFIDENCE), 3)
    return confidence


def _error_log(outline: BodyOutline, strangeness: float) -> float:
    """Return the logarithm of the share of the body that is likely to be wrong."""
    placed = outline.placed
    in_view = [
        seen
        for seen, cut in zip(outline.endplates.seen, (placed.cut_above, placed.cut_below), strict=True)
        if not cut
    ]
    error = LEAST_ERROR_LOG + STRANGE_HEIGHT * strangeness
    error += UNSEEN_ENDPLATES * (1 - float(np.mean(in_view)) if in_view else 1.0)
    error += UNSEEN_WALL * (1 - outline.posterior_wall.support)
    error += UNSEEN_SIDES * (1 - outline.side_wall.seen)
    error += OFF_CENTRE * min(abs(outline.middle()[2]) / placed.spacing_mm, FARTHEST_OFF)
    return error + THICK_SLICES * float(outline.edges.block.spacing_mm[2])


def _height_mm(outline: BodyOutline) -> float:
    """Return the height of an outline in its middle."""
    back = outline.side_wall.middle_back_mm + np.array([-3.0, 0.0, 3.0])
    superior = outline.endplates.superior_at(np.zeros(3), back)
    return max(float(np.mean(superior - outline.endplates.inferior_at(np.zeros(3), back))), 1.0)
