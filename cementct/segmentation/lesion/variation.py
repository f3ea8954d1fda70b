"""Noise and marrow pattern taken out of a picture without moving its edges: total-variation smoothing.

Of all pictures near the measured one the result has the least total variation (Rudin, Osher and Fatemi,
Physica D 1992;60:259), found by the primal-dual steps of Chambolle and Pock (J Math Imaging Vis
2011;40:120). Sums over the domain are kept: what is taken from one side of a blurred border is given back on
the other.

The domain fills a third of its block or less: its voxels are kept as one list, with the places of their
neighbours in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, IntArray
from cementct.core.grid import Grid
from cementct.core.morphology import bounds_of

# After so many steps shares of a voxel change by under 0.01.
STEPS = 70
# Their product may not exceed 1 over the squared norm of the gradient; small primal steps settle sooner.
PRIMAL_STEP, DUAL_STEP = 0.5, 2.0
# So many voxels are worked on at a time, all steps on them one after the other: they stay in the cache.
CHUNK = 16_384


def smooth_by_total_variation(
    picture: Float32Array, *, weight: Float32Array, domain: BoolArray, grid: Grid, strength_mm: float
) -> Float32Array:
    """Return a picture of flat pieces with sharp edges; 0 outside the domain.

    Parameters
    ----------
    picture
        Values of about unit contrast.
    weight
        How far each voxel's value is believed, 0 to 1; those without weight continue their neighbours.
    domain
        Voxels that are looked at; nothing crosses their border.
    grid
        Where the voxels lie.
    strength_mm
        Pieces of unit contrast with a radius under three times this vanish.
    """
    out = np.zeros(picture.shape, dtype=np.float32)
    block = bounds_of(domain)
    if block is None:
        return out
    inside = domain[block]
    out[block][inside] = _solve(
        picture[block][inside].astype(np.float32),
        weight[block][inside].astype(np.float32),
        _links(inside, grid),
        strength_mm,
    )
    return out


@dataclass(frozen=True)
class _Link:
    """The pairs of neighbours along one axis, for each voxel in the list of those of the domain.

    Attributes
    ----------
    after, before
        Places of its neighbours on both sides in the list, any place where there is none; None along the
        last axis, where neighbours stand next to each other in the list.
    per_mm
        One over the distance to the neighbour after it, 0 where there is none.
    per_mm_before
        The same of the neighbour before it.
    """

    after: IntArray | None
    before: IntArray | None
    per_mm: Float32Array
    per_mm_before: Float32Array


def _links(domain: BoolArray, grid: Grid) -> list[_Link]:
    """Return the links along each axis."""
    places = np.zeros(domain.shape, dtype=np.intp)
    count = np.count_nonzero(domain)
    places[domain] = np.arange(count)
    links = []
    for axis, spacing in enumerate(grid.spacing_mm):
        lower = tuple(slice(0, -1) if a == axis else slice(None) for a in range(3))
        upper = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        joined = domain[lower] & domain[upper]
        first, second = places[lower][joined], places[upper][joined]
        after, before = None, None
        if axis < 2:
            after, before = np.arange(count), np.arange(count)
            after[first], before[second] = second, first
        per_mm, per_mm_before = np.zeros((2, count), dtype=np.float32)
        per_mm[first] = per_mm_before[second] = 1 / spacing
        links.append(_Link(after, before, per_mm, per_mm_before))
    return links


def _solve(
    picture: Float32Array, weight: Float32Array, links: list[_Link], strength_mm: float
) -> Float32Array:
    steepest = np.sqrt(4 * sum(float(link.per_mm.max(initial=0.0)) ** 2 for link in links))
    if steepest <= 0:
        return picture
    primal, dual = np.float32(PRIMAL_STEP / steepest), np.float32(DUAL_STEP / steepest)
    pull, held = primal * weight * picture, 1 + primal * weight
    value, ahead = picture.copy(), picture.copy()
    flows = [np.zeros_like(picture) for _ in links]
    inflow, excess, moved = np.empty_like(picture), *np.zeros((2, CHUNK), dtype=np.float32)
    chunks = [slice(first, min(first + CHUNK, len(picture))) for first in range(0, len(picture), CHUNK)]
    for _ in range(STEPS):
        for chunk in chunks:
            _turn_flows(flows, links, ahead, chunk, dual, strength_mm, (excess, moved))
        for chunk in chunks:
            new = _inflow(flows, links, chunk, inflow[chunk], moved)
            new *= primal
            new += value[chunk]
            new += pull[chunk]
            new /= held[chunk]
            np.multiply(new, 2, out=ahead[chunk])
            ahead[chunk] -= value[chunk]
        value, inflow = inflow, value
    return value


def _turn_flows(
    flows: list[Float32Array],
    links: list[_Link],
    ahead: Float32Array,
    chunk: slice,
    dual: np.float32,
    strength_mm: float,
    buffers: tuple[Float32Array, Float32Array],
) -> None:
    """Turn the flows of some voxels towards the slope of the picture, and cut them at the strength."""
    excess, moved = (buffer[: chunk.stop - chunk.start] for buffer in buffers)
    excess.fill(0)
    for flow, link in zip(flows, links, strict=True):
        _look_beside(ahead, link.after, 1, chunk, moved)
        moved -= ahead[chunk]
        moved *= dual
        moved *= link.per_mm[chunk]
        flow[chunk] += moved
        excess += np.multiply(flow[chunk], flow[chunk], out=moved)
    np.sqrt(excess, out=excess)
    excess /= np.float32(strength_mm)
    np.maximum(excess, np.float32(1), out=excess)
    for flow in flows:
        flow[chunk] /= excess


def _inflow(
    flows: list[Float32Array], links: list[_Link], chunk: slice, out: Float32Array, buffer: Float32Array
) -> Float32Array:
    """Return what flows into each of some voxels, in `out`."""
    moved = buffer[: chunk.stop - chunk.start]
    out.fill(0)
    for flow, link in zip(flows, links, strict=True):
        out += np.multiply(flow[chunk], link.per_mm[chunk], out=moved)
        _look_beside(flow, link.before, -1, chunk, moved)
        moved *= link.per_mm_before[chunk]
        out -= moved
    return out


def _look_beside(
    values: Float32Array, places: IntArray | None, step: int, chunk: slice, out: Float32Array
) -> None:
    """Write the values of the neighbours of some voxels to `out`; any number where there is none."""
    if places is not None:
        # All places are valid: with "clip" numpy does not go through a buffer.
        np.take(values, places[chunk], out=out, mode="clip")
        return
    first, last = max(chunk.start + step, 0), min(chunk.stop + step, len(values))
    out[first - step - chunk.start : last - step - chunk.start] = values[first:last]
