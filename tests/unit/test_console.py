"""How progress looks to a person, to a log and to a machine."""

import io
import json

import pytest

from cementct.console import ProgressStyle, watching
from cementct.core.outcome import StudyState
from cementct.pipeline.progress import (
    BatchStarted,
    ProgressEvent,
    Stage,
    StageStarted,
    StudyFinished,
    StudyStarted,
)

EVENTS: tuple[ProgressEvent, ...] = (
    BatchStarted(3),
    StudyStarted("first"),
    StageStarted("first", Stage.READING),
    StageStarted("first", Stage.WRITING),
    StudyFinished("first", StudyState.DONE, 12.34, summary="12 vertebrae, treated: L2 5.4 ml"),
    StudyFinished("second", StudyState.REFUSED, 0.1, why="expected a CT, found an MR in a.dcm"),
    StudyFinished("third", StudyState.DONE, 0.0, already_there=True),
)


def shown(style: ProgressStyle) -> str:
    stream = io.StringIO()
    ticks = iter(range(100))
    with watching(style, stream, clock=lambda: float(next(ticks))) as listener:
        for event in EVENTS:
            listener(event)
    return stream.getvalue()


def test_plain_lines_read_as_agreed() -> None:
    assert shown(ProgressStyle.PLAIN) == (
        "3 studies\n"
        "first: reading (1/8)\n"
        "first: writing (8/8)\n"
        "first: done in 12.3 s: 12 vertebrae, treated: L2 5.4 ml\n"
        "second: refused: expected a CT, found an MR in a.dcm\n"
        "third: already there, left as it was\n"
    )


def test_quiet_says_only_what_went_wrong() -> None:
    assert shown(ProgressStyle.QUIET) == "second: refused: expected a CT, found an MR in a.dcm\n"


def test_machines_get_one_object_a_line() -> None:
    entries = [json.loads(line) for line in shown(ProgressStyle.JSON).splitlines()]

    assert entries[0] == {"event": "batch-started", "at_s": 1.0, "studies": 3}
    assert entries[2] == {"event": "stage-started", "at_s": 3.0, "study": "first", "stage": "reading"}
    assert entries[5]["state"] == "refused"
    assert len(entries) == len(EVENTS)


@pytest.mark.parametrize("style", list(ProgressStyle))
def test_no_style_trips_over_a_study_it_never_saw_begin(style: ProgressStyle) -> None:
    with watching(style, io.StringIO()) as listener:
        listener(StageStarted("ghost", Stage.CEMENT))
        listener(StudyFinished("ghost", StudyState.FAILED, 1.0))


def test_a_terminal_sees_a_line_for_every_study_that_ended() -> None:
    text = shown(ProgressStyle.BAR)

    assert "first: done in 12.3 s: 12 vertebrae, treated: L2 5.4 ml" in text
    assert "second: refused" in text
