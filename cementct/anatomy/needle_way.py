"""The way of a needle: from behind, through a pedicle or between rib and transverse process, into the body.

Veins run around the side of the body, or up and down, and are curved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Vertebra
from cementct.core.arrays import FloatArray

# A 13-gauge needle leaves a track of 2.4 mm; with what was squeezed out beside it up to about 5 mm. Root mean
# square distance of a disc's points from its axis is radius / sqrt(2); blur adds to it.
MAX_SPREAD_MM = 2.2
# Longer than thick by this much, the axis of a cord is known.
CORD_ELONGATION = 1.8
# The points of a cord of length L spread by L over this along it.
LENGTH_OVER_SPREAD = float(np.sqrt(12.0))
# Needles come from behind at up to about 60 degrees from straight forwards (transcostovertebral), and up to
# about 50 degrees from the plane of the endplates.
MIN_FORWARD = 0.5
MAX_UPWARD = 0.77
# The line meets the body within this share of its half extents (left, posterior, superior): a needle aims at
# the inside of the body, a vein passes it by.
TARGET_SHARE = (0.75, 0.8, 0.9)
# The entry, where the line crosses the plane of the posterior wall, lies at most this far beyond the borders
# of the pedicle, in millimetres; on the outer side the costovertebral way adds COSTAL_ENTRY_MM.
ENTRY_SLACK_MM = 3.0
COSTAL_ENTRY_MM = 12.0
# A cord so long (mm) and so far behind the plane of the posterior wall (share of it) that lies on a needle's
# way lies there for no other reason: neither vessels nor bone do.
UNDOUBTED_LENGTH_MM = 10.0
UNDOUBTED_SHARE_BEHIND = 0.9


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
class Cord:
    """What a set of points is like as a cord, in a vertebra's frame.

    Attributes
    ----------
    line
        Through its middle, along its longest axis.
    spread_mm
        Root mean square of the points' distances from their middle, along that axis.
    elongation
        How much longer than thick it is.
    """

    line: Line
    spread_mm: float
    elongation: float

    @classmethod
    def of(cls, points_mm: FloatArray, weights: FloatArray) -> Cord:
        """Return the cord of weighted points, shapes (n, 3) and (n,)."""
        centre = np.average(points_mm, axis=0, weights=weights)
        offset = points_mm - centre
        scatter = (offset * weights[:, None]).T @ offset / weights.sum()
        variances, axes = np.linalg.eigh(scatter)
        along = max(float(variances[2]), 0.0)
        thick = max(float(variances[1]), 1e-6)
        return cls(Line(centre, axes[:, 2]), float(np.sqrt(along)), float(np.sqrt(along / thick)))


def lies_on_a_needles_way(points_mm: FloatArray, weights: FloatArray, vertebra: Vertebra) -> bool:
    """Tell whether something outside the bone is a straight cord that leads through an entry into the body.

    Parameters
    ----------
    points_mm
        Its voxels in the vertebra's frame (left, posterior, superior), shape (n, 3).
    weights
        How much each voxel counts, shape (n,).
    vertebra
        The one that the needle would have led to.
    """
    cord = Cord.of(points_mm, weights)
    if cord.elongation < CORD_ELONGATION or cord.spread_mm * LENGTH_OVER_SPREAD < UNDOUBTED_LENGTH_MM:
        return False
    wall_mm = posterior_wall_plane_mm(vertebra)
    behind = float(weights[points_mm[:, 1] > wall_mm].sum()) / float(weights.sum())
    off_axis_mm = np.sqrt(np.average(cord.line.distances_mm(points_mm) ** 2, weights=weights))
    straight = behind >= UNDOUBTED_SHARE_BEHIND and off_axis_mm <= MAX_SPREAD_MM
    return bool(straight and leads_into_the_body(cord.line, vertebra))


def posterior_wall_plane_mm(vertebra: Vertebra) -> float:
    """Return the posterior coordinate of the plane of the posterior wall."""
    heights = vertebra.posterior_wall.height_mm
    known = heights[np.isfinite(heights)]
    return float(np.median(known)) if known.size else vertebra.depth_mm / 2


def entries(vertebra: Vertebra) -> list[FloatArray]:
    """Return the middle of each pedicle, at the plane of the posterior wall."""
    wall_mm = posterior_wall_plane_mm(vertebra)
    return [
        np.array([(p.medial_mm + p.lateral_mm) / 2, wall_mm, (p.superior_mm + p.inferior_mm) / 2])
        for p in (vertebra.left_pedicle, vertebra.right_pedicle)
        if p is not None
    ]


def leads_into_the_body(line: Line, vertebra: Vertebra) -> bool:
    """Tell whether a line runs forwards, through an entry at the posterior wall's plane, into the body."""
    wall_mm = posterior_wall_plane_mm(vertebra)
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
