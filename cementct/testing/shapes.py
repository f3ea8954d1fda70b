"""Signed distances to simple solids: negative inside, positive outside, in millimetres.

Distances are exact for capsules and boxes and correct to first order near the surface for the others, as
partial volume and thin shells need. All take coordinate arrays that broadcast.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from cementct.core.arrays import Float32Array

Coordinates = tuple[Float32Array, Float32Array, Float32Array]
Point = tuple[float, float, float]


def smooth_union(first: Float32Array, second: Float32Array, radius_mm: float) -> Float32Array:
    """Return the union of two solids with a fillet of about `radius_mm` where they meet."""
    blend = np.maximum(radius_mm - np.abs(first - second), 0.0)
    return np.asarray(np.minimum(first, second) - blend * blend / (4 * radius_mm), dtype=np.float32)


def smooth_intersection(first: Float32Array, second: Float32Array, radius_mm: float) -> Float32Array:
    """Return what two solids have in common, its edges rounded by about `radius_mm`."""
    return -smooth_union(-first, -second, radius_mm)


def distance_to_ellipsoid(at: Coordinates, centre: Point, semi_axes: Point) -> Float32Array:
    """Return the first-order signed distance to an ellipsoid whose axes are those of the frame."""
    scaled = [(a - c) / r for a, c, r in zip(at, centre, semi_axes, strict=True)]
    radius = np.sqrt(sum(q * q for q in scaled))
    slope = np.sqrt(sum((q / r) ** 2 for q, r in zip(scaled, semi_axes, strict=True)))
    return np.asarray((radius - 1.0) * radius / np.maximum(slope, 1e-3), dtype=np.float32)


def distance_to_capsule(at: Coordinates, ends: tuple[Point, Point], radius_mm: float) -> Float32Array:
    """Return the signed distance to a rod with round ends."""
    return distance_to_oval_rod(at, ends, (radius_mm, radius_mm))


def distance_to_oval_rod(
    at: Coordinates, ends: tuple[Point, Point], radii_mm: tuple[float, float]
) -> Float32Array:
    """Return the distance to a rod with round ends whose section is an oval, tall along the third axis.

    Parameters
    ----------
    at
        Coordinates.
    ends
        The two ends of its axis.
    radii_mm
        Half its width at right angles to the third axis of the frame, and half its height along it.
    """
    start, end = np.asarray(ends[0], dtype=float), np.asarray(ends[1], dtype=float)
    stretch = np.array([1.0, 1.0, radii_mm[0] / radii_mm[1]])
    axis = (end - start) * stretch
    offset = [
        np.asarray((a - float(c)) * float(f), dtype=np.float32)
        for a, c, f in zip(at, start, stretch, strict=True)
    ]
    length2 = max(float(axis @ axis), 1e-9)
    along = np.clip(sum(o * float(v) for o, v in zip(offset, axis, strict=True)) / length2, 0.0, 1.0)
    square = sum((o - along * float(v)) ** 2 for o, v in zip(offset, axis, strict=True))
    # In the squeezed frame the third axis is shortened; a mean factor restores its scale near the surface.
    return np.asarray(np.sqrt(square) - radii_mm[0], dtype=np.float32)


def distance_to_path(at: Coordinates, points: Sequence[Point], radius_mm: float) -> Float32Array:
    """Return the signed distance to a cord of constant radius along a chain of points."""
    parts = [distance_to_capsule(at, (a, b), radius_mm) for a, b in pairwise(points)]
    return np.asarray(np.minimum.reduce(parts), dtype=np.float32)


def distance_to_box(at: Coordinates, centre: Point, half_sizes: Point, rounding_mm: float) -> Float32Array:
    """Return the signed distance to a block with rounded edges."""
    over = [np.abs(a - c) - (h - rounding_mm) for a, c, h in zip(at, centre, half_sizes, strict=True)]
    outside = np.sqrt(sum(np.maximum(o, 0.0) ** 2 for o in over))
    inside = np.minimum(np.maximum(np.maximum(over[0], over[1]), over[2]), 0.0)
    return np.asarray(outside + inside - rounding_mm, dtype=np.float32)


def coverage(distance: Float32Array, voxel_mm: float) -> Float32Array:
    """Return the share of a voxel inside a solid, from the signed distance of its centre."""
    return np.asarray(np.clip(0.5 - distance / voxel_mm, 0.0, 1.0), dtype=np.float32)
