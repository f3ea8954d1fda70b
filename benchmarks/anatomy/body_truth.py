"""Bodies cut out of whole-vertebra masks at the posterior wall as it runs, not at a flat plane."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray, as_floats
from cementct.core.image import LabelMap, Region
from cementct.testing.realspine import RealVertebra

# Lattice on which the wall is looked for, mm.
STEP_MM = 0.5
# The canal is entered at this share of its depth behind the waist's wall; from there the wall is looked for
# forwards, this far beyond the waist's wall at most, mm.
SEED_SHARE, FORWARD_MM = 0.4, 5.0
# Columns in which the wall is looked for: this share of the way to the pedicles' medial borders, where the
# wall begins to turn back into them.
MEDIAL_SHARE = 0.65
# Hollows narrower than this are the basivertebral foramen and bridged, mm.
BRIDGED_MM = 9.0
# Beyond the sizes at the waist, what still belongs to the body, mm: rims at the sides; lips above, below and
# in front, which reach far where a body is flat.
SIDE_MM, END_MM, FRONT_MM = 5.0, 14.0, 14.0
# The wall is looked for so far above and below the waist's ends, mm.
WALL_END_MM = 6.0


def bodies_of_masks(vertebrae: LabelMap, measured: list[RealVertebra]) -> LabelMap:
    """Return the body of every measured vertebra of a label map.

    A body is what lies before the posterior wall: the mask's first surface met from the canal between the
    pedicles, bridged across the basivertebral foramen, and going on straight in front of the pedicles.
    """
    out = np.zeros(vertebrae.grid.shape, dtype=np.uint8)
    regions = vertebrae.regions()
    for vertebra in measured:
        region = regions[vertebra.number]
        index = region.indices()
        left, back, up = vertebra.frame.to_local(vertebrae.grid.to_lps(index)).T
        inside = back < _wall_at(vertebra, region, vertebrae, left, up)
        inside &= np.abs(left) < vertebra.half_width_mm + SIDE_MM
        inside &= (np.abs(up) < vertebra.half_height_mm + END_MM) & (back > vertebra.front_mm - FRONT_MM)
        out[tuple(index[inside].T)] = vertebra.number
    return LabelMap(out, vertebrae.grid)


def _wall_at(
    vertebra: RealVertebra, region: Region, vertebrae: LabelMap, left: FloatArray, up: FloatArray
) -> FloatArray:
    """Return the posterior coordinate of the wall at (left, up) coordinates."""
    across = np.arange(-1.0, 1.0 + 1e-6, STEP_MM / max(vertebra.half_canal_mm, 4.0)) * MEDIAL_SHARE
    lefts = across * vertebra.half_canal_mm
    ups = np.arange(-vertebra.half_height_mm - WALL_END_MM, vertebra.half_height_mm + WALL_END_MM, STEP_MM)
    wall = _first_surface(vertebra, region, vertebrae, lefts, ups)
    known = np.isfinite(wall)
    if known.mean() < 0.2:
        return np.full_like(left, vertebra.wall_mm)
    wall = _bridged(_filled(wall), lefts)
    # Before the pedicles the plane of the wall at that height goes on straight.
    plane = np.median(wall, axis=0, keepdims=True)
    beside = MEDIAL_SHARE * vertebra.half_canal_mm + STEP_MM
    wall = np.concatenate([plane, wall, plane])
    lefts = np.concatenate([[-beside], lefts, [beside]])
    i = np.interp(left, lefts, np.arange(lefts.size))
    j = np.interp(up, ups, np.arange(ups.size))
    from scipy import ndimage

    return as_floats(ndimage.map_coordinates(wall, [i, j], order=1, mode="nearest"))


def _first_surface(
    vertebra: RealVertebra, region: Region, vertebrae: LabelMap, lefts: FloatArray, ups: FloatArray
) -> FloatArray:
    """Return where the mask begins on the way forwards from the canal; NaN where it does not, nearby."""
    from scipy import ndimage

    start = vertebra.wall_mm + SEED_SHARE * vertebra.canal_depth_mm
    backs = np.arange(start, vertebra.wall_mm - FORWARD_MM, -STEP_MM)
    points = np.stack(np.meshgrid(lefts, backs, ups, indexing="ij"), axis=-1)
    index = vertebrae.grid.to_index(vertebra.frame.to_lps(points)) - np.asarray(region.box.start)
    soft: Float32Array = region.voxels.astype(np.float32)
    values = ndimage.map_coordinates(soft, np.moveaxis(index, -1, 0), order=1, mode="constant")
    bone: BoolArray = values >= 0.5
    first = bone.argmax(axis=1)
    # A ray that begins in bone began in a pedicle or a lamina.
    valid = bone.any(axis=1) & ~bone[:, 0]
    return np.where(valid, backs[first] + STEP_MM / 2, np.nan)


def _filled(wall: FloatArray) -> FloatArray:
    """Return the wall with every gap given the value of the nearest known place."""
    from scipy import ndimage

    missing = np.isnan(wall)
    nearest = ndimage.distance_transform_edt(missing, return_distances=False, return_indices=True)
    return as_floats(ndimage.median_filter(wall[tuple(nearest)], size=5, mode="nearest"))


def _bridged(wall: FloatArray, lefts: FloatArray) -> FloatArray:
    from scipy import ndimage

    wide = max(3, round(BRIDGED_MM / STEP_MM) | 1)
    across = min(wide, lefts.size | 1)
    return as_floats(ndimage.grey_closing(wall, size=(across, wide), mode="nearest"))
