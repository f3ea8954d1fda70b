"""From fine to coarse lattices and back: what partial volume, kernels and thick slices do to an image."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from cementct.core.arrays import Float32Array, FloatArray, IntArray, as_floats
from cementct.core.grid import Grid, IndexTriple
from cementct.testing.spec import Kernel, Scanner

# Shapes are drawn on a lattice at most this fine-grained along each axis; partial volume comes from there.
FINE_MM = 0.65

# In-plane full width at half maximum of the kernels, and the share of an edge-enhancing second lobe of twice
# that width which is taken away again. Ordinary body and bone kernels: 10 % MTF near 7 and 12 line pairs/cm.
KERNEL_WIDTH_MM = {Kernel.SOFT: 1.25, Kernel.STANDARD: 1.0, Kernel.SHARP: 0.75}
KERNEL_OVERSHOOT = {Kernel.SOFT: 0.0, Kernel.STANDARD: 0.0, Kernel.SHARP: 0.25}

# Values that are interpolated at a time.
CACHED_VALUES = 1 << 15

Weights = tuple[IntArray, FloatArray]

# A Gaussian's full width at half maximum over its standard deviation.
FWHM_PER_SD = 2.3548


@dataclass(frozen=True)
class Lattices:
    """The three nested lattices of a simulated scan.

    Attributes
    ----------
    scan
        What the scanner writes.
    factors
        Fine voxels per scan voxel along z, y and x.
    fine
        Where shapes are drawn and truth is counted.
    coarse
        Twice the spacing of `fine`: where smooth functions are evaluated, to be interpolated.
    """

    scan: Grid
    factors: IndexTriple
    fine: Grid
    coarse: Grid

    @classmethod
    def of(cls, scan: Grid) -> Lattices:
        """Return the lattices under a scan's grid."""
        factors = [max(1, ceil(s / FINE_MM - 1e-6)) for s in scan.spacing_mm]
        fine = _nested(
            scan, [1 / f for f in factors], [n * f for n, f in zip(scan.shape, factors, strict=True)]
        )
        coarse = _nested(fine, [2.0] * 3, [(n + 1) // 2 for n in fine.shape])
        z, y, x = factors
        return cls(scan, (z, y, x), fine, coarse)


def _nested(grid: Grid, ratio: list[float], shape: list[int]) -> Grid:
    """Return the grid with spacings multiplied by `ratio` and the same outer corner."""
    spacing = as_floats(grid.spacing_mm) * ratio
    corner = grid.to_lps([-0.5, -0.5, -0.5])
    first = corner + (0.5 * spacing) @ as_floats(grid.direction)
    n_z, n_y, n_x = shape
    s_z, s_y, s_x = (float(v) for v in spacing)
    p_x, p_y, p_z = (float(v) for v in first)
    return Grid((n_z, n_y, n_x), (s_z, s_y, s_x), (p_x, p_y, p_z), grid.direction)


def doubled(values: Float32Array, shape: IndexTriple) -> Float32Array:
    """Return values of a lattice interpolated linearly on the lattice of half its spacing.

    Parameters
    ----------
    values
        On the wider lattice.
    shape
        Of the finer lattice: twice as many voxels along each axis, or one fewer.
    """
    out = np.ascontiguousarray(values, dtype=np.float32)
    for axis, count in enumerate(shape):
        out = _doubled_along(out, axis, count)
    return out


def _doubled_along(values: Float32Array, axis: int, count: int) -> Float32Array:
    """Return `count` interpolated values along one axis; beyond the ends the outermost ones go on."""
    before, n, after = (
        int(np.prod(values.shape[:axis])),
        values.shape[axis],
        int(np.prod(values.shape[axis + 1 :])),
    )
    source = values.reshape(before, n, after)
    out = np.empty((before, count, after), dtype=np.float32)
    # A part at a time stays in the processor's cache.
    rows = max(1, CACHED_VALUES // (n * after))
    for first in range(0, before, rows):
        part = source[first : first + rows]
        quarter = part * np.float32(0.25)
        even = part * np.float32(0.75)
        odd = even.copy()
        even[:, 1:] += quarter[:, :-1]
        even[:, :1] += quarter[:, :1]
        odd[:, :-1] += quarter[:, 1:]
        odd[:, -1:] += quarter[:, -1:]
        out[first : first + rows, 0::2] = even[:, : (count + 1) // 2]
        out[first : first + rows, 1::2] = odd[:, : count // 2]
    return out.reshape([*values.shape[:axis], count, *values.shape[axis + 1 :]])


def scan_fine_volume(fine_hu: Float32Array, lattices: Lattices, scanner: Scanner) -> Float32Array:
    """Return what a noiseless scanner makes of a fine volume: slice profile, kernel, sampling.

    The weights of every voxel sum to 1, so a volume's summed excess over its background is conserved.
    """
    scan, fine = lattices.scan, lattices.fine
    slices = _sampling_matrix(scan.shape[0], lattices.factors[0], _slice_profile(fine.spacing_mm[0], scanner))
    out = _apply(slices, fine_hu, axis=0)
    for axis in (1, 2):
        profile = _kernel_profile(fine.spacing_mm[axis], lattices.factors[axis], scanner.kernel)
        out = _apply(_sampling_matrix(scan.shape[axis], lattices.factors[axis], profile), out, axis=axis)
    return np.asarray(out, dtype=np.float32)


def _apply(weights: Weights, values: Float32Array, *, axis: int) -> Float32Array:
    """Return the weighted sums of `values` along one axis; `weights` holds first indices and weights."""
    first, profile = weights
    source = np.moveaxis(values, axis, 0)
    last = source.shape[0] - 1
    out = np.zeros((first.size, *source.shape[1:]), dtype=np.float32)
    for offset, weight in enumerate(profile):
        if abs(weight) > 1e-7:
            out += np.float32(weight) * source[np.clip(first + offset, 0, last)]
    return np.moveaxis(out, 0, axis)


def _sampling_matrix(count: int, factor: int, profile: FloatArray) -> Weights:
    """Return the index of the first fine voxel under each scan voxel's profile, and the profile."""
    # With an odd factor a scan voxel's centre is a fine voxel's centre, else it lies between two of them.
    centre = np.arange(count) * factor + (factor - 1) / 2
    half = (profile.size - 1) / 2
    return np.asarray(np.round(centre - half).astype(np.intp)), profile


def _offsets(reach_mm: float, step_mm: float, factor: int) -> FloatArray:
    """Return positions of fine voxels around a scan voxel's centre that match the parity of `factor`."""
    count = int(np.ceil(reach_mm / step_mm))
    if factor % 2:
        return as_floats(np.arange(-count, count + 1) * step_mm)
    return as_floats((np.arange(-count, count) + 0.5) * step_mm)


def _slice_profile(step_mm: float, scanner: Scanner) -> FloatArray:
    """Return the slice sensitivity profile: a box of the slice thickness with softened flanks."""
    factor = max(1, ceil(scanner.slice_spacing_mm / FINE_MM - 1e-6))
    at = _offsets(scanner.slice_thickness_mm + 1.0, step_mm, factor)
    flank = 0.12 * scanner.slice_thickness_mm + 0.05
    half = scanner.slice_thickness_mm / 2
    finer = at[:, None] + (np.arange(9) - 4)[None, :] / 9 * step_mm
    profile = (1 / (1 + np.exp(-(half - np.abs(finer)) / (flank / 2)))).mean(axis=1)
    return as_floats(profile / profile.sum())


def _kernel_profile(step_mm: float, factor: int, kernel: Kernel) -> FloatArray:
    """Return the in-plane point-spread function along one axis."""
    width = KERNEL_WIDTH_MM[kernel] / FWHM_PER_SD
    at = _offsets(6 * width + step_mm, step_mm, factor)
    narrow = np.exp(-0.5 * (at / width) ** 2)
    wide = np.exp(-0.5 * (at / (1.8 * width)) ** 2)
    share = KERNEL_OVERSHOOT[kernel]
    profile = (1 + share) * narrow / narrow.sum() - share * wide / wide.sum()
    return as_floats(profile / profile.sum())
