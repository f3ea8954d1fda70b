"""Voxels sampled linearly on a lattice that stands askew to their own."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import Float32Array, FloatArray, HuArray, LabelArray


def sample_affine(
    values: HuArray | LabelArray,
    to_index: FloatArray,
    first: FloatArray,
    shape: tuple[int, int, int],
    *,
    outside: float,
) -> Float32Array:
    """Return values at ``first + to_index @ (i, j, k)`` for every index of a lattice.

    SimpleITK takes a third of the time of `scipy.ndimage` for the same numbers. One thread, so that a run on
    many processors gives the same bytes.

    Parameters
    ----------
    values
        Voxels, three axes.
    to_index
        Steps of the lattice along its axes, each a column in voxels of `values`, shape (3, 3).
    first
        Index in `values` of the lattice's first point; fractions count.
    shape
        Of the lattice.
    outside
        What stands half a voxel and more beyond the outermost voxels.
    """
    import SimpleITK

    image = SimpleITK.GetImageFromArray(values)
    resample = SimpleITK.ResampleImageFilter()
    resample.SetNumberOfThreads(1)
    resample.SetInterpolator(SimpleITK.sitkLinear)
    resample.SetOutputPixelType(SimpleITK.sitkFloat32)
    resample.SetDefaultPixelValue(outside)
    resample.SetSize([int(n) for n in shape[::-1]])
    turn = SimpleITK.AffineTransform(3)
    turn.SetMatrix([float(v) for v in to_index[::-1, ::-1].ravel()])
    turn.SetTranslation([float(v) for v in first[::-1]])
    resample.SetTransform(turn)
    return np.asarray(SimpleITK.GetArrayFromImage(resample.Execute(image)), dtype=np.float32)
