"""Cement that cannot be bone: the seeds from which treated vertebrae are told."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.distances import distance_outside, within
from cementct.core.morphology import bounds_of
from cementct.segmentation.cement.faint_masses import (
    CORTEX_MM,
    SMOOTH_REACH_MM,
    Block,
    find_faint,
    large_components,
    placed_in_window,
)
from cementct.segmentation.cement.scene import Scene
from cementct.segmentation.cement.surroundings import Surroundings

# No bone is brighter, bone islands included (mean 1190 ± 239, highest 1323 ± 234 HU). [AJR 2016] Where the
# patient's own posterior elements reach higher (thin slices, sharp kernel), this margin over them.
BRIGHTER_THAN_BONE_HU = 1750.0
MARGIN_OVER_OWN_BONE_HU = 300.0
# Share of the posterior elements' voxels that may be brighter: noise, overshoot, an osteophyte.
OWN_BONE_PERCENTILE = 99.8
# Smallest volume over that level that counts as cement inside a body or pedicle.
SMALLEST_BRIGHT_SEED_ML = 0.03
FEWEST_BRIGHT_VOXELS = 4

# With an earlier scan, what is this much brighter than before is new, the rest as dull as ordinary bone.
NEW_FROM_HU = 300.0
ORDINARY_BONE_HU = 150.0
# What was this bright before is cement of old or metal. Beside it, as far as registration and the scanners'
# kernels leave in doubt, only what rises over the brightest of it is new: at an edge of 3000 HU a fifth of a
# millimetre is 500 HU.
OLD_CEMENT_HU, OLD_EDGE_MM = 1000.0, 1.0
# What hangs together with seeds, as deep in the same body, and is at least this share of their lower quartile
# is the same cement, whatever level the seeds were found at: noise and texture of one mass, not bone.
SAME_MASS_SHARE = 0.75

# What is so much in a disc, and no deeper in the bodies beside it, is a cage or another implant between them:
# cement that leaks into a disc comes from deeper. Depths of the middle of the whole, and of the deepest tenth
# of what is in bone, and how far nine tenths of it reach from the disc. Cages measure up to 0.9, 3.4 and
# 4.5 mm where an engine takes them for endplates; deposits that are as much in a disc reach 5.5 mm and more.
SHARE_IN_DISC = 0.2
HANGS_MIDDLE_MM, HANGS_DEEPEST_MM, HANGS_REACH_MM = 1.5, 3.5, 5.0
# Its blur reaches so far.
IMPLANT_BLUR_MM = 2.5


@dataclass(frozen=True)
class Seeds:
    """Voxels that are cement beyond doubt, and the vertebrae they lie in.

    Attributes
    ----------
    mask
        Shape of the scene.
    treated
        Numbers of the vertebrae with seeds in body or pedicles.
    faint
        Numbers among them whose cement is no brighter than dense bone may be.
    bright_hu
        Level over which nothing in this scan is bone.
    """

    mask: BoolArray
    treated: tuple[int, ...]
    faint: tuple[int, ...]
    bright_hu: float


def brightest_bone_hu(scene: Scene, around: Surroundings, excluded: BoolArray) -> float:
    """Return the level over which nothing in this scan is bone."""
    posterior = around.is_in(Compartment.POSTERIOR_ELEMENTS) & ~excluded
    if np.count_nonzero(posterior) < 500:
        return BRIGHTER_THAN_BONE_HU
    values = scene.hu[posterior]
    values = values[values < 2200.0]
    own = float(np.percentile(values, OWN_BONE_PERCENTILE)) + MARGIN_OVER_OWN_BONE_HU
    return float(np.clip(own, BRIGHTER_THAN_BONE_HU - 150.0, 2100.0))


def find_seeds(scene: Scene, around: Surroundings, *, excluded: BoolArray) -> Seeds:
    """Return where cement is beyond doubt inside bodies and pedicles.

    Parameters
    ----------
    scene
        The block of CT.
    around
        Its anatomy.
    excluded
        Metal.
    """
    import cc3d

    bright_hu = brightest_bone_hu(scene, around, excluded)
    inside = around.is_in(Compartment.BODY, Compartment.PEDICLE_LEFT, Compartment.PEDICLE_RIGHT) & ~excluded
    mask = np.zeros(scene.hu.shape, dtype=np.bool_)
    window = bounds_of(inside, [math.ceil(SMOOTH_REACH_MM / s) for s in scene.spacing_mm])
    if window is None:
        return Seeds(mask, (), (), bright_hu)
    excess, inside = _new_brightness(scene, around, window), inside[window]
    inside = inside & ~_implants_in_discs(scene, around, (excess > bright_hu) & ~excluded[window], window)
    treated: set[int] = set()
    least = max(FEWEST_BRIGHT_VOXELS, round(SMALLEST_BRIGHT_SEED_ML / scene.voxel_ml))
    labels, _ = cc3d.connected_components((excess > bright_hu) & inside, connectivity=26, return_N=True)
    for inner, where in large_components(labels, least):
        block = placed_in_window(inner, window)
        mask[block] |= where
        treated |= _owners(around, block, where)
    faint = find_faint(scene, around, excess, inside, mask, window)
    found_faint: set[int] = set()
    for block, where in faint:
        owners = _owners(around, block, where)
        found_faint |= owners - treated
        mask[block] |= where
    treated |= found_faint
    for number in treated:
        mask[window] |= _whole_mass(around, excess, mask[window], number, window)
    return Seeds(mask, tuple(sorted(treated)), tuple(sorted(found_faint)), bright_hu)


def _implants_in_discs(scene: Scene, around: Surroundings, bright: BoolArray, window: Block) -> BoolArray:
    """Return the bright things that hang in a disc and reach no deeper into the bodies than its borders err.

    `bright` covers the window around bodies, and so does the result, which holds their blur as well.
    """
    import cc3d

    found = np.zeros(bright.shape, dtype=np.bool_)
    least = max(FEWEST_BRIGHT_VOXELS, round(SMALLEST_BRIGHT_SEED_ML / scene.voxel_ml))
    for block, where in large_components(cc3d.connected_components(bright, connectivity=26), least):
        outer = placed_in_window(block, window)
        disc = around.compartment[outer] == int(Compartment.DISC)
        if float(np.mean(disc[where])) < SHARE_IN_DISC:
            continue
        depth = around.bone_depth_mm[outer][where]
        deepest = float(np.percentile(depth[depth > 0.0], 90)) if (depth > 0.0).any() else 0.0
        reach = float(np.percentile(distance_outside(disc, scene.spacing_mm)[where], 90))
        shallow = float(np.median(depth)) < HANGS_MIDDLE_MM and deepest < HANGS_DEEPEST_MM
        if shallow and reach < HANGS_REACH_MM:
            found[block] |= where
    return within(found, IMPLANT_BLUR_MM, scene.spacing_mm)


def _whole_mass(
    around: Surroundings, excess: Float32Array, seeds: BoolArray, number: int, window: Block
) -> BoolArray:
    """Return the seeds of a vertebra with all of the body's inside that is one mass with them.

    `excess` and `seeds` cover the window around bodies, and so does the result.
    """
    import cc3d

    owned: BoolArray = np.asarray(around.owner[window] == number)
    own = seeds & owned
    if not own.any():
        return own
    least_hu = SAME_MASS_SHARE * float(np.percentile(excess[own], 25))
    inside = owned & (around.compartment[window] == int(Compartment.BODY))
    inside &= around.bone_depth_mm[window] > CORTEX_MM
    labels = cc3d.connected_components(own | (inside & (excess > least_hu)), connectivity=6)
    return np.asarray(np.isin(labels, np.unique(labels[own])) & (labels > 0))


def find_old_cement(
    scene: Scene, around: Surroundings, *, excluded: BoolArray, new: Seeds
) -> tuple[int, ...]:
    """Return the vertebrae that show cement which an earlier scan showed as well."""
    if not around.known.any():
        return ()
    before = replace(scene, hu=np.where(around.known, around.expected_hu, -1000.0).astype(np.float32))
    unknown = replace(around, known=np.zeros_like(around.known))
    old = find_seeds(before, unknown, excluded=excluded)
    return tuple(n for n in old.treated if n in new.treated or n not in new.faint)


def _new_brightness(scene: Scene, around: Surroundings, window: Block) -> Float32Array:
    """Return intensities in which whatever was as bright in an earlier scan is ordinary bone."""
    hu, known = scene.hu[window], around.known[window]
    before = around.expected_hu[window]
    unchanged = known & (hu - before < NEW_FROM_HU)
    bright = np.where(unchanged, np.minimum(hu, ORDINARY_BONE_HU), hu).astype(np.float32)
    old = known & (before > OLD_CEMENT_HU)
    reach = [round(OLD_EDGE_MM / s) for s in scene.spacing_mm]
    near = bounds_of(old, reach)
    if near is not None:
        size = [2 * n + 1 for n in reach]
        brightest = ndimage.maximum_filter(np.where(old[near], before[near], np.float32(0)), size)
        rise = ORDINARY_BONE_HU + np.maximum(hu[near] - brightest, np.float32(0))
        bright[near] = np.where(brightest > 0, np.minimum(bright[near], rise), bright[near])
    return bright


def _owners(around: Surroundings, block: Block, where: BoolArray) -> set[int]:
    """Return the vertebrae in which a fair part of a component lies."""
    numbers, counts = np.unique(around.owner[block][where], return_counts=True)
    total = counts.sum()
    return {int(n) for n, c in zip(numbers, counts, strict=True) if n != 0 and c >= 0.15 * total}
