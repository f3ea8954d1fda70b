"""Tell cement along the needle's way, a straight cord behind the body, from cement in veins.

The needle came from behind, through a pedicle or between rib and transverse process, into the body. What
it left outside the bone is a short straight cord whose line, carried on forwards, meets the body through
that entry. Veins run around the side of the body, or up and down, and are curved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Vertebra
from cementct.anatomy.needle_way import (
    CORD_ELONGATION,
    LENGTH_OVER_SPREAD,
    MAX_SPREAD_MM,
    Cord,
    Line,
    entries,
    leads_into_the_body,
    posterior_wall_plane_mm,
)
from cementct.core.arrays import FloatArray
from cementct.segmentation.model import ForeignBody, ForeignKind

# What is long may be thicker than a needle's track: so large a share of its spread along its own axis.
MAX_SPREAD_SHARE = 0.35
# At least this share of it lies behind the plane of the posterior wall; less where its own axis is known, for
# between rib and transverse process it can leave the bone before that plane.
SHARE_BEHIND_WALL = 0.8
SHARE_OF_CORD_BEHIND_WALL = 0.6
# What is no cord, or is shorter than this in millimetres so that its axis is uncertain, may lie on the line
# to a pedicle instead.
SHORT_CORD_MM = 12.0
# A needle in place explains cement within this distance of its axis, in millimetres.
NEAR_NEEDLE_MM = 4.0
# It may end this far from the bone it came out of, in millimetres: cement breaks off as the needle leaves. A
# cord of known axis may do so further away.
MAX_GAP_TO_BONE_MM = 6.0
MAX_GAP_OF_CORD_MM = 20.0


@dataclass(frozen=True)
class _Way:
    """A line that a track can lie on, and how far what lies on it may stray."""

    line: Line
    spread_mm: float
    gap_mm: float
    behind: float


def is_access_track(
    points_mm: FloatArray,
    weights: FloatArray,
    *,
    vertebra: Vertebra,
    gap_to_bone_mm: float,
    foreign: tuple[ForeignBody, ...] = (),
) -> bool:
    """Tell whether a part outside the bone is cement along the needle's way.

    Parameters
    ----------
    points_mm
        Its voxels in the vertebra's frame (left, posterior, superior), shape (n, 3).
    weights
        Share of each voxel that is cement, shape (n,).
    vertebra
        Where the cement came from.
    gap_to_bone_mm
        Shortest distance of the part from the vertebra's bone.
    foreign
        Dense things that are not cement; needles in place tell their way.
    """
    wall_mm = posterior_wall_plane_mm(vertebra)
    behind = float(weights[points_mm[:, 1] > wall_mm].sum()) / float(weights.sum())
    for way in _candidate_ways(points_mm, weights, vertebra, foreign):
        if behind < way.behind or gap_to_bone_mm > way.gap_mm:
            continue
        spread_mm = np.sqrt(np.average(way.line.distances_mm(points_mm) ** 2, weights=weights))
        if spread_mm <= way.spread_mm and leads_into_the_body(way.line, vertebra):
            return True
    return False


def _candidate_ways(
    points_mm: FloatArray, weights: FloatArray, vertebra: Vertebra, foreign: tuple[ForeignBody, ...]
) -> list[_Way]:
    cord = Cord.of(points_mm, weights)
    centre = cord.line.point_mm
    thick_mm = max(MAX_SPREAD_MM, MAX_SPREAD_SHARE * cord.spread_mm)
    ways = [
        _Way(line, thick_mm, MAX_GAP_OF_CORD_MM, SHARE_OF_CORD_BEHIND_WALL)
        for line in _needle_lines(centre, vertebra, foreign)
    ]
    is_cord = cord.elongation > CORD_ELONGATION
    if is_cord:
        ways.append(_Way(cord.line, thick_mm, MAX_GAP_OF_CORD_MM, SHARE_OF_CORD_BEHIND_WALL))
    if not is_cord or cord.spread_mm * LENGTH_OVER_SPREAD < SHORT_CORD_MM:
        for target in entries(vertebra):
            line = Line(centre, (centre - target) / np.linalg.norm(centre - target))
            ways.append(_Way(line, MAX_SPREAD_MM, MAX_GAP_TO_BONE_MM, SHARE_BEHIND_WALL))
    return ways


def _needle_lines(centre_mm: FloatArray, vertebra: Vertebra, foreign: tuple[ForeignBody, ...]) -> list[Line]:
    """Return the lines of needles in place that pass near a point, through that point."""
    lines = []
    for needle in foreign:
        if needle.kind is ForeignKind.NEEDLE and needle.tip_lps_mm and needle.direction_lps:
            along = vertebra.frame.axes @ np.asarray(needle.direction_lps)
            line = Line(vertebra.frame.to_local(needle.tip_lps_mm), along)
            if line.distances_mm(centre_mm[None])[0] <= NEAR_NEEDLE_MM:
                lines.append(Line(centre_mm, along))
    return lines
