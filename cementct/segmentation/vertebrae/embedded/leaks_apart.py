"""Cement beside the bodies that is no bone: told by its density, by where bone seldom is, and by symmetry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, as_floats
from cementct.segmentation.vertebrae.embedded.arch_atlas import arches_of
from cementct.segmentation.vertebrae.embedded.body import BodyOutline
from cementct.segmentation.vertebrae.embedded.bone_shares import SURE_SHARE, BoneShares, LabelBytes
from cementct.segmentation.vertebrae.embedded.coarse_region import CoarseRegion

CEMENT_HU = 900.0
CEMENT_SMOOTHING_MM = 1.0
LEAST_CEMENT_MM3 = 4.0
CEMENT_REACH_MM = 2.0
# What stays brighter than this after smoothing, in pieces of this size, is cement or metal; its blur reaches
# so far.
SELDOM_BONE = ((24, 90.0), (8, 50.0))
# Where so few of 255 vertebrae have bone, and no more have other bone, less will do: what is denser after
# smoothing than this percentile of places that nearly always are bone. Leaks of dilute cement are no denser
# than bone, but seldom lie where bone is likely.
MIRROR_WITHIN_MM, MIRROR_SHARE, MIRROR_PERCENTILE = 3.0, 0.5, 50.0
# Arches are alike on both sides: what is denser than this percentile of sure bone, where nothing within so
# many millimetres of its place on the other side reaches this share of it, is a leak.
FEWEST_VOXELS = 50
# Of sure bone; fewer do not tell how dense it is.


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


def find_leaks_where_bone_is_seldom(
    coarse: CoarseRegion, shares: BoneShares, smooth_hu: Float32Array
) -> BoolArray:
    """Return what is as dense as bone where vertebrae seldom have bone, and other bone is no likelier."""
    found = np.zeros(coarse.hu.shape, dtype=np.bool_)
    sure = smooth_hu[(shares.best >= SURE_SHARE) & (smooth_hu < CEMENT_HU)]
    if sure.size < FEWEST_VOXELS:
        return found
    for share, percentile in SELDOM_BONE:
        seldom = (shares.best < share) & (shares.other < share) & (coarse.body == 0)
        dense = seldom & (smooth_hu > float(np.percentile(sure, percentile)))
        found |= near_cement(coarse, dense) & seldom
    return found


def find_leaks_on_one_side(
    coarse: CoarseRegion,
    shares: BoneShares,
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
    return near_cement(coarse, alone) & unsure
