"""The summary of a batch: one row a vertebra of every study, and how each study ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from cementct.core.findings import SCHEMA_VERSION, LesionSource
from cementct.core.outcome import StudyOutcome, StudyState
from cementct.report.csv import Cell, columns, encode_rows, vertebra_row
from cementct.report.files import replace_file
from cementct.report.parquet import encode_parquet
from cementct.report.rounding import rounded

# Name of the files of a summary, and of those of one shard of a batch.
SUMMARY = "summary"


@dataclass(frozen=True)
class Summary:
    """What is told of a batch.

    Attributes
    ----------
    studies
        One entry a study: name, state, and why it did not end well.
    vertebrae
        One row a vertebra of every study, cells by the name of their column.
    """

    studies: tuple[Mapping[str, Any], ...]
    vertebrae: tuple[Mapping[str, Cell], ...]

    @classmethod
    def of(cls, outcomes: Sequence[StudyOutcome]) -> Summary:
        """Return the summary of studies that have ended."""
        return cls(tuple(_study(outcome) for outcome in outcomes), tuple(_rows(outcomes)))

    def as_csv(self) -> bytes:
        """Return one row a vertebra of every study that was done, the study's name in front."""
        return encode_rows(["study", *columns()], self.vertebrae)

    def as_json(self) -> bytes:
        """Return the studies with their states, the vertebrae of all, and counts, as indented JSON.

        Lesions measured with and without a pre-injection series are counted apart and never pooled.
        """
        data = {
            "schema_version": SCHEMA_VERSION,
            "studies": self.studies,
            "counts": self._counts(),
            "vertebrae": [{name: row.get(name) for name in ["study", *columns()]} for row in self.vertebrae],
        }
        return msgspec.json.format(msgspec.json.encode(data), indent=2) + b"\n"

    def write(self, folder: Path, stem: str = SUMMARY) -> None:
        """Write the table as CSV and Parquet, and the JSON file, into a folder, each whole or not at all."""
        replace_file(folder / f"{stem}.csv", self.as_csv())
        replace_file(folder / f"{stem}.parquet", encode_parquet(self.vertebrae))
        replace_file(folder / f"{stem}.json", self.as_json())

    def _counts(self) -> dict[str, object]:
        states = [study["state"] for study in self.studies]
        sources = [row.get("lesion_source") for row in self.vertebrae if row.get("treated")]
        return {
            "studies": {state.value: states.count(state.value) for state in StudyState},
            "treated_vertebrae": len(sources),
            "treated_vertebrae_by_lesion_source": {
                source.value: sources.count(source.value) for source in LesionSource
            },
        }


def read_summary(data: bytes) -> Summary:
    """Return the summary that a JSON file holds.

    Raises
    ------
    ValueError
        Where it is none.
    """
    try:
        held = msgspec.json.decode(data)
        summary = Summary(tuple(held["studies"]), tuple(held["vertebrae"]))
        known = {str(study["study"]) for study in summary.studies}
        if any(row["study"] not in known for row in summary.vertebrae):
            raise ValueError("it has vertebrae of studies that it does not list")
    except (msgspec.MsgspecError, KeyError, TypeError) as error:
        raise ValueError("it is no summary of this tool") from error
    return summary


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
