"""How the progress of a run looks: a bar on a terminal, plain lines elsewhere, JSON lines for machines.

All of it goes to standard error; standard output is kept for results.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

from cementct.core.outcome import StudyState
from cementct.pipeline.progress import (
    BatchStarted,
    ProgressEvent,
    ProgressListener,
    Stage,
    StageStarted,
    StudyFinished,
    StudyStarted,
)

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Clock = Callable[[], float]


class ProgressStyle(StrEnum):
    """Who watches."""

    BAR = "bar"
    PLAIN = "plain"
    JSON = "json"
    QUIET = "quiet"


@contextmanager
def watching(
    style: ProgressStyle, stream: TextIO, clock: Clock = time.monotonic
) -> Iterator[ProgressListener]:
    """Give a listener that shows progress on `stream` for as long as the context lasts."""
    if style is ProgressStyle.BAR:
        with _bar(stream) as progress:
            yield _BarListener(progress, clock)
    elif style is ProgressStyle.JSON:
        yield _JsonListener(stream, clock)
    elif style is ProgressStyle.QUIET:
        yield _QuietListener(stream)
    else:
        yield _PlainListener(stream, clock)


@dataclass
class _Forecast:
    """How far a batch is, and how long the rest will take at the pace of the studies so far.

    Attributes
    ----------
    studies, done
        How many there are, and how many have ended.
    analysed
        How many of them were not there already.
    began, left_s
        When the batch began, by the listener's clock, and how many seconds it will still take; None while
        nothing was analysed, and where nothing is left.
    """

    studies: int = 0
    done: int = 0
    analysed: int = 0
    began: float = 0.0
    left_s: float | None = None

    def begin(self, event: BatchStarted, now: float) -> None:
        self.studies, self.done, self.analysed, self.began, self.left_s = event.studies, 0, 0, now, None

    def end(self, event: StudyFinished, now: float) -> None:
        self.done += 1
        self.analysed += not event.already_there
        left = self.studies - self.done
        known = left > 0 and self.analysed > 0
        self.left_s = (now - self.began) / self.analysed * left if known else None

    def in_words(self) -> str:
        """Return how far the batch is, such as ``3 of 200, about 12 min left``."""
        left = "" if self.left_s is None else f", about {_duration(self.left_s)} left"
        return f"{self.done} of {self.studies}{left}"


def _duration(seconds: float) -> str:
    """Return a time in words, no finer than a forecast can be."""
    if seconds < 100:
        return f"{max(round(seconds), 1)} s"
    if seconds < 100 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def finished_line(event: StudyFinished) -> str:
    """Return one line on how a study ended."""
    if event.already_there:
        return f"{event.study}: already there, left as it was"
    if event.state is StudyState.DONE:
        found = f": {event.summary}" if event.summary else ""
        return f"{event.study}: done in {event.seconds:.1f} s{found}"
    return f"{event.study}: {event.state.value}: {event.why or 'for a reason that was not recorded'}"


class _PlainListener:
    """Writes one line a stage and one a study that has ended."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream, self._clock = stream, clock
        self._forecast = _Forecast()

    def __call__(self, event: ProgressEvent) -> None:
        if isinstance(event, BatchStarted):
            self._forecast.begin(event, self._clock())
            if event.studies != 1:
                self._write(f"{event.studies} studies")
        elif isinstance(event, StageStarted):
            self._write(f"{event.study}: {event.stage.value} ({event.stage.number}/{len(Stage)})")
        elif isinstance(event, StudyFinished):
            self._forecast.end(event, self._clock())
            far = f" ({self._forecast.in_words()})" if self._forecast.studies > 1 else ""
            self._write(finished_line(event) + far)

    def _write(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class _QuietListener:
    """Writes one line a study that did not end well."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: ProgressEvent) -> None:
        if isinstance(event, StudyFinished) and event.state is not StudyState.DONE:
            print(finished_line(event), file=self._stream, flush=True)


class _JsonListener:
    """Writes one JSON object a line for every event, with the seconds since the run began."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._start = clock()
        self._forecast = _Forecast()

    def __call__(self, event: ProgressEvent) -> None:
        now = self._clock()
        entry = {"event": _EVENT_NAMES[type(event)], "at_s": round(now - self._start, 3), **asdict(event)}
        if isinstance(event, BatchStarted):
            self._forecast.begin(event, now)
        elif isinstance(event, StudyFinished):
            self._forecast.end(event, now)
            left = self._forecast.left_s
            entry |= {"studies_done": self._forecast.done, "left_s": None if left is None else round(left, 1)}
        print(json.dumps(entry), file=self._stream, flush=True)


_EVENT_NAMES: dict[type[ProgressEvent], str] = {
    BatchStarted: "batch-started",
    StudyStarted: "study-started",
    StageStarted: "stage-started",
    StudyFinished: "study-finished",
}


class _BarListener:
    """Moves one bar for all studies and one for each that is being worked on."""

    def __init__(self, progress: Progress, clock: Clock) -> None:
        self._progress, self._clock = progress, clock
        self._forecast = _Forecast()
        self._all: TaskID | None = None
        self._studies: dict[str, TaskID] = {}

    def __call__(self, event: ProgressEvent) -> None:
        if isinstance(event, BatchStarted):
            self._forecast.begin(event, self._clock())
            if event.studies > 1:
                self._all = self._progress.add_task(f"{event.studies} studies", total=event.studies, stage="")
        elif isinstance(event, StudyStarted):
            self._studies[event.study] = self._progress.add_task(
                event.study, total=len(Stage), stage="waiting"
            )
        elif isinstance(event, StageStarted):
            task = self._studies.get(event.study)
            if task is not None:
                self._progress.update(task, completed=event.stage.number - 1, stage=event.stage.value)
        else:
            self._finish(event)

    def _finish(self, event: StudyFinished) -> None:
        task = self._studies.pop(event.study, None)
        if task is not None:
            self._progress.remove_task(task)
        self._progress.console.print(finished_line(event), markup=False, highlight=False, soft_wrap=True)
        self._forecast.end(event, self._clock())
        if self._all is not None:
            left = self._forecast.left_s
            words = "" if left is None else f"about {_duration(left)} left"
            self._progress.update(self._all, advance=1, stage=words)


def _bar(stream: TextIO) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[stage]}", markup=False),
        TimeElapsedColumn(),
        console=Console(file=stream),
        transient=True,
    )
