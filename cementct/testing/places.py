"""Where the named surfaces of a body lie, and the basivertebral foramen, in a vertebra's own frame."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import Float32Array, FloatArray, as_floats
from cementct.core.findings import Side
from cementct.testing.measures import Measures
from cementct.testing.shapes import Coordinates
from cementct.testing.spec import Place

# Depth of the basivertebral foramen as a share of the body's depth, and its height over its width. On CT and
# in cadavers the foramen is a flat cone at mid-height that takes a third of the depth; widths 4 to 10 mm.
FORAMEN_DEPTH_SHARE = 0.33
FORAMEN_FLATNESS = 0.7
# The foramen's width just before it ends, as a share of its mouth.
FORAMEN_END_SHARE = 0.25
# A patch of a surface reaches this far over the surface's own middle: outlines are round and irregular.
BESIDE_SURFACE_MM = 6.0


def side_sign(side: Side) -> float:
    """Return +1 on the patient's left, -1 on the right, 0 in the midline."""
    return {Side.LEFT: 1.0, Side.RIGHT: -1.0, Side.MIDLINE: 0.0}[side]


def surface_axis(measures: Measures, place: Place, side: Side) -> tuple[FloatArray, FloatArray]:
    """Return the middle of a surface (left, posterior, superior) and its outward unit normal.

    Raises
    ------
    ValueError
        For places that are no surface.
    """
    m, sign = measures, side_sign(side)
    lateral = sign or 1.0
    table: dict[Place, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
        # Beside the mouth of the basivertebral foramen, between the pedicles.
        Place.POSTERIOR_WALL: ((sign * 0.45 * m.half_canal_mm, m.wall_mm, 0.2 * m.height_mm), (0, 1, 0)),
        Place.UPPER_ENDPLATE: ((sign * 0.22 * m.width_mm, -0.05 * m.depth_mm, m.height_mm / 2), (0, 0, 1)),
        Place.LOWER_ENDPLATE: ((sign * 0.22 * m.width_mm, -0.05 * m.depth_mm, -m.height_mm / 2), (0, 0, -1)),
        Place.LATERAL_CORTEX: (
            (lateral * m.width_mm / 2, -0.02 * m.depth_mm, 0.05 * m.height_mm),
            (lateral, 0, 0),
        ),
        Place.ANTERIOR_CORTEX: ((sign * 0.15 * m.width_mm, -m.depth_mm / 2, 0.0), (0, -1, 0)),
    }
    if place not in table:
        raise ValueError(f"{place} is not a surface of the body")
    middle, normal = table[place]
    return as_floats(middle), as_floats(normal)


def across_patch(
    at: Coordinates, measures: Measures, place: Place, side: Side
) -> tuple[Float32Array, Float32Array]:
    """Return how far points lie beside the axis of a surface's patch, and how far before its middle."""
    middle, normal = surface_axis(measures, place, side)
    offset = [a - np.float32(c) for a, c in zip(at, middle, strict=True)]
    along = sum(o * np.float32(n) for o, n in zip(offset, normal, strict=True))
    across = np.sqrt(np.maximum(sum(o * o for o in offset) - along**2, 0.0))
    return np.asarray(across, dtype=np.float32), np.asarray(-along, dtype=np.float32)


def distance_to_basivertebral_foramen(
    at: Coordinates, wall_mm: float, depth_mm: float, width_mm: float
) -> Float32Array:
    """Return the signed distance to the foramen: a flat cone that widens towards the canal.

    Parameters
    ----------
    at
        Left, posterior and superior coordinates.
    wall_mm, depth_mm
        Posterior coordinate of the posterior wall; depth of the body.
    width_mm
        Of the mouth.
    """
    long = FORAMEN_DEPTH_SHARE * depth_mm
    share = np.clip((at[1] - np.float32(wall_mm - long)) / np.float32(long), 0.0, 1.2)
    radius = np.float32(width_mm / 2) * (FORAMEN_END_SHARE + (1 - FORAMEN_END_SHARE) * share)
    across = np.hypot(at[0], at[2] / np.float32(FORAMEN_FLATNESS)) - radius
    return np.asarray(np.maximum(across, np.float32(wall_mm - long) - at[1]), dtype=np.float32)
