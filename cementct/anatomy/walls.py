"""The posterior wall: the surface of the body that faces the canal, bridged where bone is missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.anatomy.canal import CanalSection
from cementct.anatomy.fields import basis, bridge_gaps, fit_surface, smooth_field
from cementct.anatomy.model import HeightField
from cementct.anatomy.sampling import SURFACE, Block, first_surface
from cementct.core.arrays import BoolArray, FloatArray

# A place of the wall this far in front of its smooth course is a dent (basivertebral foramen, defect) and is
# bridged, mm. A sound wall is concave by 1–2 mm, which its quadratic course follows.
DENT_MM = 1.5
# Steps of voxels on a tilted wall add this share of the largest spacing to it.
STEP_SHARE = 0.4
# Robust scale of that smooth course, mm.
COURSE_SCALE_MM = 0.8
# The basivertebral foramen opens in the middle of the wall: within this of the midline (mm), and within this
# share of the height above and below the middle. A dent there is ordinary.
FORAMEN_HALF_WIDTH_MM = 6.0
FORAMEN_HALF_HEIGHT_SHARE = 0.3
# Above this share of the rest of the wall missing, the wall counts as destroyed and rebuilt.
REBUILT_SHARE = 0.15
# Under this share of the wall intact, its course cannot be told from itself.
LEAST_INTACT_SHARE = 0.3
# Next to the pedicles, within this of their medial borders, bone that stands this far behind the wall's
# course is the rounded root of the pedicle, mm.
CORNER_MM = 3.0
CORNER_RISE_MM = 0.8
# Lips of the body reach past the plane of its faces; the wall is followed this far over it where most of its
# width shows bone, mm.
LIP_MM = 5.0
LIP_SHARE = 0.5
# Bone farther than this from where the wall is expected is not the wall, mm: where the vertebra shows it
# itself, and where neighbours tell its place because the vertebra's own is destroyed.
FAR_FROM_WALL_MM = 9.0
NEAR_WALL_MM = 3.0
# The lamina is the foremost bone behind the canal; farther back lie only spinous processes. This percentile
# of what is met near the midline, from the front, is taken for it.
LAMINA_PERCENTILE = 20
# The wall is looked for from the canal's middle forwards over at most this distance, mm.
GREATEST_CANAL_TO_WALL_MM = 26.0


@dataclass(frozen=True)
class Wall:
    """A posterior wall and what of it was seen.

    Attributes
    ----------
    field
        Posterior coordinate over (left, superior), without gaps.
    rebuilt
        Whether a part beyond the basivertebral foramen had to be inferred.
    intact_share
        Share of the wall that the mask shows.
    """

    field: HeightField
    rebuilt: bool
    intact_share: float


def wall_in_middle(block: Block, canal: CanalSection) -> float | None:
    """Return the posterior coordinate of the wall in front of the canal's middle, or None."""
    hits = _hits(block, canal)
    middle = np.abs(block.left_mm - canal.left_mm) <= 4.0
    at_ring = (block.superior_mm >= canal.inferior_mm) & (block.superior_mm <= canal.superior_mm)
    for rows in (at_ring, np.abs(block.superior_mm) < 12.0):
        seen = hits[np.ix_(middle, rows)]
        seen = seen[np.isfinite(seen)]
        if seen.size >= 3:
            return float(np.percentile(seen, 60))
    return None


def lamina_in_middle(block: Block, canal: CanalSection) -> float | None:
    """Return the posterior coordinate of the lamina behind the canal's middle; None where there is none."""
    behind = block.posterior_mm >= canal.posterior_mm
    if not behind.any():
        return None
    bone = np.moveaxis(block.bone[:, behind, :], 1, -1)
    hits = first_surface(bone, block.posterior_mm[behind])
    hits = np.where(bone[..., 0] >= SURFACE, np.nan, hits)
    seen = hits[np.abs(block.left_mm - canal.left_mm) <= 4.0]
    seen = seen[np.isfinite(seen)]
    return float(np.percentile(seen, LAMINA_PERCENTILE)) if seen.size >= 3 else None


