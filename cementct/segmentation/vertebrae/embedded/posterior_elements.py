"""Pedicles, laminae, facets and processes: bone behind the bodies, shared out by where vertebrae have it.

How often a place behind a body belongs to that body's vertebra was counted on measured vertebrae
(`posterior_atlas.npz`, made by benchmarks/make_posterior_atlas.py). Each voxel of bone goes to the vertebra
that most often has it. A geodesic distance through bone, the usual way, leaks across facets and into ribs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray, as_floats
from cementct.core.grid import Box, Grid
from cementct.core.image import NOT_MEASURED_BELOW_HU, Volume
from cementct.segmentation.vertebrae.embedded.body import BodyOutline
from cementct.segmentation.vertebrae.embedded.rasterize import local_coordinates_at

LabelBytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

PHASES = (-1.4, 1.0, 0.05)
BACK_MM = (-16.0, 52.0, 2.0)
ASIDE_MM = (0.0, 50.0, 2.5)
# First, last and step of the atlas along the spine (shares of the disc-to-disc spacing from the middle of the
# body), towards the back from the middle of the canal, and to either side of the midline.
LEAST_SHARE = 0.25
# Bone that fewer than this share of vertebrae have there is rib, or the next vertebra's.
FRINGE_SHARE = 0.06
FRINGE_SPACING_MM = (21.0, 25.0)
FRINGE_FROM_MM = (0.0, -3.0)
# The same behind the middle of a thoracic canal, and from just in front of it where spacings are those of T11
# and below, where no rib's head lies: facets and processes differ more from one vertebra to the next than
# pedicles do.
DENSE_SHARE = 0.55
# The same for what is as dense as cement, and for its blur: cement in a pedicle is within the vertebra,
# cement in a foramen or behind the lamina is not bone.
CEMENT_HU = 900.0
CEMENT_SMOOTHING_MM = 1.0
BRIGHTER_THAN_CORTEX_HU = 1300.0
# Facets and laminae are as thick and dense as faint cement: there only what exceeds the second counts.
LEAST_CEMENT_MM3 = 4.0
CEMENT_REACH_MM = 2.0
# What stays brighter than this after smoothing, in pieces of this size, is thicker than cortex: cement or
# metal; their blur reaches so far.
CANAL_EDGE_MM = 1.0
# The canal's outline is this good.
BONE_HU = 150.0
# Between muscle (60 HU) and thin cortex as slices of 1 to 3 mm show it.
SPARSE_BONE_HU = 100.0
SURE_SHARE = 0.6
# Where at least this share of vertebrae has bone, sparse marrow of a pedicle and cortex thinned by thick
# slices count as well.
CLOSING_MM = 1.6
# Marrow of processes is enclosed by cortex: gaps up to twice this are filled.
LUMBAR_SPACING_MM = (24.0, 32.0)
# Spacing over which the thoracic atlas gives way to the lumbar one.


def add_posterior_elements(
    volume: Volume, outlines: Sequence[BodyOutline], bodies: LabelBytes, canal: BoolArray
) -> LabelBytes:
    """Return whole vertebrae: the bodies and the bone behind them under the same numbers.

    What lies well within the `canal` is no bone, however dense, nor is cement at its edge.
    """
    grid = volume.grid
    whole = bodies.copy()
    if not outlines:
        return whole
    boxes = [_reach(grid, outline) for outline in outlines]
    region = boxes[0]
    for box in boxes[1:]:
        region = region.union(box)
    in_canal = canal[region.slices]
    free = (bodies[region.slices] == 0) & ~_core(in_canal, grid)
    certain = _bone(volume, region) & free
    bone = certain | ((volume.hu[region.slices] > SPARSE_BONE_HU) & free)
    share, owner, facets = _shared_out(grid, outlines, region, bone, certain)
    owner[share < LEAST_SHARE * 255] = 0
    limit_hu = np.where(facets & ~in_canal, BRIGHTER_THAN_CORTEX_HU, CEMENT_HU).astype(np.float32)
    owner[_near_cement(volume, region, limit_hu) & (in_canal | (share < DENSE_SHARE * 255))] = 0
    part_of_whole = whole[region.slices]
    part_of_whole[owner > 0] = owner[owner > 0]
    return _largest_pieces(whole, region, len(outlines))


def _shared_out(
    grid: Grid, outlines: Sequence[BodyOutline], region: Box, bone: BoolArray, certain: BoolArray
) -> tuple[LabelBytes, LabelBytes, BoolArray]:
    """Return for bone in a region how often it is its owner's, the owner, and what lies where facets are."""
    share = np.zeros(region.shape, dtype=np.uint8)
    owner = np.zeros(region.shape, dtype=np.uint8)
    facets = np.zeros(region.shape, dtype=np.bool_)
    for number, outline in enumerate(outlines, start=1):
        box = _reach(grid, outline)
        part = box.within(region)
        some = np.nonzero(bone[part])
        left, back, up = local_coordinates_at(grid, box, outline, some)
        likely = _looked_up(outline, left, back, up)
        likely[back <= outline.posterior_wall.at(left, up)] = 0
        from_mm = float(np.interp(outline.placed.spacing_mm, FRINGE_SPACING_MM, FRINGE_FROM_MM))
        behind = back > outline.placed.canal_back_mm + from_mm
        facets[part][some] |= behind & (likely > 0)
        fringe = behind & (likely >= FRINGE_SHARE * 255) & (likely < LEAST_SHARE * 255)
        likely[fringe] = np.uint8(LEAST_SHARE * 255 + 1)
        likely[~certain[part][some] & (likely < SURE_SHARE * 255)] = 0
        better = likely > share[part][some]
        taken = tuple(axis[better] for axis in some)
        share[part][taken], owner[part][taken] = likely[better], number
    return share, owner, facets


