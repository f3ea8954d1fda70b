"""Pedicles, laminae, facets and processes: bone behind the bodies, shared out among the vertebrae.

Where nearly all vertebrae have bone (`arch_atlas`) it is this vertebra's; from there each vertebra is
followed through the bone until it meets the next one or a rib at the dark line of the joint between them.
Bone of no found vertebra, ribs and the arches of vertebrae that the scan cuts off included, is other bone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, as_floats
from cementct.core.grid import Box
from cementct.core.image import Volume
from cementct.segmentation.vertebrae.embedded.arch_atlas import arches_of, reach_of
from cementct.segmentation.vertebrae.embedded.body import BodyOutline
from cementct.segmentation.vertebrae.embedded.coarse_region import CoarseRegion, coarsen, repeated

T = TypeVar("T", bound=np.generic)
LabelBytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

COARSEST_MM = 1.5
# Bone is shared out on voxels no larger than this: joints between bones show on finer ones only.
SURE_SHARE, CLEAR_SHARE = 190, 30
# Bone that so many of 255 vertebrae have there, and the next one so seldom, is this vertebra's.
OTHER_SHARE, OWN_SHARE = 100, 8
# Bone that is other bone so often, and a vertebra's so seldom, is other bone.
JOINT_MM = 3.2
JOINT_HU = 150.0
PRIOR_WEIGHT = 1.0
# A joint is a dark line no wider than this between bright bones. A dip of so many HU counts as 1, the change
# from bone that is one vertebra's for certain to bone that could as well be another's as this weight.
LEAST_SHARE = 3
BEYOND_MM = 3.0
# A vertebra is followed so far beyond where so few of 255 vertebrae have bone.
NOISY_BONE_HU = 80.0
BONE_BOUNDS_HU = (100.0, 300.0)
MUSCLE_HU = 50.0
BONE_PERCENTILE = 65.0
SURFACE_SHARE = 1 / 3
FEWEST_VOXELS = 50
# The surface of bone lies at this share of the way from muscle to this percentile of the bone of this very
# scan: thin cortex, averaged with what is beside it, is fainter than the middle of it.
HOLE_MM2, LARGEST_HOLE_MM2 = 40.0, 250.0
MARROW_HU = 0.0
# Marrow enclosed by cortex in a slice is at most so large; over the first it must be no fat, as there is
# between a rib and a transverse process.
CEMENT_HU = 900.0
CEMENT_SMOOTHING_MM = 1.0
BRIGHTER_THAN_CORTEX_HU = 1300.0
DENSE_SHARE = 140
LEAST_CEMENT_MM3 = 4.0
CEMENT_REACH_MM = 2.0
# What stays brighter than the first after smoothing, in pieces of this size, is cement or metal where fewer
# of 255 vertebrae have bone; their blur reaches so far. Facets and laminae are as thick and dense as faint
# cement: there only what exceeds the second counts.
SELDOM_BONE = ((24, 90.0), (8, 50.0))
# Where so few of 255 vertebrae have bone, and no more have other bone, less will do: what is denser after
# smoothing than this percentile of places that nearly always are bone. Leaks of dilute cement are no denser
# than bone, but seldom lie where bone is likely.
MIRROR_WITHIN_MM, MIRROR_SHARE, MIRROR_PERCENTILE = 3.0, 0.5, 50.0
# Arches are alike on both sides: what is denser than this percentile of sure bone, where nothing within so
# many millimetres of its place on the other side reaches this share of it, is a leak.
CANAL_EDGE_MM = 1.0
WALL_SHARE = 100
# The canal's outline is this good: nearer to it lies bone where so many of 255 vertebrae have it.
LEAST_PIECE_SHARE = 0.08
# Smaller pieces apart from a vertebra's largest, against that one, are left out.


@dataclass(frozen=True)
class SharedBone:
    """Bone of a scan.

    Attributes
    ----------
    vertebrae
        The bodies and the bone behind them under the same numbers.
    other
        Bone that belongs to no vertebra found.
    """

    vertebrae: LabelBytes
    other: BoolArray


@dataclass(frozen=True)
class _Shares:
    """Of 255 vertebrae, how many have bone in a voxel: the likeliest one, the next, and none but other bone.

    Attributes
    ----------
    owner
        The likeliest vertebra, counted from 1; the two beyond the ends of the row come last.
    best, second, other
        Shares of the likeliest, of the next likeliest, and of other bone.
    behind
        Where facets, laminae and processes are: behind the middle of the canal.
    hollow
        In front of it, where canal and foramina are.
    """

    owner: LabelBytes
    best: LabelBytes
    second: LabelBytes
    other: LabelBytes
    behind: BoolArray
    hollow: BoolArray


def share_out_bone(
    volume: Volume, outlines: Sequence[BodyOutline], bodies: LabelBytes, canal: BoolArray
) -> SharedBone:
    """Return whole vertebrae, and other bone near them.

    What lies well within the `canal` is no bone, however dense, nor is cement at its edge.
    """
    whole, other = bodies.copy(), np.zeros(bodies.shape, dtype=np.bool_)
    if not outlines:
        return SharedBone(whole, other)
    count = len(outlines)
    region = volume.grid.box_around(reach_of(outlines) / as_floats(volume.grid.spacing_mm))
    coarse = coarsen(volume, region, bodies, canal, coarsest_mm=COARSEST_MM)
    core = _core(coarse)
    shares = _shares_of(coarse, core, outlines)
    surface_hu = _surface_of_bone(coarse.hu[shares.best >= SURE_SHARE])
    bone, marrow = _bone_and_marrow(coarse, core, shares, surface_hu)
    owner = _followed(coarse, shares, bone | marrow, count)
    limit_hu = np.where(shares.behind & ~coarse.canal, BRIGHTER_THAN_CORTEX_HU, CEMENT_HU)
    owner[(coarse.canal | shares.hollow) & (shares.best < WALL_SHARE)] = 0
    smooth_hu = _smoothed(coarse)
    owner[_near_cement(coarse, smooth_hu > limit_hu) & (coarse.canal | (shares.best < DENSE_SHARE))] = 0
    owner[_leaks_where_bone_is_seldom(coarse, shares, smooth_hu)] = 0
    owner[_on_one_side(coarse, shares, owner, outlines, smooth_hu)] = 0
    owner = _large_pieces(owner, coarse.body, count)
    owner = repeated(owner, coarse.steps, region.shape)
    solid = repeated(bone | marrow, coarse.steps, region.shape)
    owner[~_fine_bone(volume, region, surface_hu, solid) | (bodies[region.slices] > 0)] = 0
    part = whole[region.slices]
    own = (owner > 0) & (owner <= count)
    part[own] = owner[own]
    other[region.slices] = owner > count
    return SharedBone(whole, other)


def _core(coarse: CoarseRegion) -> BoolArray:
    """Return the canal without its outermost millimetre, which may be the wall's."""
    from scipy import ndimage

    reach = [2 * max(1, round(CANAL_EDGE_MM / s)) + 1 for s in coarse.spacing_mm[1:]]
    return np.asarray(ndimage.minimum_filter(coarse.canal.view(np.uint8), size=(1, *reach)) > 0)


