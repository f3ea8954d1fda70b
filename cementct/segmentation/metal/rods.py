"""What a straight run of bright voxels is: a needle from the skin, a screw with its head, or cement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray, HuArray
from cementct.core.grid import Grid
from cementct.segmentation.metal.make import measure_make
from cementct.segmentation.metal.shafts import STEP_MM, FreeRun, cylindrical
from cementct.segmentation.model import ForeignKind

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
# Cement along a needle's way is a straight cord as well, no longer than pedicle and what lies behind it. A
# needle is longer and brighter, or comes from the skin or from beyond what was scanned.
NEEDLE_FROM_MM = 48.0
NEEDLE_CORE_HU = 2800.0
NEEDLE_TO_SKIN_FROM_MM = 22.0
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
# Behind a head lies muscle: of what lies so far behind the last of it, no larger share is as dense as bone.
# Where cement in a pedicle bends and so seems to have a head, a lamina or a facet lies behind it.
BEHIND_HEAD_MM, BONE_BEHIND_HEAD = (1.5, 7.5), 0.12
# Soft tissue lies around the outer end of a screw: the median in this ring is below that. Around cement that
# ends in a pedicle so does the canal and muscle; but nearer to it, over its last stretch, lies the pedicle.
RING_MM = (6.5, 10.0)
SOFT_BELOW_HU = 160.0
BONE_WITHIN_MM, BONE_OVER_MM = (2.0, 4.5), 8.0
BONE_ABOVE_HU, MOST_BONE_SHARE = 250.0, 0.15
# Metal goes on inside cement: where nothing tells the two apart, to this length of a screw (lumbar 40 to 50
# mm), and to so little of a needle.
SCREW_LENGTH_MM = 44.0
NEEDLE_IN_CEMENT_MM = 5.0
# What goes on is this bright, as a share of the free shaft's own core.
SAME_CORE = 0.75
CORE_RADIUS_MM = 1.2
# Where a shaft stands alone, what is so near to it and over the level is its own blur; not so near to its
# deep end.
BLUR_REACH_MM = 1.0
CLEAR_OF_CEMENT_MM = 3.0
# The head of a screw is this bright.
HEAD_ABOVE_HU = 1500.0


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
    """

    kind: ForeignKind
    tip_mm: FloatArray
    free_from_mm: FloatArray
    outer_mm: FloatArray
    radius_mm: float
    alone_above_hu: float

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
    core = _core_hu(hu, grid, run.deep_mm, run.outwards, np.arange(0.0, run.length_mm, STEP_MM))
    bright = float(np.median(core))
    if 2 * radius_mm >= SCREW_FROM_MM:
        if bright < max(SCREW_CORE_HU, level_hu) or not _is_screw(run, hu, grid, level_hu):
            return None
        kind, deepest_mm = ForeignKind.SCREW, SCREW_LENGTH_MM - run.length_mm
    else:
        if not _is_needle(run, hu, grid, level_hu, core_hu=bright):
            return None
        kind = ForeignKind.WIRE if 2 * radius_mm <= WIRE_UP_TO_MM else ForeignKind.NEEDLE
        deepest_mm = NEEDLE_IN_CEMENT_MM
    steps = np.arange(0.0, max(deepest_mm, 0.0), STEP_MM)
    inwards = _core_hu(hu, grid, run.deep_mm, -run.outwards, steps)
    ends = np.flatnonzero(inwards < SAME_CORE * bright)
    further = float(steps[ends[0]] if ends.size else steps.size * STEP_MM)
    return Rod(kind, run.deep_mm - further * run.outwards, run.deep_mm, run.outer_mm, radius_mm, level_hu)


def rod_voxels(rod: Rod, hu: HuArray, grid: Grid) -> BoolArray:
    """Return the voxels of a rod: its straight shaft without blur, and the head of a screw."""
    found = np.zeros(hu.shape, dtype=np.bool_)
    ends = np.stack([rod.tip_mm, rod.outer_mm + HEAD_ALONG_MM[1] * rod.outwards])
    box = grid.box_around(np.clip(grid.to_index(ends), 0, np.asarray(grid.shape) - 1), HEAD_RADIUS_MM + 1.0)
    along, across = _cylindrical_on(grid, box.start, box.shape, rod.tip_mm, rod.outer_mm)
    length = float(np.linalg.norm(rod.outer_mm - rod.tip_mm))
    inside = (across <= rod.radius_mm) & (along >= 0.0) & (along <= length)
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


def _core_hu(hu: HuArray, grid: Grid, start: FloatArray, way: FloatArray, steps: FloatArray) -> Float32Array:
    """Return the brightest intensity near the axis at steps from a point; air outside the block."""
    side = np.cross(way, (0.0, 0.0, 1.0))
    side = side / max(float(np.linalg.norm(side)), 1e-6)
    up = np.cross(side, way)
    offsets = CORE_RADIUS_MM * np.array([(0, 0), (0.7, 0), (-0.7, 0), (0, 0.7), (0, -0.7)])
    points = start + steps[:, None, None] * way
    points = points + offsets[:, :1] * side + offsets[:, 1:] * up
    return np.asarray(_sample(hu, grid, points).max(axis=1), dtype=np.float32)


