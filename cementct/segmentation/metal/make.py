"""How straight and how even a run of bright voxels is: tools are, cords of cement are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import FloatArray, HuArray
from cementct.core.grid import Grid
from cementct.segmentation.metal.shafts import SHAFT_RADIUS_MM, FreeRun, cylindrical

# Sections are means over so many millimetres and voxels: a thread and passing from slice to slice do not
# count.
STRETCH_MM, STRETCH_VOXELS = 3.0, 3.0
# Close to the ends of a run they count for nothing; from fewer than this nothing is told.
RUN_END_MM = 2.0
FEWEST_STRETCHES = 3


@dataclass(frozen=True)
class Make:
    """How a run is made.

    Attributes
    ----------
    unevenness
        How much its sections differ, as a share of their median (70th percentile).
    bend_mm
        Largest distance of a section's centre from the line through all of them.
    stretches
        Number of sections.
    """

    unevenness: float
    bend_mm: float
    stretches: int


def measure_make(run: FreeRun, hu: HuArray, grid: Grid, *, level_hu: float) -> Make | None:
    """Return how straight and even a run is; None where it is too short to say.

    Parameters
    ----------
    run
        A run of thin sections.
    hu, grid
        The block of CT.
    level_hu
        The level over which it was found.
    """
    stretch = max(STRETCH_MM, STRETCH_VOXELS * max(grid.spacing_mm))
    count = int((run.length_mm - 2 * RUN_END_MM) / stretch)
    if count < FEWEST_STRETCHES:
        return None
    ends = np.stack([run.deep_mm, run.outer_mm])
    box = grid.box_around(np.clip(grid.to_index(ends), 0, np.asarray(grid.shape) - 1), SHAFT_RADIUS_MM + 1.0)
    points = grid.to_lps(np.argwhere(hu[box.slices] > level_hu) + np.asarray(box.start))
    along, across = cylindrical(points, run.deep_mm, run.outer_mm)
    number = np.floor((along - RUN_END_MM) / stretch).astype(int)
    own = (across < SHAFT_RADIUS_MM) & (number >= 0) & (number < count)
    sections = np.bincount(number[own], minlength=count)
    if not sections.all():
        return Make(1.0, 0.0, count)
    middle = float(np.median(sections))
    centres = np.stack([np.bincount(number[own], points[own, a], count) for a in range(3)], axis=1)
    unevenness = float(np.percentile(np.abs(sections - middle), 70)) / middle
    return Make(unevenness, _bend_mm(centres / sections[:, None]), count)


def _bend_mm(centres: FloatArray) -> float:
    """Return the largest distance of points from the line that fits them best."""
    centred = centres - centres.mean(axis=0)
    axis = np.linalg.svd(centred, full_matrices=False)[2][0]
    return float(np.linalg.norm(centred - (centred @ axis)[:, None] * axis, axis=1).max())
