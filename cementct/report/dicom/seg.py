"""The DICOM segmentation: vertebrae and bodies by level, cement, lesions and leaks, free to overlap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from cementct.core.arrays import BoolArray
from cementct.core.findings import LeakType, StudyReport
from cementct.core.image import Region
from cementct.core.levels import Level
from cementct.io.quiet import quiet
from cementct.io.scan import Scan
from cementct.report import wording
from cementct.report.dicom import codes
from cementct.report.dicom.equipment import (
    MANUFACTURER,
    MODEL,
    SERIAL_NUMBER,
    algorithm,
    coded,
    contributing_equipment,
    declare_private_scheme,
)
from cementct.report.dicom.identity import ResultIdentity, settle
from cementct.report.dicom.source import SourceImages
from cementct.report.material import ReportMaterial
from cementct.report.pictures.palette import LEAK_DRAWN, STROKES, Drawn

if TYPE_CHECKING:
    from highdicom.seg import Segmentation

# Outlines of bone, which all drawings leave white, in two shades for viewers that fill segments.
VERTEBRA_RGB, BODY_RGB = (193, 178, 150), (229, 218, 196)


class SegmentKind(StrEnum):
    """What a segment holds."""

    VERTEBRA = "vertebra"
    BODY = "body"
    CEMENT = "cement"
    LESION = "lesion"
    LEAK = "leak"


@dataclass(frozen=True)
class Segment:
    """One segment.

    Attributes
    ----------
    kind
        What it holds.
    label
        Its name for people.
    category, type
        Its coded category and type.
    rgb
        Colour recommended to viewers.
    region
        Its voxels, in the canonical order of the volume.
    vertebra
        Number of the vertebra it belongs to; None for leaks, which are told apart by type.
    level
        Of that vertebra.
    leak
        Its type of leak.
    """

    kind: SegmentKind
    label: str
    category: codes.Concept
    type: codes.Concept
    rgb: tuple[int, int, int]
    region: Region
    vertebra: int | None = None
    level: Level | None = None
    leak: LeakType | None = None


def collect_segments(report: StudyReport, material: ReportMaterial) -> tuple[Segment, ...]:
    """Return everything that the segmentation holds, empty structures left out.

    A leak by its definite part and what stands in the map of leaks; the number of a segment is its place.
    """
    return tuple(s for s in _segments(report, material) if not s.region.is_empty)


def _segments(report: StudyReport, material: ReportMaterial) -> Iterator[Segment]:
    for found in report.vertebrae:
        vertebra = material.vertebra(found.label)
        level, number = found.level, found.label
        bone = codes.level_concept(level)
        whole = _joined(vertebra.whole, vertebra.body)
        yield Segment(
            SegmentKind.VERTEBRA,
            f"{found.name} vertebra",
            codes.ANATOMY,
            bone,
            VERTEBRA_RGB,
            whole,
            number,
            level,
        )
        yield Segment(
            SegmentKind.BODY,
            f"{found.name} body",
            codes.ANATOMY,
            codes.VERTEBRAL_BODY,
            BODY_RGB,
            vertebra.body,
            number,
            level,
        )
        if not found.treated:
            continue
        owned = material.cement.region & (material.cement.owner == number)
        yield Segment(
            SegmentKind.CEMENT,
            f"{found.name} cement",
            codes.PHYSICAL_OBJECT,
            codes.BONE_CEMENT,
            STROKES[Drawn.CEMENT].rgb,
            Region(material.cement.box, owned),
            number,
            level,
        )
        lesion = material.lesions.get(number)
        if lesion is not None and found.lesion_volume_ml is not None:
            inside = np.asarray(lesion.fraction >= 0.5)
            yield Segment(
                SegmentKind.LESION,
                f"{found.name} lesion",
                codes.ABNORMAL,
                codes.LESION,
                STROKES[Drawn.LESION].rgb,
                Region(lesion.box, inside),
                number,
                level,
            )
    for kind, region in material.leak_regions.items():
        concept, colour = codes.LEAKS[kind], STROKES[LEAK_DRAWN[kind]].rgb
        yield Segment(
            SegmentKind.LEAK, concept.meaning, codes.PHYSICAL_OBJECT, concept, colour, region, leak=kind
        )


def _joined(one: Region, other: Region) -> Region:
    box = one.box.union(other.box)
    return Region(box, one.in_box(box) | other.in_box(box))


def build_segmentation(
    report: StudyReport, segments: tuple[Segment, ...], source: SourceImages, identity: ResultIdentity
) -> Segmentation:
    """Return the segmentation object.

    Parameters
    ----------
    report
        Names version and configuration.
    segments
        At least one.
    source
        The images that it refers to.
    identity
        Of its UIDs.
    """
    import highdicom

    stack = _stack(source.scan, segments)
    descriptions = [_described(n, s, report, identity) for n, s in enumerate(segments, start=1)]
    pixels: Any = stack
    if not source.one_per_slice:
        pixels = highdicom.Volume(
            stack,
            source.scan.source_grid.affine_lps,
            coordinate_system="PATIENT",
            frame_of_reference_uid=source.first.get("FrameOfReferenceUID"),
            channels={"SegmentNumber": list(range(1, len(segments) + 1))},
        )
    with quiet():
        made = highdicom.seg.Segmentation(
            source_images=list(source.datasets),
            pixel_array=pixels,
            segmentation_type="BINARY",
            segment_descriptions=descriptions,
            series_instance_uid=identity.uid("seg", "series"),
            series_number=identity.first_series_number,
            sop_instance_uid=identity.uid("seg", "instance"),
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=MODEL,
            software_versions=report.software.version,
            device_serial_number=SERIAL_NUMBER,
            content_label="BONE_CEMENT",
            content_description=wording.RESEARCH_ONLY,
            series_description="cementct segmentation",
            contributing_equipment=[contributing_equipment(report.software)],
        )
    declare_private_scheme(made)
    settle(made, source.first, identity, "seg")
    return made


def _stack(scan: Scan, segments: tuple[Segment, ...]) -> BoolArray:
    """Return the segments on the file's own grid, (slice, row, column, segment).

    Stored with the segment slowest: memory that no voxel touches is never taken.
    """
    stack = np.zeros((len(segments), *scan.source_grid.shape), dtype=np.bool_)
    for array, segment in zip(stack, segments, strict=True):
        canonical = scan.reorientation.apply(array)
        canonical[segment.region.box.slices] = segment.region.voxels
    return np.moveaxis(stack, 0, -1)


def _described(number: int, segment: Segment, report: StudyReport, identity: ResultIdentity) -> Any:
    import highdicom

    regions = None
    if segment.kind in {SegmentKind.BODY, SegmentKind.CEMENT, SegmentKind.LESION}:
        regions = [coded(codes.level_concept(segment.level))]
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=segment.label,
        segmented_property_category=coded(segment.category),
        segmented_property_type=coded(segment.type),
        algorithm_type="AUTOMATIC",
        algorithm_identification=algorithm(report.software),
        tracking_uid=identity.uid("segment", segment.label),
        tracking_id=segment.label,
        anatomic_regions=regions,
        display_color=highdicom.color.CIELabColor.from_rgb(*segment.rgb),
    )
