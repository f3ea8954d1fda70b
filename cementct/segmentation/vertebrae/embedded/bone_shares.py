"""How often vertebrae have bone where a scan is bright, voxel by voxel, and which vertebra is likeliest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from cementct.core.arrays import BoolArray
from cementct.segmentation.vertebrae.embedded.arch_atlas import arches_of
from cementct.segmentation.vertebrae.embedded.body import BodyOutline
from cementct.segmentation.vertebrae.embedded.coarse_region import CoarseRegion

T = TypeVar("T", bound=np.generic)
LabelBytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

# What is darker is no bone.
NOISY_BONE_HU = 80.0
# Where so many of 255 vertebrae have bone, it is bone.
SURE_SHARE = 190


@dataclass(frozen=True)
class BoneShares:
    """Of 255 vertebrae, how many have bone in a voxel: the likeliest one, the next, and none but other bone.

    Attributes
    ----------
    owner
        The likeliest vertebra, counted from 1; the two beyond the ends of the row come last.
    best, second, other
        Shares of the likeliest, of the next likeliest, and of other bone.
    behind
        Where facets, laminae and processes are: behind the middle of the canal.
    recess
        In front of it and behind the bodies.
    hollow
        What of that is in canal and foramina.
    """

    owner: LabelBytes
    best: LabelBytes
    second: LabelBytes
    other: LabelBytes
    behind: BoolArray
    recess: BoolArray
    hollow: BoolArray


def shares_of(coarse: CoarseRegion, core: BoolArray, outlines: Sequence[BodyOutline]) -> BoneShares:
    """Return the shares of all voxels that may be bone."""
    index = np.nonzero((coarse.hu > NOISY_BONE_HU) & (coarse.body == 0) & ~core)
    points = np.stack(
        [
            axis.astype(np.float32) * np.float32(step) + np.float32(first)
            for axis, step, first in zip(index, coarse.spacing_mm, coarse.first_mm, strict=True)
        ]
    )
    best, second, other, owner = np.zeros((4, points.shape[1]), dtype=np.uint8)
    behind, recess, hollow = np.zeros((3, points.shape[1]), dtype=np.bool_)
    for number, arch in enumerate(arches_of(outlines), start=1):
        part = slice(*np.searchsorted(points[0], arch.heights_mm()))
        own, others, is_behind, is_recess, is_hollow = arch.shares_at(points[:, part])
        better = own > best[part]
        second[part] = np.where(better, best[part], np.maximum(second[part], own))
        best[part][better], owner[part][better] = own[better], number
        other[part] = np.maximum(other[part], others)
        behind[part] |= is_behind
        recess[part] |= is_recess
        hollow[part] |= is_hollow

    def placed(values: np.ndarray[tuple[int, ...], np.dtype[T]]) -> np.ndarray[tuple[int, ...], np.dtype[T]]:
        field = np.zeros(coarse.hu.shape, dtype=values.dtype)
        field[index] = values
        return field

    return BoneShares(
        owner=placed(owner),
        best=placed(best),
        second=placed(second),
        other=placed(other),
        behind=placed(behind),
        recess=placed(recess),
        hollow=placed(hollow),
    )
