"""The surfaces of a body, each moved to where its cortex ends in this very scan: as a whole, endplates bent.

Surfaces follow the steepest descent of a smoothed picture. How far outside the cortex that lies hangs on how
thick and how bright the cortex is, on the kernel, and on what lies beside it; where cement hides much of a
body, its neighbours' shape says only roughly how large it is. Half way down from the cortex of the scan
itself lies as far from its surface in all of them: on phantoms of two makers 0.1 to 0.4 mm outside.

Cement that fills a body to its surface hides the cortex there. Where it borders on soft tissue with no cortex
further out, the surface is where the cement ends: endplates drawn flat over a dished body full of cement lay
up to 3 mm in the disc, and posterior walls up to 2 mm in the canal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from cementct.core.arrays import BoolArray, FloatArray, as_floats
from cementct.core.image import Volume
from cementct.segmentation.vertebrae.embedded.body import BodyOutline
from cementct.segmentation.vertebrae.embedded.side_wall import BACKWARDS_COSINE, DIRECTIONS

# A surface is looked at along its normals, from so far inside to so far outside.
ALONG_MM = np.arange(-6.0, 5.01, 0.25)
# Cortex is the outermost bright place up to here, brighter by so much than the darkest within a reach of it.
FARTHEST_OUT_MM, LEAST_DROP_HU, DARK_WITHIN_MM = 2.5, 150.0, 2.5
# It is the brightest within this distance on both sides; cement and metal are brighter than it.
PEAK_WITHIN_MM, BRIGHTEST_HU = 0.75, 1000.0
# Half way down lies this far outside a body's surface. A surface that is this near to it already stays, and
# one that is not is moved so near: all that is measured beside surfaces was tuned on such ones.
OUTSIDE_MM, NEAR_MM = 0.1, 0.4
# So many places have to show cortex, and such a share, and half of them within this of each other. Of the
# posterior wall more: on what is left of it a leak hangs.
FEWEST_PLACES, LEAST_SHARE, LEAST_WALL_SHARE, MOST_SPREAD_MM = 25, 0.25, 0.5, 1.2
# No surface is moved by more than this, inwards and outwards.
INWARDS_MM, OUTWARDS_MM = 2.5, 1.0
# Where bright cement lies flush on a surface, it leaves for soft tissue within a blur, and has so much cortex
# over it still.
BLUR_MM, SOFT_BELOW_HU, CORTEX_OVER_CEMENT_MM = 1.5, 250.0, 0.9
# That soft tissue may be tumour before a destroyed surface, so it is believed with such a share of cortex, as
# near to it in the middle. A whole endplate may be hidden by cement but for a few places; a wall that is not
# seen was destroyed.
LEAST_CORTEX_SHARE, LEAST_CORTEX_ON_PLATE, CORTEX_AGREES_MM = 0.1, 0.04, 1.0
# An endplate is bent as well: tilted and dished within this distance of its middle, further out as there;
# what few places say of it is believed less. Each place is weighed by how far the last round left it off.
BEND_WITHIN_MM, BEND_RIDGE, BEND_ROUNDS, NEAR_FIT_MM = 11.0, 0.005, 5, 0.3
# No place of it is moved inwards by more.
PLATE_INWARDS_MM = 4.0
# Surfaces across which voxels are coarser than this are left: cortex is lost in them.
COARSEST_MM = 1.6
# What of a body is looked at: its waist, in shares of the spacing; the wall beside the basivertebral vein;
# and the middle of its endplates.
WAIST_SHARE = 0.18
WALL_LEFT_MM = np.concatenate([np.arange(-8.0, -2.9, 1.0), np.arange(3.0, 8.1, 1.0)])
PLATE_LEFT_MM, PLATE_BACK_MM = np.arange(-9.0, 9.1, 1.5), np.arange(-6.0, 6.1, 1.5)


@dataclass(frozen=True)
class _Places:
    """Places on a surface of a body and the directions outwards: (left, back, up), shape (n, 3)."""

    points_mm: FloatArray
    outwards: FloatArray


def settled(volume: Volume, outline: BodyOutline) -> BodyOutline:
    """Return the outline of a body, its surfaces moved to where its cortex ends.

    Parameters
    ----------
    volume
        The scan.
    outline
        The body.
    """
    wall, side, plates = outline.posterior_wall, outline.side_wall, outline.endplates
    left_mm, back_mm, up_mm = outline.edges.block.spacing_mm
    if max(left_mm, back_mm) <= COARSEST_MM:
        shift_mm = _shift_mm(volume, outline, _on_wall(outline), LEAST_WALL_SHARE)
        wall = replace(wall, coefficients=wall.coefficients + np.array([shift_mm, 0, 0, 0, 0]))
        side = replace(side, radius_mm=side.radius_mm + _shift_mm(volume, outline, _on_side(outline)))
    if up_mm <= COARSEST_MM:
        superior_mm, inferior_mm = plates.superior_mm, plates.inferior_mm
        if not outline.placed.cut_above:
            superior_mm = superior_mm + _bend_mm(volume, outline, 1.0)
        if not outline.placed.cut_below:
            inferior_mm = inferior_mm - _bend_mm(volume, outline, -1.0)
        plates = replace(plates, superior_mm=superior_mm, inferior_mm=inferior_mm)
    return replace(outline, posterior_wall=wall, side_wall=side, endplates=plates)


def _on_wall(outline: BodyOutline) -> _Places:
    half = WAIST_SHARE * outline.placed.spacing_mm
    left, up = (a.ravel() for a in np.meshgrid(WALL_LEFT_MM, np.arange(-half, half + 0.1, 1.0)))
    points = np.stack([left, outline.posterior_wall.at(left, up), up], axis=1)
    return _Places(points, np.broadcast_to([0.0, 1.0, 0.0], points.shape))


def _on_side(outline: BodyOutline) -> _Places:
    side = outline.side_wall
    angle = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    rows = np.flatnonzero(np.cos(angle) <= BACKWARDS_COSINE)
    levels = np.flatnonzero(np.abs(side.up_mm) <= WAIST_SHARE * outline.placed.spacing_mm)
    row, level = (a.ravel() for a in np.meshgrid(rows, levels))
    outwards = np.stack([np.sin(angle[row]), np.cos(angle[row]), np.zeros(row.size)], axis=1)
    middle = np.stack([np.zeros(row.size), np.full(row.size, side.middle_back_mm), side.up_mm[level]], axis=1)
    points = middle + outwards * side.radius_mm[row, level][:, None]
    return _Places(points, outwards)


def _on_plate(outline: BodyOutline, upwards: float) -> _Places:
    back = outline.side_wall.middle_back_mm + PLATE_BACK_MM
    left, back = (a.ravel() for a in np.meshgrid(PLATE_LEFT_MM, back))
    plates = outline.endplates
    up = plates.superior_at(left, back) if upwards > 0 else plates.inferior_at(left, back)
    points = np.stack([left, back, up], axis=1)
    return _Places(points, np.broadcast_to([0.0, 0.0, upwards], points.shape))


def _shift_mm(
    volume: Volume, outline: BodyOutline, places: _Places, least_share: float = LEAST_SHARE
) -> float:
    """Return how far outwards a surface is to be moved; 0 where too little cortex is seen."""
    for gap, cortex in _seen_gaps(volume, outline, places):
        seen = gap[np.isfinite(gap)]
        if seen.size < max(FEWEST_PLACES, least_share * gap.size):
            continue
        first, middle, third = np.percentile(seen, [25, 50, 75])
        if third - first <= MOST_SPREAD_MM and abs(np.median(gap[cortex]) - middle) <= CORTEX_AGREES_MM:
            return float(np.clip(_beyond_near(middle - OUTSIDE_MM), -INWARDS_MM, OUTWARDS_MM))
    return 0.0


def _bend_mm(volume: Volume, outline: BodyOutline, upwards: float) -> FloatArray:
    """Return how far outwards an endplate is to be moved at each of its samples: as a whole, tilted, dished.

    0 where too little cortex is seen.
    """
    plates, middle_mm = outline.endplates, outline.side_wall.middle_back_mm
    places = _on_plate(outline, upwards)
    terms = _terms(places.points_mm[:, 0], places.points_mm[:, 1] - middle_mm)
    for gap, cortex in _seen_gaps(volume, outline, places, LEAST_CORTEX_ON_PLATE):
        seen = np.isfinite(gap)
        if np.count_nonzero(seen) < max(FEWEST_PLACES, LEAST_SHARE * gap.size):
            continue
        bend = _bend_of(terms[seen], gap[seen] - OUTSIDE_MM)
        left_over = gap - OUTSIDE_MM - terms @ bend
        first, third = np.percentile(left_over[seen], [25, 75])
        if third - first <= MOST_SPREAD_MM and abs(np.median(left_over[cortex])) <= CORTEX_AGREES_MM:
            left, back = np.meshgrid(plates.left_mm, plates.back_mm - middle_mm, indexing="ij")
            near = np.minimum(1.0, BEND_WITHIN_MM / np.maximum(np.hypot(left, back), 1e-6))
            off = (_terms((left * near).ravel(), (back * near).ravel()) @ bend).reshape(left.shape)
            return np.clip(_beyond_near(off), -PLATE_INWARDS_MM, OUTWARDS_MM)
    return np.zeros((plates.left_mm.size, plates.back_mm.size))


def _seen_gaps(
    volume: Volume, outline: BodyOutline, places: _Places, least_cortex: float = LEAST_CORTEX_SHARE
) -> Iterator[tuple[FloatArray, BoolArray]]:
    """Go through gaps that may be believed, and where they are cortex's: with flush cement, then without."""
    profile_hu = _profiles(volume, outline, places)
    gap = _gaps_mm(profile_hu)
    cortex = np.isfinite(gap)
    if np.count_nonzero(cortex) >= least_cortex * gap.size:
        yield np.where(cortex, gap, _flush_mm(profile_hu)), cortex
    if cortex.any():
        yield gap, cortex


