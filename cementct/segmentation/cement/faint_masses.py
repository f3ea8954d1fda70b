"""Solid masses in bodies that are no brighter than bone: cement by their thickness, extent and evenness."""

from __future__ import annotations

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.distances import depth_inside
from cementct.core.morphology import blocks_of, bounds_of
from cementct.core.threads import each
from cementct.segmentation.cement.scene import Scene
from cementct.segmentation.cement.surroundings import Surroundings

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
# What an earlier scan did not show may be smaller by this factor.
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
# Faint masses are looked for in an image smoothed in the plane by so much; its voxels depend on nothing
# farther.
SMOOTH_MM = 0.5
SMOOTH_REACH_MM = 4.0 * SMOOTH_MM + 2.0

Block = tuple[slice, slice, slice]
ComponentLabels = np.ndarray[tuple[int, ...], np.dtype[np.uint32]]


def find_faint(
    scene: Scene,
    around: Surroundings,
    excess: Float32Array,
    inside: BoolArray,
    bright: BoolArray,
    window: Block,
) -> list[tuple[Block, BoolArray]]:
    """Return solid masses inside bodies that are no brighter than bone but no bone by shape and extent.

    `excess` and `inside` cover the window around bodies; the masses come with their blocks of the scene.
    """
    import cc3d
    from scipy import ndimage

    found: list[tuple[Block, BoolArray]] = []
    taken = np.zeros(scene.hu.shape, dtype=np.bool_)
    body = (around.compartment[window] == int(Compartment.BODY)) & inside
    sigma = [0.0, *(SMOOTH_MM / s for s in scene.spacing_mm[1:])]
    # Slices are smoothed each by itself: halves of the block side by side.
    smooth = np.concatenate(
        each(lambda part: ndimage.gaussian_filter(part, sigma), np.array_split(excess, min(2, len(excess))))
    )
    # Of all bodies only what reaches the lowest level is looked at.
    part = bounds_of((smooth > FAINT_LEVELS_HU[-1]) & body)
    if part is None:
        return found
    smooth, body, window = smooth[part], body[part], placed_in_window(part, window)
    for level, volume_ml in zip(FAINT_LEVELS_HU, FAINT_VOLUME_ML, strict=True):
        labels, count = cc3d.connected_components((smooth > level) & body, connectivity=6, return_N=True)
        if count == 0:
            continue
        least_ml = min(SHARE_WITH_EARLIER, SHARE_WITH_FINGERS) * volume_ml
        for inner, where in large_components(labels, max(8, round(least_ml / scene.voxel_ml))):
            block = placed_in_window(inner, window)
            if (where & bright[block]).any():
                continue
            compared = float(np.mean(around.known[block][where])) > 0.7
            found_ml = np.count_nonzero(where) * scene.voxel_ml
            if not compared and found_ml < SHARE_WITH_FINGERS * volume_ml:
                continue
            depth = depth_inside(where, scene.spacing_mm)
            solid = depth >= min(FAINT_DEPTH_MM, depth.max())
            middle = depth >= MIDDLE_DEPTH * depth.max()
            spread_hu, mean_hu = float(smooth[inner][middle].std()), float(smooth[inner][middle].mean())
            roundness = float(depth.max()) / _ball_radius_mm(found_ml)
            fingered = spread_hu <= EVEN_SIGMAS * scene.noise_hu and roundness < ROUND_FROM
            if not (compared or fingered) and found_ml < volume_ml:
                continue
            too_dull = not compared and mean_hu < FAINTEST_CEMENT_HU
            if depth.max() < FAINT_DEPTH_MM or too_dull:
                continue
            off_surface = float(np.mean(around.bone_depth_mm[block][middle] > CORTEX_MM))
            least = SHARE_OFF_SURFACE_EVEN if spread_hu <= EVEN_SHARE * mean_hu else SHARE_OFF_SURFACE
            no_cortex = off_surface >= least or float(depth.max()) >= THICKER_THAN_CORTEX_MM
            if (compared or no_cortex) and not (where & taken[block]).any():
                found.append((block, where & (depth > 0) | solid))
                taken[block] |= found[-1][1]
    return found


def _ball_radius_mm(volume_ml: float) -> float:
    """Return the radius of a ball of a volume."""
    return float((3.0 * 1000.0 * volume_ml / (4.0 * np.pi)) ** (1.0 / 3.0))


def placed_in_window(inner: Block, window: Block) -> Block:
    """Return a block of a window as a block of what the window was cut from."""
    z, y, x = (slice(w.start + i.start, w.start + i.stop) for i, w in zip(inner, window, strict=True))
    return z, y, x


def large_components(labels: ComponentLabels, least_voxels: int) -> list[tuple[Block, BoolArray]]:
    """Return the components of at least so many voxels, each in its block."""
    index = np.flatnonzero(labels.ravel() != 0)
    numbers = labels.ravel()[index]
    large = np.bincount(numbers) >= least_voxels
    kept = large[numbers]
    blocks = blocks_of(index[kept], numbers[kept], labels.shape)
    return [(block, np.asarray(labels[block] == number)) for number, block in blocks.items()]
