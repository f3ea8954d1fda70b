"""The scanner of the independent spines: blur, slices, correlated noise, streaks, clipping."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage, sparse

from cementct.core.arrays import Float32Array, FloatArray, LabelArray
from cementct.core.grid import Grid
from cementct.core.image import Volume

FWHM_PER_SIGMA = 2.3548
# Least and largest CT number that 12 bits hold.
AIR_HU, LARGEST_HU = -1024, 3071
# Beam hardening is computed on a lattice this coarse, mm, from this many views over half a turn.
STREAK_MM, VIEWS = 1.3, 80
# Above this a material hardens the beam more than the scanner's water correction expects, HU.
DENSE_FROM_HU = 900.0
# Missing attenuation at a path of 10 mm × 1000 HU of dense matter, as a share of it: some 3 % for 120 kV.
HARDENING = 0.03


@dataclass(frozen=True)
class Scanner:
    """How a scan is made.

    Attributes
    ----------
    slice_mm, thickness_mm, pixel_mm
        Distance and thickness of slices, in-plane spacing.
    blur_mm
        In-plane full width at half maximum.
    sharpening
        Share by which an edge-enhancing kernel overshoots; 0: soft.
    noise_hu
        Standard deviation of noise in the middle.
    is_clipped
        Whether numbers end at 3071.
    """

    slice_mm: float
    thickness_mm: float
    pixel_mm: float
    blur_mm: float
    sharpening: float
    noise_hu: float
    is_clipped: bool

    def scan(self, scene: Float32Array, fine: Grid, grid: Grid, rng: np.random.Generator) -> Volume:
        """Return the CT of a scene given on a finer lattice."""
        sharp = self._sampled(scene, fine, grid, self.blur_mm)
        if self.sharpening > 0:
            soft = self._sampled(scene, fine, grid, 2.2 * self.blur_mm)
            sharp += self.sharpening * (sharp - soft)
        sharp += streaks_hu(sharp, grid)
        sharp += correlated_noise(grid, self, rng)
        top = LARGEST_HU if self.is_clipped else 30000
        return Volume(np.clip(np.rint(sharp), AIR_HU, top).astype(np.int16), grid)

    def _sampled(self, scene: Float32Array, fine: Grid, grid: Grid, blur_mm: float) -> Float32Array:
        widths = (self.thickness_mm, blur_mm, blur_mm)
        out = scene
        for axis in range(3):
            out = _along(out, _weights(fine, grid, axis, widths[axis]), axis)
        return out


def resampled(values: Float32Array, source: Grid, target: Grid, width_mm: float) -> Float32Array:
    """Return values on another grid of the same directions, blurred to a width."""
    for axis in range(3):
        values = _along(values, _weights(source, target, axis, width_mm), axis)
    return values


def nearest(values: LabelArray, source: Grid, target: Grid) -> LabelArray:
    """Return the values of the nearest source voxels on another grid of the same directions."""
    picks = [
        np.clip(np.rint(_places(source, target, axis)), 0, source.shape[axis] - 1).astype(int)
        for axis in range(3)
    ]
    return np.asarray(values[np.ix_(*picks)])


def _places(source: Grid, target: Grid, axis: int) -> FloatArray:
    first = target.origin_lps_mm[2 - axis] - source.origin_lps_mm[2 - axis]
    return np.asarray(
        (first + np.arange(target.shape[axis]) * target.spacing_mm[axis]) / source.spacing_mm[axis]
    )


def _weights(source: Grid, target: Grid, axis: int, width_mm: float) -> sparse.csr_matrix:
    places = _places(source, target, axis)
    sigma = max(width_mm / FWHM_PER_SIGMA / source.spacing_mm[axis], 0.4)
    reach = int(np.ceil(3 * sigma)) + 1
    base = np.rint(places).astype(int)
    columns = base[:, None] + np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * ((columns - places[:, None]) / sigma) ** 2)
    weights /= weights.sum(axis=1, keepdims=True)
    rows = np.repeat(np.arange(len(places)), columns.shape[1])
    columns = np.clip(columns, 0, source.shape[axis] - 1).ravel()
    shape = (target.shape[axis], source.shape[axis])
    return sparse.csr_matrix((weights.ravel().astype(np.float32), (rows, columns)), shape=shape)


def _along(values: Float32Array, weights: sparse.csr_matrix, axis: int) -> Float32Array:
    moved = np.moveaxis(values, axis, 0)
    flat = weights @ moved.reshape(len(moved), -1)
    return np.ascontiguousarray(np.moveaxis(flat.reshape(-1, *moved.shape[1:]), 0, axis))


def correlated_noise(grid: Grid, scanner: Scanner, rng: np.random.Generator) -> Float32Array:
    """Return noise with the spectrum of filtered back projection: a ramp in plane, ended by the kernel."""
    nz, ny, nx = grid.shape
    fy = np.fft.fftfreq(ny, grid.spacing_mm[1])[:, None]
    fx = np.fft.rfftfreq(nx, grid.spacing_mm[2])[None]
    radius = np.hypot(fy, fx)
    edge = 0.65 / scanner.blur_mm * (1 + scanner.sharpening)
    amplitude = np.sqrt(radius + 0.01) * np.exp(-((radius / edge) ** 2))
    out = np.empty(grid.shape, np.float32)
    for z in range(nz):
        white = np.fft.rfft2(rng.standard_normal((ny, nx)))
        out[z] = np.fft.irfft2(white * amplitude, s=(ny, nx))
    overlap = max(scanner.thickness_mm / scanner.slice_mm / FWHM_PER_SIGMA, 0.25)
    out = ndimage.gaussian_filter1d(out, overlap, axis=0)
    y, x = np.ix_(np.linspace(-1, 1, ny), np.linspace(-1, 1, nx))
    hill = 1.1 - 0.2 * (x**2 + y**2)
    return np.asarray(out * (scanner.noise_hu / out.std()) * hill, dtype=np.float32)


def streaks_hu(hu: Float32Array, grid: Grid) -> Float32Array:
    """Return what beam hardening adds: back projection of the error that dense matter leaves in each view."""
    dense = np.maximum(hu - DENSE_FROM_HU, 0)
    has = np.asarray(dense.max(axis=(1, 2)) > 300)
    out = np.zeros_like(hu)
    if not has.any():
        return out
    step = max(1, round(STREAK_MM / grid.spacing_mm[1]))
    ny, nx = (n // step * step for n in grid.shape[1:])
    small = dense[has][:, :ny, :nx].reshape(-1, ny // step, step, nx // step, step).mean(axis=(2, 4))
    rows, columns = small.shape[1:]
    project = _projector(rows, columns)
    rays = project @ small.reshape(len(small), -1).T.astype(np.float32)
    # mm × 1000 HU along each ray; its missing part grows with the square.
    path = rays * (step * grid.spacing_mm[1] / 1000.0)
    missing = (-HARDENING / 10.0 * path**2).reshape(VIEWS, -1, len(small))
    filtered = _ramp(missing) * 1000.0 / (step * grid.spacing_mm[1])
    back = (project.T @ filtered.reshape(-1, len(small))).T.reshape(small.shape) * (np.pi / VIEWS)
    factors = (1, grid.shape[1] / rows, grid.shape[2] / columns)
    out[has] = ndimage.zoom(back.astype(np.float32), factors, order=1, grid_mode=True, mode="nearest")
    return out


def _ramp(views: Float32Array) -> Float32Array:
    length = 2 * views.shape[1]
    frequency = np.abs(np.fft.fftfreq(length))[None, :, None]
    window = np.exp(-((frequency / 0.35) ** 2))
    spectrum = np.fft.fft(views, n=length, axis=1) * frequency * window
    return np.asarray(np.fft.ifft(spectrum, axis=1).real[:, : views.shape[1]], dtype=np.float32)


@lru_cache(maxsize=2)
def _projector(rows: int, columns: int) -> sparse.csr_matrix:
    """Return the parallel projection of a picture, ray lengths in pixels, one block of rays a view."""
    y, x = (g.ravel() for g in np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"))
    rays = int(np.ceil(np.hypot(rows, columns))) + 2
    parts = []
    for view in range(VIEWS):
        angle = np.pi * view / VIEWS
        along = (x - (columns - 1) / 2) * np.cos(angle) + (y - (rows - 1) / 2) * np.sin(angle)
        place = along + (rays - 1) / 2
        low = np.floor(place).astype(int)
        share = place - low
        pixels = np.arange(len(place))
        parts.append(
            sparse.csr_matrix(
                (
                    np.concatenate([1 - share, share]).astype(np.float32),
                    (np.concatenate([low, low + 1]), np.concatenate([pixels, pixels])),
                ),
                shape=(rays, rows * columns),
            )
        )
    return sparse.vstack(parts).tocsr()