def fit_posterior_wall(
    block: Block,
    canal: CanalSection,
    *,
    borders_mm: tuple[float, float],
    heights_mm: tuple[float, float],
    expected_mm: float,
    tolerance_mm: float,
    voxel_mm: float,
) -> Wall:
    """Measure the posterior wall between the medial borders of the pedicles.

    Parameters
    ----------
    block
        All bone around the vertebra, in its frame.
    canal
        The canal at this vertebra, from where the wall is looked at.
    borders_mm
        Left coordinates of the right and left medial border.
    heights_mm
        Superior coordinates of the wall's lower and upper end.
    expected_mm
        Where the wall lies if this vertebra does not show it (from its neighbours).
    tolerance_mm
        Bone farther than this from there is not the wall.
    voxel_mm
        Largest spacing of the mask; steps of its voxels are no dents.
    """
    left = _inside(block.left_mm, borders_mm)
    seen = _hits(block, canal)
    seen = np.where(np.abs(seen - expected_mm) > tolerance_mm, np.nan, seen)
    shown = np.isfinite(seen[left]).mean(axis=0)
    if tolerance_mm < FAR_FROM_WALL_MM:
        superior = _inside(block.superior_mm, heights_mm)
    else:
        superior = _with_lips(block.superior_mm, heights_mm, shown)
    left_mm, superior_mm = block.left_mm[left], block.superior_mm[superior]
    hits = seen[np.ix_(left, superior)]
    looked = ~_blocked(block, canal)[np.ix_(left, superior)]
    first, second = np.meshgrid(left_mm, superior_mm, indexing="ij")
    course = fit_surface(first, second, hits, curved=True, scale_mm=COURSE_SCALE_MM)
    smooth = basis(first, second, curved=True) @ course
    corner = np.minimum(first - borders_mm[0], borders_mm[1] - first) <= CORNER_MM
    looked &= ~(corner & (hits > smooth + CORNER_RISE_MM))
    hits = np.where(looked, hits, np.nan)
    intact = np.isfinite(hits) & (hits > smooth - DENT_MM - STEP_SHARE * voxel_mm)
    intact_share = float(intact[looked].mean()) if looked.any() else 0.0
    if intact_share < LEAST_INTACT_SHARE:
        heights = np.where(intact, hits, expected_mm)
    else:
        heights = bridge_gaps(np.where(intact, hits, np.nan))
    beyond = looked & ~_foramen_zone(first, second)
    missing = float((~intact & beyond).sum()) / max(float(beyond.sum()), 1.0)
    heights = smooth_field(heights, 0.8 / block.step_mm)
    return Wall(HeightField(left_mm, superior_mm, heights), missing > REBUILT_SHARE, intact_share)


def _hits(block: Block, canal: CanalSection) -> FloatArray:
    """March forwards from the canal's middle to the first bone, for every (left, superior)."""
    within = (block.posterior_mm <= canal.posterior_mm) & (
        block.posterior_mm >= canal.posterior_mm - GREATEST_CANAL_TO_WALL_MM
    )
    bone = np.moveaxis(block.bone[:, within, :][:, ::-1, :], 1, -1)
    hits = first_surface(bone, block.posterior_mm[within][::-1])
    return np.where(bone[..., 0] >= SURFACE, np.nan, hits)


def _blocked(block: Block, canal: CanalSection) -> BoolArray:
    """Tell where the march would start in bone, so that nothing can be said of the wall."""
    start = int(np.searchsorted(block.posterior_mm, canal.posterior_mm, side="right")) - 1
    return np.asarray(block.bone[:, max(start, 0), :] >= SURFACE)


def _with_lips(superior_mm: FloatArray, heights_mm: tuple[float, float], shown: FloatArray) -> BoolArray:
    """Return the heights of the wall: between the faces, and on over lips where most of the width is bone."""
    inside = _inside(superior_mm, heights_mm)
    rows = np.flatnonzero(inside)
    first, last = int(rows[0]), int(rows[-1])
    reach = round(LIP_MM / float(superior_mm[1] - superior_mm[0]))
    for _ in range(reach):
        if first > 0 and shown[first - 1] >= LIP_SHARE:
            first -= 1
        if last + 1 < superior_mm.size and shown[last + 1] >= LIP_SHARE:
            last += 1
    while last - first > 3 and shown[first] < LIP_SHARE and superior_mm[first] < heights_mm[0] + LIP_MM:
        first += 1
    while last - first > 3 and shown[last] < LIP_SHARE and superior_mm[last] > heights_mm[1] - LIP_MM:
        last -= 1
    inside[:] = False
    inside[first : last + 1] = True
    return inside


def _inside(positions: FloatArray, limits: tuple[float, float]) -> BoolArray:
    inside = np.asarray((positions >= limits[0]) & (positions <= limits[1]))
    if np.count_nonzero(inside) < 3:
        nearest = np.argsort(np.abs(positions - np.mean(limits)))[:3]
        inside = np.zeros_like(inside)
        inside[nearest] = True
    return inside


def _foramen_zone(first: FloatArray, second: FloatArray) -> BoolArray:
    middle_first, middle_second = float(first.mean()), float(second.mean())
    reach = FORAMEN_HALF_HEIGHT_SHARE * float(np.ptp(second))
    return np.asarray(
        (np.abs(first - middle_first) <= FORAMEN_HALF_WIDTH_MM) & (np.abs(second - middle_second) <= reach)
    )
