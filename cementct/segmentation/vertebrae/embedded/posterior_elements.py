"""Pedicles, laminae, facets and processes: bone behind the bodies, shared out among the vertebrae.

Where nearly all vertebrae have bone (`arch_atlas`) it is this vertebra's; from there each vertebra is
followed through the bone until it meets the next one or a rib at the dark line of the joint between them.
Bone of no found vertebra, ribs and the arches of vertebrae that the scan cuts off included, is other bone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, as_floats
from cementct.core.grid import Box
from cementct.core.image import Volume
from cementct.core.morphology import dilate_box, erode_box
from cementct.core.threads import beside
from cementct.segmentation.vertebrae.embedded.arch_atlas import reach_of
from cementct.segmentation.vertebrae.embedded.body import BodyOutline
from cementct.segmentation.vertebrae.embedded.bone_shares import (
    SURE_SHARE,
    BoneShares,
    LabelBytes,
    shares_of,
)
from cementct.segmentation.vertebrae.embedded.coarse_region import CoarseRegion, coarsen, repeated
from cementct.segmentation.vertebrae.embedded.leaks_apart import (
    CEMENT_HU,
    ArchBones,
    average_over_cortex,
    find_cement_in_arches,
    find_cords_on_one_side,
    find_leaks_on_one_side,
    find_leaks_where_bone_is_seldom,
    near_cement,
)

# Bone is shared out on voxels no larger than this: joints between bones show on finer ones only.
COARSEST_MM = 1.5
# Bone that nearly all vertebrae have there (`SURE_SHARE`), and so few the next one, is this vertebra's.
CLEAR_SHARE = 30
# Bone that is other bone so often, and a vertebra's so seldom, is other bone.
OTHER_SHARE, OWN_SHARE = 100, 8
# A joint is a dark line no wider than this between bright bones. A dip of so many HU counts as 1, the change
# from bone that is one vertebra's for certain to bone that could as well be another's as this weight.
JOINT_MM = 3.2
JOINT_HU = 150.0
PRIOR_WEIGHT = 1.0
# A vertebra is followed so far beyond where so few of 255 vertebrae have bone.
LEAST_SHARE = 3
BEYOND_MM = 3.0
# The surface of bone lies at this share of the way from muscle to this percentile of the bone of this very
# scan: thin cortex, averaged with what is beside it, is fainter than the middle of it.
BONE_BOUNDS_HU = (100.0, 300.0)
MUSCLE_HU = 50.0
BONE_PERCENTILE = 65.0
SURFACE_SHARE = 1 / 3
FEWEST_VOXELS = 50
# Marrow enclosed by cortex in a slice is at most so large; over the first it must be no fat, as there is
# between a rib and a transverse process.
HOLE_MM2, LARGEST_HOLE_MM2 = 40.0, 250.0
MARROW_HU = 0.0
# Dense cement is looked for where fewer of 255 vertebrae have bone. Facets and laminae are as thick and dense
# as faint cement: there only what exceeds this counts.
BRIGHTER_THAN_CORTEX_HU = 1300.0
DENSE_SHARE = 140
# The canal's outline is this good: nearer to it lies bone where so many of 255 vertebrae have it.
CANAL_EDGE_MM = 1.0
WALL_SHARE = 100
# Between canal and body there is no bone: so far in front of the canal's outline, which cement draws in, and
# where that is so far from the canal's sides, which are the pedicles.
RECESS_MM, BESIDE_MM = 6.0, 1.5
# Smaller pieces apart from a vertebra's largest, against that one, are left out.
LEAST_PIECE_SHARE = 0.08


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
    shares = shares_of(coarse, core, outlines)
    surface_hu = _surface_of_bone(coarse.hu[shares.best >= SURE_SHARE])
    bone, marrow = _bone_and_marrow(coarse, core, shares, surface_hu)
    followed, smooth_hu = beside(
        lambda: _followed(coarse, shares, bone | marrow, count), lambda: average_over_cortex(coarse)
    )

    def with_leaks_apart() -> LabelBytes:
        return _without_leaks(ArchBones(coarse, shares, outlines, smooth_hu), followed)

    def fine_bone() -> BoolArray:
        solid = repeated(bone | marrow, coarse.steps, region.shape)
        return _fine_bone(volume, region, surface_hu, solid)

    owner, fine = beside(with_leaks_apart, fine_bone)
    owner = repeated(owner, coarse.steps, region.shape)
    np.copyto(owner, 0, where=~fine | (bodies[region.slices] > 0))
    np.copyto(whole[region.slices], owner, where=(owner > 0) & (owner <= count))
    other[region.slices] = owner > count
    return SharedBone(whole, other)


def _without_leaks(bones: ArchBones, owner: LabelBytes) -> LabelBytes:
    """Return to which vertebra bone belongs, without cement that leaked and without loose pieces."""
    owner, coarse, shares = owner.copy(), bones.coarse, bones.shares
    arch = shares.behind & (~coarse.canal | (shares.best >= DENSE_SHARE))
    limit_hu = np.where(arch, BRIGHTER_THAN_CORTEX_HU, CEMENT_HU)
    owner[(coarse.canal | shares.hollow) & (shares.best < WALL_SHARE)] = 0
    owner[_in_front_of_canal(coarse) & shares.recess] = 0
    inside = find_cement_in_arches(bones, owner)
    dense = near_cement(coarse, bones.smooth_hu > limit_hu) & ~inside
    owner[dense & (coarse.canal | (shares.best < DENSE_SHARE))] = 0
    owner[find_leaks_where_bone_is_seldom(bones)] = 0
    owner[find_leaks_on_one_side(bones, owner)] = 0
    owner[find_cords_on_one_side(bones, owner)] = 0
    return _large_pieces(owner, coarse.body, len(bones.outlines))


def _core(coarse: CoarseRegion) -> BoolArray:
    """Return the canal without its outermost millimetre, which may be the wall's."""
    reach = [2 * max(1, round(CANAL_EDGE_MM / s)) + 1 for s in coarse.spacing_mm[1:]]
    return erode_box(coarse.canal, (1, *reach))


