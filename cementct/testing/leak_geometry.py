"""Lines, cords and ways through bone, of which leaks and needles are made."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray, as_floats
from cementct.core.findings import Side
from cementct.testing.places import side_sign
from cementct.testing.shapes import Coordinates, Point, distance_to_capsule
from cementct.testing.site import Site

# Where it may lie, a value for each of those voxels (the smallest are taken), and the way through the bone.
Plan = tuple[BoolArray, Float32Array, BoolArray]


def needle_line(site: Site, side: Side, *, beside_pedicle_mm: float = 0.0) -> tuple[FloatArray, FloatArray]:
    """Return the deep end (local mm) and the outward unit vector of a needle's way.

    Parameters
    ----------
    site
        The vertebra.
    side
        Which pedicle.
    beside_pedicle_mm
        0 through the pedicle; about 7 between rib and transverse process (transcostovertebral).
    """
    m = site.measures
    sign = side_sign(side) or 1.0
    tip = as_floats([sign * 0.2 * m.width_mm, -0.1 * m.depth_mm, -0.05 * m.height_mm])
    through = as_floats(
        [sign * (m.pedicle_left_mm + beside_pedicle_mm), m.wall_mm + 3.0, m.pedicle_superior_mm]
    )
    direction = through - tip
    return tip, as_floats(direction / np.linalg.norm(direction))


def along_and_across(
    at: Coordinates, tip: FloatArray, direction: FloatArray
) -> tuple[Float32Array, Float32Array]:
    """Return the distances of points along and at right angles to a line from its `tip`."""
    offset = [a - np.float32(c) for a, c in zip(at, tip, strict=True)]
    along = sum(o * np.float32(d) for o, d in zip(offset, direction, strict=True))
    across = np.sqrt(np.maximum(sum(o * o for o in offset) - along**2, 0.0))
    return np.asarray(along, dtype=np.float32), np.asarray(across, dtype=np.float32)


def cord_size(volume_mm3: float, radius_mm: float, longest_mm: float) -> tuple[float, float]:
    """Return the radius and half the length of a cord of a volume."""
    length = volume_mm3 / (np.pi * radius_mm**2)
    if length > longest_mm:
        radius_mm = float(np.sqrt(volume_mm3 / (np.pi * longest_mm)))
        length = longest_mm
    return radius_mm, max(float(length) / 2, radius_mm)


def through_bone(site: Site, ends: tuple[Point, Point], radius_mm: float) -> BoolArray:
    """Return the voxels of the vertebra along a straight way."""
    out = np.zeros(site.vertebrae.shape, dtype=np.bool_)
    out[site.own] = distance_to_capsule(site.points(site.own), ends, radius_mm) < 0
    return out


def distance2(at: Coordinates, centre: Point) -> Float32Array:
    """Return squared distances from a point."""
    return np.asarray(
        sum((a - np.float32(c)) ** 2 for a, c in zip(at, centre, strict=True)), dtype=np.float32
    )
