"""Many studies: each analysed in a child of its own, written whole or not at all, summed up at the end."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cementct.core.children import limit_memory
from cementct.core.errors import (
    DEBUG_VARIABLE,
    CementctError,
    OutputNotWritten,
    StudyRefused,
    UsageError,
    describe_internal_error,
)
from cementct.core.findings import StudyReport
from cementct.core.formats import DICOM_FORMATS, ReportFormat
from cementct.core.outcome import StudyOutcome, StudyState
from cementct.io.outputs import check_replaceable, check_writable, remove_unfinished, whole_folder
from cementct.pipeline.analyze import analyze_source, check_label_scheme
from cementct.pipeline.discover import StudyForm, StudySource, discover_studies
from cementct.pipeline.options import RunOptions
from cementct.pipeline.progress import (
    BatchStarted,
    ProgressEvent,
    ProgressListener,
    Stage,
    StageStarted,
    StudyFinished,
    StudyStarted,
    ignore_progress,
)
from cementct.pipeline.task import StudyTask, standing_report
from cementct.pipeline.workers import Died, Finished, TimedOut, run_in_children
from cementct.pipeline.write import label_map_files, write_study
from cementct.report.summary import SUMMARY, Summary
from cementct.segmentation.presence import shows_cement


@dataclass(frozen=True)
class BatchResult:
    """How the studies of one run ended.

    Attributes
    ----------
    entries
        One a study, in the order in which they were found.
    of_many
        Whether these are part of a batch of several studies, also where it is one alone.
    """

    entries: tuple[StudyOutcome, ...]
    of_many: bool = False

    @cached_property
    def exit_status(self) -> int:
        """What the shell is told: of one study 0 done, 3 refused, 1 failed; of several 0 all done, else 4."""
        states = [entry.state for entry in self.entries]
        if all(state is StudyState.DONE for state in states):
            return 0
        if len(states) > 1 or self.of_many:
            return 4
        return 3 if states[0] is StudyState.REFUSED else 1


def run_batch(
    inputs: Sequence[Path], out: Path, options: RunOptions, listener: ProgressListener
) -> BatchResult:
    """Analyse every study that the inputs hold, and write the results and their summary.

    Parameters
    ----------
    inputs
        Studies and folders of studies.
    out
        The folder for the results; made where it is missing.
    options
        What the user asked for.
    listener
        Called with progress events, in this process.

    Raises
    ------
    StudyRefused
        Where the folder for the results cannot be written.
    UsageError
        Where options that name something of one study meet several, a label file lacks its scheme, or results
        would take the place of images.
    """
    sources = _without_results(discover_studies(inputs, shows_cement), inputs, out)
    options.check_study_count(len(sources))
    for source in sources:
        check_label_scheme(source, options)
        _check_apart(source, out)
    _make_writable(out)
    of_many = len(sources) > 1 or options.shard is not None
    if options.shard:
        sources = options.shard.of(sources)
    if of_many:
        options = options.for_many()
    tasks = [StudyTask(source, options, out) for source in sources]
    listener(BatchStarted(len(tasks)))
    outcomes: dict[int, StudyOutcome] = {}
    waiting: list[int] = []
    for index, task in enumerate(tasks):
        standing = standing_report(task) if options.skip_existing else None
        if standing is None:
            waiting.append(index)
            continue
        outcomes[index] = StudyOutcome(task.source.name, StudyState.DONE, report=standing, already_there=True)
        listener(_finished(outcomes[index], 0.0))
    for position, outcome in _outcomes([tasks[i] for i in waiting], options, listener):
        outcomes[waiting[position]] = outcome
    result = BatchResult(tuple(outcomes[i] for i in range(len(tasks))), of_many=of_many)
    _write_summary(result, out, options)
    return result


def _without_results(
    sources: Sequence[StudySource], inputs: Sequence[Path], out: Path
) -> tuple[StudySource, ...]:
    """Return the studies without an output folder that an earlier run left below an input, which is none."""
    results, named = out.resolve(), {path.resolve() for path in inputs}

    def is_left(source: StudySource) -> bool:
        place = source.path.resolve()
        return source.refused is not None and place not in named and results in (place, *place.parents)

    return tuple(source for source in sources if not is_left(source)) or tuple(sources)


def _check_apart(source: StudySource, out: Path) -> None:
    """Refuse an output folder in which a study's results would take the place of its images.

    Raises
    ------
    UsageError
        Where they would.
    """
    images, results = source.path.resolve(), (out / source.name).resolve()
    if images == results or results in images.parents:
        raise UsageError(
            f"--out: expected another folder, the results of {source.name} would take the place of its images"
        )


def _write_summary(result: BatchResult, out: Path, options: RunOptions) -> None:
    stem = options.shard.summary_stem if options.shard else SUMMARY
    try:
        Summary.of(result.entries).write(out, stem)
    except OSError as error:
        if not result.of_many and result.exit_status != 0:
            return  # what there is to say of this study was said, in one line
        raise OutputNotWritten(f"{stem}: the summary cannot be written ({error.strerror})") from error


def run_study(task: StudyTask, listener: Callable[[ProgressEvent], None]) -> StudyOutcome:
    """Analyse one study, write its results, and return how it ended; nothing but an interrupt gets out."""
    name = task.source.name
    listener(StudyStarted(name))
    started = time.monotonic()
    try:
        _require_dicom(task)
        check_replaceable(task.folder, label_map_files())
        analysis = analyze_source(task.source, task.options, listener=listener)
        listener(StageStarted(name, Stage.WRITING))
        with whole_folder(task.folder) as folder:
            wanted = task.options
            write_study(analysis, folder, wanted.formats, study=name, series_offset=wanted.series_offset)
        outcome = StudyOutcome(name, StudyState.DONE, report=analysis.report)
    except OutputNotWritten as error:
        outcome = StudyOutcome(name, StudyState.FAILED, why=str(error))
    except CementctError as error:
        outcome = StudyOutcome(name, StudyState.REFUSED, why=str(error))
    except MemoryError:
        limit = task.options.study_memory_gb
        why = "not enough memory" + (f" (--study-memory {limit:g})" if limit else "")
        outcome = StudyOutcome(name, StudyState.FAILED, why=why)
    except Exception as error:  # noqa: BLE001 - one study must not stop the others
        if os.environ.get(DEBUG_VARIABLE):
            traceback.print_exc()
        outcome = StudyOutcome(name, StudyState.FAILED, why=describe_internal_error(error))
    listener(_finished(outcome, time.monotonic() - started))
    return outcome


def run_study_limited(task: StudyTask, listener: Callable[[ProgressEvent], None]) -> StudyOutcome:
    """Analyse one study in a process of its own, which keeps to the memory that the user allows."""
    if task.options.study_memory_gb is not None:
        limit_memory(int(task.options.study_memory_gb * 1e9))
    return run_study(task, listener)


def _require_dicom(task: StudyTask) -> None:
    """Refuse DICOM objects for a study that has no DICOM images to refer to, before any work is done."""
    wanted = [form.value for form in task.options.formats if form in DICOM_FORMATS - {ReportFormat.PDF}]
    if wanted and task.source.refused is None and task.source.form is not StudyForm.DICOM:
        raise StudyRefused(
            f"{task.source.shown or task.source.name}: --format {','.join(wanted)} expects DICOM images "
            "to refer to, found another kind of file"
        )


def run_study_in_child(task: StudyTask, *, from_nothing: bool = False) -> StudyOutcome:
    """Analyse one study in a child that is killed at its time limit, and return how it ended.

    Parameters
    ----------
    task
        The study; its options hold the time limit.
    from_nothing
        Start the child without a fork server, which needs a temporary folder.
    """
    (end,) = run_in_children(
        run_study_limited,
        [task],
        jobs=1,
        timeout_s=task.options.study_timeout_s,
        listener=ignore_progress,
        from_nothing=from_nothing,
    )
    return end.result if isinstance(end, Finished) else _ended_badly(task, end)


def _outcomes(
    tasks: Sequence[StudyTask], options: RunOptions, listener: ProgressListener
) -> Iterator[tuple[int, StudyOutcome]]:
    """Yield place and outcome of each task, in the order in which they end."""
    if options.scheduler:
        from cementct.pipeline.cluster import run_on_cluster

        for index, outcome in run_on_cluster(tasks, options.scheduler):
            listener(_finished(outcome, 0.0))
            yield index, outcome
        return
    if len(tasks) == 1 and options.study_timeout_s is None and options.study_memory_gb is None:
        yield 0, run_study(tasks[0], listener)
        return
    ends = run_in_children(
        run_study_limited, tasks, jobs=options.jobs, timeout_s=options.study_timeout_s, listener=listener
    )
    for end in ends:
        if isinstance(end, Finished):
            yield end.index, end.result
            continue
        outcome = _ended_badly(tasks[end.index], end)
        listener(_finished(outcome, end.after_s))
        yield end.index, outcome


def _ended_badly(task: StudyTask, end: TimedOut | Died) -> StudyOutcome:
    remove_unfinished(task.folder)
    name = task.source.name
    if isinstance(end, TimedOut):
        return StudyOutcome(name, StudyState.TIMEOUT, why=f"not done after {end.after_s:g} s")
    return StudyOutcome(name, StudyState.FAILED, why=f"its process ended with code {end.exit_code}")


def _finished(outcome: StudyOutcome, seconds: float) -> StudyFinished:
    return StudyFinished(
        study=outcome.study,
        state=outcome.state,
        seconds=seconds,
        why=outcome.why,
        summary=_in_one_line(outcome.report) if outcome.report else None,
        already_there=outcome.already_there,
    )


def _in_one_line(report: StudyReport) -> str:
    if not report.treated:
        return f"{len(report.vertebrae)} vertebrae, no cement identified"
    each = (f"{v.name} {v.cement_volume_ml:.1f} ml" for v in report.treated if v.cement_volume_ml is not None)
    return f"{len(report.vertebrae)} vertebrae, treated: {', '.join(each)}"


def _make_writable(out: Path) -> None:
    try:
        check_writable(out)
    except OSError as error:
        raise UsageError(f"--out: cannot write to this folder ({error.strerror})") from error
