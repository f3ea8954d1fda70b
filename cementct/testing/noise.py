"""Smooth random fields fixed to a vertebra, so that they move with it from scan to scan."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from cementct.core.arrays import Float32Array, read_only
from cementct.testing.shapes import Coordinates

# Nodes of the repeating random lattice along each axis.
_NODES = 64


def smooth_noise(at: Coordinates, *, seed: tuple[int, ...], scale_mm: float) -> Float32Array:
    """Return noise of zero mean and about unit spread at local coordinates.

    Parameters
    ----------
    at
        Left, posterior and superior coordinates.
    seed
        Numbers that determine the field.
    scale_mm
        Its correlation length.
    """
    from scipy import ndimage

    lattice = _lattice(seed)
    points = [np.asarray(a / scale_mm + 31.0, dtype=np.float32) for a in at]
    return np.asarray(
        ndimage.map_coordinates(lattice, points, order=1, mode="grid-wrap") * 1.3, dtype=np.float32
    )


@lru_cache(maxsize=48)
def _lattice(seed: tuple[int, ...]) -> Float32Array:
    """Return the repeating lattice of a seed; the same ones are wanted before and after injection."""
    from scipy import ndimage

    lattice = np.random.default_rng(seed).standard_normal((_NODES, _NODES, _NODES)).astype(np.float32)
    lattice = ndimage.gaussian_filter(lattice, 0.7, mode="wrap")
    lattice /= lattice.std()
    return read_only(lattice)


def warped(at: Coordinates, *, seed: tuple[int, ...], amplitude_mm: float) -> Coordinates:
    """Return coordinates moved by a few slow waves, which makes ideal shapes irregular."""
    if amplitude_mm <= 0:
        return at
    rng = np.random.default_rng(seed)
    out = []
    for axis in range(3):
        moved = at[axis]
        for _ in range(2):
            other = int(rng.integers(3))
            length, phase = float(rng.uniform(22, 45)), float(rng.uniform(0, 2 * np.pi))
            moved = moved + np.float32(0.6 * amplitude_mm) * np.sin(
                at[other] * np.float32(2 * np.pi / length) + np.float32(phase)
            )
        out.append(np.asarray(moved, dtype=np.float32))
    return out[0], out[1], out[2]
