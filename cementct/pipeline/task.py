"""One study of a batch as a task: what to analyse, how, where to write, and whether that was done before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from cementct.core.errors import StudyRefused
from cementct.core.findings import StudyReport
from cementct.core.formats import DICOM_FORMATS
from cementct.pipeline.analyze import software_of
from cementct.pipeline.discover import StudySource
from cementct.pipeline.options import RunOptions
from cementct.pipeline.study_input import study_identity
from cementct.pipeline.write import label_map_files
from cementct.report.write import FILE_FORMATS


@dataclass(frozen=True)
class StudyTask:
    """One study of a batch: what to analyse, how, and where to write."""

    source: StudySource
    options: RunOptions
    out: Path

    @property
    def folder(self) -> Path:
        """Where its results go."""
        return self.out / self.source.name


def standing_report(task: StudyTask) -> StudyReport | None:
    """Return the report of an earlier run of the same input, version and configuration, where it is whole."""
    formats = task.options.formats
    names = [*(f"report.{f.value}" for f in formats if f in FILE_FORMATS), *label_map_files(), "report.json"]
    if not all((task.folder / name).is_file() for name in names):
        return None
    try:
        report = msgspec.json.decode((task.folder / "report.json").read_bytes(), type=StudyReport)
        same = report.software == software_of(task.options) and (
            report.study.input_sha256 == study_identity(task.source)
        )
        if DICOM_FORMATS & {*formats}:
            from cementct.report.dicom.write import expected_files

            same = same and all((task.folder / name).is_file() for name in expected_files(report, formats))
    except (OSError, msgspec.MsgspecError, StudyRefused):
        return None
    return report if same else None
