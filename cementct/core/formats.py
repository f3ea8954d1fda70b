"""The forms in which a report can be written."""

from __future__ import annotations

from enum import StrEnum


class ReportFormat(StrEnum):
    """One form of the report; label maps are written whichever is asked for."""

    JSON = "json"
    CSV = "csv"
    HTML = "html"
    PDF = "pdf"
    SEG = "seg"
    SR = "sr"
    SC = "sc"


# Forms of which a part at least is a DICOM object.
DICOM_FORMATS = frozenset({ReportFormat.PDF, ReportFormat.SEG, ReportFormat.SR, ReportFormat.SC})
DEFAULT_FORMATS: tuple[ReportFormat, ...] = (ReportFormat.JSON, ReportFormat.CSV, ReportFormat.HTML)
