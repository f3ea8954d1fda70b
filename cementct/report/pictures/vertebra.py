"""Which planes show a treated vertebra: its canal at the posterior wall, and each of its leaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Vertebra
from cementct.core.arrays import FloatArray, as_floats
from cementct.core.findings import Leak, LeakType, VertebraReport
from cementct.core.grid import Box, Triple
from cementct.report.material import ReportMaterial
from cementct.report.pictures.picture import Picture
from cementct.report.pictures.planes import Plane, View
from cementct.report.pictures.section import section_post, section_pre
from cementct.report.words import leak_title
from cementct.segmentation.model import DepositArray

# Size of a picture: wide enough for a lumbar body with canal, facets and what lies beside them.
WIDTH_MM, HEIGHT_MM = 84.0, 70.0
# Finer than the pixels of a spine CT (0.3 to 0.7 mm), so that nothing in them is lost.
PIXEL_MM = 0.28
# The axial picture's centre lies this far behind the body's, to show body and canal together.
_AXIAL_SHIFT_MM = 12.0
# Two planes of one view nearer than this show the same thing, and one picture serves both.
_SAME_PLANE_MM = 0.75
# A leak has to lie this far inside a picture that is to show it.
_MARGIN_MM = 6.0
# Pieces of a leak belong together up to this distance (contract).
_PIECES_MM = 2.0
# Width of the bins in which a leak's largest section is looked for; about the thinnest slices.
_BIN_MM = 0.5

# The views that show a leak best, by where it lies.
_LEAK_VIEWS: dict[LeakType, tuple[View, ...]] = {
    LeakType.EPIDURAL: (View.AXIAL, View.SAGITTAL),
    LeakType.FORAMINAL: (View.AXIAL, View.SAGITTAL),
    LeakType.DISKAL: (View.SAGITTAL, View.CORONAL),
    LeakType.PARAVERTEBRAL: (View.AXIAL, View.CORONAL),
    LeakType.ACCESS_TRACK: (View.AXIAL,),
}
# A paravertebral leak that is lower than this lies wholly in the plane parallel to the endplates.
_FLAT_MM = 8.0


@dataclass(frozen=True)
class Section:
    """One plane, after injection and, where it can be laid over, before it."""

    plane: Plane
    post: Picture
    pre: Picture | None


@dataclass(frozen=True)
class VertebraPictures:
    """The pictures of one treated vertebra.

    Attributes
    ----------
    sections
        Each plane once; first the canal at the posterior wall, then what the leaks need beyond it.
    canal
        Which of them show the canal at the posterior wall.
    leaks
        For each leak of the report, which of them show it.
    """

    sections: tuple[Section, ...]
    canal: tuple[int, ...]
    leaks: tuple[tuple[int, ...], ...]


def draw_vertebra(
    material: ReportMaterial, found: VertebraReport, all_found: Sequence[VertebraReport]
) -> VertebraPictures:
    """Return the pictures of one treated vertebra.

    Raises
    ------
    KeyError
        Where the spine has no vertebra of that number.
    """
    vertebra = material.vertebra(found.label)
    planes = list(canal_planes(material, vertebra))
    canal = tuple(range(len(planes)))
    shown_by = []
    for leak in found.leaks:
        target = leak_points_lps_mm(material, vertebra, leak)
        views = _LEAK_VIEWS[leak.type]
        if leak.type is LeakType.PARAVERTEBRAL and np.ptp(vertebra.frame.to_local(target)[:, 2]) < _FLAT_MM:
            views = views[:1]
        shown_by.append(tuple(_plane_for(planes, vertebra, target, view) for view in views))
    titles = _titles(found, all_found, shown_by)
    sections = tuple(
        Section(
            plane,
            section_post(material, plane, level=" · ".join([found.name, *titles.get(i, [])])),
            section_pre(material, plane, level=found.name, number=found.label) if i in canal else None,
        )
        for i, plane in enumerate(planes)
    )
    return VertebraPictures(sections, canal, tuple(shown_by))


def canal_planes(material: ReportMaterial, vertebra: Vertebra) -> tuple[Plane, Plane]:
    """Return the planes that show the canal where cement in the body comes nearest to it.

    One parallel to the endplates, one midsagittal; without cement in the body through its centre.
    """
    nearest_mm = _rearmost_cement_mm(material, vertebra)
    height_mm = 0.0 if nearest_mm is None else nearest_mm[2]
    return (
        _plane(vertebra, View.AXIAL, (0.0, _AXIAL_SHIFT_MM, height_mm)),
        _plane(vertebra, View.SAGITTAL, (0.0, _AXIAL_SHIFT_MM, 0.0)),
    )


def leak_points_lps_mm(material: ReportMaterial, vertebra: Vertebra, leak: Leak) -> FloatArray:
    """Return the voxels of one leak, found again in the map of leaks by its type and centre.

    A possible leak that stands in no map is its centre alone. Shape (n, 3).
    """
    from scipy import ndimage

    region = material.leak_regions.get(leak.type)
    if region is None:
        return as_floats([leak.centroid_lps_mm])
    owned = region.voxels & (_owners(material, region.box) == vertebra.number)
    inside = owned if owned.any() else region.voxels
    grid = material.post.grid
    reach = [int(_PIECES_MM / 2 / step) for step in grid.spacing_mm]
    joined = ndimage.maximum_filter(inside, size=[2 * n + 1 for n in reach])
    pieces, count = ndimage.label(joined, structure=np.ones((3, 3, 3)))
    index = np.argwhere(inside)
    piece = pieces[tuple(index.T)]
    points = grid.to_lps(index + np.asarray(region.box.start))
    centres = as_floats([points[piece == n].mean(axis=0) for n in range(1, count + 1)])
    distance_mm = np.linalg.norm(centres - leak.centroid_lps_mm, axis=1)
    return as_floats(points[piece == 1 + int(distance_mm.argmin())])


def _plane_for(planes: list[Plane], vertebra: Vertebra, target_lps_mm: FloatArray, view: View) -> int:
    """Return the number of a plane that shows the target at its largest section; adds one if need be."""
    local = vertebra.frame.to_local(target_lps_mm)
    axis = {View.SAGITTAL: 0, View.CORONAL: 1, View.AXIAL: 2}[view]
    offset_mm = _fullest(local[:, axis])
    gap_mm = np.abs(local[:, axis] - offset_mm)
    middle = local[gap_mm <= max(_BIN_MM, float(gap_mm.min()))].mean(axis=0)
    middle[axis] = offset_mm
    for number, plane in enumerate(planes):
        if (
            plane.view is view
            and abs(plane.offset_mm - offset_mm) < _SAME_PLANE_MM
            and _within(plane, middle)
        ):
            return number
    centre = [0.0, _AXIAL_SHIFT_MM, 0.0]
    centre[axis] = offset_mm
    wanted = _plane(vertebra, view, (centre[0], centre[1], centre[2]))
    planes.append(wanted if _within(wanted, middle) else _moved_to(wanted, middle))
    return len(planes) - 1


def _fullest(positions_mm: FloatArray) -> float:
    """Return where along an axis most of the points lie."""
    bins = np.round(positions_mm / _BIN_MM).astype(int)
    first = int(bins.min())
    counts = np.convolve(np.bincount(bins - first), [0.5, 1.0, 0.5], mode="same")
    best = np.flatnonzero(counts == counts.max())
    return float((first + best[len(best) // 2]) * _BIN_MM)


def _within(plane: Plane, point_local_mm: FloatArray) -> bool:
    """Tell whether a point lies well inside the picture of a plane, wherever along its normal."""
    column, row = plane.to_pixels(plane.frame.to_lps(point_local_mm)) * plane.pixel_mm
    return bool(
        _MARGIN_MM <= column <= plane.width_mm - _MARGIN_MM
        and _MARGIN_MM <= row <= plane.height_mm - _MARGIN_MM
    )


def _moved_to(plane: Plane, point_local_mm: FloatArray) -> Plane:
    """Return the plane shifted within itself until a point lies half way to its edge."""
    wanted = as_floats(plane.centre_local_mm)
    reach_mm = min(plane.width_mm, plane.height_mm) / 4
    offset = point_local_mm - wanted
    centre = wanted + np.sign(offset) * np.maximum(np.abs(offset) - reach_mm, 0.0)
    return _plane(plane, plane.view, (float(centre[0]), float(centre[1]), float(centre[2])))


def _plane(of: Vertebra | Plane, view: View, centre_local_mm: Triple) -> Plane:
    return Plane(view, of.frame, centre_local_mm, WIDTH_MM, HEIGHT_MM, PIXEL_MM)


def _rearmost_cement_mm(material: ReportMaterial, vertebra: Vertebra) -> FloatArray | None:
    """Return where this vertebra's cement in the body reaches furthest back, in its own frame."""
    region = material.cement_region
    inside = vertebra.body.in_box(region.box) & region.voxels
    index = np.argwhere(inside & (_owners(material, region.box) == vertebra.number))
    if not len(index):
        return None
    points = material.post.grid.to_lps(index + np.asarray(region.box.start))
    local = vertebra.frame.to_local(points)
    wall_mm = vertebra.posterior_wall.at(local[:, 0], local[:, 2])
    depth = np.where(np.isfinite(wall_mm), local[:, 1] - wall_mm, local[:, 1] - vertebra.depth_mm)
    return as_floats(local[int(depth.argmax())])


def _owners(material: ReportMaterial, box: Box) -> DepositArray:
    """Return the numbers of the vertebrae that cement in a block came from."""
    out = np.zeros(box.shape, dtype=np.uint16)
    common = box.intersection(material.cement.box)
    if not common.is_empty:
        out[common.within(box)] = material.cement.owner[common.within(material.cement.box)]
    return out


def _titles(
    found: VertebraReport, all_found: Sequence[VertebraReport], shown_by: Sequence[tuple[int, ...]]
) -> dict[int, list[str]]:
    """Return by the number of a plane what leaks it shows, in words."""
    titles: dict[int, list[str]] = {}
    for leak, numbers in zip(found.leaks, shown_by, strict=True):
        for number in numbers:
            titles.setdefault(number, []).append(leak_title(leak, all_found))
    return titles
