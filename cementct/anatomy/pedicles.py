"""The pedicles: the two bridges of bone between body and arch, measured where they are narrowest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from cementct.anatomy.canal import CanalSection
from cementct.anatomy.model import Pedicle
from cementct.anatomy.sampling import SURFACE, Block
from cementct.core.arrays import Float32Array, FloatArray

# Cross-section of a pedicle, mm²: the thinnest (mid-thoracic, about 4 × 8 mm) to the stoutest (L5, S1); what
# is larger is body or arch.
PEDICLE_AREA_MM2 = (8.0, 900.0)
# Sections are taken from this far behind the posterior wall to this far behind the canal's middle, mm.
BEHIND_WALL_MM = 1.5
BEHIND_CANAL_MIDDLE_MM = 1.0
# Neighbouring sections averaged against the steps of voxels, to either side, mm.
SECTION_HALF_THICKNESS_MM = 1.0
# Where a section is wider than this (mm), a transverse process springs from the pedicle itself (L4, L5); the
# pedicle then ends where its height falls below this share of its greatest, and is at most so wide (mm).
WITH_PROCESS_MM = 15.0
PROCESS_HEIGHT_SHARE = 0.6
GREATEST_WIDTH_MM = 22.0
# A pedicle's medial border lies within this of the canal's edge as the hole shows it, mm.
NEAR_CANAL_EDGE_MM = 7.0
# Nor does it stand this far within the canal: what does is a lamina, mm.
WITHIN_CANAL_MM = 4.0
# Pedicles of this many levels up and down, both sides, say what a pedicle is like; a border farther than this
# from their median, mm, is a rib's, a process's or a gap's in the labels.
AGREEING_LEVELS = 2
LEAST_AGREEING = 4
FAR_FROM_AGREED_MM = 3.0


def find_pedicles(block: Block, canal: CanalSection, wall_mm: float) -> tuple[Pedicle | None, Pedicle | None]:
    """Return the left and right pedicle; None where the bone beside the canal does not show one.

    Parameters
    ----------
    block
        All bone around the vertebra, in its frame.
    canal
        The canal at this vertebra.
    wall_mm
        Posterior coordinate of the posterior wall in its middle.
    """
    left = block.left_mm - canal.left_mm
    outward = (left > 0, left < 0)
    found = [_narrowest(block, canal, wall_mm, side) for side in outward]
    return found[0], found[1]


def agreed_pedicles(
    pairs: Sequence[tuple[Pedicle | None, Pedicle | None]],
) -> list[tuple[Pedicle | None, Pedicle | None]]:
    """Return left and right pedicles with borders that their neighbours contradict moved to the usual place.

    For labels that an engine drew from the scan: ribs and processes that stick to a pedicle, and gaps where
    its cortex is thin, are seldom the same two levels on.
    """
    borders = np.array([[_outward(p, sign) for p, sign in zip(pair, (1, -1), strict=True)] for pair in pairs])
    agreed: list[tuple[Pedicle | None, Pedicle | None]] = []
    for level, pair in enumerate(pairs):
        near = borders[max(0, level - AGREEING_LEVELS) : level + AGREEING_LEVELS + 1].reshape(-1, 4)
        near = near[np.isfinite(near[:, 0])]
        usual = np.median(near, axis=0) if len(near) >= LEAST_AGREEING else None
        left, right = (
            p if p is None or usual is None else _moved(p, sign, usual)
            for p, sign in zip(pair, (1, -1), strict=True)
        )
        agreed.append((left, right))
    return agreed


def _outward(pedicle: Pedicle | None, sign: int) -> tuple[float, float, float, float]:
    """Return medial border outwards from the middle, width, upper and lower border."""
    if pedicle is None:
        return (np.nan, np.nan, np.nan, np.nan)
    width = sign * (pedicle.lateral_mm - pedicle.medial_mm)
    return sign * pedicle.medial_mm, width, pedicle.superior_mm, pedicle.inferior_mm


def _moved(pedicle: Pedicle, sign: int, usual: FloatArray) -> Pedicle:
    own = np.array(_outward(pedicle, sign))
    medial, width, high, low = (
        float(v) for v in np.where(np.abs(own - usual) > FAR_FROM_AGREED_MM, usual, own)
    )
    return Pedicle(
        medial_mm=sign * medial, lateral_mm=sign * (medial + width), superior_mm=high, inferior_mm=low
    )


def _narrowest(
    block: Block, canal: CanalSection, wall_mm: float, side: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
) -> Pedicle | None:
    last_mm = max(canal.posterior_mm + BEHIND_CANAL_MIDDLE_MM, wall_mm + BEHIND_WALL_MM + 2.0)
    depths = np.flatnonzero(
        (block.posterior_mm >= wall_mm + BEHIND_WALL_MM) & (block.posterior_mm <= last_mm)
    )
    reach = max(0, round(SECTION_HALF_THICKNESS_MM / block.step_mm))
    best: tuple[float, Float32Array] | None = None
    for depth in depths:
        section = block.bone[:, max(depth - reach, 0) : depth + reach + 1, :].mean(axis=1)
        section = np.where(side[:, None], section, 0.0).astype(np.float32)
        piece = _beside_canal(block, canal, section)
        if piece is None:
            continue
        area = float(np.count_nonzero(piece >= SURFACE)) * block.step_mm**2
        if PEDICLE_AREA_MM2[0] <= area <= PEDICLE_AREA_MM2[1] and (best is None or area < best[0]):
            best = (area, piece)
    return None if best is None else _borders(block, best[1], leftward=bool(side[-1]))


def _beside_canal(block: Block, canal: CanalSection, section: Float32Array) -> Float32Array | None:
    """Return the piece of a section that bounds the canal at the heights where its ring is closed."""
    labels, count = ndimage.label(section >= SURFACE)
    if count == 0:
        return None
    closed = (block.superior_mm >= canal.inferior_mm - 1) & (block.superior_mm <= canal.superior_mm + 1)
    share = np.bincount(labels[:, closed].ravel(), minlength=count + 1)
    share[0] = 0
    if share.max() == 0:
        return None
    number = int(share.argmax())
    rows = np.flatnonzero((labels == number).any(axis=1))
    near = np.abs(block.left_mm[rows] - canal.left_mm).min()
    half_width = max(canal.left_edge_mm - canal.left_mm, canal.left_mm - canal.right_edge_mm)
    side = float(np.sign(np.median(block.left_mm[rows]) - canal.left_mm))
    edge_mm = canal.left_edge_mm - canal.left_mm if side > 0 else canal.left_mm - canal.right_edge_mm
    if near > half_width + NEAR_CANAL_EDGE_MM or near < edge_mm - WITHIN_CANAL_MM:
        return None
    around = ndimage.binary_dilation(labels == number)
    return np.where(around, section, 0.0).astype(np.float32)


def _borders(block: Block, piece: Float32Array, *, leftward: bool) -> Pedicle:
    low_left, high_left = _edges(piece.max(axis=1), block.left_mm)
    low, high = _edges(piece.max(axis=0), block.superior_mm)
    medial, lateral = (low_left, high_left) if leftward else (high_left, low_left)
    if abs(lateral - medial) > WITH_PROCESS_MM:
        lateral = _before_process(block, piece, medial, lateral)
    return Pedicle(medial_mm=medial, lateral_mm=lateral, superior_mm=high, inferior_mm=low)


def _before_process(block: Block, piece: Float32Array, medial: float, lateral: float) -> float:
    """Return the lateral border of a pedicle that goes over into a transverse process."""
    outward = np.argsort(np.abs(block.left_mm - medial))
    outward = outward[np.sign(block.left_mm[outward] - medial) == np.sign(lateral - medial)]
    distance = np.abs(block.left_mm[outward] - medial)
    height = piece[outward].sum(axis=1)
    peak = int(height[distance <= WITH_PROCESS_MM].argmax())
    thin = np.flatnonzero(height[peak:] < PROCESS_HEIGHT_SHARE * height[peak])
    width = float(distance[peak + int(thin[0])]) if thin.size else GREATEST_WIDTH_MM
    return medial + float(np.sign(lateral - medial)) * min(width, GREATEST_WIDTH_MM)


def _edges(profile: Float32Array, positions_mm: FloatArray) -> tuple[float, float]:
    """Return where a profile first rises through the surface value and last falls through it."""
    inside = np.flatnonzero(profile >= SURFACE)
    return (
        _crossing(profile, positions_mm, int(inside[0]), -1),
        _crossing(profile, positions_mm, int(inside[-1]), 1),
    )


def _crossing(profile: Float32Array, positions_mm: FloatArray, index: int, direction: int) -> float:
    beyond = index + direction
    if not 0 <= beyond < profile.size:
        return float(positions_mm[index])
    high, low = float(profile[index]), float(profile[beyond])
    share = (high - SURFACE) / max(high - low, 1e-6)
    return float(positions_mm[index] + share * (positions_mm[beyond] - positions_mm[index]))
