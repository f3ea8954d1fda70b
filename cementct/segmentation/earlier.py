"""The pre-injection scan carried onto the post-injection grid, vertebra by vertebra."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from cementct.anatomy.model import Spine, Vertebra
from cementct.core.distances import distance_outside, within
from cementct.core.grid import Grid
from cementct.core.image import Region, Volume
from cementct.segmentation.before import EarlierScan
from cementct.segmentation.cement.scene import SLICE_SIGMA_SHARE
from cementct.segmentation.model import Registration
from cementct.segmentation.registration.carry import carry_hu, carry_region
from cementct.segmentation.registration.endplates import large_ends
from cementct.segmentation.seen_before import SeenBefore

# Each vertebra's movement is applied this far around it: discs, canal and the veins beside the body.
REACH_MM = 12.0
# A body that reaches so far beyond where it stood before was raised by the injection; what came to stand
# where disc was begins beyond the error of both outlines.
RAISED_MM, OUTLINE_ERROR_MM = 2.5, 1.0
# The new endplate's blur reaches as far beyond it.
BLUR_MM = 1.5


def carry_earlier_scan(
    earlier: tuple[Volume, Spine],
    registrations: Mapping[int, Registration],
    post: Volume,
    post_spine: Spine,
    *,
    outlined: Spine | None = None,
) -> EarlierScan | None:
    """Return the pre-injection intensities where they lie after injection; None where nothing was registered.

    Every voxel follows the vertebra it is nearest to; beyond `REACH_MM` of a registered vertebra, where that
    vertebra's registration failed, and where a compressed body was raised into what was disc before, the
    intensity is unknown.

    Parameters
    ----------
    earlier
        The scan before injection and its vertebrae.
    registrations
        By number of the post-injection vertebra.
    post, post_spine
        The scan after injection and its vertebrae.
    outlined
        The same vertebrae as that scan itself shows them, where `post_spine` has them as they stood
        before: what came at a large part of an endplate was raised, the rest are leaks taken for body.
    """
    moved = [v for v in post_spine.vertebrae if v.number in registrations and registrations[v.number].ok]
    if not moved:
        return None
    pre, pre_spine = earlier
    grid = post.grid
    blocks = {v.number: grid.expand(v.whole.box, REACH_MM) for v in post_spine.vertebrae}
    box = blocks[moved[0].number]
    for vertebra in moved[1:]:
        box = box.union(blocks[vertebra.number])
    hu = np.full(box.shape, np.nan, dtype=np.float32)
    nearest = np.full(box.shape, REACH_MM, dtype=np.float32)
    follows = np.zeros(box.shape, dtype=np.uint16)
    for vertebra in post_spine.vertebrae:
        block = blocks[vertebra.number].intersection(box)
        if block.is_empty:
            continue
        bone = vertebra.whole.in_box(block)
        if not bone.any():
            continue
        distance = distance_outside(bone, grid.spacing_mm)
        window = block.within(box)
        closer = distance < nearest[window]
        nearest[window][closer] = distance[closer]
        follows[window][closer] = vertebra.number
    for vertebra in moved:
        block = blocks[vertebra.number].intersection(box)
        own = follows[block.within(box)] == vertebra.number
        hu[block.within(box)][own] = carry_hu(
            pre, registrations[vertebra.number], grid, block, own, blur_mm=_blur_mm(grid, pre.grid)
        )
    for raised in _raised_bodies((pre.grid, pre_spine), registrations, moved, outlined, grid):
        block = raised.box.intersection(box)
        hu[block.within(box)][raised.in_box(block)] = np.nan
    seen = SeenBefore(
        pre,
        np.stack([np.asarray(v.frame.centre_lps_mm) for v in moved]),
        tuple(registrations[v.number] for v in moved),
    )
    return EarlierScan(box=box, hu=hu, blur_mm=_blur_mm(pre.grid, grid), brightest_near=seen.brightest_near)


def _blur_mm(thick: Grid, thin: Grid) -> float:
    """Return the standard deviation of what blurs thin slices as thick ones are; 0 if they are no thinner."""
    difference = thick.spacing_mm[0] ** 2 - thin.spacing_mm[0] ** 2
    return SLICE_SIGMA_SHARE * float(np.sqrt(max(difference, 0.0)))


def _raised_bodies(
    earlier: tuple[Grid, Spine],
    registrations: Mapping[int, Registration],
    moved: list[Vertebra],
    outlined: Spine | None,
    grid: Grid,
) -> Iterator[Region]:
    """Yield where bodies stand now and did not before, with their blur."""
    pre_grid, pre_spine = earlier
    shown = {v.number: v for v in outlined.vertebrae} if outlined is not None else {}
    stood = {v.number: v.body for v in pre_spine.vertebrae if v.complete}
    for vertebra in moved:
        registration = registrations[vertebra.number]
        body = stood.get(registration.pre_number) if registration.pre_number is not None else None
        if body is None:
            continue
        before = carry_region(body, pre_grid, registration, grid)
        came = [_came(before, vertebra, grid)]
        if vertebra.number in shown:
            now = shown[vertebra.number]
            came += _at_endplates(_came(before, now, grid), now, grid)
        for region in came:
            yield Region(region.box, within(region.voxels, BLUR_MM, grid.spacing_mm))


def _came(before: Region, vertebra: Vertebra, grid: Grid) -> Region:
    """Return where a body stands now and did not before; empty unless it reaches farther by `RAISED_MM`."""
    from skimage.filters import apply_hysteresis_threshold

    block = grid.expand(vertebra.body.box.union(before.box), BLUR_MM)
    now = vertebra.body.in_box(block)
    beyond_mm = distance_outside(before.in_box(block), grid.spacing_mm)
    came = apply_hysteresis_threshold(np.where(now, beyond_mm, 0.0), OUTLINE_ERROR_MM, RAISED_MM)
    return Region(block, came)


def _at_endplates(came: Region, vertebra: Vertebra, grid: Grid) -> Iterator[Region]:
    """Yield the parts of what came that cover a large part of an endplate."""
    index = np.argwhere(came.voxels)
    for end, _ in large_ends(grid.to_lps(index + np.asarray(came.box.start)), vertebra):
        voxels = np.zeros_like(came.voxels)
        voxels[tuple(index[end].T)] = True
        yield Region(came.box, voxels)