def _beyond_near(off_mm: FloatArray) -> FloatArray:
    """Return by how much something is off beyond what may stay."""
    return np.sign(off_mm) * np.maximum(np.abs(off_mm) - NEAR_MM, 0.0)


def _bend_of(terms: FloatArray, off_mm: FloatArray) -> FloatArray:
    """Return the shift, slopes and dish that explain most places, the nearest to a mere shift that do."""
    start_mm = float(np.median(off_mm))
    ridge = BEND_RIDGE * len(terms) * np.eye(terms.shape[1])
    ridge[0, 0] = 0.0
    weight = np.ones(len(terms))
    bend = as_floats(np.zeros(terms.shape[1]))
    for _ in range(BEND_ROUNDS):
        weighted = terms * weight[:, None]
        bend = as_floats(np.linalg.solve(terms.T @ weighted + ridge, weighted.T @ (off_mm - start_mm)))
        weight = 1.0 / np.maximum(np.abs(terms @ bend + start_mm - off_mm), NEAR_FIT_MM)
    bend[0] += start_mm
    return bend


def _terms(left_mm: FloatArray, back_mm: FloatArray) -> FloatArray:
    """Return 1, the slopes and the dish at places around a plate's middle, in units of `BEND_WITHIN_MM`."""
    left, back = left_mm / BEND_WITHIN_MM, back_mm / BEND_WITHIN_MM
    return np.stack([np.ones_like(left), left, back, left**2 + back**2], axis=1)


