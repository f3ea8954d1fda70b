"""Gantry tilt undone: sheared stacks brought onto a right-angled grid.

A tilted gantry makes images that are parallel but step sideways from one to the next. Each image is moved
in its own plane, by linear interpolation between its pixels, to where a right-angled grid expects it; the
grid is widened so that it holds every image whole. Nothing is interpolated between images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cementct.core.arrays import FloatArray, HuArray
from cementct.core.grid import Grid
from cementct.core.image import NOT_MEASURED_BELOW_HU, PADDING_HU

if TYPE_CHECKING:
    from cementct.io.series import Series


def shifts_px(series: Series) -> FloatArray:
    """Return how far each image lies along (column index, row index) from the grid's first voxel, in pixels.

    Shape (images, 2); never negative, so that every image fits on the widened grid.
    """
    rows_apart, columns_apart = series.images[0].spacing_mm
    steps = np.arange(series.count)[:, None] * series.spacing_mm * np.asarray(series.drift)[None, :]
    shifts = steps / np.array([columns_apart, rows_apart])
    return np.asarray(shifts - shifts.min(axis=0), dtype=np.float64)


def orthogonal_grid(series: Series) -> Grid:
    """Return the right-angled grid that holds all images of a series, in the order of its images."""
    first = series.images[0]
    rows_apart, columns_apart = first.spacing_mm
    shifts = shifts_px(series)
    wider = np.ceil(shifts.max(axis=0) - 1e-6).astype(int) if any(series.drift) else np.zeros(2, dtype=int)
    axes = series.axes
    origin = np.asarray(first.position_lps_mm, dtype=np.float64)
    if any(series.drift):
        origin = origin - axes.along_row * (shifts[0, 0] * columns_apart)
        origin = origin - axes.along_column * (shifts[0, 1] * rows_apart)
    rows = [axes.normal, axes.along_column, axes.along_row]
    n, v, u = ((float(r[0]), float(r[1]), float(r[2])) for r in rows)
    return Grid(
        (series.count, first.format.rows + int(wider[1]), first.format.columns + int(wider[0])),
        (series.spacing_mm, rows_apart, columns_apart),
        (float(origin[0]), float(origin[1]), float(origin[2])),
        (n, v, u),
    )


def undo_tilt(hu: HuArray, series: Series) -> HuArray:
    """Return the images of a tilted series on its right-angled grid.

    Parameters
    ----------
    hu
        Images as they were stored, shape (images, rows, columns).
    series
        The series they belong to.

    Returns
    -------
    HuArray
        Shape of ``series.grid``, of the same type; `PADDING_HU` where nothing was measured.
    """
    out = np.full(series.grid.shape, PADDING_HU, dtype=hu.dtype)
    for k, (along_x, along_y) in enumerate(shifts_px(series)):
        moved = _shifted(_shifted(hu[k].astype(np.float32), float(along_y)).T, float(along_x)).T
        if hu.dtype == np.int16:
            moved = np.rint(moved)
        y, x = int(along_y), int(along_x)
        block = out[k, y : y + moved.shape[0], x : x + moved.shape[1]]
        block[...] = moved[: block.shape[0], : block.shape[1]]
    return out


def _shifted(
    image: np.ndarray[tuple[int, ...], np.dtype[np.float32]], pixels: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return an image moved down by the fraction of `pixels`, one row longer where there is a fraction.

    A new value is measured only where both of the rows it lies between are.
    """
    fraction = np.float32(pixels - int(pixels))
    if fraction < 1e-3:
        return image
    edge = np.full((1, image.shape[1]), PADDING_HU, dtype=np.float32)
    before, after = np.vstack([edge, image]), np.vstack([image, edge])
    moved = fraction * before + (1 - fraction) * after
    moved[(before <= NOT_MEASURED_BELOW_HU) | (after <= NOT_MEASURED_BELOW_HU)] = PADDING_HU
    return moved
