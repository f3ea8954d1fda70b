"""Cement that cannot be bone: the seeds from which treated vertebrae are told."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray, Float32Array
from cementct.segmentation.cement.fields import depth_inside
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

# Fainter cement is told from bone by thickness: it is a solid mass, cortex a shell. Levels tried, …
FAINT_LEVELS_HU = (1500.0, 1300.0, 1100.0, 950.0, 780.0)
# … the depth of its middle below its own surface, …
FAINT_DEPTH_MM = 2.4
# … its volume at that level: by level, the fainter the larger. Bone islands are mostly under 10 mm (0.5 ml),
# hardly ever over 15 mm (1.8 ml); sclerotic metastases are large but seldom over 900 HU throughout (mean
# 654 ± 176 HU). [AJR 2016; sizes: general knowledge, to check]
FAINT_VOLUME_ML = (0.35, 0.45, 0.60, 0.75, 0.90)
# … and the mean of its middle (depths over this share of the largest): sclerotic metastases are below.
MIDDLE_DEPTH = 0.55
FAINTEST_CEMENT_HU = 840.0
# With an earlier scan, what is this much brighter than before is new, the rest as dull as ordinary bone;
# and new masses may be smaller by this factor.
NEW_FROM_HU = 300.0
ORDINARY_BONE_HU = 150.0
SHARE_WITH_EARLIER = 0.25
# Cement between trabeculae has fingers where a bone island is round (depth of its middle over the radius of a
# ball of its volume), and is as even as noise allows; such a mass may be smaller by this factor.
ROUND_FROM = 0.70
EVEN_SIGMAS = 1.2
SHARE_WITH_FINGERS = 0.6
# Share of the middle of a faint mass that has to lie deeper in the bone than cortex does. A smaller one will
# do where that middle is even, with a standard deviation of this share of its mean, and none where the mass
# is thicker than cortex ever is: a deposit in a small body lies against its wall.
SHARE_OFF_SURFACE = 0.5
SHARE_OFF_SURFACE_EVEN, EVEN_SHARE = 0.3, 0.04
THICKER_THAN_CORTEX_MM = 3.6
CORTEX_MM = 2.0
# What hangs together with seeds, as deep in the same body, and is at least this share of their lower quartile
# is the same cement, whatever level the seeds were found at: noise and texture of one mass, not bone.
SAME_MASS_SHARE = 0.75


ComponentLabels = np.ndarray[tuple[int, ...], np.dtype[np.uint32]]


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
    excess = _new_brightness(scene, around)
    mask = np.zeros(scene.hu.shape, dtype=np.bool_)
    treated: set[int] = set()
    least = max(FEWEST_BRIGHT_VOXELS, round(SMALLEST_BRIGHT_SEED_ML / scene.voxel_ml))
    labels, _ = cc3d.connected_components((excess > bright_hu) & inside, connectivity=26, return_N=True)
    for where in _large_components(labels, least):
        mask |= where
        treated |= _owners(around, where)
    faint = _find_faint(scene, around, excess, inside, mask)
    found_faint: set[int] = set()
    for where in faint:
        owners = _owners(around, where)
        found_faint |= owners - treated
        mask |= where
    treated |= found_faint
    for number in treated:
        mask |= _whole_mass(around, excess, mask & (around.owner == number), number)
    return Seeds(mask, tuple(sorted(treated)), tuple(sorted(found_faint)), bright_hu)


def _find_faint(
    scene: Scene, around: Surroundings, excess: Float32Array, inside: BoolArray, bright: BoolArray
) -> list[BoolArray]:
    """Return solid masses inside bodies that are no brighter than bone but no bone by shape and extent."""
    import cc3d
    from scipy import ndimage

    found: list[BoolArray] = []
    body = around.is_in(Compartment.BODY) & inside
    smooth = ndimage.gaussian_filter(excess, [0.0, 0.5 / scene.spacing_mm[1], 0.5 / scene.spacing_mm[2]])
    for level, volume_ml in zip(FAINT_LEVELS_HU, FAINT_VOLUME_ML, strict=True):
        labels, count = cc3d.connected_components((smooth > level) & body, connectivity=6, return_N=True)
        if count == 0:
            continue
        least_ml = min(SHARE_WITH_EARLIER, SHARE_WITH_FINGERS) * volume_ml
        for where in _large_components(labels, max(8, round(least_ml / scene.voxel_ml))):
            if (where & bright).any():
                continue
            compared = float(np.mean(around.known[where])) > 0.7
            found_ml = np.count_nonzero(where) * scene.voxel_ml
            if not compared and found_ml < SHARE_WITH_FINGERS * volume_ml:
                continue
            depth = depth_inside(where, scene.spacing_mm)
            solid = depth >= min(FAINT_DEPTH_MM, depth.max())
            middle = depth >= MIDDLE_DEPTH * depth.max()
            spread_hu, mean_hu = float(smooth[middle].std()), float(smooth[middle].mean())
            fingered = spread_hu <= EVEN_SIGMAS * scene.noise_hu and float(
                depth.max()
            ) < ROUND_FROM * _ball_radius_mm(found_ml)
            if not (compared or fingered) and found_ml < volume_ml:
                continue
            too_dull = not compared and mean_hu < FAINTEST_CEMENT_HU
            if depth.max() < FAINT_DEPTH_MM or too_dull:
                continue
            off_surface = float(np.mean(around.bone_depth_mm[middle] > CORTEX_MM))
            least = SHARE_OFF_SURFACE_EVEN if spread_hu <= EVEN_SHARE * mean_hu else SHARE_OFF_SURFACE
            no_cortex = off_surface >= least or float(depth.max()) >= THICKER_THAN_CORTEX_MM
            if (compared or no_cortex) and not any((where & other).any() for other in found):
                found.append(where & (depth > 0) | solid)
    return found


def _whole_mass(around: Surroundings, excess: Float32Array, own: BoolArray, number: int) -> BoolArray:
    """Return the seeds of a vertebra with all of the body's inside that is one mass with them."""
    import cc3d

    if not own.any():
        return own
    least_hu = SAME_MASS_SHARE * float(np.percentile(excess[own], 25))
    inside = (around.owner == number) & around.is_in(Compartment.BODY) & (around.bone_depth_mm > CORTEX_MM)
    labels = cc3d.connected_components(own | (inside & (excess > least_hu)), connectivity=6)
    return np.asarray(np.isin(labels, np.unique(labels[own])) & (labels > 0))


def _ball_radius_mm(volume_ml: float) -> float:
    """Return the radius of a ball of a volume."""
    return float((3.0 * 1000.0 * volume_ml / (4.0 * np.pi)) ** (1.0 / 3.0))


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


def _new_brightness(scene: Scene, around: Surroundings) -> Float32Array:
    """Return intensities in which whatever was as bright in an earlier scan is ordinary bone."""
    unchanged = around.known & (scene.hu - around.expected_hu < NEW_FROM_HU)
    return np.where(unchanged, np.minimum(scene.hu, ORDINARY_BONE_HU), scene.hu).astype(np.float32)


def _large_components(labels: ComponentLabels, least_voxels: int) -> list[BoolArray]:
    """Return the components of at least so many voxels."""
    counts = np.bincount(labels.ravel())
    counts[0] = 0
    return [np.asarray(labels == n) for n in np.flatnonzero(counts >= least_voxels)]


def _owners(around: Surroundings, where: BoolArray) -> set[int]:
    """Return the vertebrae in which a fair part of a component lies."""
    numbers, counts = np.unique(around.owner[where], return_counts=True)
    total = counts.sum()
    return {int(n) for n, c in zip(numbers, counts, strict=True) if n != 0 and c >= 0.15 * total}
