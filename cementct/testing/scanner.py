"""The simulated scanner: streaks of hardened beams, noise as the kernel colours it, clipping and rounding."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import Float32Array
from cementct.testing.hardening import hardening_error_hu
from cementct.testing.sampling import KERNEL_WIDTH_MM, Lattices, scan_fine_volume
from cementct.testing.spec import Scanner

# The smallest value that a CT stores.
LOWEST_HU = -1024
# Correlation of the noise in neighbouring slices that do not overlap.
SLICE_CORRELATION = 0.15


def scan_volume(
    fine_hu: Float32Array, lattices: Lattices, scanner: Scanner, *, seed: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    """Return the stored CT numbers (int16) of a scan of `fine_hu`."""
    image = scan_fine_volume(fine_hu, lattices, scanner)
    if scanner.beam_hardening > 0:
        image += np.float32(scanner.beam_hardening) * hardening_error_hu(image, lattices.scan)
    image += noise_hu(image.shape, scanner, seed=seed)
    top = scanner.clip_hu if scanner.clip_hu is not None else 32767
    return np.asarray(np.clip(np.round(image), LOWEST_HU, top), dtype=np.int16)


def noise_hu(shape: tuple[int, ...], scanner: Scanner, *, seed: int) -> Float32Array:
    """Return noise with the spectrum of filtered back-projection and the scanner's standard deviation.

    The power rises with spatial frequency (ramp) and falls with the square of the kernel's transfer function.
    """
    if scanner.noise_hu <= 0:
        return np.zeros(shape, dtype=np.float32)
    rng = np.random.default_rng([seed, 23])
    height, width = shape[1:]
    frequency = np.hypot(
        np.fft.fftfreq(height, scanner.pixel_mm)[:, None], np.fft.rfftfreq(width, scanner.pixel_mm)[None, :]
    )
    sigma = KERNEL_WIDTH_MM[scanner.kernel] / 2.3548
    amplitude = np.sqrt(frequency + 0.01) * np.exp(-2 * (np.pi * frequency * sigma) ** 2)
    amplitude[0, 0] = 0.0
    out = np.empty(shape, dtype=np.float32)
    before = np.zeros((height, width))
    overlap = max(0.0, 1 - scanner.slice_spacing_mm / scanner.slice_thickness_mm)
    share = min(0.9, SLICE_CORRELATION + overlap)
    for index in range(shape[0]):
        white = np.fft.rfft2(rng.standard_normal((height, width)))
        fresh = np.fft.irfft2(white * amplitude, s=(height, width))
        fresh /= fresh.std()
        before = share * before + np.sqrt(1 - share**2) * fresh if index else fresh
        out[index] = before * scanner.noise_hu
    return out
