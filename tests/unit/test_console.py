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
        "first: done in 12.3 s: 12 vertebrae, treated: L2 5.4 ml (1 of 3, about 2 s left)\n"
        "second: refused: expected a CT, found an MR in a.dcm (2 of 3, about 1 s left)\n"
        "third: already there, left as it was (3 of 3)\n"
    )


def test_quiet_says_only_what_went_wrong() -> None:
    assert shown(ProgressStyle.QUIET) == "second: refused: expected a CT, found an MR in a.dcm\n"


def test_machines_get_one_object_a_line() -> None:
    entries = [json.loads(line) for line in shown(ProgressStyle.JSON).splitlines()]

    assert entries[0] == {"event": "batch-started", "at_s": 1.0, "studies": 3}
    assert entries[2] == {"event": "stage-started", "at_s": 3.0, "study": "first", "stage": "reading"}
    assert entries[5]["state"] == "refused"
    assert [entry.get("studies_done") for entry in entries] == [None] * 4 + [1, 2, 3]
    assert entries[-1]["left_s"] is None
    assert entries[-2]["left_s"] > 0
    assert len(entries) == len(EVENTS)


@pytest.mark.parametrize(
    ("already_there", "took_s", "expected"),
    [
        (0, 10.0, "about 30 s left"),
        (2, 10.0, "about 10 s left"),
        (0, 600.0, "about 30 min left"),
        (0, 6000.0, "about 5.0 h left"),
    ],
)
def test_the_time_left_follows_the_studies_that_were_analysed_and_not_those_that_stood_there(
    already_there: int, took_s: float, expected: str
) -> None:
    now = [0.0]
    stream = io.StringIO()
    with watching(ProgressStyle.PLAIN, stream, clock=lambda: now[0]) as listener:
        listener(BatchStarted(4))
        for k in range(already_there):
            listener(StudyFinished(f"old{k}", StudyState.DONE, 0.0, already_there=True))
        now[0] = took_s
        listener(StudyFinished("new", StudyState.DONE, took_s))
    assert stream.getvalue().splitlines()[-1].endswith(f"{expected})")


@pytest.mark.parametrize("style", list(ProgressStyle))
def test_no_style_trips_over_a_study_it_never_saw_begin(style: ProgressStyle) -> None:
    with watching(style, io.StringIO()) as listener:
        listener(StageStarted("ghost", Stage.CEMENT))
        listener(StudyFinished("ghost", StudyState.FAILED, 1.0))


def test_a_terminal_sees_a_line_for_every_study_that_ended() -> None:
    text = shown(ProgressStyle.BAR)

    assert "first: done in 12.3 s: 12 vertebrae, treated: L2 5.4 ml" in text
    assert "second: refused" in text