def _reach(grid: Grid, outline: BodyOutline) -> Box:
    """Return the voxels that can belong to an outline's vertebra."""
    placed = outline.placed
    corners = np.array([(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    left = np.array([-ASIDE_MM[1], ASIDE_MM[1]])[corners[:, 0]]
    back = np.array([BACK_MM[0], BACK_MM[1]])[corners[:, 1]] + placed.canal_back_mm
    up = np.array([PHASES[0], PHASES[1]])[corners[:, 2]] * placed.spacing_mm
    points = placed.placement.to_grid_mm(left, back, up)
    return grid.box_around(points / as_floats(grid.spacing_mm))


def _bone(volume: Volume, box: Box) -> BoolArray:
    """Return bone within a box, its small marrow spaces filled."""
    from scipy import ndimage

    hu = volume.hu[box.slices]
    bone = (hu > BONE_HU) & (hu > NOT_MEASURED_BELOW_HU)
    spacing = as_floats(volume.grid.spacing_mm)
    reach = np.maximum(1, np.round(CLOSING_MM / spacing)).astype(int)
    reach[spacing > 2 * CLOSING_MM] = 0
    size = tuple(int(n) for n in 2 * reach + 1)
    grown = ndimage.maximum_filter(bone.view(np.uint8), size=size)
    return np.asarray(ndimage.minimum_filter(grown, size=size), dtype=np.bool_)


def _core(canal: BoolArray, grid: Grid) -> BoolArray:
    """Return the canal without its outermost millimetre, which may be the wall's."""
    from scipy import ndimage

    reach = [2 * max(1, round(CANAL_EDGE_MM / s)) + 1 for s in grid.spacing_mm[1:]]
    return np.asarray(ndimage.minimum_filter(canal, size=(1, *reach)), dtype=np.bool_)


def _near_cement(volume: Volume, box: Box, limit_hu: Float32Array) -> BoolArray:
    """Tell what within a box is denser than the limit over more than cortex's thickness, or blurred by it."""
    import cc3d
    from scipy import ndimage

    hu = volume.hu[box.slices].astype(np.float32)
    if not (hu > CEMENT_HU).any():
        return np.zeros(hu.shape, dtype=np.bool_)
    width = [CEMENT_SMOOTHING_MM / s for s in volume.grid.spacing_mm]
    dense = ndimage.gaussian_filter(hu, width, truncate=2.0) > limit_hu
    pieces = cc3d.connected_components(dense, connectivity=6)
    large = np.bincount(pieces.ravel()) * volume.grid.voxel_ml * 1000.0 >= LEAST_CEMENT_MM3
    large[0] = False
    reach = [2 * round(CEMENT_REACH_MM / s) + 1 for s in volume.grid.spacing_mm]
    return np.asarray(ndimage.maximum_filter(large[pieces], reach), dtype=np.bool_)


def _looked_up(outline: BodyOutline, left: FloatArray, back: FloatArray, up: FloatArray) -> LabelBytes:
    """Return how often (0 to 255) a place belongs to an outline's vertebra."""
    placed = outline.placed
    thoracic, lumbar = _atlases()
    mix = float(np.interp(placed.spacing_mm, LUMBAR_SPACING_MM, (0.0, 1.0)))
    atlas = np.pad(np.round(thoracic * (1 - mix) + lumbar * mix).astype(np.uint8), ((1, 1), (1, 1), (0, 1)))
    index = []
    axes = (
        (up / placed.spacing_mm, PHASES),
        (back - placed.canal_back_mm, BACK_MM),
        (np.abs(left), ASIDE_MM),
    )
    for axis, (values, (first, _, step)) in enumerate(axes):
        place = np.floor((values - first) / step).astype(np.intp)
        padding = 0 if axis == 2 else 1
        index.append(np.clip(place + padding, 0, atlas.shape[axis] - 1))
    return np.asarray(atlas[tuple(index)])


def _largest_pieces(whole: LabelBytes, region: Box, count: int) -> LabelBytes:
    """Return the labels with pieces not connected to the largest of their own number left out."""
    import cc3d

    part = whole[region.slices]
    pieces = cc3d.connected_components(part, connectivity=26)
    sizes = np.bincount(pieces.ravel())
    labels = np.zeros(len(sizes), dtype=np.uint8)
    labels[pieces.ravel()] = part.ravel()
    keep = np.zeros(len(sizes), dtype=np.bool_)
    for number in range(1, count + 1):
        own = np.flatnonzero(labels == number)
        if len(own):
            keep[own[sizes[own] >= max(0.08 * sizes[own].max(), 1)]] = True
    part[~keep[pieces]] = 0
    return whole


@cache
def _atlases() -> tuple[FloatArray, FloatArray]:
    with (files(__package__) / "posterior_atlas.npz").open("rb") as stream:
        stored = np.load(stream)
        return stored["thoracic"].astype(np.float64), stored["lumbar"].astype(np.float64)
