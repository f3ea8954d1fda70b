"""Straight, evenly thin runs of bright voxels: the free parts of needles, wires and screws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, FloatArray

# Voxels within this distance of a line belong to a shaft along it: half the widest pedicle screw, and blur.
SHAFT_RADIUS_MM = 4.5
# A shaft stands alone: what lies around it within this multiple of that radius is little.
ALONE_WITHIN = 1.8
ALONE_SHARE, ALONE_MM2 = 1.35, 6.0
# Largest mean cross-section of a shaft: a 7.5 mm screw with blur. Smallest: a wire of 1 mm, blurred.
LARGEST_SECTION_MM2 = 75.0
SMALLEST_SECTION_MM2 = 1.0
# Sections of one shaft vary by no more than this share about their median (thread, blur), and by so much more
# where voxels are coarse (a needle that passes from slice to slice).
SECTION_SPREAD = 0.45
SECTION_SLACK_MM2 = 3.0
# Shorter free runs say nothing of straightness.
SHORTEST_RUN_MM = 12.0
# A shaft may be interrupted for so long (blur, a threaded part, an air gap).
LARGEST_GAP_MM = 3.0
STEP_MM = 1.0
MEAN_OVER = 3
# A needle or screw is driven in from behind: its shaft's axis has at least this posterior part.
LEAST_POSTERIOR_COSINE = 0.45
# Around a voxel of a shaft, bright voxels within this distance lie along a line: their largest variance
# exceeds the next by this factor.
LOCAL_REACH_MM = 10.0
LEAST_LINEARITY = 3.5
FEWEST_NEIGHBOURS = 8
# Voxels are pooled in cells of this size; so many lines through the most linear cells are tried for one
# shaft, and lines through cells nearer to each other than this would be the same.
CELL_MM = 1.5
LINES_TRIED = 24
APART_MM = 7.0
# More cells than this are no needles and screws but a mass of metal or contrast; every n-th is looked at.
MOST_CELLS = 6000


@dataclass(frozen=True)
class FreeRun:
    """A straight run of thin sections with nothing around them.

    Attributes
    ----------
    deep_mm, outer_mm
        Its ends (LPS): the one further from the back, and the other.
    section_mm2
        Median area of its sections.
    """

    deep_mm: FloatArray
    outer_mm: FloatArray
    section_mm2: float

    @property
    def length_mm(self) -> float:
        """Distance of its ends."""
        return float(np.linalg.norm(self.outer_mm - self.deep_mm))

    @property
    def outwards(self) -> FloatArray:
        """Unit vector from the deep end to the outer one."""
        return np.asarray((self.outer_mm - self.deep_mm) / self.length_mm, dtype=np.float64)


def free_runs(points_mm: FloatArray, voxel_mm3: float) -> Iterator[FreeRun]:
    """Yield straight free runs of bright points, the longest first.

    Parameters
    ----------
    points_mm
        Centres of bright voxels (LPS), shape (n, 3).
    voxel_mm3
        Volume that each stands for.
    """
    if len(points_mm) == 0:
        return
    points, weight = _pooled(points_mm, voxel_mm3)
    direction, linearity = _local_lines(points, weight)
    free = np.ones(len(points), dtype=np.bool_)
    while True:
        run = _longest_run(points, direction, np.where(free, linearity, 0.0), weight)
        if run is None:
            return
        along, across = cylindrical(points, run.deep_mm, run.outer_mm)
        free &= ~((across <= SHAFT_RADIUS_MM) & (along > -3.0) & (along < run.length_mm + 3.0))
        yield _refined(points_mm, run, np.full(len(points_mm), voxel_mm3))


def cylindrical(points: FloatArray, start: FloatArray, end: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the distance of points along the line from `start`, and their distance from it."""
    direction = (end - start) / np.linalg.norm(end - start)
    offset = points - start
    along = offset @ direction
    across = np.linalg.norm(offset - along[..., None] * direction, axis=-1)
    return along, across


