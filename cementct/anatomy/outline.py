"""One vertebra measured: canal, pedicles, posterior wall, body, endplates, and the frame they define."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cementct.anatomy.bodies import (
    LEAST_PROCESS_MM3,
    body_as_given,
    cut_body,
    fill_core,
    rim_limit,
    within_outline,
)
from cementct.anatomy.canal import CanalSection, agreed_canal, find_canal, section_of_tube, usual_canal
from cementct.anatomy.endplates import face_normal, find_endplates
from cementct.anatomy.fields import fit_surface, shifted
from cementct.anatomy.model import HeightField, Pedicle
from cementct.anatomy.pedicles import find_pedicles
from cementct.anatomy.sampling import (
    SURFACE,
    Block,
    Extent,
    box_of_extent,
    first_surface,
    sample_block,
    sample_region,
)
from cementct.anatomy.walls import (
    FAR_FROM_WALL_MM,
    NEAR_WALL_MM,
    Wall,
    fit_posterior_wall,
    lamina_in_middle,
    wall_in_middle,
)
from cementct.core.arrays import BoolArray, FloatArray, LabelArray, as_floats
from cementct.core.frame import Frame
from cementct.core.grid import Grid
from cementct.core.image import Region

# What is sampled around a body's middle, mm: the widest lumbar body is 60 mm across and 40 mm deep, the
# laminae lie within 55 mm behind its middle, the tallest body is 40 mm high.
EXTENT = Extent((-36.0, 36.0), (-26.0, 52.0), (-30.0, 30.0))
# The faces are first looked for over this radius around the body's middle, mm.
FACE_RADIUS_MM = 9.0
MIDDLE = Extent((-9.0, 9.0), (-9.0, 9.0), EXTENT.superior)
# A body is joined to a rebuilt wall only where at least this much of its height is in view; of a sliver at
# the scan's edge too little is seen to rebuild, mm.
LEAST_REBUILT_HEIGHT_MM = 13.0
# Rings of neighbours reach this far past the faces; beyond it no canal is looked for, mm.
RING_BEYOND_FACES_MM = 4.0


@dataclass(frozen=True)
class Bone:
    """All labelled bone of a volume.

    Attributes
    ----------
    labels
        Whole vertebrae, shape of the grid; any number but 0 is bone.
    grid
        The grid of the volume.
    canal
        The canal, shape of the grid, where an engine found it in the scan itself.
    """

    labels: LabelArray
    grid: Grid
    canal: BoolArray | None = None

    def canal_around(self, frame: Frame, *, step_mm: float, heights_mm: tuple[float, float]) -> Block | None:
        """Return the engine's canal between two heights, in a vertebra's frame; None where it gave none."""
        if self.canal is None:
            return None
        box = box_of_extent(self.grid, frame, replace(EXTENT, superior=heights_mm))
        canal = Region.of(self.canal[box.slices], box.start)
        return sample_region(canal, self.grid, frame, extent=EXTENT, step_mm=step_mm, heights_mm=heights_mm)

    def around(self, frame: Frame, *, step_mm: float, heights_mm: tuple[float, float]) -> Block:
        """Return all bone around a vertebra between two heights, sampled in its frame."""
        box = box_of_extent(self.grid, frame, replace(EXTENT, superior=heights_mm))
        bone: BoolArray = np.asarray(self.labels[box.slices] > 0)
        return sample_block(
            bone, box, self.grid, frame, extent=EXTENT, step_mm=step_mm, heights_mm=heights_mm
        )


@dataclass(frozen=True)
class Outline:
    """What was measured of one vertebra, before it has a name.

    Attributes
    ----------
    number
        Its number in the engine's labels.
    whole, body
        Its voxels.
    frame
        Centre and axes.
    canal
        The canal at its pedicles.
    wall
        Its posterior wall.
    superior_endplate, inferior_endplate
        Its faces.
    left_pedicle, right_pedicle
        Its pedicles, where found.
    size_mm
        Width, depth and height of the body.
    canal_depth_mm
        From the lamina to the mean of the wall; None where no lamina is in view.
    """

    number: int
    whole: Region
    body: Region
    frame: Frame
    canal: CanalSection
    wall: Wall
    superior_endplate: HeightField
    inferior_endplate: HeightField
    left_pedicle: Pedicle | None
    right_pedicle: Pedicle | None
    size_mm: tuple[float, float, float]
    canal_depth_mm: float | None = None


@dataclass(frozen=True)
class Expectation:
    """What neighbours say about a vertebra, for where it does not show it itself.

    Attributes
    ----------
    canal
        Where its canal lies.
    canal_to_wall_mm
        From the canal's middle forwards to the posterior wall.
    canal_depth_mm
        From the lamina forwards to the posterior wall; given where this vertebra's own wall is not to be
        believed.
    """

    canal: CanalSection | None = None
    canal_to_wall_mm: float = 8.0
    canal_depth_mm: float | None = None


def measure_outline(
    bone: Bone,
    whole: Region,
    frame: Frame,
    *,
    number: int,
    step_mm: float,
    body: Region | None = None,
    expectation: Expectation | None = None,
) -> Outline:
    """Measure one vertebra from a frame that is roughly right.

    Parameters
    ----------
    bone
        All labelled bone: arches may carry a neighbour's number.
    whole
        This vertebra.
    frame
        Its frame, to some millimetres and degrees; the result's is refined by one step.
    number
        Its number in the engine's labels.
    step_mm
        Distance of samples.
    body
        Its body, where an engine outlined it.
    expectation
        What neighbours say, for what this vertebra does not show.
    """
    expected = expectation or Expectation()
    given = None if body is None else _given_body(bone.grid, whole, body, frame, step_mm)
    shown = (
        sample_region(whole, bone.grid, frame, extent=MIDDLE, step_mm=step_mm) if given is None else given[1]
    )
    low, high = _face_planes(_middle_of(shown))
    # Rings of neighbours are not looked at.
    ring = low[0] - RING_BEYOND_FACES_MM, high[0] + RING_BEYOND_FACES_MM
    around = bone.around(frame, step_mm=step_mm, heights_mm=ring)
    tube = bone.canal_around(frame, step_mm=step_mm, heights_mm=(low[0], high[0]))
    shown_by_scan = None if tube is None else section_of_tube(tube, low[0], high[0])
    canal = agreed_canal(find_canal(around), shown_by_scan) or expected.canal or usual_canal(around)
    facing = around if given is None else given[1]
    middle = wall_in_middle(facing, canal)
    if middle is None:
        middle = canal.posterior_mm - expected.canal_to_wall_mm
    lamina = lamina_in_middle(around, canal)
    tolerance = FAR_FROM_WALL_MM
    if expected.canal_depth_mm is not None and lamina is not None:
        middle, tolerance = lamina - expected.canal_depth_mm, NEAR_WALL_MM
    left_pedicle, right_pedicle = (
        pedicle if pedicle is not None and low[0] <= _middle(pedicle) <= high[0] else None
        for pedicle in find_pedicles(around, canal, middle)
    )
    wall = fit_posterior_wall(
        facing,
        canal,
        borders_mm=(
            right_pedicle.medial_mm if right_pedicle else canal.right_edge_mm,
            left_pedicle.medial_mm if left_pedicle else canal.left_edge_mm,
        ),
        heights_mm=(low[0] + low[2] * middle, high[0] + high[2] * middle),
        expected_mm=middle,
        tolerance_mm=tolerance,
        voxel_mm=max(bone.grid.spacing_mm),
    )
    cut, block, (superior, inferior) = _body_and_faces(bone, whole, frame, wall, given=given, step_mm=step_mm)
    return Outline(
        number=number,
        whole=whole,
        body=cut,
        frame=frame,
        canal=canal,
        wall=wall,
        superior_endplate=superior,
        inferior_endplate=inferior,
        left_pedicle=left_pedicle,
        right_pedicle=right_pedicle,
        size_mm=_size(block),
        canal_depth_mm=None if lamina is None else lamina - float(np.mean(wall.field.height_mm)),
    )


def _given_body(
    grid: Grid, whole: Region, body: Region, frame: Frame, step_mm: float
) -> tuple[Region, Block]:
    """Return the body that an engine outlined, its cavities filled, and its samples."""
    cut = body_as_given(body)
    if cut.is_empty:
        cut = whole
    return cut, sample_region(cut, grid, frame, extent=EXTENT, step_mm=step_mm)


def _body_and_faces(
    bone: Bone, whole: Region, frame: Frame, wall: Wall, *, given: tuple[Region, Block] | None, step_mm: float
) -> tuple[Region, Block, tuple[HeightField, HeightField]]:
    """Return the body in front of the wall, its samples, and its upper and lower face."""
    voxel_mm = max(bone.grid.spacing_mm)
    behind_mm = float(np.max(wall.field.height_mm)) + 3.0
    if given is not None:
        cut, block = given
        block = _in_front_of(block, behind_mm)
        return cut, block, find_endplates(block, voxel_mm=voxel_mm)
    cut = cut_body(bone.grid, whole, frame, wall.field)
    if cut.is_empty:
        cut = whole
    reach = replace(EXTENT, posterior=(EXTENT.posterior[0], behind_mm))
    block = sample_region(cut, bone.grid, frame, extent=reach, step_mm=step_mm)
    faces = find_endplates(block, voxel_mm=voxel_mm)
    cut, block = _without_processes(bone.grid, cut, block, faces)
    tall = float(np.ptp(wall.field.second_mm)) >= LEAST_REBUILT_HEIGHT_MM
    rebuilt = wall.field if wall.rebuilt and tall else None
    cut, whole_block = fill_core(bone.grid, cut, block, faces, rebuilt_wall=rebuilt)
    if whole_block is not block:
        block, faces = whole_block, find_endplates(whole_block, voxel_mm=voxel_mm)
    return cut, block, faces


def refined_frame(outline: Outline, grid: Grid) -> Frame:
    """Return the frame that a measured outline defines.

    The centre is the body's, the superior axis lies midway between the normals of its faces, and the
    posterior axis points to the middle of the canal.
    """
    frame = outline.frame
    centre = grid.to_lps(outline.body.indices().mean(axis=0))
    faces = (face_normal(outline.superior_endplate), face_normal(outline.inferior_endplate))
    normals = [n for n in faces if n is not None]
    up = np.mean(normals, axis=0) @ frame.axes if normals else as_floats(frame.superior)
    canal = frame.to_lps((outline.canal.left_mm, outline.canal.posterior_mm, 0.0))
    back = canal - centre if outline.canal.found else as_floats(frame.posterior)
    return Frame.from_axes(centre, up, back)


def recentred(outline: Outline, grid: Grid) -> Outline:
    """Return the outline with the frame's centre at the centre of its body; the axes stay."""
    centre = grid.to_lps(outline.body.indices().mean(axis=0))
    left, posterior, superior = (float(v) for v in outline.frame.to_local(centre))
    x, y, z = (float(v) for v in centre)
    canal = outline.canal
    return replace(
        outline,
        frame=replace(outline.frame, centre_lps_mm=(x, y, z)),
        canal=replace(
            canal,
            left_mm=canal.left_mm - left,
            right_edge_mm=canal.right_edge_mm - left,
            left_edge_mm=canal.left_edge_mm - left,
            posterior_mm=canal.posterior_mm - posterior,
            superior_mm=canal.superior_mm - superior,
            inferior_mm=canal.inferior_mm - superior,
        ),
        wall=replace(outline.wall, field=shifted(outline.wall.field, left, superior, posterior)),
        superior_endplate=shifted(outline.superior_endplate, left, posterior, superior),
        inferior_endplate=shifted(outline.inferior_endplate, left, posterior, superior),
        left_pedicle=_shifted_pedicle(outline.left_pedicle, left, superior),
        right_pedicle=_shifted_pedicle(outline.right_pedicle, left, superior),
    )


