"""Straight metal near the spine: needles still in place, screws and wires, told by their shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, FloatArray, HuArray
from cementct.core.grid import Box, Grid
from cementct.core.image import Region
from cementct.segmentation.model import ForeignBody, ForeignKind

# Metal is at least this bright where it is resolved; a 13G cannula (2.4 mm) keeps this at 3 mm slices.
METAL_ABOVE_HU = 1500.0
# A shaft is straight over at least this length. Cement follows bone and veins and is not. [?]
SHORTEST_SHAFT_MM = 32.0
# Voxels within this distance of a line belong to a shaft along it: half the widest pedicle screw, and blur.
SHAFT_RADIUS_MM = 4.5
# Largest mean cross-section of a shaft: a 7.5 mm screw with blur.
LARGEST_SECTION_MM2 = 75.0
# Smallest: a wire of 1 mm, blurred.
SMALLEST_SECTION_MM2 = 1.0
# Sections of one shaft vary by no more than this share about their median (thread, blur, partial voxels).
SECTION_SPREAD = 0.45
# A needle or screw is driven in from behind: its shaft's axis has at least this posterior part.
LEAST_POSTERIOR_COSINE = 0.45
# From this diameter on a shaft is a screw's; needles are 13G (2.4 mm) to 10G (3.4 mm), thermocouples 16G.
SCREW_FROM_MM = 4.2
WIRE_UP_TO_MM = 1.3
LINES_TRIED = 200
MOST_POINTS = 2500
MOST_SHAFTS = 10
STEP_MM = 1.0
# A shaft may be interrupted for so long (blur, a threaded part, an air gap).
LARGEST_GAP_MM = 3.0


@dataclass(frozen=True)
class _Shaft:
    start_mm: FloatArray
    end_mm: FloatArray
    diameter_mm: float


def find_straight_metal(
    hu: HuArray, grid: Grid, box: Box, *, level_hu: float = METAL_ABOVE_HU
) -> tuple[ForeignBody, ...]:
    """Return needles, screws and wires in a block of CT.

    Parameters
    ----------
    hu
        Intensities of the block, shape (z, y, x).
    grid
        The block's grid.
    box
        Where the block lies in the whole volume.
    level_hu
        What is brighter may be metal.

    Returns
    -------
    tuple of ForeignBody
        Each with the deep end of its shaft (`tip_lps_mm`) and the direction from there outwards.
    """
    bright = hu > level_hu
    index = np.argwhere(bright)
    if len(index) * grid.voxel_mm3 < SHORTEST_SHAFT_MM * SMALLEST_SECTION_MM2:
        return ()
    points = grid.to_lps(index)
    found: list[ForeignBody] = []
    free = np.ones(len(points), dtype=np.bool_)
    generator = np.random.default_rng(0)
    for _ in range(MOST_SHAFTS):
        shaft = _longest_shaft(points[free], grid.voxel_mm3, generator)
        if shaft is None:
            break
        along, across = _cylindrical(points, shaft.start_mm, shaft.end_mm)
        length = float(np.linalg.norm(shaft.end_mm - shaft.start_mm))
        member = (across <= 0.5 * shaft.diameter_mm + 1.6) & (along > -2.0) & (along < length + 2.0)
        taken = member & free
        free &= ~((across <= SHAFT_RADIUS_MM) & (along > -3.0) & (along < length + 3.0))
        found.append(_describe(shaft, index[taken], box, hu.shape))
        if np.count_nonzero(free) < 30:
            break
    return tuple(found)


def _longest_shaft(points: FloatArray, voxel_mm3: float, generator: np.random.Generator) -> _Shaft | None:
    """Return the longest straight, evenly thin run of points along a line through two of them."""
    if len(points) < 12:
        return None
    sample = points[generator.choice(len(points), min(len(points), MOST_POINTS), replace=False)]
    weight = len(points) / len(sample) * voxel_mm3
    best: _Shaft | None = None
    longest = SHORTEST_SHAFT_MM
    for _ in range(LINES_TRIED):
        a, b = sample[generator.integers(len(sample), size=2)]
        distance = float(np.linalg.norm(b - a))
        if distance < 12.0 or abs(b[1] - a[1]) < LEAST_POSTERIOR_COSINE * distance:
            continue
        run = _run_along(sample, a, b, weight)
        if run is not None and np.linalg.norm(run.end_mm - run.start_mm) > longest:
            refined = _refine(sample, run, weight)
            best = refined if refined is not None else run
            longest = float(np.linalg.norm(best.end_mm - best.start_mm))
    return best


def _refine(sample: FloatArray, run: _Shaft, weight: float) -> _Shaft | None:
    """Return the run along the principal axis of the points near a first one."""
    along, across = _cylindrical(sample, run.start_mm, run.end_mm)
    length = float(np.linalg.norm(run.end_mm - run.start_mm))
    near = sample[(across < SHAFT_RADIUS_MM) & (along > 0) & (along < length)]
    if len(near) < 10:
        return None
    centre = near.mean(axis=0)
    axis = np.linalg.svd(near - centre, full_matrices=False)[2][0]
    return _run_along(sample, centre, centre + 20.0 * axis, weight)


def _run_along(sample: FloatArray, a: FloatArray, b: FloatArray, weight: float) -> _Shaft | None:
    """Return the longest even run of thin cross-sections along the line from `a` to `b`."""
    direction = (b - a) / np.linalg.norm(b - a)
    along, across = _cylindrical(sample, a, b)
    close = across < SHAFT_RADIUS_MM
    wide = across < 1.8 * SHAFT_RADIUS_MM
    if np.count_nonzero(close) < 12:
        return None
    first = float(along[close].min())
    bins = ((along - first) / STEP_MM).astype(int)
    count = int(bins[close].max()) + 1
    section = np.bincount(bins[close], minlength=count)[:count] * weight / STEP_MM
    inside_range = wide & (bins >= 0) & (bins < count)
    surrounding = np.bincount(bins[inside_range], minlength=count)[:count] * weight / STEP_MM
    # A shaft stands alone: what lies around it within twice its radius is little.
    thin = (section > 0) & (surrounding < LARGEST_SECTION_MM2) & (surrounding < 1.35 * section + 6.0)
    start, stop = _longest_true(thin, round(LARGEST_GAP_MM / STEP_MM))
    if stop - start < SHORTEST_SHAFT_MM / STEP_MM:
        return None
    sections = section[start:stop]
    median = float(np.median(sections[sections > 0]))
    if not SMALLEST_SECTION_MM2 <= median <= LARGEST_SECTION_MM2:
        return None
    uneven = float(np.percentile(np.abs(sections - median), 70)) / median
    if uneven > SECTION_SPREAD:
        return None
    begin = a + direction * (first + start * STEP_MM)
    end = a + direction * (first + stop * STEP_MM)
    return _Shaft(begin, end, 2.0 * float(np.sqrt(median / np.pi)))


def _longest_true(flags: BoolArray, gap: int) -> tuple[int, int]:
    """Return start and stop of the longest run of true flags with gaps of at most `gap`."""
    hits = np.flatnonzero(flags)
    if hits.size == 0:
        return 0, 0
    breaks = np.flatnonzero(np.diff(hits) > gap + 1)
    starts = np.concatenate([[hits[0]], hits[breaks + 1]])
    stops = np.concatenate([hits[breaks], [hits[-1]]]) + 1
    best = int(np.argmax(stops - starts))
    return int(starts[best]), int(stops[best])


def _cylindrical(points: FloatArray, start: FloatArray, end: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the distance of points along the line from `start`, and their distance from it."""
    direction = (end - start) / np.linalg.norm(end - start)
    offset = points - start
    along = offset @ direction
    across = np.linalg.norm(offset - along[:, None] * direction, axis=1)
    return along, across


def _describe(shaft: _Shaft, index: np.ndarray, box: Box, shape: tuple[int, ...]) -> ForeignBody:
    voxels = np.zeros(shape, dtype=np.bool_)
    voxels[tuple(index.T)] = True
    region = Region.of(voxels)
    start = tuple(a + b for a, b in zip(region.box.start, box.start, strict=True))
    stop = tuple(a + b for a, b in zip(region.box.stop, box.start, strict=True))
    placed = Region(Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])), region.voxels)
    # The deep end is the one further from the back.
    deep, outer = shaft.start_mm, shaft.end_mm
    if deep[1] > outer[1]:
        deep, outer = outer, deep
    direction = (outer - deep) / np.linalg.norm(outer - deep)
    kind = ForeignKind.NEEDLE
    if shaft.diameter_mm >= SCREW_FROM_MM:
        kind = ForeignKind.SCREW
    elif shaft.diameter_mm <= WIRE_UP_TO_MM:
        kind = ForeignKind.WIRE
    return ForeignBody(
        kind,
        placed,
        tip_lps_mm=(float(deep[0]), float(deep[1]), float(deep[2])),
        direction_lps=(float(direction[0]), float(direction[1]), float(direction[2])),
    )