def _pooled(points_mm: FloatArray, voxel_mm3: float) -> tuple[FloatArray, FloatArray]:
    """Return the centres of the cells that points lie in, and the volume in each."""
    cells = np.floor((points_mm - points_mm.min(axis=0)) / CELL_MM).astype(np.int64)
    key = (cells[:, 0] * 100_000 + cells[:, 1]) * 100_000 + cells[:, 2]
    _, index, counts = np.unique(key, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(index, weights=points_mm[:, axis]) for axis in range(3)], axis=1)
    centres, weight = sums / counts[:, None], counts * voxel_mm3
    step = max(1, -(-len(centres) // MOST_CELLS))
    return centres[::step], np.asarray(weight[::step] * step, dtype=np.float64)


def _local_lines(points: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the direction that the points around each point have, and how much they lie along it."""
    from scipy.spatial import KDTree

    tree = KDTree(points)
    near = tree.sparse_distance_matrix(tree, LOCAL_REACH_MM, output_type="coo_matrix")
    near.data = np.ones_like(near.data)
    number = np.bincount(near.row, minlength=len(points))
    centred = points - points.mean(axis=0)
    total = np.maximum(np.asarray(near @ weight), 1e-9)
    mean = (near @ (weight[:, None] * centred)) / total[:, None]
    # Each product once: the matrix has the same above and below its diagonal.
    one, other, place = [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2], [0, 1, 2, 1, 3, 4, 2, 4, 5]
    products = centred[:, one] * centred[:, other]
    moments = ((near @ (weight[:, None] * products)) / total[:, None])[:, place]
    values, vectors = np.linalg.eigh(moments.reshape(-1, 3, 3) - mean[:, :, None] * mean[:, None, :])
    linearity = np.where(number >= FEWEST_NEIGHBOURS, values[:, 2] / np.maximum(values[:, 1], 0.3), 0.0)
    return vectors[:, :, 2], linearity


def _longest_run(
    points: FloatArray, direction: FloatArray, linearity: FloatArray, weight: FloatArray
) -> FreeRun | None:
    """Return the longest free run along the most linear points' lines."""
    hopeful = np.flatnonzero(
        (linearity >= LEAST_LINEARITY) & (np.abs(direction[:, 1]) >= LEAST_POSTERIOR_COSINE - 0.1)
    )
    best: FreeRun | None = None
    tried: list[FloatArray] = []
    for index in hopeful[np.argsort(-linearity[hopeful], kind="stable")]:
        if len(tried) >= LINES_TRIED:
            break
        point = points[index]
        if any(float(np.linalg.norm(point - other)) < APART_MM for other in tried):
            continue
        tried.append(point)
        run = _run_along(points, point, direction[index], weight)
        for _ in range(2):
            run = _refined(points, run, weight) if run is not None else None
        if run is not None and (best is None or run.length_mm > best.length_mm):
            best = run
    return best


def _refined(points: FloatArray, run: FreeRun, weight: FloatArray) -> FreeRun:
    """Return the run along the principal axis of the points of a first one."""
    along, across = cylindrical(points, run.deep_mm, run.outer_mm)
    inside = (across < SHAFT_RADIUS_MM) & (along > 0) & (along < run.length_mm)
    if np.count_nonzero(inside) < FEWEST_NEIGHBOURS:
        return run
    near, share = points[inside], np.sqrt(weight[inside] / weight[inside].sum())
    centre = (share[:, None] ** 2 * near).sum(axis=0)
    axis = np.linalg.svd(share[:, None] * (near - centre), full_matrices=False)[2][0]
    again = _run_along(points, centre, axis, weight)
    return again if again is not None and again.length_mm >= run.length_mm - 2 * STEP_MM else run


def _run_along(points: FloatArray, point: FloatArray, axis: FloatArray, weight: FloatArray) -> FreeRun | None:
    """Return the longest even run of thin, free sections along a line."""
    if abs(axis[1]) < LEAST_POSTERIOR_COSINE:
        return None
    outwards = axis * np.sign(axis[1])  # LPS y grows towards the back
    along, across = cylindrical(points, point, point + outwards)
    close, wide = across < SHAFT_RADIUS_MM, across < ALONE_WITHIN * SHAFT_RADIUS_MM
    if np.count_nonzero(close) < FEWEST_NEIGHBOURS:
        return None
    first = float(along[close].min())
    bins = ((along - first) / STEP_MM).astype(int)
    count = int(bins[close].max()) + 1
    wide &= (bins >= 0) & (bins < count)
    section, around = (
        np.bincount(bins[where], weights=weight[where], minlength=count)[:count] / STEP_MM
        for where in (close, wide)
    )
    # Voxels and cells are coarser than a step: sections are means over a few.
    section, around = (
        np.convolve(a, np.full(MEAN_OVER, 1 / MEAN_OVER), mode="same") for a in (section, around)
    )
    thin = (section > 0) & (around < LARGEST_SECTION_MM2) & (around < ALONE_SHARE * section + ALONE_MM2)
    start, stop = _longest_true(thin, round(LARGEST_GAP_MM / STEP_MM))
    if (stop - start) * STEP_MM < SHORTEST_RUN_MM:
        return None
    sections = section[start:stop]
    median = float(np.median(sections[sections > 0]))
    if not SMALLEST_SECTION_MM2 <= median <= LARGEST_SECTION_MM2:
        return None
    if float(np.percentile(np.abs(sections - median), 70)) > SECTION_SPREAD * median + SECTION_SLACK_MM2:
        return None
    deep, outer = (point + outwards * (first + n * STEP_MM) for n in (start, stop))
    return FreeRun(deep, outer, median)


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
