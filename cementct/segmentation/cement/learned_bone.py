"""What bone and the tissue beside it look like in this very scan: by the depth below bone's surface."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cementct.core.arrays import Float32Array, FloatArray
from cementct.core.distances import Closeness
from cementct.segmentation.cement.scene import Scene
from cementct.segmentation.cement.surroundings import (
    DEPTHS_MM,
    LEAST_SPREAD_HU,
    SOFT_TISSUE_HU,
    Surroundings,
)

# Voxels over this are cement or metal, and bone is not learned from them.
NOT_BONE_ABOVE_HU = 1500.0
# Bone by itself is not expected to be brighter than this, however much cement hides it: cortex, and marrow
# from 4 mm below the surface. [clinical.md: marrow 60–250 HU, cortex to about 1500 HU on thin slices]
BRIGHTEST_CORTEX_HU = 900.0
BRIGHTEST_MARROW_HU = 350.0
MARROW_FROM_MM = 4.0
# Most that the spread of bone is taken for.
WIDEST_SPREAD_HU = 300.0
# Bone is learned this far from cement and metal: out of reach of blur, fingers and most streaks.
CLEAR_OF_DENSE_MM = 4.0
# Fewer voxels do not tell what a depth looks like.
FEWEST_VOXELS = 30


def learn_bone(scene: Scene, around: Surroundings, *, to_dense: Closeness) -> Surroundings:
    """Return the surroundings with what bone and the tissue beside it look like in this very scan.

    Parameters
    ----------
    scene
        The block of CT.
    around
        Its anatomy.
    to_dense
        How near cement and metal lie: nothing is learned from them or from what is near them.
    """
    # Most of a block lies far from bone: what lies near is taken out once, as lists of voxels.
    near = np.flatnonzero(around.bone_depth_mm > DEPTHS_MM[0])
    clear = ~to_dense.within(CLEAR_OF_DENSE_MM).ravel()[near]
    clear &= scene.measured.ravel()[near]
    in_body = around.is_like_body(near)
    expected, widths = around.expected_hu.copy(), []
    any_known = around.known.any()
    for zone in (in_body, ~in_body):
        where = near[zone]
        hu, depth = scene.hu.ravel()[where], around.bone_depth_mm.ravel()[where]
        usable = clear[zone] & (hu < NOT_BONE_ABOVE_HU)
        level, width = _profile(hu[usable], depth[usable])
        widths.append(width)
        if any_known:
            unknown = ~around.known.ravel()[where]
            where, depth = where[unknown], depth[unknown]
        expected.ravel()[where] = np.interp(depth, DEPTHS_MM, level)
    return replace(around, expected_hu=expected, widths_hu=(widths[0], widths[1]))


def _profile(hu: Float32Array, depth_mm: Float32Array) -> tuple[FloatArray, FloatArray]:
    """Return the median and the upper spread of intensity at each of `DEPTHS_MM`."""
    bins = np.clip(np.round((depth_mm - DEPTHS_MM[0]) / 0.5), 0, len(DEPTHS_MM) - 1).astype(np.uint8)
    order = np.argsort(bins, kind="stable")
    ends = np.concatenate([[0], np.cumsum(np.bincount(bins, minlength=len(DEPTHS_MM)))])
    level = np.full(len(DEPTHS_MM), np.nan)
    width = np.full(len(DEPTHS_MM), np.nan)
    for i in range(len(DEPTHS_MM)):
        values = hu[order[ends[i] : ends[i + 1]]]
        if values.size < FEWEST_VOXELS:
            continue
        low, middle, high = np.percentile(values, [25, 50, 90])
        level[i] = middle
        # 1.28 and 0.67 standard deviations; the upper side is the one that has to be told from cement.
        width[i] = min(max((high - middle) / 1.28, (middle - low) / 0.67), WIDEST_SPREAD_HU)
    good = np.isfinite(level)
    if not good.any():
        return np.full(len(DEPTHS_MM), 150.0), np.full(len(DEPTHS_MM), 150.0)
    level = np.interp(DEPTHS_MM, DEPTHS_MM[good], level[good])
    width = np.interp(DEPTHS_MM, DEPTHS_MM[good], width[good])
    ceiling = np.where(DEPTHS_MM > MARROW_FROM_MM, BRIGHTEST_MARROW_HU, BRIGHTEST_CORTEX_HU)
    return np.clip(level, SOFT_TISSUE_HU - 100.0, ceiling), np.maximum(width, LEAST_SPREAD_HU)
