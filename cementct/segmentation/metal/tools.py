"""What tells a needle and a screw from a straight cord of cement."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import FloatArray, HuArray
from cementct.core.grid import Grid
from cementct.segmentation.metal.axis import cylindrical_on, sample_hu
from cementct.segmentation.metal.make import measure_make
from cementct.segmentation.metal.shafts import STEP_MM, FreeRun

# Cement along a needle's way is a straight cord as well, no longer than pedicle and what lies behind it. A
# needle is longer and brighter, or comes from the skin or from beyond what was scanned and is not as short as
# such a cord, which may be cut by the edge of the scan too (28 to 33 mm on phantoms; needles 66 mm and more).
NEEDLE_FROM_MM = 48.0
NEEDLE_CORE_HU = 2800.0
NEEDLE_TO_SKIN_FROM_MM = 45.0
SKIN_WITHIN_MM = 8.0
# Tools are even where cement is not: on phantoms 0.01 to 0.04 of screws' sections, 0.05 to 0.15 of needles',
# and 0.2 to 0.6 of those of straight cords of cement. And they do not bend; cords in veins do.
NEEDLE_UNEVENNESS = 0.20
SCREW_UNEVENNESS = 0.12
HEADED_UNEVENNESS = 0.20
FEWEST_WITHOUT_HEAD = 4
# Of a needle that reaches the skin: needles in cement measure up to 0.37, a cord of cement out of view 0.72.
MOST_UNEVENNESS = 0.45
# Where voxels are coarse they seem to bend by so much of a voxel.
MOST_BEND_MM = 0.7
BEND_PER_VOXEL = 0.5
AIR_BELOW_HU = -300.0
# A screw without a head in view is so long and so bright, and ends behind the bone; one with a head may be
# shorter where cement hides its deep part.
SCREW_FROM_LENGTH_MM = 28.0
SCREW_WITH_HEAD_FROM_MM = 20.0
SCREW_CORE_HU = 2000.0
# A head: sections so large near the outer end, within this distance of the axis, beyond which the line is
# free.
HEAD_MM2 = 80.0
HEAD_ALONG_MM = (-4.0, 10.0)
HEAD_RADIUS_MM = 9.0
# Tulips of polyaxial screws are up to so long.
HEAD_UP_TO_MM = 20.0
# Behind a head lies muscle: of what lies so far behind the last of it, no larger share is as dense as bone.
# Where cement in a pedicle bends and so seems to have a head, a lamina or a facet lies behind it.
BEHIND_HEAD_MM, BONE_BEHIND_HEAD = (1.5, 7.5), 0.12
# Soft tissue lies around the outer end of a screw: the median in this ring is below that. Around cement that
# ends in a pedicle so does the canal and muscle; but nearer to it, over its last stretch, lies the pedicle.
RING_MM = (6.5, 10.0)
SOFT_BELOW_HU = 160.0
BONE_WITHIN_MM, BONE_OVER_MM = (2.0, 4.5), 8.0
BONE_ABOVE_HU, MOST_BONE_SHARE = 250.0, 0.15
# The head of a screw is this bright.
HEAD_ABOVE_HU = 1500.0


def is_needle(run: FreeRun, hu: HuArray, grid: Grid, level_hu: float, *, core_hu: float) -> bool:
    """Tell whether a thin straight run reaches the skin, or is long and as even as only a tool is.

    Parameters
    ----------
    run
        The run.
    hu, grid
        The block of CT, shape (z, y, x).
    level_hu
        The level over which the run was found.
    core_hu
        Median of the brightest intensities along it.
    """
    make = measure_make(run, hu, grid, level_hu=level_hu)
    if make is not None and (make.bend_mm > _bend_limit_mm(grid) or make.unevenness > MOST_UNEVENNESS):
        return False
    if run.length_mm >= NEEDLE_TO_SKIN_FROM_MM and _reaches_skin(run, hu, grid):
        return True
    if make is None or run.length_mm < NEEDLE_FROM_MM or core_hu < NEEDLE_CORE_HU:
        return False
    return make.unevenness <= NEEDLE_UNEVENNESS and make.bend_mm <= 0.5 * _bend_limit_mm(grid)


def is_screw(run: FreeRun, hu: HuArray, grid: Grid, level_hu: float) -> bool:
    """Tell whether a thick run is as straight and even as a screw, and has a head or ends in soft tissue.

    Parameters
    ----------
    run
        The run.
    hu, grid
        The block of CT, shape (z, y, x).
    level_hu
        The level over which the run was found.
    """
    make = measure_make(run, hu, grid, level_hu=level_hu)
    if make is None or make.bend_mm > _bend_limit_mm(grid) or make.unevenness > HEADED_UNEVENNESS:
        return False
    if run.length_mm >= SCREW_WITH_HEAD_FROM_MM and _has_head(run, hu, grid):
        return True
    even = make.stretches >= FEWEST_WITHOUT_HEAD and make.unevenness <= SCREW_UNEVENNESS
    return even and run.length_mm >= SCREW_FROM_LENGTH_MM and _ends_in_soft_tissue(run, hu, grid)


def _reaches_skin(run: FreeRun, hu: HuArray, grid: Grid) -> bool:
    """Tell whether air or the edge of the block lies close behind the outer end of a run."""
    steps = np.arange(-2.0, SKIN_WITHIN_MM, STEP_MM)
    return bool((sample_hu(hu, grid, run.outer_mm + steps[:, None] * run.outwards) < AIR_BELOW_HU).any())


def _bend_limit_mm(grid: Grid) -> float:
    return max(MOST_BEND_MM, BEND_PER_VOXEL * max(grid.spacing_mm))


def _has_head(run: FreeRun, hu: HuArray, grid: Grid) -> bool:
    """Tell whether a run widens into a head near its outer end, with no bone behind it."""
    near, far = HEAD_ALONG_MM
    reach_mm = HEAD_UP_TO_MM + BEHIND_HEAD_MM[1]
    ends = np.stack([run.outer_mm + near * run.outwards, run.outer_mm + reach_mm * run.outwards])
    box = grid.box_around(np.clip(grid.to_index(ends), 0, np.asarray(grid.shape) - 1), HEAD_RADIUS_MM + 1.0)
    along, across = cylindrical_on(grid, box.start, box.shape, run.deep_mm, run.outer_mm)
    close = across < HEAD_RADIUS_MM
    beyond, value = along[close] - run.length_mm, hu[box.slices][close]
    bright = beyond[(value > HEAD_ABOVE_HU) & (beyond < far)]
    slab = 3.0 * STEP_MM
    sections = [
        np.count_nonzero((bright >= at) & (bright < at + slab)) * grid.voxel_mm3 / slab
        for at in np.arange(near, far - slab + 0.1, STEP_MM)
    ]
    if max(sections) < max(HEAD_MM2, 1.5 * run.section_mm2):
        return False
    last_mm = _end_of_head_mm(beyond[(value > HEAD_ABOVE_HU) & (beyond < HEAD_UP_TO_MM)], bright)
    behind = (beyond > last_mm + BEHIND_HEAD_MM[0]) & (beyond < last_mm + BEHIND_HEAD_MM[1])
    bone = (value[behind] > BONE_ABOVE_HU) & (value[behind] < HEAD_ABOVE_HU)
    return not behind.any() or float(bone.mean()) <= BONE_BEHIND_HEAD


def _end_of_head_mm(bright_mm: FloatArray, first_mm: FloatArray) -> float:
    """Return where a head ends: with most of its first part, or where what goes on from there breaks off."""
    last_mm = float(np.percentile(first_mm, 98))
    further = np.sort(bright_mm[bright_mm > last_mm])
    breaks = np.flatnonzero(np.diff(further, prepend=last_mm) > STEP_MM)
    whole = further[: breaks[0]] if breaks.size else further
    goes_on = last_mm > HEAD_ALONG_MM[1] - 2 * STEP_MM and whole.size
    return float(np.percentile(whole, 98)) if goes_on else last_mm


def _ends_in_soft_tissue(run: FreeRun, hu: HuArray, grid: Grid) -> bool:
    """Tell whether a run ends behind the bone: with soft tissue around it, and no bone close to it."""
    ends = np.stack([run.outer_mm - BONE_OVER_MM * run.outwards, run.outer_mm])
    box = grid.box_around(np.clip(grid.to_index(ends), 0, np.asarray(grid.shape) - 1), RING_MM[1] + 1.0)
    along, across = cylindrical_on(grid, box.start, box.shape, run.deep_mm, run.outer_mm)
    short_of_end = run.length_mm - along
    ring = (across > RING_MM[0]) & (across < RING_MM[1]) & (np.abs(short_of_end - 2.0) < 3.0)
    if not ring.any() or float(np.median(hu[box.slices][ring])) >= SOFT_BELOW_HU:
        return False
    apparent_mm = float(np.sqrt(run.section_mm2 / np.pi))
    close = (across > apparent_mm + BONE_WITHIN_MM[0]) & (across < apparent_mm + BONE_WITHIN_MM[1])
    close &= (short_of_end > 0.0) & (short_of_end < BONE_OVER_MM)
    return bool(close.any() and np.mean(hu[box.slices][close] > BONE_ABOVE_HU) <= MOST_BONE_SHARE)
