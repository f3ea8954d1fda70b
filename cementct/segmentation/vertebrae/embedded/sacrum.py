"""The sacrum: which disc of the chain lies on it, and its bone.

Below it bone begins as deep as a body and tapers off within the height of one, or it has wings. Wings are
seen only where their marrow is not fat, and the transverse processes of L5 are broad.
"""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import BoolArray, as_floats
from cementct.core.grid import Grid
from cementct.core.image import NOT_MEASURED_BELOW_HU, Volume
from cementct.segmentation.vertebrae.embedded.levels import DiscPlane, Levels
from cementct.segmentation.vertebrae.embedded.straighten import StraightSpine

# Where the wings of S1 lie beside the canal; beside a lumbar body there is psoas, beside a thoracic one lung.
WING_ASIDE_MM = (24.0, 36.0)
WING_BACK_MM = (-26.0, -4.0)
# Above muscle: the wings' marrow is sparse.
WING_HU = 90.0
# Standard deviation of the smoothing before `WING_HU`, so that noise in psoas is not bone.
WING_SMOOTHING_MM = 2.0
# Share of bone from which on a vertebra of the chain is S1: beside L5 it stays under 0.55.
CERTAIN_WINGS = 0.7
# The wings are looked for in this stretch below the disc, if at least so much of it is in view.
WING_REACH_MM = 26.0
LEAST_IN_VIEW_MM = 9.0
# With the pattern, for what is in view: sacral segments in the chain stay under it.
POOR_MATCH = 0.55
# Of the body above the sacrum, as measured here.
LEAST_LUMBAR_DEPTH_MM = 26.0
# No body is deeper, osteophytes included: a vessel with contrast medium lies on it, and depth says nothing.
LARGEST_LUMBAR_DEPTH_MM = 46.0
# Spacings below the disc: with so much in view the disc below a further vertebra would have been seen.
ENOUGH_IN_VIEW = 1.15
# From disc to disc, the largest of the vertebrae above: upper thoracic ones are shorter.
LEAST_LUMBAR_SPACING_MM = 23.0
# Where below the disc the depth of bone is compared with that of the body above, in spacings.
BEGINS_AT, ENDS_AT = (0.3, 0.5, 0.7), (0.9, 1.1)
# Share of that depth: bone as deep as a body where the sacrum begins, and less a vertebra farther down.
LEAST_BEGINNING, LARGEST_END = 0.7, 0.75
# At the last of the places where it begins: bone as deep as a body up to there, and gone a little farther
# down, is a further vertebra, the last that there is.
LARGEST_BEFORE_END = 0.92
MIDLINE_MM = 8.0
# So far in front of the wall, mm, all has to be measured.
FRONT_OF_WALL_MM = -8.0
HALF_SLAB_MM = 2
LEAST_ROWS = 15
# How the depth of bone in front of the canal is measured: as that of the column (`column`), but wholly bone
# from the median of the body above, held between these.
BONE_FROM_HU, BONE_TO_HU, COST_PER_MM = 20.0, (70.0, 140.0), 0.35
# What is bone within this tube below the last disc is drawn as sacrum.
ASIDE_MM = 42.0
BACK_MM = (-42.0, 28.0)
BONE_HU = 110.0
LONGEST_MM = 130.0


def measure_wings(spine: StraightSpine, last_disc: DiscPlane) -> float | None:
    """Return the smaller of the shares of bone where the sacrum's wings would be, None where not in view."""
    from scipy import ndimage

    top = int(last_disc.along_mm - 4)
    bottom = max(0, int(top - WING_REACH_MM))
    rows = (spine.back_mm >= WING_BACK_MM[0]) & (spine.back_mm <= WING_BACK_MM[1])
    shares = []
    for sign in (1.0, -1.0):
        aside = spine.left_mm * sign
        columns = (aside >= WING_ASIDE_MM[0]) & (aside <= WING_ASIDE_MM[1])
        block = spine.hu[bottom:top][:, rows][:, :, columns]
        seen = block > NOT_MEASURED_BELOW_HU
        block = ndimage.gaussian_filter(np.clip(block, -100, 500), WING_SMOOTHING_MM)
        levels = seen.mean(axis=(1, 2)) > 0.5 if block.size else np.zeros(0)
        if levels.sum() < LEAST_IN_VIEW_MM:
            return None
        shares.append(float((block[levels] > WING_HU).mean()))
    return min(shares)


def find_sacral_disc(spine: StraightSpine, levels: Levels) -> int | None:
    """Return the number of the disc, from the lowest, that lies on the sacrum; None where none is seen.

    It is the lowest disc, or the one above it where S1 stands in the chain as a vertebra.
    """
    lowest = [disc.along_mm for disc in levels.discs[:4]]
    if float(np.max(np.diff(lowest))) < LEAST_LUMBAR_SPACING_MM:
        return None
    if len(levels.matches) > 1:
        poor = levels.matches[0] < POOR_MATCH * levels.seen[0]
        if _has_wings(spine, levels.discs[1]) or (poor and _tapers(spine, levels, 1)):
            return 1
    return 0 if _has_wings(spine, levels.discs[0]) or _tapers(spine, levels, 0) else None


def _has_wings(spine: StraightSpine, disc: DiscPlane) -> bool:
    share = measure_wings(spine, disc)
    return share is not None and share >= CERTAIN_WINGS


