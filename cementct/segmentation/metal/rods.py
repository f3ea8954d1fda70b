"""What a straight run of bright voxels is: a needle from the skin, a screw with its head, or cement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, FloatArray, HuArray
from cementct.core.grid import Grid
from cementct.segmentation.metal.axis import core_hu, cylindrical_on
from cementct.segmentation.metal.shafts import STEP_MM, FreeRun
from cementct.segmentation.metal.tools import (
    HEAD_ABOVE_HU,
    HEAD_ALONG_MM,
    HEAD_RADIUS_MM,
    SCREW_CORE_HU,
    is_needle,
    is_screw,
)
from cementct.segmentation.model import ForeignKind
from cementct.segmentation.number_range import CLIP_SLACK_HU, find_clip

# At the lowest level that metal is looked for with, blur makes a shaft thicker: by so much of its radius, and
# by so much more for each millimetre of slice distance over one where it lies across the slices. At half the
# height of metal (titanium, about 9000 HU) it does not.
BLUR_MM = 0.45
BLUR_PER_SLICE = 0.2
BLURRED_AT_HU, SHARP_AT_HU = 1500.0, 4500.0
# What is thinner than blur does not reach the level over all its blurred width: so much of its radius is
# left.
LEAST_SHARE = 0.65
# From this diameter on a shaft is a screw's; needles are 13G (2.4 mm) to 10G (3.4 mm), thermocouples 16G.
SCREW_FROM_MM = 3.9
WIRE_UP_TO_MM = 1.6
# Metal goes on inside cement: where nothing tells the two apart, to this length of a screw (lumbar 40 to 50
# mm), and to so little of a needle.
SCREW_LENGTH_MM = 44.0
NEEDLE_IN_CEMENT_MM = 5.0
# What goes on is this bright, as a share of the free shaft's own core.
SAME_CORE = 0.75
# Where a shaft stands alone, what is so near to it and over the level is its own blur; not so near to its
# deep end.
BLUR_REACH_MM = 1.0
CLEAR_OF_CEMENT_MM = 3.0


@dataclass(frozen=True)
class Rod:
    """A needle, wire or screw.

    Attributes
    ----------
    kind
        Which of these.
    tip_mm, free_from_mm, outer_mm
        Its deep end, inside cement as well, where it stands alone from, and the outer end of its shaft (LPS).
    radius_mm
        Of the shaft, without blur.
    alone_above_hu
        Level over which it stands alone.
    dull_below_hu
        What is duller in cement is no metal.
    """

    kind: ForeignKind
    tip_mm: FloatArray
    free_from_mm: FloatArray
    outer_mm: FloatArray
    radius_mm: float
    alone_above_hu: float
    dull_below_hu: float

    @property
    def outwards(self) -> FloatArray:
        """Unit vector from the tip to the outer end."""
        way = self.outer_mm - self.tip_mm
        return np.asarray(way / np.linalg.norm(way), dtype=np.float64)

    @property
    def free_mm(self) -> float:
        """Length over which it stands alone."""
        return float(np.linalg.norm(self.outer_mm - self.free_from_mm))


def judge_run(run: FreeRun, hu: HuArray, grid: Grid, *, level_hu: float) -> Rod | None:
    """Return the rod that a free run belongs to, or None where it may be cement.

    Parameters
    ----------
    run
        A straight run of thin sections.
    hu, grid
        The block of CT.
    level_hu
        The level over which it was found.
    """
    apparent_mm = float(np.sqrt(run.section_mm2 / np.pi))
    radius_mm = max(apparent_mm - _blur_mm(run, grid, level_hu), LEAST_SHARE * apparent_mm)
    core = core_hu(hu, grid, run.deep_mm, run.outwards, np.arange(0.0, run.length_mm, STEP_MM))
    bright = float(np.median(core))
    if 2 * radius_mm >= SCREW_FROM_MM:
        if bright < max(SCREW_CORE_HU, level_hu) or not is_screw(run, hu, grid, level_hu):
            return None
        kind, deepest_mm = ForeignKind.SCREW, SCREW_LENGTH_MM - run.length_mm
    else:
        if not is_needle(run, hu, grid, level_hu, core_hu=bright):
            return None
        kind = ForeignKind.WIRE if 2 * radius_mm <= WIRE_UP_TO_MM else ForeignKind.NEEDLE
        deepest_mm = NEEDLE_IN_CEMENT_MM
    dull_below_hu = SAME_CORE * bright
    clip_hu = find_clip(hu)
    if clip_hu is not None and bright >= clip_hu - CLIP_SLACK_HU:
        # Metal (titanium, 9000 HU) is cut off all through, and so is half of its blur: what is not is cement.
        dull_below_hu = clip_hu - CLIP_SLACK_HU
    # At a level that cement reaches as well, what is straight may begin in the cement.
    too_deep_mm = float(STEP_MM * np.argmax(core >= dull_below_hu))
    deep_mm = run.deep_mm + too_deep_mm * run.outwards
    further_mm = 0.0
    if not too_deep_mm:
        steps = np.arange(0.0, max(deepest_mm, 0.0), STEP_MM)
        inwards = core_hu(hu, grid, run.deep_mm, -run.outwards, steps)
        ends = np.flatnonzero(inwards < dull_below_hu)
        further_mm = float(steps[ends[0]] if ends.size else steps.size * STEP_MM)
    tip_mm = deep_mm - further_mm * run.outwards
    return Rod(kind, tip_mm, deep_mm, run.outer_mm, radius_mm, level_hu, dull_below_hu)


def rod_voxels(rod: Rod, hu: HuArray, grid: Grid) -> BoolArray:
    """Return the voxels of a rod: its straight shaft without blur, and the head of a screw."""
    found = np.zeros(hu.shape, dtype=np.bool_)
    ends = np.stack([rod.tip_mm, rod.outer_mm + HEAD_ALONG_MM[1] * rod.outwards])
    box = grid.box_around(np.clip(grid.to_index(ends), 0, np.asarray(grid.shape) - 1), HEAD_RADIUS_MM + 1.0)
    along, across = cylindrical_on(grid, box.start, box.shape, rod.tip_mm, rod.outer_mm)
    length = float(np.linalg.norm(rod.outer_mm - rod.tip_mm))
    inside = (across <= rod.radius_mm) & (along >= 0.0) & (along <= length)
    # Found at a higher level than the lowest, it may have cement around it all the way.
    bare = (along >= length - rod.free_mm) & (rod.alone_above_hu <= BLURRED_AT_HU)
    inside &= bare | (hu[box.slices] >= rod.dull_below_hu)
    # Where it stands alone, what is bright around it is its own blur and streaks.
    alone = (along > length - rod.free_mm + CLEAR_OF_CEMENT_MM) & (along < length)
    alone &= across < rod.radius_mm + BLUR_REACH_MM
    inside |= alone & (hu[box.slices] > rod.alone_above_hu)
    if rod.kind is ForeignKind.SCREW:
        head = (along > length + HEAD_ALONG_MM[0]) & (along < length + HEAD_ALONG_MM[1])
        inside |= head & (across < HEAD_RADIUS_MM) & (hu[box.slices] > HEAD_ABOVE_HU)
    found[box.slices] = inside
    return found


def _blur_mm(run: FreeRun, grid: Grid, level_hu: float) -> float:
    across_slices = 1.0 - float(run.outwards[2]) ** 2
    share = (SHARP_AT_HU - level_hu) / (SHARP_AT_HU - BLURRED_AT_HU)
    return share * (BLUR_MM + BLUR_PER_SLICE * max(grid.spacing_mm[0] - 1.0, 0.0) * across_slices)
