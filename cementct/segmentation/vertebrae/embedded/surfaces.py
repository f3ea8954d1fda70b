"""Smooth surfaces through a block of costs, by semi-global matching.

Reference: Hirschmüller H, Stereo processing by semiglobal matching and mutual information, IEEE TPAMI 30,
2008, 328–341.
"""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import Float32Array, FloatArray


def find_surface(
    cost: Float32Array, *, step_cost: float, jump_cost: float, first_axis_closed: bool = False
) -> FloatArray:
    """Return the position (fractional) along the last axis of the cheapest smooth surface.

    Parameters
    ----------
    cost
        Cost of each position (third axis) at each place of a lattice (first two axes).
    step_cost, jump_cost
        What a change of position by one, and by more than one, costs between neighbouring places.
    first_axis_closed
        Whether the first axis runs round a circle.
    """
    around = cost if not first_axis_closed else np.concatenate([cost, cost, cost], axis=0)
    total = np.zeros_like(around)
    for axis in (0, 1):
        for backward in (False, True):
            total += _accumulate(around, axis, backward=backward, step_cost=step_cost, jump_cost=jump_cost)
    if first_axis_closed:
        total = total[len(cost) : 2 * len(cost)]
    return _lowest(total)


def _accumulate(
    cost: Float32Array, axis: int, *, backward: bool, step_cost: float, jump_cost: float
) -> Float32Array:
    """Return the cost of the cheapest path along one direction that ends at each position."""
    ordered = np.moveaxis(cost, axis, 0)
    ordered = ordered[::-1] if backward else ordered
    out = np.empty_like(ordered)
    out[0] = ordered[0]
    for place in range(1, len(ordered)):
        before = out[place - 1]
        cheapest = before.min(axis=-1, keepdims=True)
        best = np.minimum(before, cheapest + np.float32(jump_cost))
        best[..., 1:] = np.minimum(best[..., 1:], before[..., :-1] + np.float32(step_cost))
        best[..., :-1] = np.minimum(best[..., :-1], before[..., 1:] + np.float32(step_cost))
        out[place] = ordered[place] + best - cheapest
    out = out[::-1] if backward else out
    return np.moveaxis(out, 0, axis)


def _lowest(total: Float32Array) -> FloatArray:
    """Return the position of the minimum along the last axis, refined by a parabola."""
    last = total.shape[-1] - 1
    place = total.argmin(axis=-1)
    inner = np.clip(place, 1, last - 1)[..., None]
    below, at, above = (np.take_along_axis(total, inner + d, axis=-1)[..., 0] for d in (-1, 0, 1))
    curvature = below - 2 * at + above
    shift = np.where(curvature > 1e-6, 0.5 * (below - above) / np.maximum(curvature, 1e-6), 0.0)
    refined = np.where(place == inner[..., 0], place + np.clip(shift, -0.5, 0.5), place)
    return np.asarray(refined, dtype=np.float64)
