"""Work on surfaces that are stored as heights over a plane: planes, gaps, smoothing and extension."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from cementct.anatomy.model import HeightField
from cementct.core.arrays import BoolArray, FloatArray, as_floats

# So many places are looked up in a table at a time.
CHUNK = 16_384
# A robust fit repeats this often, each time with less weight on what lies off the surface.
FIT_ROUNDS = 6


def basis(first: ArrayLike, second: ArrayLike, *, curved: bool) -> FloatArray:
    """Return the terms of a plane, or of a quadratic surface, at the given positions."""
    a, b = as_floats(first), as_floats(second)
    terms = [np.ones_like(a), a, b]
    if curved:
        terms += [a * a, a * b, b * b]
    return np.stack(terms, axis=-1)


def fit_surface(
    first: ArrayLike, second: ArrayLike, height: ArrayLike, *, curved: bool, scale_mm: float
) -> FloatArray:
    """Fit a plane or quadratic surface to heights, robustly (Cauchy weights of the given scale).

    NaN heights are left out. Returns the coefficients for `basis`; zeros where nothing is known.
    """
    z = as_floats(height).ravel()
    known = np.isfinite(z)
    design = basis(as_floats(first).ravel()[known], as_floats(second).ravel()[known], curved=curved)
    target = z[known]
    coefficients: FloatArray = np.zeros(design.shape[1])
    if target.size < design.shape[1]:
        coefficients[0] = float(np.median(target)) if target.size else 0.0
        return coefficients
    weight = np.ones_like(target)
    residual = target - np.median(target)
    for _ in range(FIT_ROUNDS):
        coefficients = _least_squares(design, target, weight)
        residual = target - design @ coefficients
        weight = 1.0 / (1.0 + (residual / scale_mm) ** 2)
    return coefficients


def _least_squares(design: FloatArray, target: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the weighted fit by its few normal equations; where they are singular, the shortest solution."""
    weighted = design.T * weight
    try:
        return as_floats(np.linalg.solve(weighted @ design, weighted @ target))
    except np.linalg.LinAlgError:
        root = np.sqrt(weight)
        return as_floats(np.linalg.lstsq(design * root[:, None], target * root, rcond=None)[0])


def plane_of(field: HeightField, scale_mm: float = 1.5) -> FloatArray:
    """Return the plane (offset, slope along first, slope along second) nearest to a height field."""
    first, second = np.meshgrid(field.first_mm, field.second_mm, indexing="ij")
    return fit_surface(first, second, field.height_mm, curved=False, scale_mm=scale_mm)


def bridge_gaps(heights: FloatArray) -> FloatArray:
    """Fill NaN heights straight across from the known ones around them, and level beyond the outermost.

    Each gap is crossed along both axes and the crossings are averaged, the shorter one weighing more.
    """
    known = np.isfinite(heights)
    if known.all() or not known.any():
        return heights.copy()
    total, weight = np.zeros_like(heights), np.zeros_like(heights)
    for axis in (0, 1):
        _cross_lines(np.moveaxis(heights, axis, 0), np.moveaxis(total, axis, 0), np.moveaxis(weight, axis, 0))
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    bridged = np.where(weight > 0, total / np.where(weight > 0, weight, 1.0), heights[tuple(nearest)])
    return np.where(known, heights, bridged)


def _cross_lines(heights: FloatArray, total: FloatArray, weight: FloatArray) -> None:
    """Add, line by line along the first axis, the straight crossings of gaps that have two ends."""
    for column in range(heights.shape[1]):
        line = heights[:, column]
        known = np.flatnonzero(np.isfinite(line))
        if known.size < 2:
            continue
        inner = np.arange(known[0], known[-1] + 1)
        value = np.interp(inner, known, line[known])
        after = np.searchsorted(known, inner, side="left")
        width = known[after] - known[np.maximum(after - 1, 0)]
        share = 1.0 / np.maximum(width, 1)
        total[inner, column] += value * share
        weight[inner, column] += share


def smooth_field(heights: FloatArray, sigma_samples: float) -> FloatArray:
    """Smooth heights with a Gaussian, leaving out NaN, which stay NaN; slopes at the rim are kept."""
    if sigma_samples < 0.2:
        return heights
    known = np.isfinite(heights)
    first, second = np.indices(heights.shape, dtype=np.float64)
    plane = basis(first, second, curved=False) @ fit_surface(
        first, second, heights, curved=False, scale_mm=2.0
    )
    off = np.where(known, heights - plane, 0.0)
    share = ndimage.gaussian_filter(known.astype(np.float64), sigma_samples)
    smooth = ndimage.gaussian_filter(off, sigma_samples) / np.maximum(share, 1e-6)
    return np.where(known, smooth + plane, np.nan)


