"""Lengths of one vertebra, as the placing of cement needs them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measures:
    """Lengths of the vertebra in its own frame, in millimetres.

    Attributes
    ----------
    width_mm, depth_mm, height_mm
        Of the body.
    wall_mm
        Posterior coordinate of the posterior wall.
    half_canal_mm, canal_depth_mm
        Left coordinate of the pedicles' medial border; depth of the canal.
    pedicle_left_mm, pedicle_superior_mm
        Middle of the left pedicle.
    spacing_above_mm, spacing_below_mm
        Distance to the centres of the neighbouring bodies.
    """

    width_mm: float
    depth_mm: float
    height_mm: float
    wall_mm: float
    half_canal_mm: float
    canal_depth_mm: float
    pedicle_left_mm: float
    pedicle_superior_mm: float
    spacing_above_mm: float
    spacing_below_mm: float
