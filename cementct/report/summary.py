"""The summary of a batch: one row a vertebra of every study, and how each study ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from cementct.core.findings import SCHEMA_VERSION, LesionSource
from cementct.core.outcome import StudyOutcome, StudyState
from cementct.report.csv import Cell, columns, encode_rows, vertebra_row
from cementct.report.files import replace_file
from cementct.report.rounding import rounded


def write_summary(outcomes: Sequence[StudyOutcome], folder: Path) -> None:
    """Write ``summary.csv`` and ``summary.json`` into a folder, each whole or not at all."""
    replace_file(folder / "summary.csv", encode_summary_csv(outcomes))
    replace_file(folder / "summary.json", encode_summary_json(outcomes))


def encode_summary_csv(outcomes: Sequence[StudyOutcome]) -> bytes:
    """Return one row a vertebra of every study that was done, the study's name in front."""
    return encode_rows(["study", *columns()], _rows(outcomes))


def encode_summary_json(outcomes: Sequence[StudyOutcome]) -> bytes:
    """Return the studies with their states, the vertebrae of all, and counts, as indented JSON.

    Lesions measured with and without a pre-injection series are counted apart and never pooled.
    """
    data = {
        "schema_version": SCHEMA_VERSION,
        "studies": [_study(outcome) for outcome in outcomes],
        "counts": _counts(outcomes),
        "vertebrae": [{name: row.get(name) for name in ["study", *columns()]} for row in _rows(outcomes)],
    }
    return msgspec.json.format(msgspec.json.encode(data), indent=2) + b"\n"


def _rows(outcomes: Sequence[StudyOutcome]) -> list[dict[str, Cell]]:
    return [
        {"study": outcome.study, **vertebra_row(vertebra)}
        for outcome in outcomes
        if outcome.report is not None
        for vertebra in rounded(outcome.report).vertebrae
    ]


def _study(outcome: StudyOutcome) -> dict[str, object]:
    report = outcome.report
    return {
        "study": outcome.study,
        "state": outcome.state.value,
        "why": outcome.why,
        "vertebrae": None if report is None else len(report.vertebrae),
        "treated": None if report is None else [vertebra.name for vertebra in report.treated],
        "quality": [] if report is None else [doubt.flag.value for doubt in report.quality],
    }


def _counts(outcomes: Sequence[StudyOutcome]) -> dict[str, object]:
    treated = [vertebra for outcome in outcomes if outcome.report for vertebra in outcome.report.treated]
    return {
        "studies": {state.value: sum(o.state is state for o in outcomes) for state in StudyState},
        "treated_vertebrae": len(treated),
        "treated_vertebrae_by_lesion_source": {
            source.value: sum(vertebra.lesion_source is source for vertebra in treated)
            for source in LesionSource
        },
    }
