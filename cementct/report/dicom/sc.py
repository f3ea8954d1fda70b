"""Key images: what the report shows of each treated vertebra and leak, as pictures any viewer opens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cementct.core.arrays import as_floats
from cementct.core.findings import StudyReport
from cementct.core.flags import Severity
from cementct.io.quiet import quiet
from cementct.report import wording
from cementct.report.dicom.equipment import MANUFACTURER, contributing_equipment
from cementct.report.dicom.identity import ResultIdentity, settle
from cementct.report.dicom.source import SourceImages
from cementct.report.material import ReportMaterial
from cementct.report.pictures.picture import Window
from cementct.report.pictures.planes import View
from cementct.report.pictures.raster import draw_rgb, with_lines
from cementct.report.pictures.vertebra import Section, draw_vertebra

if TYPE_CHECKING:
    from highdicom.sc import SCImage

# Where rows and columns of a picture run to.
ORIENTATIONS: dict[View, tuple[str, str]] = {
    View.AXIAL: ("L", "P"),
    View.SAGITTAL: ("P", "F"),
    View.CORONAL: ("L", "F"),
}
# Longest list of flags on a picture; the rest is counted.
MOST_FLAGS = 3


@dataclass(frozen=True)
class KeyImage:
    """One picture.

    Attributes
    ----------
    pixels
        RGB, uint8, shape (rows, columns, 3).
    slices
        The slices it was drawn from, in the file's own order.
    view
        From where it looks at the patient.
    sides_known
        Whether left and right may be said.
    """

    pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    slices: tuple[int, ...]
    view: View
    sides_known: bool


def draw_key_images(
    report: StudyReport, material: ReportMaterial, source: SourceImages
) -> Iterator[KeyImage]:
    """Yield the pictures of every treated vertebra: its canal, then each of its leaks.

    Each carries left and right, level, window, the flags that say stop, and that it is for research.
    """
    warnings = _warnings(report)
    for found in report.treated:
        stops = [f.flag.value for f in found.quality if f.severity is Severity.STOP]
        for section in draw_vertebra(material, found, report.vertebrae).sections:
            lines = (wording.RESEARCH_ONLY, *_shortened([*warnings, *stops]))
            pixels = with_lines(draw_rgb(section.post, Window.BONE), lines)
            known = not material.spine.orientation_contradicts_anatomy
            yield KeyImage(pixels, _slices(section, source), section.plane.view, known)


def build_key_image(
    image: KeyImage, number: int, report: StudyReport, source: SourceImages, identity: ResultIdentity
) -> SCImage:
    """Return one picture as a secondary capture in a series of its own."""
    import highdicom
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    with quiet():
        made = highdicom.sc.SCImage.from_ref_dataset(
            ref_dataset=source.at(image.slices[len(image.slices) // 2]),
            pixel_array=np.ascontiguousarray(image.pixels),
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            series_instance_uid=identity.uid("sc", "series"),
            series_number=identity.first_series_number + 2,
            sop_instance_uid=identity.uid("sc", number),
            instance_number=number,
            manufacturer=MANUFACTURER,
            patient_orientation=ORIENTATIONS[image.view],
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            contributing_equipment=[contributing_equipment(report.software)],
        )
    if not image.sides_known:
        made.PatientOrientation = None
    # What is burned in (level, sides, window, warnings) identifies no patient.
    made.BurnedInAnnotation = "NO"
    # An unpaired part of the body: without it validators ask for a side.
    made.BodyPartExamined = "SPINE"
    made.SeriesDescription = "cementct key images"
    made.ImageComments = wording.RESEARCH_ONLY
    references = []
    for index in image.slices:
        header = source.at(index)
        item = Dataset()
        item.ReferencedSOPClassUID = header.SOPClassUID
        item.ReferencedSOPInstanceUID = header.SOPInstanceUID
        references.append(item)
    made.SourceImageSequence = Sequence(references)
    settle(made, source.first, identity, "sc")
    return made


def _warnings(report: StudyReport) -> list[str]:
    return [flag.flag.value for flag in report.quality if flag.severity is Severity.STOP]


def _shortened(flags: list[str]) -> list[str]:
    unique = list(dict.fromkeys(flags))
    if not unique:
        return []
    more = f" and {len(unique) - MOST_FLAGS} more" if len(unique) > MOST_FLAGS else ""
    return ["STOP: " + ", ".join(unique[:MOST_FLAGS]) + more]


def _slices(section: Section, source: SourceImages) -> tuple[int, ...]:
    """Return the slices (in the file's own order) that a plane passes through."""
    plane, grid = section.plane, source.scan.source_grid
    along, down = plane.axes
    centre = as_floats(plane.frame.to_lps(plane.centre_local_mm))
    corners = [
        centre + along * across * plane.width_mm / 2 + down * below * plane.height_mm / 2
        for across in (-1, 1)
        for below in (-1, 1)
    ]
    places = grid.to_index(as_floats(corners))[:, 0]
    last = grid.shape[0] - 1
    first = int(np.clip(round(float(places.min())), 0, last))
    return tuple(range(first, int(np.clip(round(float(places.max())), first, last)) + 1))