def _tapers(spine: StraightSpine, levels: Levels, number: int) -> bool:
    """Tell whether bone begins below a disc as deep as a body and is much less deep where that would end."""
    disc = levels.discs[number]
    spacing = levels.discs[number + 1].along_mm - disc.along_mm
    in_view_mm = disc.along_mm - float(np.flatnonzero(spine.measured())[0])
    if in_view_mm < ENOUGH_IN_VIEW * spacing:
        return False
    middle = round(disc.along_mm + spacing / 2)
    bone_hu = _marrow_hu(spine, middle)
    body = _depth_mm(spine, middle, bone_hu)
    if body is None or not LEAST_LUMBAR_DEPTH_MM <= body <= LARGEST_LUMBAR_DEPTH_MM:
        return False
    shares = [
        [
            depth / body
            for share in places
            if (depth := _depth_mm(spine, disc.along_mm - share * spacing, bone_hu)) is not None
        ]
        for places in (BEGINS_AT, ENDS_AT)
    ]
    if not all(shares):
        return False
    # Bone that stands in the chain as a vertebra is called sacrum only where all below it is less deep: the
    # disc under a sparse L5 is as dark as the fat before a sacrum.
    end = min(shares[1]) if number == 0 else max(shares[1])
    begins = float(np.median(shares[0])) >= LEAST_BEGINNING and shares[0][-1] <= LARGEST_BEFORE_END
    return begins and end <= LARGEST_END


def _marrow_hu(spine: StraightSpine, step: int) -> float:
    """Return the median intensity of the body at a step, held within `BONE_TO_HU`."""
    step = int(np.clip(step, 0, spine.length - 1))
    rows = (spine.back_mm <= FRONT_OF_WALL_MM) & (spine.back_mm > FRONT_OF_WALL_MM - LEAST_LUMBAR_DEPTH_MM)
    slab = spine.hu[max(0, step - HALF_SLAB_MM) : step + HALF_SLAB_MM + 1, rows]
    slab = slab[:, :, np.abs(spine.left_mm) <= MIDLINE_MM]
    seen = slab[slab > NOT_MEASURED_BELOW_HU]
    return float(np.clip(np.median(seen) if seen.size else BONE_TO_HU[1], *BONE_TO_HU))


def _depth_mm(spine: StraightSpine, along_mm: float, bone_hu: float) -> float | None:
    """Return how deep bone in front of the canal is; None where too little of it was measured."""
    step = round(along_mm)
    if step < HALF_SLAB_MM or step >= spine.length - HALF_SLAB_MM:
        return None
    slab = spine.hu[step - HALF_SLAB_MM : step + HALF_SLAB_MM + 1]
    rows = spine.back_mm <= FRONT_OF_WALL_MM
    slab = slab[:, rows][:, :, np.abs(spine.left_mm) <= MIDLINE_MM][:, ::-1]
    seen = slab > NOT_MEASURED_BELOW_HU
    mean = np.where(seen, slab, 0).sum(axis=(0, 2)) / np.maximum(seen.sum(axis=(0, 2)), 1)
    bone = np.clip((mean - BONE_FROM_HU) / (bone_hu - BONE_FROM_HU), -1, 1)
    known: BoolArray = np.asarray(seen.any(axis=(0, 2)))
    if known[:LEAST_ROWS].mean() < 1.0:
        return None
    bone[~known] = 0.0
    return float(np.argmax(np.cumsum(bone) - COST_PER_MM * np.arange(len(bone))))


def draw_sacrum(volume: Volume, spine: StraightSpine, last_disc: DiscPlane) -> BoolArray:
    """Return the bone in a tube around the canal below the last disc."""
    from scipy import ndimage

    grid = volume.grid
    voxels = np.zeros(grid.shape, dtype=np.bool_)
    spacing = as_floats(grid.spacing_mm)
    middle_back = -24.0
    back = (spine.back_mm >= BACK_MM[0]) & (spine.back_mm <= BACK_MM[1])
    aside = np.abs(spine.left_mm) <= ASIDE_MM
    rise = last_disc.sagittal_tilt * (spine.back_mm[back] - middle_back)
    along = np.arange(spine.length)
    below = along[:, None] <= last_disc.along_mm + rise[None] - 2
    below &= along[:, None] >= last_disc.along_mm - LONGEST_MM
    bone = ndimage.gaussian_filter(np.clip(spine.hu, -100, 600), 0.7)[:, back][:, :, aside] > BONE_HU
    bone = ndimage.binary_closing(bone, iterations=2) & below[:, :, None]
    place = np.argwhere(_largest(bone))
    if not len(place):
        return voxels
    fine = [
        place + np.array(shift)
        for shift in ((0, 0, 0), (0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5), (0.5, 0.5, 0.5))
    ]
    for samples in fine:
        step = np.clip(np.round(samples[:, 0]).astype(int), 0, spine.length - 1)
        points = (
            spine.curve.centre_mm[step]
            + spine.curve.up[step] * (samples[:, 0] - step)[:, None]
            + spine.curve.back[step] * (spine.back_mm[back][0] + samples[:, 1])[:, None]
            + spine.curve.left[step] * (spine.left_mm[aside][0] + samples[:, 2])[:, None]
        )
        index = np.round(points / spacing).astype(np.intp)
        index = index[np.all((index >= 0) & (index < grid.shape), axis=1)]
        voxels[tuple(index.T)] = True
    return _closed(grid, voxels)


def _closed(grid: Grid, voxels: BoolArray) -> BoolArray:
    """Return the voxels with the gaps between drawn points closed."""
    from scipy import ndimage

    where = np.argwhere(voxels)
    if not len(where):
        return voxels
    box = grid.box_around(where, 2.0)
    closed = voxels.copy()
    closed[box.slices] |= ndimage.binary_closing(voxels[box.slices], iterations=1)
    return closed


def _largest(bone: BoolArray) -> BoolArray:
    import cc3d

    pieces = cc3d.connected_components(np.ascontiguousarray(bone), connectivity=6)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return np.asarray((pieces == int(sizes.argmax())) & (sizes.max() > 0))
