"""What the image would show without the cement: what anatomy lets expect, corrected by the neighbours."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.distances import within
from cementct.segmentation.cement.fields import mean_over
from cementct.segmentation.cement.scene import Scene

# Surroundings are learned from voxels at least this far (in FWHM) from any cement …
CLEAR_WIDTHS = 1.5
# … and within about this distance of the voxel in question.
NEIGHBOURHOOD_MM = 3.0
# Residuals beyond this are other structures, not the level of the surroundings.
LARGEST_RESIDUAL_HU = 350.0
# Lung and gas are below this; beside them lies what is expected to be below that: bone does not darken there.
LUNG_BELOW_HU, SOFT_BELOW_HU = -500.0, 150.0
# Support (share of a Gaussian's weight) at which neighbours and expectation count alike.
EQUAL_SUPPORT = 0.03


def background_around(
    scene: Scene, expected_hu: Float32Array, *, dense: BoolArray, excluded: BoolArray
) -> Float32Array:
    """Return the intensity to expect without cement, corrected by what surrounds it.

    Parameters
    ----------
    scene
        The block of CT.
    expected_hu
        Intensity to expect from anatomy (or from an earlier scan), shape of the scene.
    dense
        Cement, generously outlined.
    excluded
        Metal and the like, from which nothing can be learned.
    """
    clear = ~within(dense | excluded, CLEAR_WIDTHS, scene.in_widths)
    residual = scene.hu - expected_hu
    usable = clear & scene.measured & (np.abs(residual) < LARGEST_RESIDUAL_HU)
    background = _corrected(scene, expected_hu, residual, usable)
    lung = clear & scene.measured & (scene.hu < LUNG_BELOW_HU) & ~usable
    soft = expected_hu < SOFT_BELOW_HU
    if (lung & soft).any():
        with_lung = _corrected(scene, expected_hu, residual, usable | lung & soft)
        background = np.where(soft, with_lung, background)
    return background


def _corrected(
    scene: Scene, expected_hu: Float32Array, residual: Float32Array, usable: BoolArray
) -> Float32Array:
    mean, weight = mean_over(residual, usable, NEIGHBOURHOOD_MM, scene.spacing_mm)
    trust = weight / (weight + EQUAL_SUPPORT)
    return np.asarray(expected_hu + mean * trust, dtype=np.float32)
