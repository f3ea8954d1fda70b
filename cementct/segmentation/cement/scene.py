"""What every step looks at: a block of CT in HU with its noise, its resolution and its number range."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, IntArray
from cementct.core.grid import Box, Grid, Triple
from cementct.core.image import NOT_MEASURED_BELOW_HU, Volume
from cementct.segmentation.number_range import find_clip

# Soft tissue for the purpose of measuring noise: fat's upper end to muscle with contrast.
SOFT_TISSUE_HU = (-20.0, 120.0)
# Noise where too little soft tissue is in view to measure it; a usual body protocol. [clinical.md: 8–40 HU]
USUAL_NOISE_HU = 18.0
# What stands for voxels that were not measured.
AIR_HU = -1000.0
# Nothing fainter is looked for one by one: bone, cement, and vessels with contrast are brighter.
DENSE_FROM_HU = 170.0

# In-plane width of a point (FWHM) of a usual body kernel. [clinical.md: 1.2 mm]
USUAL_IN_PLANE_FWHM_MM = 1.2
# Standard deviation of the slice profile as a share of the slice distance: between a box as thick as the
# distance (0.29) and a Gaussian whose FWHM is the distance (0.42).
SLICE_SIGMA_SHARE = 0.34
FWHM_PER_SIGMA = 2.3548


@dataclass(frozen=True)
class Resolution:
    """Width of the image of a point, as the standard deviation of a Gaussian.

    Attributes
    ----------
    in_plane_mm
        Along y and x.
    through_mm
        Along z, the slice profile included.
    measured
        Whether the in-plane width was measured on edges in this image.
    """

    in_plane_mm: float
    through_mm: float
    measured: bool = False

    @property
    def sigma_mm(self) -> Triple:
        """Standard deviations along z, y and x."""
        return self.through_mm, self.in_plane_mm, self.in_plane_mm

    @property
    def fwhm_mm(self) -> Triple:
        """Full widths at half maximum along z, y and x."""
        z, y, x = (FWHM_PER_SIGMA * s for s in self.sigma_mm)
        return z, y, x


@dataclass(frozen=True)
class Scene:
    """A block of a CT volume, ready for measuring.

    Attributes
    ----------
    box
        The block of the volume's grid.
    grid
        The grid of the block.
    hu
        Intensities, shape of the block; unmeasured voxels hold air.
    measured
        Where the scanner measured something.
    noise_hu
        Standard deviation in soft tissue.
    clip_hu
        The highest number the image can hold, or None where nothing is cut off.
    resolution
        Width of a point's image.
    scanned
        Shape of the whole volume.
    """

    box: Box
    grid: Grid
    hu: Float32Array
    measured: BoolArray
    noise_hu: float
    clip_hu: float | None
    resolution: Resolution
    scanned: tuple[int, int, int]

    @property
    def spacing_mm(self) -> Triple:
        """Distance between voxel centres along z, y and x."""
        return self.grid.spacing_mm

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel."""
        return self.grid.voxel_ml

    @property
    def in_widths(self) -> Triple:
        """Voxel spacing in units of the image's own sharpness: distances then count in FWHM."""
        z, y, x = (s / w for s, w in zip(self.spacing_mm, self.resolution.fwhm_mm, strict=True))
        return z, y, x

    @cached_property
    def _dense(self) -> IntArray:
        return np.flatnonzero(self.hu > DENSE_FROM_HU)

    def brighter_than(self, hu: float) -> IntArray:
        """Return the places in the flat array of all voxels brighter than that, `DENSE_FROM_HU` at least.

        They are a tenth of a block: it is gone through once for all who ask.
        """
        if hu < DENSE_FROM_HU:
            raise ValueError(f"expected at least {DENSE_FROM_HU:g} HU, got {hu:g}")
        return self._dense[self.hu.ravel()[self._dense] > hu]

    def crop(self, box: Box) -> Scene:
        """Return the part of the scene in `box`, which is given on this scene's own grid."""
        return Scene(
            box.placed_in(self.box),
            self.grid.crop(box),
            self.hu[box.slices],
            self.measured[box.slices],
            self.noise_hu,
            self.clip_hu,
            self.resolution,
            self.scanned,
        )


def view_scene(volume: Volume, box: Box) -> Scene:
    """Return the scene of one block of a volume, with its noise and clip measured and usual sharpness."""
    raw = volume.hu[box.slices]
    measured = np.asarray(raw > NOT_MEASURED_BELOW_HU)
    hu = raw.astype(np.float32)
    if not measured.all():
        hu[~measured] = AIR_HU
    grid = volume.grid.crop(box)
    return Scene(
        box,
        grid,
        hu,
        measured,
        measure_noise(hu),
        find_clip(volume.hu),
        usual_resolution(grid.spacing_mm),
        volume.grid.shape,
    )


def usual_resolution(spacing_mm: Triple) -> Resolution:
    """Return the sharpness to expect of a usual kernel at this spacing."""
    in_plane_spacing = max(spacing_mm[1:])
    in_plane = max(USUAL_IN_PLANE_FWHM_MM / FWHM_PER_SIGMA, 0.6 * in_plane_spacing)
    return Resolution(in_plane, max(SLICE_SIGMA_SHARE * spacing_mm[0], 0.8 * in_plane))


def measure_noise(hu: Float32Array) -> float:
    """Return the standard deviation of noise in soft tissue, in HU.

    The median standard deviation of patches that hold soft tissue only: edges and texture raise it in some
    patches, not in half of them.
    """
    step_z = max(1, hu.shape[0] // 24)
    low, high = SOFT_TISSUE_HU
    edge = 7
    planes = hu[::step_z]
    rows, columns = planes.shape[1] // edge * edge, planes.shape[2] // edge * edge
    if rows == 0 or columns == 0:
        return USUAL_NOISE_HU
    tiles = planes[:, :rows, :columns].reshape(planes.shape[0], rows // edge, edge, columns // edge, edge)
    mean = tiles.mean(axis=(2, 4))
    spread = tiles.std(axis=(2, 4), dtype=np.float64)
    soft = (mean > low) & (mean < high) & (spread < 90.0)
    if np.count_nonzero(soft) < 30:
        return USUAL_NOISE_HU
    return float(np.clip(np.percentile(spread[soft], 35), 1.0, 80.0))
