"""Which DICOM objects are written for a study, and under which names."""

from __future__ import annotations

import io
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from cementct.core.findings import StudyReport
from cementct.core.formats import ReportFormat
from cementct.io.quiet import quiet
from cementct.io.scan import Scan
from cementct.report.dicom.identity import FIRST_SERIES_NUMBER, ResultIdentity
from cementct.report.dicom.pdf import build_encapsulated_pdf
from cementct.report.dicom.sc import build_key_image, draw_key_images
from cementct.report.dicom.seg import build_segmentation, collect_segments
from cementct.report.dicom.source import read_source_images
from cementct.report.dicom.sr import build_report
from cementct.report.files import replace_file
from cementct.report.material import ReportMaterial
from cementct.report.rounding import rounded

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

DICOM_FOLDER = "dicom"
SEG_FILE, SR_FILE, PDF_FILE, FIRST_SC_FILE = "seg.dcm", "sr.dcm", "report-pdf.dcm", "sc-001.dcm"


def write_dicom(
    report: StudyReport,
    material: ReportMaterial,
    scan: Scan,
    folder: Path,
    formats: Collection[ReportFormat],
    *,
    document: bytes | None = None,
    series_offset: int = 0,
) -> tuple[Path, ...]:
    """Write the DICOM objects that were asked for into ``dicom/`` and return their paths.

    Without a vertebra there is no segmentation, and without a treated one there are no key images.

    Parameters
    ----------
    report, material
        What was found, and on what.
    scan
        The post-injection series, from DICOM.
    folder
        Of the study's results.
    formats
        Which objects.
    document
        The report as PDF, to be wrapped.
    series_offset
        Added to the series numbers of the results.

    Raises
    ------
    StudyRefused
        Where the series cannot be referred to.
    """
    report = rounded(report)
    source = read_source_images(scan)
    identity = ResultIdentity.of(report, formats, FIRST_SERIES_NUMBER + series_offset)
    made: dict[str, Dataset] = {}
    segmentation = None
    if ReportFormat.SEG in formats:
        segments = collect_segments(report, material)
        if segments:
            segmentation = build_segmentation(report, segments, source, identity), segments
            made[SEG_FILE] = segmentation[0]
    if ReportFormat.SR in formats:
        made[SR_FILE] = build_report(report, source, identity, segmentation)
    if ReportFormat.SC in formats:
        for number, image in enumerate(draw_key_images(report, material, source), start=1):
            made[f"sc-{number:03d}.dcm"] = build_key_image(image, number, report, source, identity)
    if document is not None:
        made[PDF_FILE] = build_encapsulated_pdf(document, report, source, identity)
    return tuple(_save(dataset, folder / DICOM_FOLDER / name) for name, dataset in made.items())


def expected_files(report: StudyReport, formats: Collection[ReportFormat]) -> tuple[str, ...]:
    """Return the DICOM files that a whole result of a report has, relative to its folder."""
    wanted = []
    if ReportFormat.SEG in formats and report.vertebrae:
        wanted.append(SEG_FILE)
    if ReportFormat.SR in formats:
        wanted.append(SR_FILE)
    if ReportFormat.SC in formats and report.treated:
        wanted.append(FIRST_SC_FILE)
    if ReportFormat.PDF in formats and report.study.post.series_instance_uid is not None:
        wanted.append(PDF_FILE)
    return tuple(f"{DICOM_FOLDER}/{name}" for name in wanted)


def _save(dataset: Dataset, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    target = io.BytesIO()
    with quiet():
        dataset.save_as(target, enforce_file_format=True)
    replace_file(path, target.getvalue())
    return path