def _shares_of(coarse: CoarseRegion, core: BoolArray, outlines: Sequence[BodyOutline]) -> _Shares:
    """Return the shares of all voxels that may be bone."""
    index = np.nonzero((coarse.hu > NOISY_BONE_HU) & (coarse.body == 0) & ~core)
    points = np.stack(
        [
            axis.astype(np.float32) * np.float32(step) + np.float32(first)
            for axis, step, first in zip(index, coarse.spacing_mm, coarse.first_mm, strict=True)
        ]
    )
    best, second, other, owner = np.zeros((4, points.shape[1]), dtype=np.uint8)
    behind, hollow = np.zeros((2, points.shape[1]), dtype=np.bool_)
    for number, arch in enumerate(arches_of(outlines), start=1):
        part = slice(*np.searchsorted(points[0], arch.heights_mm()))
        own, others, is_behind, is_hollow = arch.shares_at(points[:, part])
        better = own > best[part]
        second[part] = np.where(better, best[part], np.maximum(second[part], own))
        best[part][better], owner[part][better] = own[better], number
        other[part] = np.maximum(other[part], others)
        behind[part] |= is_behind
        hollow[part] |= is_hollow

    def placed(values: np.ndarray[tuple[int, ...], np.dtype[T]]) -> np.ndarray[tuple[int, ...], np.dtype[T]]:
        field = np.zeros(coarse.hu.shape, dtype=values.dtype)
        field[index] = values
        return field

    return _Shares(placed(owner), placed(best), placed(second), placed(other), placed(behind), placed(hollow))


