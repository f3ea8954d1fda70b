"""What an input holds and what would be used of it, told without an analysis."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cementct.core.errors import StudyRefused
from cementct.core.findings import SeriesReport
from cementct.pipeline.discover import StudySource, discover_studies
from cementct.pipeline.evidence import ShowsCement
from cementct.pipeline.study_input import StudyInput, open_study


@dataclass(frozen=True)
class ListedSeries:
    """One series or file of a study.

    Attributes
    ----------
    use
        "post-injection", "pre-injection" or "not used".
    name
        Its SeriesInstanceUID, or its file relative to the study.
    size
        Shape and spacing along z, y and x; empty where it was not read.
    why
        Why it would be used, or not.
    """

    use: str
    name: str
    size: str
    why: str


@dataclass(frozen=True)
class ListedStudy:
    """One study of an input.

    Attributes
    ----------
    study
        Name that its folder in the output would have.
    refused
        Why it cannot be analysed, in one line; None where it can.
    series
        What it holds.
    """

    study: str
    refused: str | None
    series: tuple[ListedSeries, ...] = ()


def list_inputs(path: Path, shows_cement: ShowsCement) -> tuple[ListedStudy, ...]:
    """Return the studies that a path holds, and which of their series would be used.

    Parameters
    ----------
    path
        A study, or a folder of studies.
    shows_cement
        Looks at a volume for cement; it decides which series is the post-injection one.
    """
    return tuple(_list_study(source, shows_cement) for source in discover_studies([path], shows_cement))


def as_json(studies: Sequence[ListedStudy]) -> str:
    """Return the studies as indented JSON."""
    return json.dumps({"studies": [asdict(study) for study in studies]}, indent=2, ensure_ascii=False)


def as_table(studies: Sequence[ListedStudy], width: int) -> str:
    """Return the studies as text, one table each, at most `width` letters wide where that can be."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(width=width, color_system=None, highlight=False, markup=False)
    with console.capture() as text:
        for study in studies:
            console.print(
                study.study if study.refused is None else f"{study.study}: refused: {study.refused}"
            )
            if study.series:
                table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
                for heading in ("use", "series or file", "size", "why"):
                    table.add_column(heading, overflow="fold", no_wrap=heading == "use")
                for series in study.series:
                    table.add_row(series.use, series.name, series.size, series.why)
                console.print(table)
    return text.get().rstrip("\n")


def _list_study(source: StudySource, shows_cement: ShowsCement) -> ListedStudy:
    try:
        study = open_study(source, shows_cement)
    except StudyRefused as refusal:
        return ListedStudy(source.name, str(refusal))
    return ListedStudy(source.name, None, _series(study))


def _series(study: StudyInput) -> tuple[ListedSeries, ...]:
    listed = [_used("post-injection", study.post_report)]
    if study.pre_report is not None:
        listed.append(_used("pre-injection", study.pre_report))
    listed += [
        ListedSeries("not used", other.series_instance_uid or other.file or "–", "", other.why)
        for other in study.ignored
    ]
    masks = (
        ("vertebrae", study.vertebra_file),
        ("lesion", study.lesion_file),
        ("cement", study.cement_file),
    )
    listed += [
        ListedSeries(f"{use} mask", file.name, "", "Named so.") for use, file in masks if file is not None
    ]
    return tuple(listed)


def _used(use: str, report: SeriesReport) -> ListedSeries:
    shape = " × ".join(str(n) for n in report.shape)
    spacing = " × ".join(f"{step:.3g}" for step in report.spacing_mm)
    name = report.series_instance_uid or report.file or "–"
    return ListedSeries(use, name, f"{shape}, {spacing} mm", report.why)
