"""The spinal canal at one vertebra: the hole that its ring of bone encloses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cementct.anatomy.sampling import SURFACE, Block
from cementct.core.arrays import BoolArray, FloatArray

# Cross-section of a bony canal, mm²: thoracic from about 150, lumbar to about 450, cervical between; the
# range is wide for stenosis, children and coarse masks.
CANAL_AREA_MM2 = (40.0, 900.0)
# How far the canal's middle may lie from the middle of the body: sideways, and behind it, mm.
GREATEST_SIDE_OFFSET_MM = 16.0
LEAST_OFFSET_BEHIND_MM = 6.0
GREATEST_OFFSET_BEHIND_MM = 48.0
# Where a ring is broken in the mask, slices are looked at this thick (mm) after closing gaps of twice this
# radius (mm); the first that shows a hole is used.
RING_ATTEMPTS_MM = ((0.0, 0.0), (4.0, 0.0), (8.0, 1.0), (16.0, 1.0), (24.0, 2.0))
# A ring whose middle lies farther than this from the canal that an engine saw is another hole (a foramen, a
# gap between arches); one this much wider or narrower has bone missing or cement in it, mm.
OTHER_HOLE_MM = 3.0
OTHER_WIDTH_MM = 5.0
# Where pedicles are, as shares of the body's height over its middle: they spring from its upper half.
PEDICLE_SHARES = (-0.1, 0.4)
# Of a canal that is in view at all, at least this cross-section shows, mm².
LEAST_TUBE_MM2 = 40.0


@dataclass(frozen=True)
class CanalSection:
    """The canal at the height of the pedicles, in the vertebra's frame.

    Attributes
    ----------
    left_mm, posterior_mm
        Its middle.
    right_edge_mm, left_edge_mm
        How far it reaches to the right and left at that depth.
    superior_mm, inferior_mm
        Heights between which the ring is closed.
    found
        False where no ring was seen and the place is that of neighbours or of an ordinary vertebra.
    """

    left_mm: float
    posterior_mm: float
    right_edge_mm: float
    left_edge_mm: float
    superior_mm: float
    inferior_mm: float
    found: bool = True


def find_canal(block: Block) -> CanalSection | None:
    """Return the canal as the hole in the ring of bone behind the body, or None where no ring closes."""
    bone = block.bone >= SURFACE
    for thickness_mm, closing_mm in RING_ATTEMPTS_MM:
        section = _holes(block, bone, thickness_mm=thickness_mm, closing_mm=closing_mm)
        if section is not None:
            return section
    return None


def _holes(block: Block, bone: BoolArray, *, thickness_mm: float, closing_mm: float) -> CanalSection | None:
    step = block.step_mm
    thick = bone
    if thickness_mm > 0:
        reach = max(1, round(thickness_mm / step))
        thick = np.asarray(ndimage.maximum_filter1d(bone, reach, axis=2))
    rings: list[tuple[int, BoolArray]] = []
    for k in np.flatnonzero(thick.any(axis=(0, 1))):
        hole = _hole_in_slice(block, thick[:, :, k], closing_mm)
        if hole is not None:
            rings.append((int(k), hole))
    if not rings:
        return None
    return _section(block, rings)


def _hole_in_slice(block: Block, bone: BoolArray, closing_mm: float) -> BoolArray | None:
    step = block.step_mm
    if closing_mm > 0:
        reach = round(closing_mm / step)
        bone = np.asarray(ndimage.binary_dilation(bone, iterations=max(reach, 1)))
    labels, count = ndimage.label(~bone)
    if count < 2:
        return None
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    area = np.bincount(labels.ravel(), minlength=count + 1) * step**2
    area[[0, *border]] = 0.0
    best = None
    for number in np.flatnonzero((area >= CANAL_AREA_MM2[0]) & (area <= CANAL_AREA_MM2[1])):
        rows, columns = np.nonzero(labels == number)
        left = float(block.left_mm[rows].mean())
        behind = float(block.posterior_mm[columns].mean())
        near = abs(left) <= GREATEST_SIDE_OFFSET_MM
        if (
            near
            and LEAST_OFFSET_BEHIND_MM <= behind <= GREATEST_OFFSET_BEHIND_MM
            and (best is None or area[number] > area[best])
        ):
            best = int(number)
    return None if best is None else np.asarray(labels == best)


def _section(block: Block, rings: list[tuple[int, BoolArray]]) -> CanalSection:
    """Join the holes of neighbouring slices: the run of slices with the largest summed area."""
    runs: list[list[tuple[int, BoolArray]]] = []
    for ring in rings:
        if runs and ring[0] - runs[-1][-1][0] <= 2 and bool((ring[1] & runs[-1][-1][1]).any()):
            runs[-1].append(ring)
        else:
            runs.append([ring])
    run = max(runs, key=lambda r: sum(int(hole.sum()) for _, hole in r))
    hole = np.mean([h for _, h in run], axis=0)
    total = float(hole.sum())
    left = float((hole.sum(axis=1) * block.left_mm).sum() / total)
    behind = float((hole.sum(axis=0) * block.posterior_mm).sum() / total)
    across = block.left_mm[_at_depth(hole, block.posterior_mm, behind) >= SURFACE]
    edges = (float(across[0]), float(across[-1])) if across.size else (left - 8.0, left + 8.0)
    heights = block.superior_mm[[run[0][0], run[-1][0]]]
    return CanalSection(left, behind, edges[0], edges[1], float(heights[1]), float(heights[0]))


def _at_depth(hole: FloatArray, posterior_mm: FloatArray, behind: float) -> FloatArray:
    return np.asarray(hole[:, int(np.abs(posterior_mm - behind).argmin())])


def section_of_tube(tube: Block, low_mm: float, high_mm: float) -> CanalSection | None:
    """Return the section of a canal that an engine saw, at the height of the pedicles.

    Parameters
    ----------
    tube
        The canal around a vertebra, in its frame.
    low_mm, high_mm
        Superior coordinates of the body's faces.
    """
    middle, height = 0.5 * (low_mm + high_mm), high_mm - low_mm
    bottom, top = (middle + share * height for share in PEDICLE_SHARES)
    rows = (tube.superior_mm >= bottom) & (tube.superior_mm <= top)
    if not rows.any():
        return None
    share = tube.bone[:, :, rows].mean(axis=2)
    if float((share >= SURFACE).sum()) * tube.step_mm**2 < LEAST_TUBE_MM2:
        return None
    total = float(share.sum())
    left = float((share.sum(axis=1) * tube.left_mm).sum() / total)
    behind = float((share.sum(axis=0) * tube.posterior_mm).sum() / total)
    across = tube.left_mm[_at_depth(share, tube.posterior_mm, behind) >= SURFACE]
    if across.size == 0:
        return None
    return CanalSection(left, behind, float(across[0]), float(across[-1]), top, bottom)


def agreed_canal(ring: CanalSection | None, tube: CanalSection | None) -> CanalSection | None:
    """Return the ring of bone where the canal that an engine saw runs through it, else that canal."""
    if ring is None or tube is None:
        return ring or tube
    apart = np.hypot(ring.left_mm - tube.left_mm, ring.posterior_mm - tube.posterior_mm)
    wider = (ring.left_edge_mm - ring.right_edge_mm) - (tube.left_edge_mm - tube.right_edge_mm)
    return ring if apart <= OTHER_HOLE_MM and abs(wider) <= OTHER_WIDTH_MM else tube


def usual_canal(block: Block) -> CanalSection:
    """Return where the canal lies behind a body of ordinary shape, for want of a ring in view."""
    seen = (block.bone >= SURFACE).sum(axis=2) * block.step_mm
    middle = np.abs(block.left_mm) < 6.0
    tall = np.flatnonzero(seen[middle].mean(axis=0) > 0.5 * float(seen[middle].max(initial=0.0)))
    behind = float(block.posterior_mm[tall[-1]]) if tall.size else 14.0
    return CanalSection(0.0, behind + 9.0, -10.0, 10.0, 6.0, -2.0, found=False)
