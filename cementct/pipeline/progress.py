"""What a running analysis tells whoever watches it: which study, which stage, and how it ended.

Events are plain values that cross process borders. How they look on a terminal is the command line's affair.
They carry no text of a header: a study is named as its folder in the output is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from cementct.core.outcome import StudyState


class Stage(StrEnum):
    """The steps of one study, in their order."""

    READING = "reading"
    ANATOMY = "anatomy"
    PRE_INJECTION = "pre-injection scan"
    CEMENT = "cement"
    LESION = "lesion"
    LEAKS = "leaks"
    MEASURING = "measuring"
    WRITING = "writing"

    @property
    def number(self) -> int:
        """Its place in the order, counted from 1."""
        return list(Stage).index(self) + 1


@dataclass(frozen=True)
class BatchStarted:
    """The studies are known and work begins.

    Attributes
    ----------
    studies
        How many there are.
    """

    studies: int


@dataclass(frozen=True)
class StudyStarted:
    """Work on one study begins."""

    study: str


@dataclass(frozen=True)
class StageStarted:
    """One study enters a stage."""

    study: str
    stage: Stage


@dataclass(frozen=True)
class StudyFinished:
    """One study has ended, well or not.

    Attributes
    ----------
    study
        Name of its folder in the output.
    state
        How it ended.
    seconds
        Time it took on the clock.
    why
        One line on why it did not end well.
    summary
        One line on what was found, where it was done.
    already_there
        Whether it was left as an earlier run had written it.
    """

    study: str
    state: StudyState
    seconds: float
    why: str | None = None
    summary: str | None = None
    already_there: bool = False


ProgressEvent = BatchStarted | StudyStarted | StageStarted | StudyFinished
ProgressListener = Callable[[ProgressEvent], None]


def ignore_progress(event: ProgressEvent) -> None:
    """Listen to nothing."""
    del event
