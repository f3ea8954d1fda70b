"""One plane through a vertebra: the CT in it, and thin outlines of what was found."""

from __future__ import annotations

from cementct.anatomy.model import Compartment
from cementct.core.arrays import FloatArray
from cementct.report.material import ReportMaterial
from cementct.report.pictures.palette import LEAK_DRAWN, Drawn
from cementct.report.pictures.picture import Outline, Picture
from cementct.report.pictures.planes import EDGE_MARKS, NO_MARKS, Plane, View
from cementct.report.pictures.sampling import Sampler, trace_outlines

# Direction words for a plane's distance from the body's centre: (below zero, above zero).
_DIRECTIONS = {
    View.AXIAL: ("below", "above"),
    View.SAGITTAL: ("right of", "left of"),
    View.CORONAL: ("in front of", "behind"),
}
_VIEW_WORDS = {
    View.AXIAL: "parallel to the endplates",
    View.SAGITTAL: "sagittal",
    View.CORONAL: "coronal",
}
# Closer than this to the centre of the body a plane goes through it.
_AT_CENTRE_MM = 0.05


def section_post(material: ReportMaterial, plane: Plane, *, level: str) -> Picture:
    """Return the post-injection CT in a plane, with bodies, canal, foramina, cement, lesion and leaks."""
    sampler = Sampler.of(plane.surface(), material.post.grid)
    return Picture(
        hu=sampler.hu(material.post),
        pixel_mm=plane.pixel_mm,
        level=level,
        where=describe_place(plane, sides_known=not material.spine.orientation_contradicts_anatomy),
        series=material.post_name or "post-injection",
        marks=NO_MARKS if material.spine.orientation_contradicts_anatomy else EDGE_MARKS[plane.view],
        outlines=(
            *_anatomy(material, sampler),
            *_lesions(material, sampler),
            *_cement(material, sampler),
            *_leaks(material, sampler),
        ),
    )


def section_pre(material: ReportMaterial, plane: Plane, *, level: str, number: int) -> Picture | None:
    """Return the pre-injection CT in the same plane of one vertebra; None where it cannot be laid over."""
    if material.earlier is None:
        return None
    registration = material.earlier.registrations.get(number)
    if registration is None or not registration.ok:
        return None
    surface = plane.surface()
    before = material.earlier.volume
    sampler = Sampler.of(surface, material.post.grid)
    return Picture(
        hu=Sampler.at(registration.to_pre(surface.points_lps_mm), before.grid).hu(before),
        pixel_mm=plane.pixel_mm,
        level=f"{level} before injection",
        where=describe_place(plane, sides_known=not material.spine.orientation_contradicts_anatomy),
        series=material.pre_name or "pre-injection",
        marks=NO_MARKS if material.spine.orientation_contradicts_anatomy else EDGE_MARKS[plane.view],
        outlines=(*_bodies(material, sampler), *_lesions(material, sampler)),
    )


def describe_place(plane: Plane, *, sides_known: bool) -> str:
    """Return plane and position in words, such as 'sagittal, 3.2 mm left of the body's centre · z −43 mm'."""
    view = _VIEW_WORDS[plane.view]
    distance_mm = round(plane.offset_mm, 1)
    below, above = _DIRECTIONS[plane.view]
    if abs(distance_mm) < _AT_CENTRE_MM:
        place = "through the body's centre"
    elif plane.view is View.SAGITTAL and not sides_known:
        place = f"{abs(distance_mm):.1f} mm beside the body's centre"
    else:
        place = f"{abs(distance_mm):.1f} mm {above if distance_mm > 0 else below} the body's centre"
    height_mm = float(plane.frame.to_lps(plane.centre_local_mm)[2])
    return f"{view}, {place} · z {height_mm:.1f} mm".replace("-", "−")


def _anatomy(material: ReportMaterial, sampler: Sampler) -> list[Outline]:
    spaces = material.spine.compartments
    outlines = _bodies(material, sampler)
    for drawn, members in (
        (Drawn.CANAL, (Compartment.CANAL,)),
        (Drawn.FORAMEN, (Compartment.FORAMEN_LEFT, Compartment.FORAMEN_RIGHT)),
    ):
        share = sampler.numbers(spaces.compartment, members, spaces.box)
        outlines.append(Outline(drawn, trace_outlines(share)))
    return outlines


def _bodies(material: ReportMaterial, sampler: Sampler) -> list[Outline]:
    lines: list[FloatArray] = []
    for vertebra in material.spine.vertebrae:
        share = sampler.share(vertebra.body.voxels, vertebra.body.box)
        lines += trace_outlines(share)
    return [Outline(Drawn.BODY, tuple(lines))]


def _lesions(material: ReportMaterial, sampler: Sampler) -> list[Outline]:
    lines: list[FloatArray] = []
    for lesion in material.lesions.values():
        lines += trace_outlines(sampler.share(lesion.fraction, lesion.box))
    return [Outline(Drawn.LESION, tuple(lines))]


def _cement(material: ReportMaterial, sampler: Sampler) -> list[Outline]:
    share = sampler.share(material.cement_region.voxels, material.cement_region.box)
    return [Outline(Drawn.CEMENT, trace_outlines(share))]


def _leaks(material: ReportMaterial, sampler: Sampler) -> list[Outline]:
    return [
        Outline(LEAK_DRAWN[kind], trace_outlines(sampler.share(region.voxels, region.box)))
        for kind, region in material.leak_regions.items()
    ]
