"""Work side by side gives what it gives one after another."""

from __future__ import annotations

import threading

import pytest

from cementct.core.children import THREADS_VARIABLE, child_environment, keep_memory, own_environment
from cementct.core.threads import beside, each, thread_count


@pytest.mark.parametrize(("named", "threads"), [("1", 1), ("2", 2), ("64", 4)])
def test_the_number_of_threads_is_the_one_that_is_named_up_to_four(
    named: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, named)
    assert thread_count() == threads


@pytest.mark.parametrize("named", ["", "0", "many", "-2"])
def test_words_that_name_no_number_leave_it_to_the_machine(
    named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, named)
    assert 1 <= thread_count() <= 4


def test_children_of_a_batch_have_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, child_environment()[THREADS_VARIABLE])
    assert thread_count() == 1


def test_the_process_of_a_study_alone_keeps_its_threads_and_gives_libraries_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(THREADS_VARIABLE, raising=False)
    assert THREADS_VARIABLE not in own_environment()
    assert own_environment()["OMP_NUM_THREADS"] == "1"


def test_a_process_and_its_children_keep_memory_in_one_store() -> None:
    keep_memory()  # of which other systems know nothing, and need not
    assert child_environment()["MALLOC_ARENA_MAX"] == "1"


@pytest.mark.parametrize("named", ["1", "3"])
def test_results_come_in_the_order_of_the_items(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, named)
    assert each(lambda n: n * n, range(7)) == [0, 1, 4, 9, 16, 25, 36]
    assert beside(lambda: "first", lambda: "second") == ("first", "second")


def test_two_pieces_of_work_run_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, "2")
    meeting = threading.Barrier(2, timeout=20.0)
    assert sorted(beside(meeting.wait, meeting.wait)) == [0, 1]
    assert sorted(each(lambda _: meeting.wait(), range(2))) == [0, 1]


@pytest.mark.parametrize("named", ["1", "2"])
def test_an_error_of_one_item_is_raised(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, named)
    with pytest.raises(ZeroDivisionError):
        each(lambda n: 1 // n, [2, 1, 0])
    with pytest.raises(ZeroDivisionError):
        beside(lambda: 1, lambda: 1 // 0)
