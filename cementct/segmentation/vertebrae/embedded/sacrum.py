"""The sacrum: whether the column goes on below its last disc as one broad bone with wings."""

from __future__ import annotations

from enum import Enum

import numpy as np

from cementct.core.arrays import BoolArray, as_floats
from cementct.core.grid import Grid
from cementct.core.image import NOT_MEASURED_BELOW_HU, Volume
from cementct.segmentation.vertebrae.embedded.levels import DiscPlane, Levels
from cementct.segmentation.vertebrae.embedded.straighten import StraightSpine

WING_ASIDE_MM = (24.0, 36.0)
WING_BACK_MM = (-26.0, -4.0)
# Where the wings of S1 lie beside the canal; beside a lumbar body there is psoas, beside a thoracic one lung.
WING_HU = 90.0
# Above muscle: the wings' marrow is sparse.
WING_SMOOTHING_MM = 2.0
# Standard deviation of the smoothing before `WING_HU`, so that noise in psoas is not bone.
LEAST_WING_SHARE = 0.25
WING_REACH_MM = 26.0
LEAST_IN_VIEW_MM = 9.0
# The wings are looked for in this stretch below the last disc, if at least so much of it is in view.
ENOUGH_IN_VIEW = 1.15
# Spacings below the last disc: with so much in view the disc below a further vertebra would have been seen.
ASIDE_MM = 42.0
BACK_MM = (-42.0, 28.0)
# What is bone within this tube below the last disc is drawn as sacrum.
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


class Below(Enum):
    """What goes on below the lowest disc that was found."""

    VERTEBRA = "vertebra"
    SACRUM = "sacrum"
    UNCLEAR = "unclear"


def judge_below(spine: StraightSpine, levels: Levels) -> Below:
    """Return what lies below the lowest disc.

    Wings beside it may also be the transverse processes of L5 before the iliac crests. They are the sacrum's
    where so much is in view that the disc below L5 would have been found.
    """
    last_disc, next_disc = levels.discs[0], levels.discs[1]
    share = measure_wings(spine, last_disc)
    if share is None or share < LEAST_WING_SHARE:
        return Below.VERTEBRA
    in_view_mm = last_disc.along_mm - float(np.flatnonzero(spine.measured())[0])
    enough = ENOUGH_IN_VIEW * (next_disc.along_mm - last_disc.along_mm)
    return Below.SACRUM if in_view_mm >= enough else Below.UNCLEAR


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
