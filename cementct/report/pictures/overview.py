"""The whole column at a glance: a sagittal and a coronal surface that follow it, with names and cement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Vertebra
from cementct.core.arrays import Float32Array, FloatArray, as_floats
from cementct.core.findings import LevelSource, VertebraReport
from cementct.core.grid import Grid
from cementct.core.image import Region
from cementct.report.material import ReportMaterial
from cementct.report.pictures.palette import LEAK_DRAWN, Drawn
from cementct.report.pictures.picture import Note, Outline, Picture
from cementct.report.pictures.planes import EDGE_MARKS, NO_MARKS, Surface, View
from cementct.report.pictures.sampling import Sampler, trace_outlines

PIXEL_MM = 0.7
# How far the pictures reach beyond the bodies' centres, to the front, the back and the sides.
_FRONT_MM, _BACK_MM, _SIDE_MM = 60.0, 80.0, 70.0
# How far above the uppermost and below the lowest body's centre they begin and end, inside the scan; below, a
# sacrum is to be seen.
_ABOVE_MM, _BELOW_MM = 35.0, 70.0
# Cement further than this from the surface belongs to something else and is not projected onto it.
_PROJECTED_MM = 60.0
# Room between a body and its name.
_NAME_GAP_MM = 5.0

# The view's lateral axis and the axis along which it is curved, as LPS x = 0, y = 1.
_ACROSS = {View.SAGITTAL: 1, View.CORONAL: 0}


@dataclass(frozen=True)
class _Course:
    """How the surface runs: rows go down the patient, columns across, depth follows the column."""

    view: View
    heights_mm: FloatArray
    across_mm: FloatArray
    depth_mm: FloatArray

    def surface(self) -> Surface:
        """Return the positions of its pixels."""
        points = np.empty((self.heights_mm.size, self.across_mm.size, 3))
        points[..., 2] = self.heights_mm[:, None]
        points[..., _ACROSS[self.view]] = self.across_mm[None, :]
        points[..., 1 - _ACROSS[self.view]] = self.depth_mm[:, None]
        return Surface(self.view, points, PIXEL_MM)

    def column(self, point_lps_mm: FloatArray) -> FloatArray:
        """Return the column of points; the last axis holds x, y, z."""
        return as_floats((point_lps_mm[..., _ACROSS[self.view]] - self.across_mm[0]) / PIXEL_MM)

    def row(self, point_lps_mm: FloatArray) -> FloatArray:
        """Return the row of points; the last axis holds x, y, z."""
        return as_floats((self.heights_mm[0] - point_lps_mm[..., 2]) / PIXEL_MM)


def draw_overview(material: ReportMaterial, found: Sequence[VertebraReport]) -> tuple[Picture, ...]:
    """Return a sagittal and a coronal picture of the column; none where no vertebra was found."""
    if not material.spine.vertebrae:
        return ()
    return tuple(_draw(material, found, view) for view in (View.SAGITTAL, View.CORONAL))


def _draw(material: ReportMaterial, found: Sequence[VertebraReport], view: View) -> Picture:
    course = _course(material, view)
    surface = course.surface()
    sampler = Sampler.of(surface, material.post.grid)
    contradicted = material.spine.orientation_contradicts_anatomy
    return Picture(
        hu=sampler.hu(material.post),
        pixel_mm=PIXEL_MM,
        level="column",
        where=f"{view.value}, along the bodies; cement projected",
        series=material.post_name or "post-injection",
        marks=NO_MARKS if contradicted else EDGE_MARKS[view],
        outlines=(_bodies(material, sampler), *_projections(material, course, surface)),
        notes=(*_names(material, found, course), *_landmarks(material, found, course)),
    )


def _course(material: ReportMaterial, view: View) -> _Course:
    centres = as_floats([vertebra.frame.centre_lps_mm for vertebra in material.spine.vertebrae])
    grid = material.post.grid
    corners = grid.to_lps(
        [
            [z, y, x]
            for z in (0, grid.shape[0] - 1)
            for y in (0, grid.shape[1] - 1)
            for x in (0, grid.shape[2] - 1)
        ]
    )
    low, high = corners.min(axis=0), corners.max(axis=0)
    top_mm = min(float(centres[:, 2].max()) + _ABOVE_MM, float(high[2]))
    bottom_mm = max(float(centres[:, 2].min()) - _BELOW_MM, float(low[2]))
    heights_mm = np.arange(top_mm, bottom_mm, -PIXEL_MM)
    axis = _ACROSS[view]
    before_mm, after_mm = (_FRONT_MM, _BACK_MM) if view is View.SAGITTAL else (_SIDE_MM, _SIDE_MM)
    first_mm = max(float(centres[:, axis].min()) - before_mm, float(low[axis]))
    last_mm = min(float(centres[:, axis].max()) + after_mm, float(high[axis]))
    order = np.argsort(centres[:, 2])
    depth_mm = np.interp(heights_mm, centres[order, 2], centres[order, 1 - axis])
    return _Course(view, heights_mm, np.arange(first_mm, last_mm, PIXEL_MM), depth_mm)


def _bodies(material: ReportMaterial, sampler: Sampler) -> Outline:
    lines: list[FloatArray] = []
    for vertebra in material.spine.vertebrae:
        lines += trace_outlines(sampler.share(vertebra.body.voxels, vertebra.body.box))
    return Outline(Drawn.BODY, tuple(lines))


def _projections(material: ReportMaterial, course: _Course, surface: Surface) -> list[Outline]:
    """Return cement and leaks of every depth near the column, laid onto the surface."""
    parts = [(Drawn.CEMENT, material.cement_region)]
    parts += [(LEAK_DRAWN[kind], region) for kind, region in material.leak_regions.items()]
    return [
        Outline(drawn, trace_outlines(_project(material.post.grid, course, surface, region)), filled=True)
        for drawn, region in parts
        if not region.is_empty
    ]


def _project(grid: Grid, course: _Course, surface: Surface, region: Region) -> Float32Array:
    """Return where voxels fall on the surface, each as large as it is."""
    from scipy import ndimage

    points = grid.to_lps(region.indices())
    row = np.rint(course.row(points)).astype(int)
    column = np.rint(course.column(points)).astype(int)
    rows, columns = surface.shape
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    depth_mm = points[inside][:, 1 - _ACROSS[course.view]]
    near = np.abs(depth_mm - course.depth_mm[row[inside]]) < _PROJECTED_MM
    flat = np.zeros((rows, columns), dtype=np.float32)
    flat[row[inside][near], column[inside][near]] = 1.0
    step_mm = (grid.spacing_mm[0], grid.spacing_mm[2 - _ACROSS[course.view]])
    footprint = [max(1, int(np.ceil(step / PIXEL_MM))) for step in step_mm]
    return np.asarray(ndimage.maximum_filter(flat, size=footprint), dtype=np.float32)


def _names(material: ReportMaterial, found: Sequence[VertebraReport], course: _Course) -> list[Note]:
    """Return the name of each vertebra in front of its body, or to its left side; treated ones stand out."""
    treated = {vertebra.label for vertebra in found if vertebra.treated}
    notes = []
    for vertebra in material.spine.vertebrae:
        point = _beside(vertebra, course.view, gap_mm=_NAME_GAP_MM, forward=True)
        notes.append(
            Note(
                vertebra.name,
                float(course.column(point)),
                float(course.row(point)),
                anchor="end",
                strong=vertebra.number in treated,
            )
        )
    return notes


def _landmarks(material: ReportMaterial, found: Sequence[VertebraReport], course: _Course) -> list[Note]:
    """Return marks at what the levels were counted from, behind the column or to its other side."""
    if material.landmarks:
        points = {words: as_floats(point) for words, point in material.landmarks.items()}
    else:
        points = _landmarks_of_levels(material.spine.vertebrae, found, course.view)
    return [
        Note(f"‹ {words}", float(course.column(point)), float(course.row(point)), strong=True)
        for words, point in points.items()
    ]


def _landmarks_of_levels(
    vertebrae: Sequence[Vertebra], found: Sequence[VertebraReport], view: View
) -> dict[str, FloatArray]:
    """Return where the landmark that the report names lies: by the last ribs, or under the last body."""
    sources = {vertebra.level_source for vertebra in found}
    points: dict[str, FloatArray] = {}
    named = [vertebra for vertebra in vertebrae if vertebra.level]
    thoracic = [vertebra for vertebra in named if vertebra.level and vertebra.level.is_thoracic]
    lumbar = [vertebra for vertebra in named if vertebra.level and vertebra.level.is_lumbar]
    if LevelSource.RIBS in sources and thoracic and lumbar:
        points["last ribs"] = _beside(thoracic[-1], view, gap_mm=_NAME_GAP_MM, forward=False)
    if LevelSource.SACRUM in sources and lumbar:
        last = lumbar[-1]
        below = as_floats(last.frame.superior) * (-last.height_mm)
        points["sacrum"] = _beside(last, view, gap_mm=_NAME_GAP_MM, forward=False) + below
    return points


def _beside(vertebra: Vertebra, view: View, *, gap_mm: float, forward: bool) -> FloatArray:
    """Return a point beside a body: in front of or behind it, or to the patient's right or left."""
    sagittal = view is View.SAGITTAL
    axis = as_floats(vertebra.frame.posterior if sagittal else vertebra.frame.left)
    reach_mm = (vertebra.depth_mm if sagittal else vertebra.width_mm) / 2 + gap_mm
    return as_floats(vertebra.frame.centre_lps_mm) + axis * (-reach_mm if forward else reach_mm)
