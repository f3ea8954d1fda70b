"""Fine masks brought to a scan's grid."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import Float32Array
from cementct.testing.borders import ByteArray
from cementct.testing.sampling import Lattices


def share_of(labels: ByteArray, lattices: Lattices) -> Float32Array:
    """Return the share of each scan voxel that any label but 0 fills."""
    return _block_mean(np.asarray(labels > 0), lattices.factors)


def majority(labels: ByteArray, lattices: Lattices) -> ByteArray:
    """Return the label that fills at least half of each scan voxel; 0 where none does."""
    from scipy import ndimage

    out = np.zeros(lattices.scan.shape, dtype=np.uint8)
    for number, block in enumerate(ndimage.find_objects(labels), start=1):
        if block is None:
            continue
        scan = tuple(
            slice(s.start // f, -(-s.stop // f)) for s, f in zip(block, lattices.factors, strict=True)
        )
        fine = tuple(slice(s.start * f, s.stop * f) for s, f in zip(scan, lattices.factors, strict=True))
        share = _block_mean(np.asarray(labels[fine] == number), lattices.factors)
        out[scan][share >= 0.5] = number
    return out


def _block_mean(
    values: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], factors: tuple[int, int, int]
) -> Float32Array:
    out = values.astype(np.float32)
    for axis, factor in enumerate(factors):
        if factor > 1:
            starts = np.arange(0, out.shape[axis], factor)
            out = np.add.reduceat(out, starts, axis=axis)
    return np.asarray(out / np.prod(factors), dtype=np.float32)
