"""What cement adds to the intensity of the tissue beside it: the blurred rim of something far brighter."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.grid import Grid
from cementct.segmentation.lesion.bone import Bone

# Standard deviation of a point's image in the plane: FWHM 1.1 mm, a usual body kernel.
IN_PLANE_SIGMA_MM = 0.48
# Along z, as a share of the distance of slices; that of a box as wide is 0.29, of a Gaussian 0.42.
SLICE_SIGMA_SHARE = 0.36
# Thin slices are as blurred along z as the plane is.
LEAST_THROUGH_MM = 0.45
# Where cement adds so much, what is left after taking it out is believed half: the blur is known to a third.
TRUSTED_GLOW_HU = 40.0
# A voxel that holds more cement than this shows nothing else.
SEEN_SHARE = 0.05
# From this share on a voxel is cement's own, and no glow is taken out of it.
OWN_SHARE = 0.3
# From this trust on tissue is read; under the second it shows nothing.
READ_TRUST, HALF_READ_TRUST = 0.85, 0.3
# Of cement whose inside shows nowhere.
USUAL_PLATEAU_HU = 2000.0


@dataclass(frozen=True)
class BesideCement:
    """A vertebra's bone with the cement's glow taken out.

    Attributes
    ----------
    bone
        The vertebra; its intensities are those of the tissue, outside cement.
    cement
        Voxels of the bone that are cement.
    trust
        How far each voxel's intensity is that of tissue, 0 to 1.
    """

    bone: Bone
    cement: BoolArray
    trust: Float32Array

    @property
    def hidden(self) -> BoolArray:
        """Where cement, or its glow, hides the tissue."""
        return np.asarray(self.trust < HALF_READ_TRUST)

    @property
    def read(self) -> BoolArray:
        """Interior of the body that shows its tissue."""
        bone = self.bone
        return np.asarray((self.trust >= READ_TRUST) & bone.interior & bone.body & ~bone.vein)


def look_beside_cement(bone: Bone, share: Float32Array, plateau_hu: float | None = None) -> BesideCement:
    """Return the bone without the glow of its cement, and how far each voxel is believed.

    Parameters
    ----------
    bone
        The vertebra in the scan after injection.
    share
        Share of each voxel that cement occupies.
    plateau_hu
        Intensity of the cement, beyond the scanner's number range too; None: as the picture shows it.
    """
    plateau_hu = _plateau_hu(bone, share) if plateau_hu is None else plateau_hu
    glow = np.where(share > OWN_SHARE, np.float32(0), glow_hu(share, plateau_hu, bone.grid))
    trust = np.where(share > SEEN_SHARE, np.float32(0), 1 / (1 + (glow / TRUSTED_GLOW_HU) ** 2))
    cement = bone.outline & (share >= OWN_SHARE)
    clear = replace(bone, hu=(bone.hu - glow).astype(np.float32))
    return BesideCement(clear, np.asarray(cement), trust.astype(np.float32))


def glow_hu(share: Float32Array, plateau_hu: float, grid: Grid) -> Float32Array:
    """Return the intensity that the blurred image of cement adds to each voxel."""
    through = max(SLICE_SIGMA_SHARE * grid.spacing_mm[0], LEAST_THROUGH_MM)
    sigma_mm = (through, IN_PLANE_SIGMA_MM, IN_PLANE_SIGMA_MM)
    sigma = [s / spacing for s, spacing in zip(sigma_mm, grid.spacing_mm, strict=True)]
    blurred = ndimage.gaussian_filter(np.clip(share, 0, 1).astype(np.float32), sigma, truncate=5.0)
    return np.asarray(blurred * np.float32(plateau_hu), dtype=np.float32)


def _plateau_hu(bone: Bone, share: Float32Array) -> float:
    inside = share > 0.95
    return float(np.median(bone.hu[inside])) if inside.any() else USUAL_PLATEAU_HU