def _surface_of_bone(hu: Float32Array) -> float:
    """Return the intensity at the surface of bone, from that of places that nearly always are bone."""
    hu = hu[hu < CEMENT_HU]
    inside = float(np.percentile(hu, BONE_PERCENTILE)) if hu.size >= FEWEST_VOXELS else CEMENT_HU / 2
    return float(np.clip(MUSCLE_HU + SURFACE_SHARE * (inside - MUSCLE_HU), *BONE_BOUNDS_HU))


def _bone_and_marrow(
    coarse: CoarseRegion, core: BoolArray, shares: _Shares, surface_hu: float
) -> tuple[BoolArray, BoolArray]:
    """Return bone by its intensity, and the marrow that it encloses in a slice."""
    from scipy import ndimage

    bright = ((coarse.hu > surface_hu) & ~core) | (shares.best >= SURE_SHARE)
    within_slices = np.zeros((3, 3, 3), dtype=np.bool_)
    within_slices[1] = ndimage.generate_binary_structure(2, 1)
    gaps, count = ndimage.label(~bright & (coarse.body == 0), within_slices)
    pixel_mm2 = float(np.prod(coarse.spacing_mm[1:]))
    voxels = np.bincount(gaps.ravel(), minlength=count + 1)
    small = voxels * pixel_mm2 <= LARGEST_HOLE_MM2
    some = np.flatnonzero(small[gaps.ravel()])
    total_hu = np.bincount(gaps.ravel()[some], coarse.hu.ravel()[some], minlength=count + 1)
    small &= (voxels * pixel_mm2 <= HOLE_MM2) | (total_hu >= MARROW_HU * voxels)
    small[0] = False
    small[gaps[core]] = False
    return np.asarray(bright & (coarse.body == 0)), np.asarray(small[gaps] & ~core)


def _followed(coarse: CoarseRegion, shares: _Shares, solid: BoolArray, count: int) -> LabelBytes:
    """Return to which vertebra each voxel of bone belongs; numbers over the count are other bone."""
    from scipy import ndimage
    from skimage.segmentation import watershed

    best, rival = shares.best.astype(np.int16), np.maximum(shares.second, shares.other).astype(np.int16)
    sure = (best >= SURE_SHARE) & (shares.second <= CLEAR_SHARE) & (2 * shares.other.astype(np.int16) < best)
    markers = np.where(sure & solid, shares.owner, 0).astype(np.int32)
    markers[solid & (best < OWN_SHARE) & (shares.other >= OTHER_SHARE)] = count + 3
    hu = np.minimum(coarse.hu, CEMENT_HU)
    joint = [2 * round(JOINT_MM / 2 / s) + 1 for s in coarse.spacing_mm]
    joint[0] = 1
    gap = ndimage.minimum_filter(ndimage.maximum_filter(hu, size=joint), size=joint) - hu
    doubt = np.float32(1.0) - np.abs(best - rival).astype(np.float32) / np.float32(255.0)
    landscape = gap / np.float32(JOINT_HU) + np.float32(PRIOR_WEIGHT) * doubt
    owner = np.asarray(watershed(landscape, markers, mask=solid), dtype=np.uint8)
    reach = [2 * round(BEYOND_MM / s) + 1 for s in coarse.spacing_mm]
    seen = ndimage.maximum_filter((best >= LEAST_SHARE).view(np.uint8), size=reach) > 0
    owner[~seen & (owner <= count)] = 0
    return owner


def _fine_bone(volume: Volume, region: Box, surface_hu: float, solid: BoolArray) -> BoolArray:
    """Return bone on the volume's own voxels: what is bright, and what lies within."""
    from scipy import ndimage

    inner = ndimage.minimum_filter(solid.view(np.uint8), size=(1, 3, 3)) > 0
    return np.asarray(inner | (volume.hu[region.slices] > surface_hu))


