"""The vertebral body: what of a vertebra's mask lies in front of its posterior wall, without holes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from cementct.anatomy.fields import extended_at, largest_patch, wall_at
from cementct.anatomy.model import HeightField
from cementct.anatomy.sampling import SURFACE, Block, local_coordinates
from cementct.core.arrays import BoolArray, FloatArray
from cementct.core.frame import Frame
from cementct.core.grid import Grid
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
# What lies deeper than this within both rims is body whether or not the mask has it, mm; the waist of a sound
# body is less deep.
CORE_DEPTH_MM = 6.0
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


def fill_core(
    grid: Grid,
    body: Region,
    block: Block,
    faces: tuple[HeightField, HeightField],
    *,
    rebuilt_wall: HeightField | None = None,
) -> tuple[Region, Block]:
    """Fill what lies between both faces well within their rims: a body that is open to one side.

    Where much was missing, every axial section is filled up to its convex outline too; a sound section is
    convex but for its posterior wall, in front of which this stays. A wall that had to be rebuilt is joined
    to what is left of the body.
    """
    rims = [_on_block(block, face) for face in faces]
    within = np.isfinite(rims[0]) & np.isfinite(rims[1])
    core = ndimage.distance_transform_edt(np.pad(within, 1))[1:-1, 1:-1] * block.step_mm > CORE_DEPTH_MM
    heights = block.superior_mm[None, None, :]
    solid = core[:, :, None] & (heights <= rims[0][:, :, None]) & (heights >= rims[1][:, :, None])
    if rebuilt_wall is not None:
        solid |= _shell_of_wall(block, rebuilt_wall)
    inside = block.bone >= SURFACE
    missing = np.count_nonzero(solid & ~inside)
    if missing <= (HOLLOW_SHARE if rebuilt_wall is None else 0.0) * np.count_nonzero(inside):
        return body, block
    rear = block.posterior_mm[np.flatnonzero((inside | solid).any(axis=(0, 2)))[-1]]
    filled = _convex_sections(inside | solid) & (block.posterior_mm <= rear)[None, :, None]
    filled &= _between(block, faces) | inside
    bone = np.where(filled & ~inside, np.float32(1.0), block.bone)
    return _with_added(grid, body, block, filled), replace(block, bone=bone)


def _shell_of_wall(block: Block, wall: HeightField) -> BoolArray:
    """Return a thin layer of samples in front of a wall, between its ends."""
    first, second = np.meshgrid(block.left_mm, block.superior_mm, indexing="ij")
    depth = wall.at(first, second)[:, None, :] - block.posterior_mm[None, :, None]
    return np.asarray((depth >= 0) & (depth <= 1.5 * block.step_mm))


def _between(block: Block, faces: tuple[HeightField, HeightField]) -> BoolArray:
    """Return the samples between both faces, which beyond their rims go on level."""
    first, second = np.meshgrid(block.left_mm, block.posterior_mm, indexing="ij")
    upper, lower = (extended_at(face, first, second)[:, :, None] for face in faces)
    heights = block.superior_mm[None, None, :]
    return np.asarray((heights <= upper) & (heights >= lower))


def _on_block(block: Block, face: HeightField) -> FloatArray:
    """Return a face's heights on the columns of a block."""
    first, second = np.meshgrid(block.left_mm, block.posterior_mm, indexing="ij")
    return face.at(first, second)


def _convex_sections(solid: BoolArray) -> BoolArray:
    from skimage.morphology import convex_hull_image

    out = solid.copy()
    for k in np.flatnonzero(solid.any(axis=(0, 1))):
        if np.count_nonzero(solid[:, :, k]) >= 4:
            out[:, :, k] |= convex_hull_image(solid[:, :, k])
    return out


def _with_added(grid: Grid, body: Region, block: Block, filled: BoolArray) -> Region:
    box = grid.expand(body.box, 2.0)
    axes = (block.left_mm, block.posterior_mm, block.superior_mm)
    index = []
    known = np.ones(box.shape, dtype=np.bool_)
    for coordinate, positions in zip(local_coordinates(grid, box, block.frame), axes, strict=True):
        nearest = np.rint((coordinate - positions[0]) / block.step_mm).astype(np.int32)
        known &= (nearest >= 0) & (nearest < positions.size)
        index.append(nearest.clip(0, positions.size - 1))
    added = filled[index[0], index[1], index[2]] & known
    return _trimmed(Region(box, added), body.in_box(box) | added)


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
        Posterior coordinate over (left, superior); beside it, its plane goes on.
    """
    left, posterior, superior = local_coordinates(grid, whole.box, frame)
    lowest, highest = float(wall.second_mm[0]), float(wall.second_mm[-1])
    surface = wall_at(wall, left[whole.voxels], superior[whole.voxels])
    front = posterior <= float(np.median(wall.height_mm))
    front[whole.voxels] = posterior[whole.voxels] <= surface
    front &= (superior >= lowest - BEYOND_FACES_MM) & (superior <= highest + BEYOND_FACES_MM)
    body = largest_patch(whole.voxels & front)
    canal = ~front & (left >= float(wall.first_mm[0])) & (left <= float(wall.first_mm[-1]))
    canal &= (superior >= lowest) & (superior <= highest)
    return _trimmed(whole, fill_body(body | canal) & front)


def fill_body(body: BoolArray) -> BoolArray:
    """Fill cavities: holes in axial slices, and in a hollow body those seen from the front and side too.

    What lies behind the posterior wall may stand in `body`, so that cavities open to the canal are closed.
    """
    filled = _fill_axial(body)
    before = max(int(np.count_nonzero(body)), 1)
    if np.count_nonzero(filled) - before > HOLLOW_SHARE * before:
        filled = _fill_axial(_fill_slices(_fill_slices(filled, 1), 2))
    return filled


def _fill_axial(body: BoolArray) -> BoolArray:
    """Fill holes in axial slices that have bone above and below: a dished endplate is open to its disc."""
    covered = np.logical_or.accumulate(body[::-1], axis=0)[::-1] & np.logical_or.accumulate(body, axis=0)
    return body | (_fill_slices(body, 0) & covered)


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
    return Region.of(voxels, whole.box.start)


def body_as_given(body: Region) -> Region:
    """Return a body that an engine outlined itself, with its cavities filled."""
    return _trimmed(body, fill_body(largest_patch(body.voxels)))