def _middle(pedicle: Pedicle) -> float:
    """Return the height of a pedicle's middle; that of a neighbour lies above or below this body's faces."""
    return 0.5 * (pedicle.superior_mm + pedicle.inferior_mm)


def _shifted_pedicle(pedicle: Pedicle | None, left: float, superior: float) -> Pedicle | None:
    if pedicle is None:
        return None
    return Pedicle(
        medial_mm=pedicle.medial_mm - left,
        lateral_mm=pedicle.lateral_mm - left,
        superior_mm=pedicle.superior_mm - superior,
        inferior_mm=pedicle.inferior_mm - superior,
    )


def _face_planes(own: Block) -> tuple[FloatArray, FloatArray]:
    """Return planes (offset, slope along left, slope along posterior) of the lower and the upper face."""
    first, second = np.meshgrid(own.left_mm, own.posterior_mm, indexing="ij")
    near = np.hypot(first, second) <= FACE_RADIUS_MM
    below = np.where(near, first_surface(own.bone, own.superior_mm), np.nan)
    above = np.where(near, first_surface(own.bone[:, :, ::-1], own.superior_mm[::-1]), np.nan)
    if not np.isfinite(above).any():
        return as_floats((-12.0, 0.0, 0.0)), as_floats((12.0, 0.0, 0.0))
    low, high = (
        fit_surface(first, second, heights, curved=False, scale_mm=1.5) for heights in (below, above)
    )
    return low, high