def _smoothed(coarse: CoarseRegion) -> Float32Array:
    """Return intensities averaged over more than the thickness of cortex."""
    from scipy import ndimage

    width = [CEMENT_SMOOTHING_MM / s for s in coarse.spacing_mm]
    return np.asarray(ndimage.gaussian_filter(coarse.hu, width, truncate=2.0), dtype=np.float32)


def _near_cement(coarse: CoarseRegion, dense: BoolArray) -> BoolArray:
    """Return large pieces of what is dense over more than cortex's thickness, and their blur."""
    import cc3d
    from scipy import ndimage

    if not dense.any():
        return np.zeros(coarse.hu.shape, dtype=np.bool_)
    pieces = cc3d.connected_components(dense, connectivity=6)
    large = np.bincount(pieces.ravel()) * float(np.prod(coarse.spacing_mm)) >= LEAST_CEMENT_MM3
    large[0] = False
    reach = [2 * round(CEMENT_REACH_MM / s) + 1 for s in coarse.spacing_mm]
    return np.asarray(ndimage.maximum_filter(large[pieces].view(np.uint8), reach) > 0)


def _leaks_where_bone_is_seldom(coarse: CoarseRegion, shares: _Shares, smooth_hu: Float32Array) -> BoolArray:
    """Return what is as dense as bone where vertebrae seldom have bone, and other bone is no likelier."""
    found = np.zeros(coarse.hu.shape, dtype=np.bool_)
    sure = smooth_hu[(shares.best >= SURE_SHARE) & (smooth_hu < CEMENT_HU)]
    if sure.size < FEWEST_VOXELS:
        return found
    for share, percentile in SELDOM_BONE:
        seldom = (shares.best < share) & (shares.other < share) & (coarse.body == 0)
        dense = seldom & (smooth_hu > float(np.percentile(sure, percentile)))
        found |= _near_cement(coarse, dense) & seldom
    return found


def _on_one_side(
    coarse: CoarseRegion,
    shares: _Shares,
    owner: LabelBytes,
    outlines: Sequence[BodyOutline],
    smooth_hu: Float32Array,
) -> BoolArray:
    """Return what is as dense as bone on one side of its vertebra and has no counterpart on the other."""
    from scipy import ndimage

    alone = np.zeros(coarse.hu.shape, dtype=np.bool_)
    unsure = shares.best < SURE_SHARE
    sure = smooth_hu[~unsure & (smooth_hu < CEMENT_HU)]
    if sure.size < FEWEST_VOXELS:
        return alone
    dense = unsure & (smooth_hu > float(np.percentile(sure, MIRROR_PERCENTILE)))
    reach = [2 * round(MIRROR_WITHIN_MM / s) + 1 for s in coarse.spacing_mm]
    nearby = ndimage.maximum_filter(smooth_hu, reach)
    first, spacing = as_floats(coarse.first_mm), as_floats(coarse.spacing_mm)
    for number, arch in enumerate(arches_of(outlines)[: len(outlines)], start=1):
        index = np.argwhere(dense & (owner == number))
        points = index * spacing + first
        place = arch.placement
        aside = (points - place.centre_mm) @ place.left
        mirrored = np.round((points - 2 * aside[:, None] * place.left - first) / spacing).astype(np.intp)
        seen = np.all((mirrored >= 0) & (mirrored < coarse.hu.shape), axis=1)
        index, mirrored = index[seen], mirrored[seen]
        lone = nearby[tuple(mirrored.T)] < MIRROR_SHARE * smooth_hu[tuple(index.T)]
        alone[tuple(index[lone].T)] = True
    return _near_cement(coarse, alone) & unsure


def _large_pieces(owner: LabelBytes, body: LabelBytes, count: int) -> LabelBytes:
    """Return the owners without pieces that are small and not connected to the rest of their vertebra."""
    import cc3d

    whole = np.where((owner > 0) & (owner <= count), owner, body)
    pieces = cc3d.connected_components(whole, connectivity=26)
    sizes = np.bincount(pieces.ravel())
    numbers = np.zeros(len(sizes), dtype=np.uint8)
    numbers[pieces.ravel()] = whole.ravel()
    largest = np.zeros(256)
    np.maximum.at(largest, numbers, sizes)
    loose = sizes < LEAST_PIECE_SHARE * largest[numbers]
    return np.where(loose[pieces] & (owner <= count), 0, owner).astype(np.uint8)
