"""Degeneration: Schmorl nodes, bony lips at the endplates' rims, and gas in a disc."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cementct.core.arrays import Float32Array
from cementct.testing.morphometry import VertebraSize
from cementct.testing.shapes import Coordinates, distance_to_capsule, smooth_union

# Radius at which a Schmorl node is a third as deep, and where it lies: shares of half-width and half-depth.
# Nodes are 5 to 15 mm wide, 2 to 10 mm deep and lie near the middle (Pfirrmann and Resnick, Radiology
# 2001;219:368).
NODE_RADIUS_MM = 4.5
NODE_PLACE = (0.2, -0.1)
# Half the thickness of a lip, and how far its tip stands out from the rim.
LIP_RADIUS_MM = 2.2
LIP_OUT_MM = 2.5
# Lips spring from the rim at these angles from the front, on both sides, this far from the endplate.
LIP_ANGLES_DEG = (0.0, 18.0, 36.0, 54.0, 72.0, 90.0)
LIP_ROOT_MM = 2.0
# Half the thickness of a cleft with gas, and how far it keeps from the disc's rim.
GAS_HALF_MM = 1.2
GAS_FROM_RIM_MM = 6.0
# Nitrogen in a cleft of a disc, partly filled.
DISC_GAS_HU = -700.0


def node_depth_mm(
    left: Float32Array, posterior: Float32Array, depth_mm: float, size: VertebraSize
) -> Float32Array:
    """Return how deep a Schmorl node lies under the endplate at each place."""
    aside = left - np.float32(NODE_PLACE[0] * size.width_mm / 2)
    along = posterior - np.float32(NODE_PLACE[1] * size.depth_mm / 2)
    return np.asarray(depth_mm * np.exp(-((aside**2 + along**2) / NODE_RADIUS_MM**2)), dtype=np.float32)


Endplate = Callable[[Float32Array, Float32Array], Float32Array]


def distance_to_lips(
    at: Coordinates, reach_mm: float, size: VertebraSize, endplates: tuple[Endplate, Endplate]
) -> Float32Array:
    """Return the signed distance to the bony lips of both endplates.

    Parameters
    ----------
    at
        Coordinates in the vertebra's frame.
    reach_mm
        How far they reach over the disc.
    size
        Of the vertebra.
    endplates
        Superior coordinate of its upper and of its lower endplate at (left, posterior).
    """
    mirrored = (np.abs(at[0]), at[1], at[2])
    whole = np.full(np.broadcast_shapes(*(a.shape for a in at)), 99.0, dtype=np.float32)
    for sign in (1.0, -1.0):
        endplate = endplates[0] if sign > 0 else endplates[1]
        width = (size.upper_width_mm if sign > 0 else size.lower_width_mm) / 2
        depth = (size.upper_depth_mm if sign > 0 else size.lower_depth_mm) / 2
        for angle in np.deg2rad(LIP_ANGLES_DEG):
            across, along = float(np.sin(angle)), -float(np.cos(angle))
            left, back = across * (width - LIP_RADIUS_MM), along * (depth - LIP_RADIUS_MM)
            rim = float(endplate(np.full(1, left, np.float32), np.full(1, back, np.float32))[0])
            root = (left, back, rim - sign * LIP_ROOT_MM)
            tip = (across * (width + LIP_OUT_MM), along * (depth + LIP_OUT_MM), rim + sign * reach_mm)
            whole = smooth_union(whole, distance_to_capsule(mirrored, (root, tip), LIP_RADIUS_MM), 2.0)
    return whole


def distance_to_disc_gas(share: Float32Array, height_mm: Float32Array, rim_mm: Float32Array) -> Float32Array:
    """Return the signed distance to a flat cleft in the middle of a disc.

    Parameters
    ----------
    share
        Place between the endplates: 0 at the upper, 1 at the lower.
    height_mm
        Of the disc there.
    rim_mm
        Signed distance to the disc's side.
    """
    from_middle = np.abs(share - 0.5) * height_mm
    return np.asarray(
        np.maximum(from_middle - np.float32(GAS_HALF_MM), rim_mm + np.float32(GAS_FROM_RIM_MM)),
        dtype=np.float32,
    )