def _middle_of(block: Block) -> Block:
    """Return the samples around the body's middle axis."""
    rows, columns = (
        (axis >= reach[0]) & (axis <= reach[1])
        for axis, reach in ((block.left_mm, MIDDLE.left), (block.posterior_mm, MIDDLE.posterior))
    )
    return replace(
        block,
        left_mm=block.left_mm[rows],
        posterior_mm=block.posterior_mm[columns],
        bone=block.bone[np.ix_(rows, columns)],
    )


def _in_front_of(block: Block, behind_mm: float) -> Block:
    """Return the samples in front of a place, and one behind it."""
    count = int(np.searchsorted(block.posterior_mm, behind_mm, side="left")) + 1
    return replace(block, posterior_mm=block.posterior_mm[:count], bone=block.bone[:, :count])


def _without_processes(
    grid: Grid, body: Region, block: Block, faces: tuple[HeightField, HeightField]
) -> tuple[Region, Block]:
    """Cut off what stands out sideways from a body farther than the rims of its faces."""
    limit = rim_limit(block, faces)
    if limit is None:
        return body, block
    outside = (block.bone >= SURFACE) & ~limit[:, :, None]
    if np.count_nonzero(outside) * block.step_mm**3 < LEAST_PROCESS_MM3:
        return body, block
    return within_outline(grid, body, block, limit), replace(
        block, bone=np.where(limit[:, :, None], block.bone, 0.0).astype(np.float32)
    )


def _size(body: Block) -> tuple[float, float, float]:
    sizes = []
    for axis, positions in enumerate((body.left_mm, body.posterior_mm, body.superior_mm)):
        others = tuple(a for a in range(3) if a != axis)
        inside = np.flatnonzero(body.bone.max(axis=others) >= SURFACE)
        sizes.append(float(np.ptp(positions[inside])) + body.step_mm if inside.size else 0.0)
    return sizes[0], sizes[1], sizes[2]
