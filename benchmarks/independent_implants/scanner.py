"""What a CT scanner makes of cement: blur, slices, correlated noise, beam hardening and starved rays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from benchmarks.independent_implants.sources import Doubles, Floats, sample
from cementct.core.grid import Grid

# Full width at half maximum over standard deviation of a Gaussian.
FWHM_PER_SIGMA = 2.355
# Attenuation of water at some 70 keV, per mm.
WATER_PER_MM = 0.0193
# Share of a ray's excess attenuation squared that beam hardening takes away; 120 kV, after the water
# correction (a deposit of 3 cm and 3000 HU loses some 5 to 10 %, as barium does in phantoms).
HARDENING = 0.035
# Spacing of the slices that streaks are computed on, and number of angles over half a turn.
STREAK_MM, STREAK_ANGLES = 1.0, 72
# Standard deviation of the noise of a ray through water alone, in units of attenuation.
RAY_NOISE = 0.004
# Cement thinner than this along every ray leaves no streak worth drawing (excess attenuation).
LEAST_ATTENUATION = 0.35
# 12-bit scanners store up to this, HU.
CLIP_HU = 3071


@dataclass(frozen=True)
class Protocol:
    """How a scan was made.

    Attributes
    ----------
    pixel_mm, slice_mm
        In-plane spacing, distance and thickness of slices.
    fwhm_mm
        In-plane resolution.
    sharpening
        Edge enhancement of the kernel; 0: none, 0.8: a bone kernel that overshoots.
    noise_hu
        Standard deviation.
    clips
        Whether values end at 3071.
    """

    pixel_mm: float
    slice_mm: float
    fwhm_mm: float
    sharpening: float
    noise_hu: float
    clips: bool


def blur_onto(values: Floats, lattice: Grid, target: Grid, *, fwhm_mm: float, slice_mm: float) -> Floats:
    """Return what a scan shows of values on the lattice: blurred in plane, averaged over slices, sampled."""
    sigma = fwhm_mm / FWHM_PER_SIGMA / lattice.spacing_mm[1]
    out = ndimage.gaussian_filter1d(values, sigma, axis=1, mode="nearest", truncate=3.0)
    out = ndimage.gaussian_filter1d(out, sigma, axis=2, mode="nearest", truncate=3.0)
    wide = max(1, round(slice_mm / lattice.spacing_mm[0]))
    out = ndimage.uniform_filter1d(out, wide, axis=0, mode="nearest")
    return sample(out, lattice, target)


def sharpen(hu: Floats, pixel_mm: float, amount: float) -> Floats:
    """Return a scan as an edge-enhancing kernel shows it: it overshoots beside steps."""
    if amount <= 0:
        return hu
    soft = ndimage.gaussian_filter(hu, (0, 1.1 / pixel_mm, 1.1 / pixel_mm), mode="nearest")
    return np.asarray(hu + amount * (hu - soft), dtype=np.float32)


def ct_noise(shape: tuple[int, int, int], pixel_mm: float, sharp: float, rng: np.random.Generator) -> Floats:
    """Return noise of unit standard deviation with the band-pass texture of filtered back-projection.

    Its grain is some 1.5 mm with a soft kernel and finer with a sharp one; slow waves are missing, as after
    the ramp filter. Neighbouring slices share a little.
    """
    white = rng.standard_normal(shape).astype(np.float32)
    fine = max(0.35, (0.75 - 0.35 * sharp) / pixel_mm)
    grain = ndimage.gaussian_filter(white, (0.4, fine, fine), mode="wrap")
    grain -= ndimage.gaussian_filter(white, (0.4, 2.2 * fine, 2.2 * fine), mode="wrap")
    return np.asarray(grain / grain.std(), dtype=np.float32)


def streaks(excess: Floats, grid: Grid, rng: np.random.Generator) -> Floats:
    """Return what dense cement adds to the scan around it, HU.

    Every slice of the excess over water is projected; long ways lose attenuation (hardening) and gain noise
    (few photons left); the difference is filtered and projected back.

    Parameters
    ----------
    excess
        HU of cement over its surroundings, blurred, on the scan's grid; 0 elsewhere.
    grid
        The scan's grid.
    rng
        For the noise of starved rays.
    """
    from skimage.transform import iradon, radon

    out = np.zeros(excess.shape, np.float32)
    peak = excess.max(axis=(1, 2))
    angles = np.linspace(0.0, 180.0, STREAK_ANGLES, endpoint=False)
    step = grid.spacing_mm[1]
    zoom = step / STREAK_MM
    for z in np.flatnonzero(peak > 150):
        plane = ndimage.zoom(excess[z], zoom, order=1, grid_mode=True, mode="nearest")
        size = max(plane.shape)
        square = np.zeros((size, size), np.float32)
        square[: plane.shape[0], : plane.shape[1]] = plane
        rays = radon(square, angles, circle=False) / 1000.0 * WATER_PER_MM * STREAK_MM
        if rays.max() < LEAST_ATTENUATION:
            continue
        error = _ray_error(rays, rng)
        back = iradon(error, angles, circle=False, output_size=size, filter_name="hann")
        back *= 1000.0 / WATER_PER_MM / STREAK_MM
        part = back[: plane.shape[0], : plane.shape[1]]
        ratio = np.array(excess[z].shape) / np.array(part.shape)
        out[z] = ndimage.zoom(part, ratio, order=1, grid_mode=True, mode="nearest")[
            : excess.shape[1], : excess.shape[2]
        ]
    return out


def _ray_error(rays: Doubles, rng: np.random.Generator) -> Doubles:
    noise = RAY_NOISE * np.sqrt(np.expm1(np.clip(rays, 0, 4))) * rng.standard_normal(rays.shape)
    return np.asarray(-HARDENING * rays**2 + noise)


def local_noise(hu: Floats) -> float:
    """Return the standard deviation of a real scan's noise in soft tissue, HU, from what a median removes."""
    middle = hu[:: max(1, len(hu) // 8)]
    rest = middle - ndimage.median_filter(middle, (1, 3, 3))
    soft = (middle > -20) & (middle < 120)
    return float(1.4826 * np.median(np.abs(rest[soft])) * 1.4) if soft.any() else 12.0
