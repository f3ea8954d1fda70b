"""Beam hardening: dark and bright streaks between dense deposits.

The nonlinear part of a polychromatic projection (what a scanner's water correction leaves over) is computed
for every slice that holds dense material and back-projected; everything else of the image stays untouched.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cementct.core.arrays import Float32Array, FloatArray, as_floats
from cementct.core.grid import Grid

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# A 120 kV spectrum after the scanner's filters: energies and their share of the detected signal.
ENERGIES_KEV = np.array([45.0, 55.0, 65.0, 75.0, 90.0, 110.0])
SIGNAL_SHARE = np.array([0.12, 0.21, 0.24, 0.18, 0.16, 0.09])
# Linear attenuation of water at these energies, per mm (NIST XCOM).
WATER_PER_MM = np.array([0.0243, 0.0217, 0.0200, 0.0187, 0.0176, 0.0165])
# The excess attenuation of opacified cement and compact bone is mostly photoelectric: it falls with about
# this power of the energy.
EXCESS_POWER = -2.3
EFFECTIVE_KEV = 70.0
EFFECTIVE_WATER_PER_MM = 0.0193
# Water equivalent of the rest of the patient in every ray.
PATIENT_MM = 260.0
# What counts as dense: the excess above this intensity.
DENSE_ABOVE_HU = 300.0
# Slices with less dense area than this produce no visible streaks.
LEAST_DENSE_MM2 = 12.0
# Pixel of the projector, number of views over half a turn.
PIXEL_MM = 1.0
VIEWS = 180


def hardening_error_hu(image: Float32Array, grid: Grid) -> Float32Array:
    """Return what beam hardening adds to a scan, in HU.

    Parameters
    ----------
    image
        The scan without it, in HU.
    grid
        Its grid; rows and columns of a slice are the scanner's plane.
    """
    out = np.zeros(image.shape, dtype=np.float32)
    pixel = float(np.prod(grid.spacing_mm[1:]))
    dense = np.maximum(image - np.float32(DENSE_ABOVE_HU), 0.0)
    area = (dense > 700).sum(axis=(1, 2)) * pixel
    slices = np.flatnonzero(area >= LEAST_DENSE_MM2)
    if slices.size == 0:
        return out
    rows, columns = (max(1, round(PIXEL_MM / s)) for s in grid.spacing_mm[1:])
    small = np.stack([_block_mean(dense[z], rows, columns) for z in slices])
    spacing = (grid.spacing_mm[1] * rows, grid.spacing_mm[2] * columns)
    side = (small.shape[1], small.shape[2])
    project = _projector(side, spacing)
    lengths = project @ small.reshape(small.shape[0], -1).T * (1.0 / 1000.0)
    error = projection_error(as_floats(lengths))
    filtered = _ramp(error.reshape(VIEWS, -1, small.shape[0]), _ray_spacing(spacing))
    back = project.T @ filtered.reshape(-1, small.shape[0]) * (np.pi / VIEWS / _ray_spacing(spacing))
    # A pixel's footprint on the rays sums to its area over the ray spacing; back-projection undoes that.
    back *= _ray_spacing(spacing) ** 2 / (spacing[0] * spacing[1])
    streaks = (back.T / EFFECTIVE_WATER_PER_MM * 1000.0).reshape(small.shape)
    for z, slice_hu in zip(slices, streaks, strict=True):
        out[z] = _enlarge(slice_hu, image.shape[1:], rows, columns)
    return out


def projection_error(dense_mm: FloatArray) -> FloatArray:
    """Return by how much a water-corrected reading departs from the true line integral.

    Parameters
    ----------
    dense_mm
        Line integrals of the dense excess, in millimetres of water at the effective energy.
    """
    excess = EFFECTIVE_WATER_PER_MM * (ENERGIES_KEV / EFFECTIVE_KEV) ** EXCESS_POWER
    table_at = np.linspace(0.0, 400.0, 801)
    exponent = WATER_PER_MM[None] * PATIENT_MM + excess[None] * table_at[:, None]
    reading = -np.log((SIGNAL_SHARE * np.exp(-exponent)).sum(axis=1) / SIGNAL_SHARE.sum())
    # Scaled so that thin deposits keep their true intensity.
    slope = (reading[1] - reading[0]) / (table_at[1] - table_at[0])
    error = (reading - reading[0]) / slope * EFFECTIVE_WATER_PER_MM - EFFECTIVE_WATER_PER_MM * table_at
    return as_floats(np.interp(dense_mm, table_at, error))


def _ray_spacing(spacing: tuple[float, float]) -> float:
    return float(min(spacing))


@lru_cache(maxsize=4)
def _projector(shape: tuple[int, int], spacing: tuple[float, float]) -> csr_matrix[Any]:
    """Return the matrix that takes a slice's pixels to line integrals (mm) over `VIEWS` parallel views."""
    from scipy.sparse import csr_matrix

    step = _ray_spacing(spacing)
    y = (np.arange(shape[0]) - (shape[0] - 1) / 2) * spacing[0]
    x = (np.arange(shape[1]) - (shape[1] - 1) / 2) * spacing[1]
    rays = int(np.ceil(np.hypot(np.ptp(y), np.ptp(x)) / step)) + 4
    pixels = np.arange(shape[0] * shape[1])
    rows, columns, values = [], [], []
    for view in range(VIEWS):
        angle = np.pi * (view + 0.5) / VIEWS
        at = (np.cos(angle) * x[None, :] + np.sin(angle) * y[:, None]).ravel() / step + (rays - 1) / 2
        low = np.floor(at).astype(np.int64)
        share = at - low
        for offset, weight in ((0, 1 - share), (1, share)):
            rows.append(view * rays + low + offset)
            columns.append(pixels)
            values.append(weight * spacing[0] * spacing[1] / step)
    entries = (np.concatenate(values).astype(np.float32), (np.concatenate(rows), np.concatenate(columns)))
    return csr_matrix(entries, shape=(VIEWS * rays, pixels.size))


def _ramp(sinogram: FloatArray, step_mm: float) -> FloatArray:
    """Return projections filtered by an apodised ramp along the rays (second axis)."""
    rays = sinogram.shape[1]
    padded = 2 ** int(np.ceil(np.log2(2 * rays)))
    frequency = np.fft.rfftfreq(padded, step_mm)
    # The cosine of a right angle can round to just below zero.
    window = np.maximum(np.cos(np.pi / 2 * frequency / frequency[-1]), 0.0) ** 0.7
    spectrum = np.fft.rfft(sinogram, padded, axis=1) * (frequency * window)[None, :, None]
    return as_floats(np.fft.irfft(spectrum, padded, axis=1)[:, :rays])


def _block_mean(values: Float32Array, rows: int, columns: int) -> Float32Array:
    height, width = values.shape[0] // rows * rows, values.shape[1] // columns * columns
    blocks = values[:height, :width].reshape(height // rows, rows, width // columns, columns)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)


def _enlarge(values: Float32Array, shape: tuple[int, ...], rows: int, columns: int) -> Float32Array:
    """Return block values interpolated linearly on the pixels of the slice."""
    from scipy import ndimage

    y = (np.arange(shape[0]) - (rows - 1) / 2) / rows
    x = (np.arange(shape[1]) - (columns - 1) / 2) / columns
    mesh = np.meshgrid(y, x, indexing="ij")
    return np.asarray(ndimage.map_coordinates(values, mesh, order=1, mode="nearest"), dtype=np.float32)
