"""How sharp the image of a deposit is: by its own edges, and beyond what its voxels average."""

from __future__ import annotations

import numpy as np

from cementct.core.grid import Triple
from cementct.segmentation.cement.scene import (
    FWHM_PER_SIGMA,
    SLICE_SIGMA_SHARE,
    USUAL_IN_PLANE_FWHM_MM,
    Resolution,
    Scene,
)

# What a measured sharpness is kept within; slices blur at least by this share of what the plane does.
SIGMA_BOUNDS_MM = (0.2, 0.8)
LEAST_THROUGH = 0.6
# Where edges cannot be measured, coarse pixels blur little beyond themselves: standard deviation in pixels.
COARSE_SIGMA_SHARE = 0.36


def measured_resolution(scene: Scene, sigma_mm: float | None) -> Resolution:
    """Return the resolution of an image whose edges in the plane were measured, or (None) could not be."""
    if sigma_mm is None:
        coarse = COARSE_SIGMA_SHARE * max(scene.spacing_mm[1:])
        in_plane = max(USUAL_IN_PLANE_FWHM_MM / FWHM_PER_SIGMA, coarse)
    else:
        in_plane = float(np.clip(sigma_mm, *SIGMA_BOUNDS_MM))
    through = max(SLICE_SIGMA_SHARE * scene.spacing_mm[0], LEAST_THROUGH * in_plane)
    return Resolution(in_plane, through, measured=True)


def blur_beyond_voxels(scene: Scene, resolution: Resolution) -> Triple:
    """Return the blur, in voxels, that is left when a share is the mean over a voxel, as it is meant."""
    z, y, x = (
        float(np.sqrt(max((sigma / step) ** 2 - 1.0 / 12.0, 0.0)))
        for sigma, step in zip(resolution.sigma_mm, scene.spacing_mm, strict=True)
    )
    return z, y, x
