"""The column of bodies in the straightened spine: where its posterior wall and its front run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import FloatArray
from cementct.segmentation.vertebrae.embedded.straighten import StraightSpine

# Back coordinate of the posterior wall as seen from the tracked middle of the canal.
USUAL_WALL_MM = -8.0
WALL_RANGE_MM = (-14.0, -4.0)
# Bodies are 15 mm deep at T1 and up to 40 mm at L5, discs and osteophytes included (Panjabi 1991, 1992).
DEPTH_RANGE_MM = (13.0, 44.0)
# Between the two an average over the column counts as more and more bone.
SOFT_TISSUE_HU = 20.0
FULL_BONE_HU = 140.0
# What each millimetre of depth has to earn in bone: between the share of soft tissue and of sparse marrow.
DISTANCE_COST_PER_MM = 0.35
# Averaging along the spine, so that discs do not interrupt the column.
WINDOW_ALONG_MM = 25
SMOOTH_DEPTH_MM = 12.0


@dataclass(frozen=True)
class BodyColumn:
    """Extent of the bodies in front of the canal at each step along it.

    Attributes
    ----------
    wall_mm
        Back coordinate of the posterior wall.
    depth_mm
        From there to the front.
    """

    wall_mm: FloatArray
    depth_mm: FloatArray


def find_column(spine: StraightSpine) -> BodyColumn:
    """Return where the column of bodies begins and ends in front of the canal."""
    from scipy import ndimage

    middle = spine.hu[:, :, np.abs(spine.left_mm) <= 8].mean(axis=2)
    bone = np.clip((middle - SOFT_TISSUE_HU) / (FULL_BONE_HU - SOFT_TISSUE_HU), -1, 1)
    bone = ndimage.uniform_filter1d(bone, WINDOW_ALONG_MM, axis=0)
    in_front = bone[:, spine.back_mm <= USUAL_WALL_MM][:, ::-1]
    gain = np.cumsum(in_front, axis=1) - DISTANCE_COST_PER_MM * np.arange(in_front.shape[1])
    low, high = (int(d) for d in DEPTH_RANGE_MM)
    depth = low + _smoothest_ridge(gain[:, low:high])
    depth_mm = ndimage.gaussian_filter1d(depth.astype(np.float64), SMOOTH_DEPTH_MM)
    return BodyColumn(np.full(spine.length, USUAL_WALL_MM), depth_mm)


def _smoothest_ridge(gain: FloatArray, bend_cost: float = 0.3) -> FloatArray:
    """Return the column in each row that gains most in sum, moving by at most one a row."""
    rows, columns = gain.shape
    total = gain[0].copy()
    moves = np.zeros((rows, columns), dtype=np.intp)
    for row in range(1, rows):
        edge = np.pad(total, 1, constant_values=-1e9)
        options = np.stack([edge[1 + d : 1 + d + columns] - bend_cost * abs(d) for d in (-1, 0, 1)])
        choice = options.argmax(axis=0)
        moves[row] = choice - 1
        total = options.max(axis=0) + gain[row]
    place = int(total.argmax())
    ridge = [place]
    for row in range(rows - 1, 0, -1):
        place = int(np.clip(place + moves[row][place], 0, columns - 1))
        ridge.append(place)
    return np.asarray(ridge[::-1], dtype=np.float64)
