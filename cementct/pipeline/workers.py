"""Work on many tasks at once, each in a child process of its own that can be killed.

One task that hangs, crashes or eats its memory ends alone; the others go on.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from typing import Any, Generic, TypeVar

from cementct.core.children import as_for_children

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

# How long a child that was asked to end may take before it is killed, in seconds.
GRACE_S = 2.0
# Longest the parent sleeps before it looks at time limits again, in seconds.
LONGEST_NAP_S = 0.5


@dataclass(frozen=True)
class Finished(Generic[_Result]):
    """A child handed over its result."""

    index: int
    result: _Result


@dataclass(frozen=True)
class TimedOut:
    """A child was killed because its time was up."""

    index: int
    after_s: float


@dataclass(frozen=True)
class Died:
    """A child ended without a result.

    Attributes
    ----------
    index
        Which task.
    exit_code
        Of the process; negative: the signal that ended it.
    after_s
        Seconds that it had run.
    """

    index: int
    exit_code: int | None
    after_s: float = field(default=0.0, compare=False)


@dataclass
class _Child:
    index: int
    process: Any
    pipe: Connection
    started: float


def run_in_children(
    work: Callable[[_Task, Callable[[Any], None]], _Result],
    tasks: Sequence[_Task],
    *,
    jobs: int,
    timeout_s: float | None = None,
    listener: Callable[[Any], None],
    from_nothing: bool = False,
) -> Iterator[Finished[_Result] | TimedOut | Died]:
    """Yield the end of each task, in the order in which they end.

    Parameters
    ----------
    work
        A function of a module, called in the child with a task and a function that sends events.
    tasks
        What to work on; they must be picklable.
    jobs
        How many children run at once.
    timeout_s
        After how many seconds a child is killed; None: never.
    listener
        Called in this process with every event that a child sends.
    from_nothing
        Start each child from nothing: slower, and without a temporary folder.
    """
    context = multiprocessing.get_context("spawn") if from_nothing else _context()
    waiting = deque(enumerate(tasks))
    running: dict[Connection, _Child] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                index, task = waiting.popleft()
                child = _start(context, work, index, task)
                running[child.pipe] = child
            yield from _attend(running, timeout_s, listener)
    finally:
        for child in running.values():
            _stop(child)


def _context() -> BaseContext:
    # A fork server hands out clean children quickly; elsewhere a child starts from nothing.
    if sys.platform == "linux":
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["cementct.pipeline.analyze"])
        with as_for_children():
            forkserver.ensure_running()
        return context
    return multiprocessing.get_context("spawn")


def _start(context: Any, work: Callable[..., Any], index: int, task: Any) -> _Child:
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(theirs, work, task), daemon=True)
    with as_for_children():
        process.start()
    theirs.close()
    return _Child(index, process, ours, time.monotonic())


def _child(pipe: Connection, work: Callable[..., Any], task: Any) -> None:
    # An interrupt from the keyboard reaches the whole group; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # they may quote a header
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    result = work(task, lambda event: pipe.send((False, event)))
    pipe.send((True, result))
    pipe.close()


def _end_with_the_parent() -> None:
    """Wait until the parent is gone, and end this child: nobody is left to hear its result."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _attend(
    running: dict[Connection, _Child], timeout_s: float | None, listener: Callable[[Any], None]
) -> Iterator[Finished[Any] | TimedOut | Died]:
    for ready in wait(list(running), timeout=LONGEST_NAP_S):
        pipe = ready if isinstance(ready, Connection) else None
        if pipe is None:
            continue
        child = running[pipe]
        try:
            is_result, message = pipe.recv()
        except (EOFError, OSError):
            del running[pipe]
            _stop(child)
            yield Died(child.index, child.process.exitcode, time.monotonic() - child.started)
            continue
        if not is_result:
            listener(message)
            continue
        del running[pipe]
        _stop(child)
        yield Finished(child.index, message)
    if timeout_s is None:
        return
    for pipe, child in list(running.items()):
        if time.monotonic() - child.started > timeout_s:
            del running[pipe]
            _stop(child, patience_s=0.0)
            yield TimedOut(child.index, timeout_s)


def _stop(child: _Child, *, patience_s: float = GRACE_S) -> None:
    child.process.join(patience_s)
    if child.process.is_alive():
        child.process.kill()
        child.process.join()
    child.pipe.close()
