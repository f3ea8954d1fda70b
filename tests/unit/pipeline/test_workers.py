"""Each task has a child of its own: one that hangs or dies ends alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from cementct.pipeline.workers import Died, Finished, TimedOut, run_in_children


def double(task: int, tell: Callable[[str], None]) -> int:
    tell(f"working on {task}")
    return 2 * task


def hang_on_one(task: int, tell: Callable[[str], None]) -> int:
    tell("begun")
    if task == 1:
        time.sleep(60)
    return task


def die_on_one(task: int, tell: Callable[[str], None]) -> int:
    tell("begun")
    if task == 1:
        os._exit(7)
    return task


def test_every_task_ends_with_its_result_and_its_events_are_heard() -> None:
    heard: list[str] = []
    ends = list(run_in_children(double, [1, 2, 3], jobs=2, listener=heard.append))
    assert {e.index: e.result for e in ends if isinstance(e, Finished)} == {0: 2, 1: 4, 2: 6}
    assert sorted(heard) == ["working on 1", "working on 2", "working on 3"]


def test_a_task_that_hangs_is_killed_when_its_time_is_up_and_the_others_end_well() -> None:
    ends = list(run_in_children(hang_on_one, [0, 1, 2], jobs=3, timeout_s=8.0, listener=lambda _: None))
    assert {type(e).__name__: e.index for e in ends if isinstance(e, TimedOut)} == {"TimedOut": 1}
    assert sorted(e.index for e in ends if isinstance(e, Finished)) == [0, 2]


def test_a_task_whose_process_dies_is_reported_with_its_exit_code() -> None:
    ends = list(run_in_children(die_on_one, [0, 1], jobs=1, listener=lambda _: None))
    assert [e for e in ends if isinstance(e, Died)] == [Died(1, 7)]
    assert sorted(e.index for e in ends if isinstance(e, Finished)) == [0]
