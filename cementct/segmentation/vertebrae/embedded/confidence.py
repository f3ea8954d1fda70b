"""How far geometry supports each outline: what is alike from vertebra to vertebra should be alike.

The strength of edges says nothing about quality (an outline on the wrong strong edge is wrong); shape against
the neighbours does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cementct.segmentation.vertebrae.embedded.body import BodyOutline

SHAPE_SPREAD = 0.18
# Natural logarithm: by how much height, depth and width differ between neighbouring vertebrae.
GOOD_MATCH = 0.55
POOR_MATCH = 0.05
# Match with the pattern of a vertebra: of well seen ones, and of chance.
CUT_FACTOR = 0.6
# Of a vertebra whose one disc is not in view.
GOOD_SUPPORT = 0.6
# Share of the posterior wall whose edge lies on one sheet, of well seen ones.


def measure_confidence(outlines: Sequence[BodyOutline]) -> dict[int, float]:
    """Return a confidence between 0 and 1 per number."""
    sizes = np.array([_size(outline) for outline in outlines])
    confidence = {}
    for position, outline in enumerate(outlines):
        placed = outline.placed
        others = [p for p in range(max(0, position - 2), min(len(outlines), position + 3)) if p != position]
        if others:
            usual = np.median(sizes[others], axis=0)
            strangeness = float(np.mean((np.log(sizes[position] / usual) / SHAPE_SPREAD) ** 2))
            shape = 1 / (1 + strangeness / 2)
        else:
            shape = 0.7
        if np.isnan(placed.match):
            match = CUT_FACTOR
        else:
            match = float(np.interp(placed.match, (POOR_MATCH, GOOD_MATCH), (0.2, 1.0)))
        support = float(np.interp(outline.posterior_wall.support, (0.0, GOOD_SUPPORT), (0.4, 1.0)))
        confidence[position + 1] = round(float((shape * match * support) ** 0.5), 3)
    return confidence


def _size(outline: BodyOutline) -> tuple[float, float, float]:
    """Return height, depth and width of an outline in millimetres."""
    middle = np.array([-3.0, 0.0, 3.0])
    back = outline.side_wall.middle_back_mm + middle
    height = float(
        np.mean(
            outline.endplates.superior_at(np.zeros(3), back)
            - outline.endplates.inferior_at(np.zeros(3), back)
        )
    )
    quarter = outline.side_wall.radius_mm.shape[0] // 4
    radius = np.median(outline.side_wall.radius_mm, axis=1)
    depth = float(radius[2 * quarter] + radius[0])
    width = float(radius[quarter] + radius[3 * quarter])
    return max(height, 1.0), max(depth, 1.0), max(width, 1.0)
