"""Cement beside the bodies that is no bone: told by its density, by where bone seldom is, and by symmetry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray, IntArray, as_floats
from cementct.segmentation.vertebrae.embedded.arch_atlas import arches_of
from cementct.segmentation.vertebrae.embedded.body import BodyOutline
from cementct.segmentation.vertebrae.embedded.bone_shares import SURE_SHARE, BoneShares, LabelBytes
from cementct.segmentation.vertebrae.embedded.coarse_region import CoarseRegion

# What stays brighter than this after smoothing, in pieces of this size, is cement or metal; its blur reaches
# so far.
CEMENT_HU = 900.0
CEMENT_SMOOTHING_MM = 1.0
LEAST_CEMENT_MM3 = 4.0
CEMENT_REACH_MM = 2.0
# Where so few of 255 vertebrae have bone, and no more have other bone, less will do: what is denser after
# smoothing than this percentile of places that nearly always are bone. Leaks of dilute cement are no denser
# than bone, but seldom lie where bone is likely.
SELDOM_BONE = ((24, 90.0), (8, 50.0))
# Arches are alike on both sides: what is denser than this percentile of sure bone is a leak where nothing
# within so many millimetres of its place on the other side reaches this share of that.
MIRROR_WITHIN_MM, MIRROR_SHARE, MIRROR_PERCENTILE = 3.0, 0.5, 50.0
# Dense cement so near to where bone lies on the other side and at the next level as well, and where so many
# of 255 vertebrae have bone, is cement in a pedicle or an arch, and no leak.
LIKE_WITHIN_MM, LIKELY_SHARE = 1.5, 24
# A cord is no thicker, and at least so long and so large; it lies where fewer of 255 vertebrae have bone; so
# large a part of it has no bone in its place on the other side, nor at the next level.
CORD_MM, CORD_LENGTH_MM, LEAST_CORD_MM3, CORD_BONE_SHARE, CORD_ALONE = 4.0, 5.0, 15.0, 64, 0.5
# Of sure bone; fewer do not tell how dense it is.
FEWEST_VOXELS = 50


def average_over_cortex(coarse: CoarseRegion) -> Float32Array:
    """Return intensities averaged over more than the thickness of cortex."""
    from scipy import ndimage

    width = [CEMENT_SMOOTHING_MM / s for s in coarse.spacing_mm]
    return np.asarray(ndimage.gaussian_filter(coarse.hu, width, truncate=2.0), dtype=np.float32)


def near_cement(coarse: CoarseRegion, dense: BoolArray) -> BoolArray:
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


@dataclass(frozen=True)
class ArchBones:
    """The bone behind the bodies of a scan, and how dense bone is there.

    Attributes
    ----------
    coarse
        The region.
    shares
        In how many vertebrae each place is bone.
    outlines
        The bodies.
    smooth_hu
        Intensities averaged over more than the thickness of cortex, shape of the region.
    """

    coarse: CoarseRegion
    shares: BoneShares
    outlines: Sequence[BodyOutline]
    smooth_hu: Float32Array

    @cached_property
    def sure_hu(self) -> Float32Array | None:
        """The densities of places that nearly always are bone; None where too few are seen."""
        sure = self.smooth_hu[(self.shares.best >= SURE_SHARE) & (self.smooth_hu < CEMENT_HU)]
        return sure if sure.size >= FEWEST_VOXELS else None

    @cached_property
    def usual_hu(self) -> float | None:
        """The density that is looked for in the place on the other side; None where bone's is not known."""
        return None if self.sure_hu is None else float(np.percentile(self.sure_hu, MIRROR_PERCENTILE))

    def counterparts(self, within_mm: float) -> Counterparts:
        """Return whether what is nearly as dense lies so near to a place on the other side, or next to it."""
        bone = self.smooth_hu > MIRROR_SHARE * (self.usual_hu or 0.0)
        return Counterparts(self.coarse, self.outlines, bone, within_mm)

    def nowhere(self) -> BoolArray:
        """Return a mask of nothing."""
        return np.zeros(self.coarse.hu.shape, dtype=np.bool_)


def find_leaks_where_bone_is_seldom(bones: ArchBones) -> BoolArray:
    """Return what is as dense as bone where vertebrae seldom have bone, and other bone is no likelier."""
    coarse, shares, smooth_hu, sure = bones.coarse, bones.shares, bones.smooth_hu, bones.sure_hu
    found = bones.nowhere()
    if sure is None:
        return found
    for share, percentile in SELDOM_BONE:
        seldom = (shares.best < share) & (shares.other < share) & (coarse.body == 0)
        dense = seldom & (smooth_hu > float(np.percentile(sure, percentile)))
        found |= near_cement(coarse, dense) & seldom
    return found


def find_leaks_on_one_side(bones: ArchBones, owner: LabelBytes) -> BoolArray:
    """Return what is as dense as bone on one side of its vertebra and has no counterpart on the other.

    What lies in its place at the next level too is bone of a vertebra that is turned.
    """
    if bones.usual_hu is None:
        return bones.nowhere()
    unsure = bones.shares.best < SURE_SHARE
    dense = unsure & (bones.smooth_hu > bones.usual_hu)
    alone = bones.counterparts(MIRROR_WITHIN_MM).missing_on_other_side(dense, owner)
    if alone.any():
        alone &= ~bones.counterparts(LIKE_WITHIN_MM).at_next_level(alone, owner)
    return near_cement(bones.coarse, alone) & unsure


