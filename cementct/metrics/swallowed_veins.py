"""Cement in veins at the side of a body that an uncertain outline of that body has swallowed.

A segmental vein runs in the hollow of the body's side, and bright cement in it looks like the body's cortex
to an engine that draws outlines. What it swallows is a thin cord along the surface: it continues a leak, and
hardly touches the cement deep in the body.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray
from cementct.metrics.leak_pieces import find_pieces, window_around
from cementct.metrics.leak_rims import measure_layer
from cementct.metrics.surroundings import Kind, Surroundings

# So deep below the side of the body a swallowed vein can lie, in millimetres: its diameter and its blur.
SWALLOWED_DEPTH_MM = 3.0
# Cement that is a layer at least so thick on what lies deeper, in millimetres, does not spread from there: a
# layer that does is as thick as it is deep.
LEAST_LAYER_MM = 5.0

_ANY_NEIGHBOUR = np.ones((3, 3, 3), dtype=np.bool_)


def free_swallowed_veins(around: Surroundings, leaked: BoolArray) -> Surroundings:
    """Return the surroundings with swallowed veins outside the bone; the same where the outline is certain.

    Parameters
    ----------
    around
        The cement, and what lies around it.
    leaked
        Drawn cement that has left the bone.
    """
    beside = leaked & (around.kind == Kind.ELSEWHERE)
    if around.vertebra.is_drawn or not beside.any():
        return around
    inside = around.kind == Kind.INSIDE
    window = window_around(np.argwhere(around.region), around, margin_mm=SWALLOWED_DEPTH_MM + 1.0)
    depth_mm, nearest = ndimage.distance_transform_edt(
        inside[window], sampling=around.spacing_mm, return_indices=True
    )
    at_side = around.kind[window][tuple(nearest)] == Kind.ELSEWHERE
    shallow = np.zeros_like(inside)
    shallow[window] = at_side & (depth_mm <= SWALLOWED_DEPTH_MM)
    shallow &= around.region & inside & (around.compartment == Compartment.BODY)
    kind = around.kind.copy()
    for piece in find_pieces(shallow.astype(np.int64), around):
        close = window_around(piece.points, around, margin_mm=SWALLOWED_DEPTH_MM)
        here = np.zeros_like(inside[close])
        here[tuple((piece.points - [s.start for s in close]).T)] = True
        if not np.any(ndimage.binary_dilation(here, _ANY_NEIGHBOUR) & beside[close]):
            continue
        deep = (around.region & inside & ~shallow)[close]
        if measure_layer(here, deep, around, close).thickness_mm >= LEAST_LAYER_MM:
            kind[tuple(piece.points.T)] = Kind.ELSEWHERE
    return replace(around, kind=kind)