def _sample(hu: HuArray, grid: Grid, points: FloatArray) -> Float32Array:
    """Return the intensity of the voxels at points; air outside the block."""
    index = np.round(grid.to_index(points)).astype(int)
    last = np.asarray(grid.shape) - 1
    outside = np.any((index < 0) | (index > last), axis=-1)
    z, y, x = np.moveaxis(np.clip(index, 0, last), -1, 0)
    return np.where(outside, -1000.0, hu[z, y, x]).astype(np.float32)


def _reaches_skin(run: FreeRun, hu: HuArray, grid: Grid) -> bool:
    """Tell whether air or the edge of the block lies close behind the outer end of a run."""
    steps = np.arange(-2.0, SKIN_WITHIN_MM, STEP_MM)
    return bool((_sample(hu, grid, run.outer_mm + steps[:, None] * run.outwards) < AIR_BELOW_HU).any())


def _is_needle(run: FreeRun, hu: HuArray, grid: Grid, level_hu: float, *, core_hu: float) -> bool:
    """Tell whether a thin straight run reaches the skin, or is long and as even as only a tool is."""
    make = measure_make(run, hu, grid, level_hu=level_hu)
    if make is not None and (make.bend_mm > _bend_limit_mm(grid) or make.unevenness > MOST_UNEVENNESS):
        return False
    if run.length_mm >= NEEDLE_TO_SKIN_FROM_MM and _reaches_skin(run, hu, grid):
        return True
    if make is None or run.length_mm < NEEDLE_FROM_MM or core_hu < NEEDLE_CORE_HU:
        return False
    return make.unevenness <= NEEDLE_UNEVENNESS and make.bend_mm <= 0.5 * _bend_limit_mm(grid)


def _is_screw(run: FreeRun, hu: HuArray, grid: Grid, level_hu: float) -> bool:
    """Tell whether a thick run is as straight and even as a screw, and has a head or ends in soft tissue."""
    make = measure_make(run, hu, grid, level_hu=level_hu)
    if make is None or make.bend_mm > _bend_limit_mm(grid) or make.unevenness > HEADED_UNEVENNESS:
        return False
    if run.length_mm >= SCREW_WITH_HEAD_FROM_MM and _has_head(run, hu, grid):
        return True
    even = make.stretches >= FEWEST_WITHOUT_HEAD and make.unevenness <= SCREW_UNEVENNESS
    return even and run.length_mm >= SCREW_FROM_LENGTH_MM and _ends_in_soft_tissue(run, hu, grid)


def _bend_limit_mm(grid: Grid) -> float:
    return max(MOST_BEND_MM, BEND_PER_VOXEL * max(grid.spacing_mm))


def _has_head(run: FreeRun, hu: HuArray, grid: Grid) -> bool:
    """Tell whether a run widens into a head near its outer end, with no bone behind it."""
    near, far = HEAD_ALONG_MM
    reach_mm = far + BEHIND_HEAD_MM[1]
    ends = np.stack([run.outer_mm + near * run.outwards, run.outer_mm + reach_mm * run.outwards])
    box = grid.box_around(np.clip(grid.to_index(ends), 0, np.asarray(grid.shape) - 1), HEAD_RADIUS_MM + 1.0)
    along, across = _cylindrical_on(grid, box.start, box.shape, run.deep_mm, run.outer_mm)
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
    last_mm = float(np.percentile(bright, 98))
    behind = (beyond > last_mm + BEHIND_HEAD_MM[0]) & (beyond < last_mm + BEHIND_HEAD_MM[1])
    bone = (value[behind] > BONE_ABOVE_HU) & (value[behind] < HEAD_ABOVE_HU)
    return not behind.any() or float(bone.mean()) <= BONE_BEHIND_HEAD


def _ends_in_soft_tissue(run: FreeRun, hu: HuArray, grid: Grid) -> bool:
    """Tell whether a run ends behind the bone: with soft tissue around it, and no bone close to it."""
    ends = np.stack([run.outer_mm - BONE_OVER_MM * run.outwards, run.outer_mm])
    box = grid.box_around(np.clip(grid.to_index(ends), 0, np.asarray(grid.shape) - 1), RING_MM[1] + 1.0)
    along, across = _cylindrical_on(grid, box.start, box.shape, run.deep_mm, run.outer_mm)
    short_of_end = run.length_mm - along
    ring = (across > RING_MM[0]) & (across < RING_MM[1]) & (np.abs(short_of_end - 2.0) < 3.0)
    if not ring.any() or float(np.median(hu[box.slices][ring])) >= SOFT_BELOW_HU:
        return False
    apparent_mm = float(np.sqrt(run.section_mm2 / np.pi))
    close = (across > apparent_mm + BONE_WITHIN_MM[0]) & (across < apparent_mm + BONE_WITHIN_MM[1])
    close &= (short_of_end > 0.0) & (short_of_end < BONE_OVER_MM)
    return bool(close.any() and np.mean(hu[box.slices][close] > BONE_ABOVE_HU) <= MOST_BONE_SHARE)


def _cylindrical_on(
    grid: Grid, start: tuple[int, ...], shape: tuple[int, ...], deep: FloatArray, outer: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return distances along and from an axis for all voxels of a block."""
    axes = [np.arange(a, a + n) for a, n in zip(start, shape, strict=True)]
    points = grid.to_lps(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))
    return cylindrical(points, deep, outer)