def find_cords_on_one_side(bones: ArchBones, owner: LabelBytes) -> BoolArray:
    """Return thin spurs of what was taken for bone, on one side of one vertebra only, where bone is seldom.

    Cement along the way of a needle is a cord in muscle that ends on the arch. Averaged over more than its
    thickness, dilute cement is less dense than most bone.
    """
    import cc3d
    from scipy import ndimage

    coarse, found = bones.coarse, bones.nowhere()
    if bones.usual_hu is None:
        return found
    bone = (owner > 0) & (owner <= len(bones.outlines))
    reach = [max(1, round(CORD_MM / s)) for s in coarse.spacing_mm]
    thin = bone & ~ndimage.binary_opening(bone | (coarse.body > 0), np.ones(reach, dtype=np.bool_))
    thin &= (bones.shares.best < CORD_BONE_SHARE) & ~coarse.canal
    near = bones.counterparts(LIKE_WITHIN_MM)
    alone = near.missing_on_other_side(thin, owner)
    alone &= ~near.at_next_level(alone, owner)
    pieces = cc3d.connected_components(thin, connectivity=26)
    size = np.bincount(pieces.ravel())
    size_alone = np.bincount(pieces[alone], minlength=len(size))
    large = size * float(np.prod(coarse.spacing_mm)) >= LEAST_CORD_MM3
    for number in np.flatnonzero(large & (size_alone >= CORD_ALONE * size)):
        place = np.argwhere(pieces == number)
        long_mm = float(np.linalg.norm(np.ptp(place, axis=0) * coarse.spacing_mm))
        if number > 0 and long_mm >= CORD_LENGTH_MM:
            found[tuple(place.T)] = True
    return found


def find_cement_in_arches(bones: ArchBones, owner: LabelBytes) -> BoolArray:
    """Return where bone lies on the other side and at the next level: cement there is in an arch."""
    if bones.usual_hu is None or not (bones.smooth_hu > CEMENT_HU).any():
        return bones.nowhere()
    near = bones.counterparts(LIKE_WITHIN_MM)
    there = (owner > 0) & (bones.shares.best >= LIKELY_SHARE) & ~bones.coarse.canal
    return there & ~near.missing_on_other_side(there, owner) & near.at_next_level(there, owner)


class Counterparts:
    """Whether bone lies in the same place on the other side of a vertebra, or at the next levels."""

    def __init__(
        self, coarse: CoarseRegion, outlines: Sequence[BodyOutline], bone: BoolArray, within_mm: float
    ) -> None:
        """Look for `bone` no farther than `within_mm` from its place."""
        from scipy import ndimage

        reach = [2 * max(1, round(within_mm / s)) + 1 for s in coarse.spacing_mm]
        self._near_bone = ndimage.maximum_filter(bone.view(np.uint8), reach) > 0
        self._arches = arches_of(outlines)[: len(outlines)]
        self._first, self._spacing = as_floats(coarse.first_mm), as_floats(coarse.spacing_mm)

    def missing_on_other_side(self, where: BoolArray, owner: LabelBytes) -> BoolArray:
        """Return the voxels of `where` whose place on the other side is in view and holds no bone."""
        out = np.zeros_like(where)
        for number, arch in enumerate(self._arches, start=1):
            index, local = self._local(where, owner, number)
            bone, seen = self._bone_at(arch.placement.to_grid_mm(-local[:, 0], local[:, 1], local[:, 2]))
            out[tuple(index[seen & ~bone].T)] = True
        return out

    def at_next_level(self, where: BoolArray, owner: LabelBytes) -> BoolArray:
        """Return the voxels of `where` whose place in the vertebra above or below holds bone."""
        out = np.zeros_like(where)
        for number, arch in enumerate(self._arches, start=1):
            index, local = self._local(where, owner, number)
            for other in self._arches[max(0, number - 2) : number - 1] + self._arches[number : number + 1]:
                back_mm = local[:, 1] - arch.canal_back_mm + other.canal_back_mm
                up_mm = local[:, 2] * other.spacing_mm / arch.spacing_mm
                bone, _ = self._bone_at(other.placement.to_grid_mm(local[:, 0], back_mm, up_mm))
                out[tuple(index[bone].T)] = True
        return out

    def _local(self, where: BoolArray, owner: LabelBytes, number: int) -> tuple[IntArray, FloatArray]:
        index = np.argwhere(where & (owner == number))
        points_mm = index * self._spacing + self._first
        return index, self._arches[number - 1].placement.to_local_mm(points_mm)

    def _bone_at(self, points_mm: FloatArray) -> tuple[BoolArray, BoolArray]:
        """Return whether bone lies at points, and whether they are in view."""
        index = np.round((points_mm - self._first) / self._spacing).astype(np.intp)
        seen = np.all((index >= 0) & (index < self._near_bone.shape), axis=1)
        bone = np.zeros(len(index), dtype=np.bool_)
        bone[seen] = self._near_bone[tuple(index[seen].T)]
        return bone, seen
