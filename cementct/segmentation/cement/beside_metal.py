"""Cement beside metal: where metal's blur hides it, it is as it is a little further out."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.distances import within
from cementct.segmentation.cement.scene import Scene
from cementct.segmentation.model import ForeignBody

# Metal's blur is brighter than cement up to this distance (in FWHM) from its surface: titanium's (9000 HU)
# falls to a tenth there.
BLUR_WIDTHS = 0.8


def metal_voxels(scene: Scene, foreign: tuple[ForeignBody, ...]) -> BoolArray:
    """Return the voxels of metal itself, shape of the scene."""
    mask = np.zeros(scene.hu.shape, dtype=np.bool_)
    for body in foreign:
        mask |= body.region.in_box(scene.box)
    return mask


def blurred_metal(scene: Scene, metal: BoolArray) -> BoolArray:
    """Return metal and what its blur reaches, shape of the scene."""
    return within(metal, BLUR_WIDTHS, scene.in_widths)


def carry_to_metal(
    share: Float32Array, scene: Scene, *, metal: BoolArray, blurred: BoolArray
) -> Float32Array:
    """Return shares of cement in which metal's blur holds what lies next to it further out.

    Parameters
    ----------
    share
        Share of each voxel, nothing within `blurred`.
    scene
        The block of CT.
    metal, blurred
        Metal itself, and with its blur.
    """
    from scipy import ndimage

    rim = blurred & ~metal
    if not rim.any() or not share.any():
        return share
    box = scene.grid.box_around(np.argwhere(rim), 2.0 * max(scene.spacing_mm))
    window = box.slices
    nearest = ndimage.distance_transform_edt(
        blurred[window], sampling=scene.spacing_mm, return_distances=False, return_indices=True
    )
    filled = share.copy()
    filled[window][rim[window]] = share[window][tuple(nearest[:, rim[window]])]
    return filled