def crop_field(first_mm: FloatArray, second_mm: FloatArray, heights: FloatArray) -> HeightField:
    """Return a height field cut down to where heights are known, with one sample of margin."""
    known = np.isfinite(heights)
    if not known.any():
        return HeightField(first_mm[:2], second_mm[:2], np.full((2, 2), np.nan))
    bounds = []
    for axis in (0, 1):
        hit = np.flatnonzero(known.any(axis=1 - axis))
        bounds.append(slice(max(int(hit[0]) - 1, 0), int(hit[-1]) + 2))
    a, b = bounds
    return HeightField(first_mm[a], second_mm[b], heights[a, b].copy())


def shifted(field: HeightField, first_mm: float, second_mm: float, height_mm: float) -> HeightField:
    """Return a height field as seen from an origin moved by the given amounts."""
    return HeightField(field.first_mm - first_mm, field.second_mm - second_mm, field.height_mm - height_mm)


def extended_at(field: HeightField, first_mm: ArrayLike, second_mm: ArrayLike) -> FloatArray:
    """Return heights everywhere: off the surface, those of its nearest edge in sample order."""
    filled = _filled(field)
    first, second = np.broadcast_arrays(as_floats(first_mm), as_floats(second_mm))
    step = (field.first_mm[1] - field.first_mm[0], field.second_mm[1] - field.second_mm[0])
    rows = (first - field.first_mm[0]) / step[0]
    columns = (second - field.second_mm[0]) / step[1]
    return interpolated(filled, rows, columns)


def interpolated(table: FloatArray, rows: FloatArray, columns: FloatArray) -> FloatArray:
    """Return values between the elements of a table by bilinear interpolation; beyond it, those of its edge.

    For many places about eight times as fast as `scipy.ndimage.map_coordinates`.
    """
    if rows.size <= CHUNK:
        return _interpolated(table, rows, columns)
    out = np.empty(rows.shape)
    # Chunk by chunk: all that comes in between stays in the cache.
    flat, row, column = out.ravel(), rows.ravel(), columns.ravel()
    for first in range(0, flat.size, CHUNK):
        part = slice(first, first + CHUNK)
        flat[part] = _interpolated(table, row[part], column[part])
    return out


def _interpolated(table: FloatArray, rows: FloatArray, columns: FloatArray) -> FloatArray:
    height, width = table.shape
    rows = np.clip(rows, 0.0, height - 1.0)
    columns = np.clip(columns, 0.0, width - 1.0)
    row = np.minimum(rows.astype(np.intp), height - 2)
    column = np.minimum(columns.astype(np.intp), width - 2)
    down, right = rows - row, columns - column
    flat, place = np.ascontiguousarray(table).ravel(), row * width + column
    upper, lower = flat.take(place), flat.take(place + width)
    upper += right * (flat.take(place + 1) - upper)
    lower += right * (flat.take(place + (width + 1)) - lower)
    return np.asarray(upper + down * (lower - upper))


def wall_at(wall: HeightField, left_mm: ArrayLike, superior_mm: ArrayLike) -> FloatArray:
    """Return a posterior wall at any place: itself between its borders, beside them its plane.

    Above and below its ends it goes on level.
    """
    low, high = float(wall.second_mm[0]), float(wall.second_mm[-1])
    left, superior = np.broadcast_arrays(as_floats(left_mm), as_floats(superior_mm))
    level = np.clip(superior, low, high)
    plane = plane_of(wall)
    beside = (left < wall.first_mm[0]) | (left > wall.first_mm[-1])
    on_plane = plane[0] + plane[1] * left + plane[2] * level
    return np.where(beside, on_plane, extended_at(wall, left, level))


def _filled(field: HeightField) -> FloatArray:
    known = np.isfinite(field.height_mm)
    if known.all() or not known.any():
        return np.nan_to_num(field.height_mm)
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    return np.asarray(field.height_mm[tuple(nearest)])


def largest_patch(mask: BoolArray) -> BoolArray:
    """Return the largest connected patch of a two- or three-dimensional mask; the mask itself if empty."""
    labels, count = ndimage.label(mask)
    if count <= 1:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == int(sizes.argmax()))
