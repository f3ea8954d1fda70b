"""The lines that part canal, foramina and discs at one vertebra, complete where the vertebra lacks them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from cementct.anatomy.fields import bridge_gaps, crop_field, wall_at
from cementct.anatomy.model import HeightField, Pedicle, Vertebra
from cementct.anatomy.sampling import SURFACE, Block, Extent, box_of_extent, first_surface, sample_block
from cementct.core.arrays import BoolArray, FloatArray
from cementct.core.frame import Frame
from cementct.core.grid import Box, Grid
from cementct.core.threads import each

# An ordinary canal, where no vertebra in view shows its own: half its width and its depth, mm.
USUAL_HALF_WIDTH_MM = 11.0
USUAL_CANAL_DEPTH_MM = 16.0
# An ordinary pedicle: its width in mm, and its lower and upper border as shares of the body's height above
# its middle (it springs from the upper half).
USUAL_PEDICLE_WIDTH_MM = 8.0
USUAL_PEDICLE_SHARES = (-0.12, 0.42)
# A pedicle that is not in view is taken over from a neighbour no farther away than this many levels.
GREATEST_LOAN_LEVELS = 3
# Laminae lie at most this far behind the posterior wall; bone farther back is the neighbour's, mm.
GREATEST_CANAL_DEPTH_MM = 27.0
# A place this far behind where the laminae usually stand lies between two spinous processes, mm.
BEHIND_LAMINAE_MM = 3.0
# The front of the facet joint lies at most this far behind the wall's plane, mm.
GREATEST_FORAMEN_DEPTH_MM = 18.0
# Its usual depth where no facet is in view, mm.
USUAL_FORAMEN_DEPTH_MM = 12.0
# Bone nearer to the wall than this is body or pedicle, not facet, mm.
LEAST_FORAMEN_DEPTH_MM = 3.0
# How far past the body's faces laminae and facets are looked at, mm.
BEYOND_FACES_MM = 8.0
STEP_MM = 1.0


@dataclass(frozen=True)
class Borders:
    """Everything about one vertebra that the spaces around it hang on, in its frame.

    Attributes
    ----------
    frame
        The vertebra's frame.
    left, right
        Its pedicles, or what neighbours say they would be.
    wall
        Posterior coordinate of the posterior wall over (left, superior).
    back
        Posterior coordinate where canal and foramina end behind, over (left, superior).
    low_mm, high_mm
        Superior coordinates of the lower and upper end of the posterior wall.
    superior_endplate, inferior_endplate
        Its faces.
    """

    frame: Frame
    left: Pedicle
    right: Pedicle
    wall: HeightField
    back: HeightField
    low_mm: float
    high_mm: float
    superior_endplate: HeightField
    inferior_endplate: HeightField


def find_borders(grid: Grid, vertebrae: Sequence[Vertebra], bone: BoolArray, box: Box) -> list[Borders]:
    """Return the borders at each vertebra.

    Parameters
    ----------
    grid, vertebrae
        The volume's grid, and the vertebrae from top to bottom.
    bone, box
        All labelled bone, in a block of the grid.
    """
    pedicles = _all_pedicles(vertebrae)
    found: list[Borders] = []
    for vertebra, (left, right) in zip(vertebrae, pedicles, strict=True):
        wall = vertebra.posterior_wall
        bare = Borders(
            frame=vertebra.frame,
            left=left,
            right=right,
            wall=wall,
            back=wall,
            low_mm=float(wall.second_mm[0]),
            high_mm=float(wall.second_mm[-1]),
            superior_endplate=vertebra.superior_endplate,
            inferior_endplate=vertebra.inferior_endplate,
        )
        found.append(bare)
    return each(lambda bare: replace(bare, back=_find_back(grid, bare, bone, box)), found)


def _all_pedicles(vertebrae: Sequence[Vertebra]) -> list[tuple[Pedicle, Pedicle]]:
    """Return both pedicles of every vertebra, missing ones after the other side or the nearest neighbours."""
    sides = [(v.left_pedicle, v.right_pedicle) for v in vertebrae]
    sides = [(_or_mirrored(left, right), _or_mirrored(right, left)) for left, right in sides]
    out = []
    for i, vertebra in enumerate(vertebrae):
        pair = []
        for side in (0, 1):
            own = sides[i][side]
            near = sorted((abs(i - j), j) for j in range(len(sides)) if sides[j][side] is not None)
            lender = sides[near[0][1]][side] if near and near[0][0] <= GREATEST_LOAN_LEVELS else None
            if own is None and lender is not None:
                own = _lent(lender, vertebrae[near[0][1]], vertebra)
            if own is None:
                own = _usual_pedicle(vertebra, 1.0 if side == 0 else -1.0)
            pair.append(own)
        out.append((pair[0], pair[1]))
    return out


def _lent(pedicle: Pedicle, lender: Vertebra, borrower: Vertebra) -> Pedicle:
    """Return a neighbour's pedicle at the height it has over the end of the wall that faces the neighbour.

    That end is in view even where the scan cuts the borrower.
    """
    end = 0 if borrower.position < lender.position else -1
    shift = float(borrower.posterior_wall.second_mm[end] - lender.posterior_wall.second_mm[end])
    return replace(pedicle, superior_mm=pedicle.superior_mm + shift, inferior_mm=pedicle.inferior_mm + shift)


def _or_mirrored(own: Pedicle | None, other: Pedicle | None) -> Pedicle | None:
    if own is not None or other is None:
        return own
    return replace(other, medial_mm=-other.medial_mm, lateral_mm=-other.lateral_mm)


def _usual_pedicle(vertebra: Vertebra, sign: float) -> Pedicle:
    low, high = (share * max(vertebra.height_mm, 15.0) for share in USUAL_PEDICLE_SHARES)
    return Pedicle(
        medial_mm=sign * USUAL_HALF_WIDTH_MM,
        lateral_mm=sign * (USUAL_HALF_WIDTH_MM + USUAL_PEDICLE_WIDTH_MM),
        superior_mm=high,
        inferior_mm=low,
    )


def _find_back(grid: Grid, borders: Borders, bone: BoolArray, box: Box) -> HeightField:
    """March backwards from canal and foramina to laminae and facets; straight across where none is."""
    middle = float(np.nanmean(borders.wall.height_mm))
    reach = Extent(
        (min(borders.right.lateral_mm, -20.0) - 3, max(borders.left.lateral_mm, 20.0) + 3),
        (middle - 3.0, middle + GREATEST_CANAL_DEPTH_MM + 2.0),
        (borders.low_mm - BEYOND_FACES_MM, borders.high_mm + BEYOND_FACES_MM),
    )
    needed = box_of_extent(grid, borders.frame, reach).intersection(box)
    if needed.is_empty:
        return HeightField(*_corners(reach, middle + USUAL_CANAL_DEPTH_MM))
    block = sample_block(bone, box, grid, borders.frame, extent=reach, step_mm=STEP_MM)
    first, second = np.meshgrid(block.left_mm, block.superior_mm, indexing="ij")
    wall = wall_at(borders.wall, first, second)
    in_canal = (block.left_mm > borders.right.medial_mm) & (block.left_mm < borders.left.medial_mm)
    heights = np.where(in_canal[:, None], _laminae(block, wall, in_canal), np.nan)
    usual_mm = float(np.nanmedian(heights - wall)) if in_canal.any() else USUAL_CANAL_DEPTH_MM
    facets = _march(block, wall + LEAST_FORAMEN_DEPTH_MM)
    facets = np.where(facets - wall > GREATEST_FORAMEN_DEPTH_MM, np.nan, facets)
    for side in (block.left_mm >= borders.left.medial_mm, block.left_mm <= borders.right.medial_mm):
        own = facets[side]
        shown = np.isfinite(own).any()
        heights[side] = bridge_gaps(own) if shown else wall[side] + min(usual_mm, USUAL_FORAMEN_DEPTH_MM)
    heights = ndimage.median_filter(heights, 3, mode="nearest")
    return crop_field(block.left_mm, block.superior_mm, heights)


def _laminae(block: Block, wall: FloatArray, in_canal: BoolArray) -> FloatArray:
    """Return where the canal ends behind: at the laminae, and straight across between them."""
    laminae = _march(block, wall + 0.5 * USUAL_CANAL_DEPTH_MM - 1.0)
    laminae = np.where(in_canal[:, None] & (laminae - wall <= GREATEST_CANAL_DEPTH_MM), laminae, np.nan)
    shown = np.isfinite(laminae).any(axis=1)
    if not shown.any():
        return wall + USUAL_CANAL_DEPTH_MM
    usual = np.nanmedian((laminae - wall)[shown], axis=1, keepdims=True)
    part = laminae[shown]
    laminae[shown] = np.where(part - wall[shown] > usual + BEHIND_LAMINAE_MM, np.nan, part)
    return bridge_gaps(laminae)


def _corners(reach: Extent, height_mm: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    return np.array(reach.left), np.array(reach.superior), np.full((2, 2), height_mm)


def _march(block: Block, start_mm: FloatArray) -> FloatArray:
    """Return where a march backwards from a surface over (left, superior) meets bone; NaN if it starts so."""
    begun = block.posterior_mm[None, None, :] >= start_mm[:, :, None]
    bone = np.where(begun, np.moveaxis(block.bone, 1, -1), 0.0).astype(np.float32)
    first_begun = begun.argmax(axis=-1)
    starts_in_bone = np.take_along_axis(bone, first_begun[..., None], -1)[..., 0] >= SURFACE
    hits = first_surface(bone, block.posterior_mm)
    return np.where(starts_in_bone, np.nan, hits)