def _in_front_of_canal(coarse: CoarseRegion) -> BoolArray:
    """Return the front half of the canal and what lies between it and the bodies, without its sides."""
    beside = 2 * max(1, round(BESIDE_MM / coarse.spacing_mm[2])) + 1
    inner = erode_box(coarse.canal, (1, 1, beside))
    reach = max(1, round(RECESS_MM / coarse.spacing_mm[1]))
    row = np.arange(inner.shape[1])[:, None]
    first = inner.argmax(axis=1)[:, None]
    last = inner.shape[1] - 1 - inner[:, ::-1].argmax(axis=1)[:, None]
    seen = np.asarray(inner.any(axis=1))
    front = seen[:, None] & (row >= first - reach) & (2 * row <= first + last)
    return np.asarray(front & (coarse.body == 0))


def _surface_of_bone(hu: Float32Array) -> float:
    """Return the intensity at the surface of bone, from that of places that nearly always are bone."""
    hu = hu[hu < CEMENT_HU]
    inside = float(np.percentile(hu, BONE_PERCENTILE)) if hu.size >= FEWEST_VOXELS else CEMENT_HU / 2
    return float(np.clip(MUSCLE_HU + SURFACE_SHARE * (inside - MUSCLE_HU), *BONE_BOUNDS_HU))


def _bone_and_marrow(
    coarse: CoarseRegion, core: BoolArray, shares: BoneShares, surface_hu: float
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


def _followed(coarse: CoarseRegion, shares: BoneShares, solid: BoolArray, count: int) -> LabelBytes:
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
    seen = dilate_box(best >= LEAST_SHARE, reach)
    owner[~seen & (owner <= count)] = 0
    return owner


def _fine_bone(volume: Volume, region: Box, surface_hu: float, solid: BoolArray) -> BoolArray:
    """Return bone on the volume's own voxels: what is bright, and what lies within."""
    fine = erode_box(solid, (1, 3, 3))
    fine |= volume.hu[region.slices] > surface_hu
    return fine


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
