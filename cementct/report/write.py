"""Writing the report of one study in every form that was asked for."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from cementct.core.errors import UsageError
from cementct.core.findings import StudyReport
from cementct.core.formats import ReportFormat
from cementct.report.files import replace_file

if TYPE_CHECKING:
    from cementct.report.material import ReportMaterial

# Forms that this version can write.
AVAILABLE_FORMATS = frozenset({ReportFormat.JSON, ReportFormat.CSV, ReportFormat.HTML})


def require_available(formats: Collection[ReportFormat]) -> None:
    """Refuse forms that this version cannot write, before any work is done.

    Raises
    ------
    UsageError
        Where there is one.
    """
    missing = [form.value for form in ReportFormat if form in formats and form not in AVAILABLE_FORMATS]
    if missing:
        here = ", ".join(form.value for form in ReportFormat if form in AVAILABLE_FORMATS)
        raise UsageError(f"--format: {', '.join(missing)} not available yet; this version writes {here}")


def write_report(
    report: StudyReport,
    material: ReportMaterial | None,
    folder: Path,
    formats: Collection[ReportFormat],
    *,
    study: str = "",
) -> tuple[Path, ...]:
    """Write ``report.json``, ``report.csv`` and ``report.html``, as asked for, and return their paths.

    Parameters
    ----------
    report
        What was found.
    material
        What the pictures of the page are drawn from; without it the page has none.
    folder
        Where to write; made where it is missing. Each file is written whole or not at all.
    formats
        Which forms.
    study
        The name of the study to show on the page.

    Raises
    ------
    UsageError
        Where a form is not available yet; nothing is written then.
    """
    require_available(formats)
    written = []
    for form in ReportFormat:
        if form in formats:
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
    from cementct.report.html import render_html

    return render_html(report, material, study=study).encode("utf-8")
