"""A processing module of the mercure router: one study in a flat folder, results in another.

Contract of such modules: https://mercure-imaging.org (processing module interface). Settings come from
``task.json``, which also holds patient data: nothing else of it is looked at, and nothing is logged.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from cementct.core.errors import StudyRefused, UsageError
from cementct.core.findings import CompartmentState, StudyReport
from cementct.core.outcome import StudyOutcome
from cementct.pipeline.batch import run_study_in_child
from cementct.pipeline.discover import discover_studies
from cementct.pipeline.options import (
    RunOptions,
    parse_formats,
    parse_level,
    parse_levels,
    parse_vertebrae,
)
from cementct.pipeline.task import StudyTask
from cementct.report.wording import RESEARCH_ONLY
from cementct.report.words import neural_line
from cementct.segmentation.presence import shows_cement

IN_VARIABLE, OUT_VARIABLE = "MERCURE_IN_DIR", "MERCURE_OUT_DIR"
TASK_FILE, RESULT_FILE = "task.json", "result.json"
DEFAULT_FORMATS = "seg,sr,sc,pdf"
# The router sets no limit of its own.
DEFAULT_TIMEOUT_S = 900.0
NAME = "cementct"
# States of canal and foramina that somebody should hear of: silence must not read as a negative.
_SPEAK_OF = frozenset({CompartmentState.PRESENT, CompartmentState.POSSIBLE, CompartmentState.NOT_ASSESSABLE})


def run_module(environment: Mapping[str, str]) -> StudyOutcome:
    """Analyse the study in the input folder and write DICOM results and ``result.json``.

    Parameters
    ----------
    environment
        Holds `MERCURE_IN_DIR` and `MERCURE_OUT_DIR`.

    Raises
    ------
    UsageError
        Where a variable is missing, a folder cannot be used, or a setting is not understood.
    StudyRefused
        Where the input holds no study.
    """
    source, target = (_folder(environment, name) for name in (IN_VARIABLE, OUT_VARIABLE))
    settings = read_module_settings(source / TASK_FILE)
    options = options_of(settings)
    work = _work_folder(target)
    try:
        outcome = _analyse(source, work, options)
        for path in sorted(work.glob("*/dicom/*.dcm")):
            shutil.copyfile(path, target / path.name)
        (target / RESULT_FILE).write_bytes(msgspec.json.encode(result_of(outcome)))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return outcome


def read_module_settings(path: Path) -> dict[str, Any]:
    """Return ``process.settings`` of a task file; nothing where there is no file or no settings.

    Raises
    ------
    UsageError
        Where the file is no JSON object of the known form.
    """
    try:
        task = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        raise UsageError(f"{TASK_FILE}: expected a JSON object, it cannot be read") from error
    process = task.get("process") if isinstance(task, dict) else None
    steps = process if isinstance(process, list) else [process]
    known = [step for step in steps if isinstance(step, dict)]
    own = [step for step in known if NAME in str(step.get("module_name", ""))] or known[:1]
    settings = own[0].get("settings") if own else None
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise UsageError(f"{TASK_FILE}: process.settings: expected an object")
    return settings


def result_of(outcome: StudyOutcome) -> dict[str, Any]:
    """Return the content of ``result.json``: a status, numbers, and a notification where one is due."""
    result: dict[str, Any] = {"status": outcome.state.value}
    if outcome.why:
        result["why"] = outcome.why
    report = outcome.report
    if report is None:
        return result
    result["treated"] = [
        {
            "level": v.level.value if v.level else None,
            "cement_volume_ml": v.cement_volume_ml,
            "filling_rate": v.filling_rate,
            "leaks": [leak.type.value for leak in v.leaks],
        }
        for v in report.treated
    ]
    if _is_worth_telling(report):
        text = f"{NAME} ({RESEARCH_ONLY.lower()}): {neural_line(report)}"
        result["__mercure_notification"] = {"text": text, "requested": True}
    return result


def _is_worth_telling(report: StudyReport) -> bool:
    for vertebra in report.treated:
        states = vertebra.compartments
        if states is None or {states.epidural, states.foraminal_left, states.foraminal_right} & _SPEAK_OF:
            return True
    return False


def options_of(settings: Mapping[str, Any]) -> RunOptions:
    """Return the options that the settings of a task ask for; UsageError where they are not understood."""
    known = {"formats", "vertebrae", "top_level", "levels", "series_offset", "study_timeout_s"}
    unknown = sorted(set(settings) - known)
    if unknown:
        expected = ", ".join(sorted(known))
        raise UsageError(f"{TASK_FILE}: process.settings: expected {expected}, found {', '.join(unknown)}")
    engine, file = parse_vertebrae(str(settings["vertebrae"])) if "vertebrae" in settings else (None, None)
    if file is not None:
        raise UsageError(f"{TASK_FILE}: process.settings.vertebrae: expected an engine, found a file")
    timeout, offset = settings.get("study_timeout_s", DEFAULT_TIMEOUT_S), settings.get("series_offset", 0)
    if not isinstance(timeout, int | float) or not isinstance(offset, int) or timeout <= 0 or offset < 0:
        raise UsageError(f"{TASK_FILE}: process.settings: study_timeout_s and series_offset are numbers")
    top, levels = settings.get("top_level"), settings.get("levels")
    return RunOptions(
        engine=engine,
        top_level=parse_level(str(top), option="top_level") if top else None,
        levels=parse_levels(str(levels)) if levels else (),
        formats=parse_formats(str(settings.get("formats", DEFAULT_FORMATS))),
        study_timeout_s=float(timeout),
        series_offset=offset,
    )


def _folder(environment: Mapping[str, str], name: str) -> Path:
    value = environment.get(name)
    if not value:
        raise UsageError(f"{name}: expected a folder in this environment variable, it is not set")
    path = Path(value)
    if not path.is_dir():
        raise UsageError(f"{name}: expected a folder, there is none")
    return path


def _work_folder(target: Path) -> Path:
    """Return a folder for unfinished things: the root may be read-only, so not the system's own."""
    try:
        work = Path(tempfile.mkdtemp(prefix=".cementct-", dir=target))
    except OSError as error:
        raise UsageError(f"{OUT_VARIABLE}: cannot write to this folder ({error.strerror})") from error
    os.environ["TMPDIR"] = str(work)
    tempfile.tempdir = str(work)
    return work


def _analyse(source: Path, work: Path, options: RunOptions) -> StudyOutcome:
    studies = discover_studies([source], shows_cement)
    if len(studies) != 1:
        raise StudyRefused(f"expected one study, found {len(studies)}")
    # From nothing: a fork server would need a socket in a folder that a read-only root lacks.
    return run_study_in_child(StudyTask(studies[0], options, work), from_nothing=True)
