"""The report as JSON: every key always there, the same bytes for the same findings."""

from __future__ import annotations

import msgspec

from cementct.core.findings import StudyReport
from cementct.report.rounding import rounded


def encode_report(report: StudyReport) -> bytes:
    """Return the report as indented UTF-8 JSON with a newline at its end.

    Keys stand in the order of the data model; numbers are rounded; None is null.
    """
    return msgspec.json.format(msgspec.json.encode(rounded(report)), indent=2) + b"\n"


def decode_report(data: bytes) -> StudyReport:
    """Return the report that `encode_report` wrote.

    Raises
    ------
    ValueError
        Where the data is no report of this schema.
    """
    try:
        return msgspec.json.decode(data, type=StudyReport)
    except msgspec.MsgspecError as error:
        raise ValueError(f"expected a report of cementct, got something else: {error}") from error
