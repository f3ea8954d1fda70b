"""The vertebral body: what of a vertebra's mask lies in front of its posterior wall, without holes."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cementct.anatomy.fields import extended_at, largest_patch
from cementct.anatomy.model import HeightField
from cementct.anatomy.sampling import SURFACE, Block, local_coordinates
from cementct.core.arrays import BoolArray
from cementct.core.frame import Frame
from cementct.core.grid import Box, Grid
from cementct.core.image import Region

# Where holes in axial slices make up more than this share of a body, it is hollow, and holes are closed in
# the other two directions as well (a shell is open at its destroyed side).
HOLLOW_SHARE = 0.03
# Bone this far above or below the ends of the posterior wall belongs to no body: an articular process or a
# neighbour mislabelled, mm. Generous, for faces that are tilted or dished.
BEYOND_FACES_MM = 14.0


# Transverse processes spring from the side of the lowest lumbar bodies. What lies farther than this (mm)
# outside both rims is not body, unless it is less than this (mm³) in all.
OUTSIDE_RIMS_MM = 2.5
LEAST_PROCESS_MM3 = 150.0
# Tongues of a rim thinner than twice this are processes or osteophytes, mm.
TONGUE_RADIUS_MM = 5.0
# Rims that enclose less than this share of the body's silhouette are not trusted to limit it.
LEAST_RIM_SHARE = 0.55


def rim_limit(block: Block, faces: tuple[HeightField, HeightField]) -> BoolArray | None:
    """Return the outline over (left, posterior) that a body stays within; None where its rims are unclear."""
    rims = np.zeros((block.left_mm.size, block.posterior_mm.size), dtype=np.bool_)
    for face in faces:
        rows = np.clip(np.searchsorted(block.left_mm, face.first_mm - 1e-6), 0, block.left_mm.size - 1)
        columns = np.clip(
            np.searchsorted(block.posterior_mm, face.second_mm - 1e-6), 0, block.posterior_mm.size - 1
        )
        rims[np.ix_(rows, columns)] |= np.isfinite(face.height_mm)
    rims = _opened(rims, TONGUE_RADIUS_MM / block.step_mm)
    seen = (block.bone >= SURFACE).any(axis=2)
    if np.count_nonzero(rims) < LEAST_RIM_SHARE * np.count_nonzero(seen):
        return None
    return np.asarray(ndimage.distance_transform_edt(~rims) * block.step_mm <= OUTSIDE_RIMS_MM)


def _opened(mask: BoolArray, radius: float) -> BoolArray:
    inner = ndimage.distance_transform_edt(np.pad(mask, 1)) > radius
    if not inner.any():
        return mask
    return np.asarray((ndimage.distance_transform_edt(~inner) <= radius)[1:-1, 1:-1])


def within_outline(grid: Grid, body: Region, block: Block, limit: BoolArray) -> Region:
    """Return what of a body lies within an outline over (left, posterior)."""
    left, posterior, _ = local_coordinates(grid, body.box, block.frame)
    rows = np.rint((left - block.left_mm[0]) / block.step_mm).astype(int).clip(0, limit.shape[0] - 1)
    columns = np.rint((posterior - block.posterior_mm[0]) / block.step_mm).astype(int)
    inside = limit[rows, columns.clip(0, limit.shape[1] - 1)]
    return _trimmed(body, largest_patch(body.voxels & inside))


def cut_body(grid: Grid, whole: Region, frame: Frame, wall: HeightField) -> Region:
    """Return the body: the part of a vertebra in front of its posterior wall, holes filled.

    Parameters
    ----------
    grid
        The grid of the volume.
    whole
        Body, pedicles and posterior elements.
    frame
        The vertebra's frame.
    wall
        Posterior coordinate over (left, superior); beside and beyond it, its edges go on level.
    """
    left, posterior, superior = local_coordinates(grid, whole.box, frame)
    lowest, highest = float(wall.second_mm[0]), float(wall.second_mm[-1])
    front = posterior <= float(np.nanmin(wall.height_mm))
    near = ~front & (posterior <= float(np.nanmax(wall.height_mm)))
    front[near] = posterior[near] <= extended_at(wall, left[near], superior[near])
    front &= (superior >= lowest - BEYOND_FACES_MM) & (superior <= highest + BEYOND_FACES_MM)
    body = largest_patch(whole.voxels & front)
    return _trimmed(whole, fill_body(body) & front)


def fill_body(body: BoolArray) -> BoolArray:
    """Fill cavities: holes in axial slices, and in a hollow body those seen from the front and side too."""
    filled = _fill_slices(body, 0)
    before = max(int(np.count_nonzero(body)), 1)
    if np.count_nonzero(filled) - before > HOLLOW_SHARE * before:
        filled = _fill_slices(_fill_slices(filled, 1), 2)
        filled = _fill_slices(filled, 0)
    return filled


def _fill_slices(mask: BoolArray, axis: int) -> BoolArray:
    """Fill what is enclosed within each slice across an axis, all slices at once."""
    in_plane = np.zeros((3, 3, 3), dtype=np.bool_)
    in_plane[1], in_plane[:, 1, 1] = ndimage.generate_binary_structure(2, 1), [False, True, False]
    stack = np.pad(np.moveaxis(mask, axis, 0), ((0, 0), (1, 1), (1, 1)))
    labels, _ = ndimage.label(~stack, structure=in_plane)
    open_air = np.zeros(int(labels.max()) + 1, dtype=np.bool_)
    open_air[labels[:, 0, 0]] = True
    enclosed = ~open_air[labels] & ~stack
    return np.asarray(np.moveaxis((stack | enclosed)[:, 1:-1, 1:-1], 0, axis))


def _trimmed(whole: Region, voxels: BoolArray) -> Region:
    inner = Region.of(voxels)
    z, y, x = whole.box.start
    (z0, y0, x0), (z1, y1, x1) = inner.box.start, inner.box.stop
    return Region(Box((z + z0, y + y0, x + x0), (z + z1, y + y1, x + x1)), inner.voxels)


def body_as_given(body: Region) -> Region:
    """Return a body that an engine outlined itself, with its cavities filled."""
    return _trimmed(body, fill_body(largest_patch(body.voxels)))
