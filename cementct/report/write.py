"""Writing the report of one study in every form that was asked for."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from cementct.core.findings import StudyReport
from cementct.core.formats import ReportFormat
from cementct.report.files import replace_file

if TYPE_CHECKING:
    from cementct.report.material import ReportMaterial

# Forms that are files beside the label maps; the others are DICOM objects (`cementct.report.dicom`).
FILE_FORMATS = frozenset({ReportFormat.JSON, ReportFormat.CSV, ReportFormat.HTML, ReportFormat.PDF})


def write_report(
    report: StudyReport,
    material: ReportMaterial | None,
    folder: Path,
    formats: Collection[ReportFormat],
    *,
    study: str = "",
) -> tuple[Path, ...]:
    """Write ``report.json``, ``.csv``, ``.html`` and ``.pdf``, as asked for, and return their paths.

    Parameters
    ----------
    report
        What was found.
    material
        What the pictures of page and PDF are drawn from; without it they have none.
    folder
        Where to write; made where it is missing. Each file is written whole or not at all.
    formats
        Which forms; DICOM objects are left to `cementct.report.dicom`.
    study
        The name of the study to show on the page.
    """
    written = []
    for form in ReportFormat:
        if form in formats and form in FILE_FORMATS:
            path = folder / f"report.{form.value}"
            replace_file(path, _encode(report, material, form, study))
            written.append(path)
    return tuple(written)


def _encode(report: StudyReport, material: ReportMaterial | None, form: ReportFormat, study: str) -> bytes:
    if form is ReportFormat.JSON:
        from cementct.report.json import encode_report

        return encode_report(report)
    if form is ReportFormat.CSV:
        from cementct.report.csv import encode_csv

        return encode_csv(report)
    if form is ReportFormat.PDF:
        from cementct.report.pdf import render_pdf

        return render_pdf(report, material)
    from cementct.report.html import render_html

    return render_html(report, material, study=study).encode("utf-8")