def _profiles(volume: Volume, outline: BodyOutline, places: _Places) -> FloatArray:
    """Return intensities along the normals, shape (n, steps)."""
    from scipy import ndimage

    points = places.points_mm[:, None] + places.outwards[:, None] * ALONG_MM[:, None]
    grid_mm = outline.placed.placement.to_grid_mm(points[..., 0], points[..., 1], points[..., 2])
    index = np.moveaxis(grid_mm / as_floats(volume.grid.spacing_mm), -1, 0)
    return np.asarray(ndimage.map_coordinates(volume.hu, index, order=1, mode="nearest", output=np.float64))


def _flush_mm(profile_hu: FloatArray) -> FloatArray:
    """Return how far outside its surface each profile leaves cement for soft tissue; NaN where it does not.

    Only what lies inside says where the surface is: further out cement has leaked.
    """
    bright = (profile_hu >= BRIGHTEST_HU) & (ALONG_MM <= 0.0)
    last_mm = ALONG_MM[profile_hu.shape[1] - 1 - bright[:, ::-1].argmax(axis=1)]
    beyond = (last_mm[:, None] + BLUR_MM < ALONG_MM) & (ALONG_MM <= FARTHEST_OUT_MM)
    is_soft = np.where(beyond, profile_hu, -np.inf).max(axis=1) < SOFT_BELOW_HU
    return np.where(bright.any(axis=1) & is_soft, last_mm + CORTEX_OVER_CEMENT_MM, np.nan)


def _gaps_mm(profile_hu: FloatArray) -> FloatArray:
    """Return how far outside its surface each profile is half way down from cortex; NaN where none is."""
    from scipy import ndimage

    step_mm = float(ALONG_MM[1] - ALONG_MM[0])
    peak = round(PEAK_WITHIN_MM / step_mm)
    reach = round(DARK_WITHIN_MM / step_mm)
    highest = profile_hu >= ndimage.maximum_filter1d(profile_hu, 2 * peak + 1, axis=1)
    # The darkest from here outwards.
    dark = ndimage.minimum_filter1d(profile_hu, reach + 1, axis=1, origin=-(reach // 2))
    cortex = highest & (profile_hu - dark >= LEAST_DROP_HU) & (ALONG_MM <= FARTHEST_OUT_MM)
    cortex[:, :peak] = False
    place = cortex.shape[1] - 1 - cortex[:, ::-1].argmax(axis=1)
    rows = np.arange(len(profile_hu))
    top = profile_hu[rows, place]
    found = cortex.any(axis=1) & (top < BRIGHTEST_HU)
    half = 0.5 * (top + dark[rows, place])
    beyond = (profile_hu < half[:, None]) & (np.arange(profile_hu.shape[1]) > place[:, None])
    after = beyond.argmax(axis=1)
    found &= beyond.any(axis=1)
    before_hu, after_hu = profile_hu[rows, after - 1], profile_hu[rows, after]
    part = (before_hu - half) / np.maximum(before_hu - after_hu, 1e-6)
    return np.where(found, ALONG_MM[after] - step_mm * (1 - part), np.nan)
