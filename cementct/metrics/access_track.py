"""Tell cement along the needle's way, a straight cord behind the body, from cement in veins.

The needle came from behind, through a pedicle or between rib and transverse process, into the body. What
it left outside the bone is a short straight cord whose line, carried on forwards, meets the body through
that entry. Veins run around the side of the body, or up and down, and are curved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Vertebra
from cementct.core.arrays import FloatArray
from cementct.segmentation.model import ForeignBody, ForeignKind

# A 13-gauge needle leaves a track of 2.4 mm; with what was squeezed out beside it up to about 5 mm. Root mean
# square distance of a disc's points from its axis is radius / sqrt(2); blur adds to it. What is long may be
# thicker: so large a share of its spread along its own axis.
MAX_SPREAD_MM = 2.2
MAX_SPREAD_SHARE = 0.35
# Needles come from behind at up to about 60 degrees from straight forwards (transcostovertebral), and up to
# about 50 degrees from the plane of the endplates.
MIN_FORWARD = 0.5
MAX_UPWARD = 0.77
# At least this share of it lies behind the plane of the posterior wall; less where its own axis is known, for
# between rib and transverse process it can leave the bone before that plane.
SHARE_BEHIND_WALL = 0.8
SHARE_OF_CORD_BEHIND_WALL = 0.6
# The line meets the body within this share of its half extents (left, posterior, superior): a needle aims at
# the inside of the body, a vein passes it by.
TARGET_SHARE = (0.75, 0.8, 0.9)
# The entry, where the line crosses the plane of the posterior wall, lies at most this far beyond the borders
# of the pedicle, in millimetres; on the outer side the costovertebral way adds COSTAL_ENTRY_MM.
ENTRY_SLACK_MM = 3.0
COSTAL_ENTRY_MM = 12.0
# Longer than thick by this much, its own axis is known; what is not, or is shorter than this in millimetres
# so that its axis is uncertain, may lie on the line to a pedicle instead.
CORD_ELONGATION = 1.8
SHORT_CORD_MM = 12.0
# A needle in place explains cement within this distance of its axis, in millimetres.
NEAR_NEEDLE_MM = 4.0
# It may end this far from the bone it came out of, in millimetres: cement breaks off as the needle leaves. A
# cord of known axis may do so further away.
MAX_GAP_TO_BONE_MM = 6.0
MAX_GAP_OF_CORD_MM = 12.0


@dataclass(frozen=True)
class Line:
    """A straight line in a vertebra's frame: a point and a unit direction (left, posterior, superior)."""

    point_mm: FloatArray
    direction: FloatArray

    def distances_mm(self, points_mm: FloatArray) -> FloatArray:
        """Return how far points lie from the line."""
        offset = points_mm - self.point_mm
        along = offset @ self.direction
        return np.asarray(np.linalg.norm(offset - along[:, None] * self.direction, axis=1))


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
        if spread_mm <= way.spread_mm and _leads_into_the_body(way.line, vertebra, wall_mm):
            return True
    return False


def posterior_wall_plane_mm(vertebra: Vertebra) -> float:
    """Return the posterior coordinate of the plane of the posterior wall."""
    heights = vertebra.posterior_wall.height_mm
    known = heights[np.isfinite(heights)]
    return float(np.median(known)) if known.size else vertebra.depth_mm / 2


def _candidate_ways(
    points_mm: FloatArray, weights: FloatArray, vertebra: Vertebra, foreign: tuple[ForeignBody, ...]
) -> list[_Way]:
    centre = np.average(points_mm, axis=0, weights=weights)
    offset = points_mm - centre
    scatter = (offset * weights[:, None]).T @ offset / weights.sum()
    variances, axes = np.linalg.eigh(scatter)
    along_mm = float(np.sqrt(max(variances[2], 0.0)))
    thick_mm = max(MAX_SPREAD_MM, MAX_SPREAD_SHARE * along_mm)
    ways = [
        _Way(line, thick_mm, MAX_GAP_OF_CORD_MM, SHARE_OF_CORD_BEHIND_WALL)
        for line in _needle_lines(centre, vertebra, foreign)
    ]
    is_cord = variances[2] > CORD_ELONGATION**2 * max(variances[1], 1e-6)
    if is_cord:
        own = Line(centre, axes[:, 2])
        ways.append(_Way(own, thick_mm, MAX_GAP_OF_CORD_MM, SHARE_OF_CORD_BEHIND_WALL))
    # The points of a cord of length L spread by L / sqrt(12) along it.
    if not is_cord or along_mm * np.sqrt(12.0) < SHORT_CORD_MM:
        for target in _entries(vertebra):
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


def _entries(vertebra: Vertebra) -> list[FloatArray]:
    """Return the middle of each pedicle, at the plane of the posterior wall."""
    wall_mm = posterior_wall_plane_mm(vertebra)
    return [
        np.array([(p.medial_mm + p.lateral_mm) / 2, wall_mm, (p.superior_mm + p.inferior_mm) / 2])
        for p in (vertebra.left_pedicle, vertebra.right_pedicle)
        if p is not None
    ]


def _leads_into_the_body(line: Line, vertebra: Vertebra, wall_mm: float) -> bool:
    left, posterior, superior = line.direction
    if abs(posterior) < MIN_FORWARD or abs(superior) > MAX_UPWARD:
        return False
    entry = line.point_mm + (wall_mm - line.point_mm[1]) / posterior * line.direction
    if not _is_at_an_entry(float(entry[0]), vertebra):
        return False
    reach_mm = np.linspace(0.0, vertebra.depth_mm, 40)
    forward = -np.sign(posterior) * np.array([left, posterior, superior])
    inside = entry + reach_mm[:, None] * forward
    half = np.array([vertebra.width_mm, vertebra.depth_mm, vertebra.height_mm]) / 2
    return bool(np.any(np.all(np.abs(inside) <= half * TARGET_SHARE, axis=1)))


def _is_at_an_entry(entry_left_mm: float, vertebra: Vertebra) -> bool:
    pedicle = vertebra.left_pedicle if entry_left_mm > 0 else vertebra.right_pedicle
    if pedicle is None:
        inner_mm, outer_mm = vertebra.width_mm * 0.2, vertebra.width_mm * 0.5
    else:
        inner_mm, outer_mm = sorted((abs(pedicle.medial_mm), abs(pedicle.lateral_mm)))
    side_mm = abs(entry_left_mm)
    return inner_mm - ENTRY_SLACK_MM <= side_mm <= max(outer_mm, vertebra.width_mm / 2) + COSTAL_ENTRY_MM
