"""From seeds to everything that may belong to them: what stands out from its surroundings, piece by piece."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray, Float32Array, IntArray
from cementct.core.distances import within
from cementct.core.morphology import bounds_of, dilate_box, mask_of
from cementct.segmentation.cement.explained import explained_level
from cementct.segmentation.cement.other_bone import OtherBone
from cementct.segmentation.cement.scene import Scene
from cementct.segmentation.cement.surroundings import Surroundings

# Excess over what is expected from which a voxel stands out: in bone, at its surface, and in soft tissue.
IN_BONE_HU = 350.0
AT_SURFACE_HU = 300.0
IN_SOFT_TISSUE_HU = 180.0
# The same in standard deviations of bone's intensity at that depth, and of noise.
IN_BONE_SPREADS = 3.0
AT_SURFACE_SPREADS = 2.5
SOFT_TISSUE_SIGMAS = 5.0
# Where an earlier scan is known the expectation is exact up to registration.
KNOWN_HU = 250.0
# Whatever was there before, what is no denser than soft tissue is no cement.
LEAST_EXPECTED_HU = np.float32(0.0)
# Bone ends this far outside its mask: blur and the mask's own error.
SURFACE_MM = 1.5
# Beside bright cement, what is fainter than this share of it is its blur or its streaks.
SHARE_OF_NEIGHBOUR_IN_BONE = 0.20
SHARE_OF_NEIGHBOUR_OUTSIDE = 0.12
NEIGHBOUR_REACH_MM = 3.0
# Where labels are poor, bone's edge is found this far outside them.
POOR_LABELS_MM = 3.0
# Outside bodies, what is no brighter than cortex and farther than this from what is brighter is a piece of
# its own: the edge of bone that hangs on cement has to be judged by itself. Blur reaches about as far, and to
# the next voxel.
BLUR_OF_BRIGHT_MM = 2.0


@dataclass(frozen=True)
class Candidates:
    """Pieces that stand out from their surroundings: a hundredth of the block, and so kept as lists.

    Attributes
    ----------
    index
        Their voxels: places in the scene's flat arrays, in rising order.
    numbers
        The piece that each of these belongs to, counted from 1.
    count
        Number of pieces.
    other
        Ribs, other bones, vessels with contrast: dense structures that are no vertebra and no cement.
    cortex_hu
        The intensity over which the surface of bone hardly ever is in this scan.
    """

    index: IntArray
    numbers: IntArray
    count: int
    other: BoolArray
    cortex_hu: float

    @cached_property
    def _by_number(self) -> tuple[IntArray, IntArray]:
        """The voxels in the order of the pieces, and where those of each piece end."""
        order = np.argsort(self.numbers, kind="stable")
        return self.index[order], np.cumsum(np.bincount(self.numbers, minlength=self.count + 1))

    def voxels_of(self, number: int, shape: tuple[int, ...]) -> IntArray:
        """Return the (z, y, x) indices of the voxels of a piece in a scene of some shape, one a row."""
        index, ends = self._by_number
        return np.stack(np.unravel_index(index[ends[number - 1] : ends[number]], shape), axis=1)


def find_candidates(
    scene: Scene,
    around: Surroundings,
    *,
    seeds: BoolArray,
    excluded: BoolArray,
    other: OtherBone,
    cortex_hu: float,
) -> Candidates:
    """Return connected pieces of what stands out from its surroundings.

    Parameters
    ----------
    scene
        The block of CT.
    around
        Its anatomy.
    seeds
        Cement beyond doubt.
    excluded
        Metal.
    other
        Dense structures outside the labelled vertebrae.
    cortex_hu
        The intensity over which the surface of bone hardly ever is in this scan.
    """
    # What rises by less than this stands out nowhere: nearly all of the block is not looked at any more.
    least = np.float32(max(IN_SOFT_TISSUE_HU, SOFT_TISSUE_SIGMAS * scene.noise_hu))
    bright = scene.brighter_than(float(least))
    looked_at = seeds.copy()
    looked_at.ravel()[bright[_excess_at(scene, around, bright) > least]] = True
    index = np.flatnonzero(looked_at)
    excess = _excess_at(scene, around, index)
    level = _level(around, index, least)
    level[other.where.ravel()[index] & ~around.known.ravel()[index] & ~other.brighter.ravel()[index]] = np.inf
    level = np.maximum(level, _level_beside(scene, around, seeds).ravel()[index])
    stands_out = excess > level
    if around.known.any():
        explained = explained_level(scene, around, seeds=seeds, excluded=excluded)
        stands_out &= around.as_dull_as_before(scene).ravel()[index] > explained.ravel()[index]
    stands_out |= seeds.ravel()[index]
    stands_out &= ~excluded.ravel()[index] & scene.measured.ravel()[index]
    index = index[stands_out]
    strong = seeds.ravel()[index] | (scene.hu.ravel()[index] > cortex_hu) | around.known.ravel()[index]
    fingers = around.compartment.ravel()[index] == int(Compartment.BODY)
    numbers, count = _pieces(scene, index, strong=strong, fingers=fingers)
    return Candidates(index, numbers, count, other.where & ~around.known, cortex_hu)


def excess_in(scene: Scene, around: Surroundings, block: tuple[slice, ...]) -> Float32Array:
    """Return the intensities of a block over what is expected there."""
    return _excess(scene.hu[block], around.expected_hu[block])


def _excess_at(scene: Scene, around: Surroundings, index: IntArray) -> Float32Array:
    """Return the same of a list of voxels."""
    return _excess(scene.hu.ravel()[index], around.expected_hu.ravel()[index])


def _excess(hu: Float32Array, expected_hu: Float32Array) -> Float32Array:
    # Gas of the earlier scan may have given way to fluid, and lung to what lies beside it: no cement as yet.
    return hu - np.maximum(expected_hu, LEAST_EXPECTED_HU)


def _level(around: Surroundings, index: IntArray, least: np.float32) -> Float32Array:
    """Return the excess from which voxels stand out: anywhere, near bone, at its surface, and in it."""
    depth, spread = around.bone_depth_mm.ravel()[index], around.spread_hu(index)
    near = np.maximum(least, AT_SURFACE_SPREADS * spread)
    surface = np.maximum(np.float32(AT_SURFACE_HU), AT_SURFACE_SPREADS * spread)
    bone = np.maximum(np.float32(IN_BONE_HU), IN_BONE_SPREADS * spread)
    level = np.where(depth > -POOR_LABELS_MM, np.where(depth > -SURFACE_MM, surface, near), least)
    level = np.where(depth > 0.0, bone, level)
    known = around.known.ravel()[index]
    level[known] = np.minimum(level[known], np.maximum(np.float32(KNOWN_HU), least))
    return level


def _level_beside(scene: Scene, around: Surroundings, seeds: BoolArray) -> Float32Array:
    """Return the share of bright cement beside each voxel that its blur and its streaks reach there."""
    from scipy import ndimage

    level = np.zeros(seeds.shape, dtype=np.float32)
    size = [2 * max(1, round(NEIGHBOUR_REACH_MM / s)) + 1 for s in scene.spacing_mm]
    window = bounds_of(seeds, size)
    if window is not None:
        bright = np.where(seeds[window], excess_in(scene, around, window), np.float32(0))
        bone = around.bone_depth_mm[window] > 0.0
        share = np.where(bone, SHARE_OF_NEIGHBOUR_IN_BONE, SHARE_OF_NEIGHBOUR_OUTSIDE)
        level[window] = share * ndimage.maximum_filter(bright, size=size)
    return level


def _pieces(scene: Scene, index: IntArray, *, strong: BoolArray, fingers: BoolArray) -> tuple[IntArray, int]:
    """Return the numbers of connected pieces, and how many; faint parts are pieces apart but in `fingers`.

    `index` lists the voxels that stand out, `strong` and `fingers` say which of them are.
    """
    shape = scene.hu.shape
    bright = mask_of(index[strong], shape)
    near = within(bright, BLUR_OF_BRIGHT_MM, scene.spacing_mm)
    near |= dilate_box(bright, (3, 3, 3))
    joined = near.ravel()[index] | fingers
    del bright, near
    # One after the other: side by side they made a study's largest need.
    numbers = np.zeros(len(index), dtype=np.intp)
    count = 0
    for part in (joined, ~joined):
        found, more = _connected(index[part], shape)
        numbers[part] = found + count
        count += more
    return numbers, count


def _connected(index: IntArray, shape: tuple[int, ...]) -> tuple[IntArray, int]:
    """Return the number of the connected piece that each of a list of voxels belongs to, and how many."""
    import cc3d

    labels, count = cc3d.connected_components(mask_of(index, shape), connectivity=18, return_N=True)
    return labels.ravel()[index].astype(np.intp), int(count)
