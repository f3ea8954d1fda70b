"""Independent pieces of one study's work, side by side where the machine has cores to spare.

Only whole pieces of work run side by side, each as it would alone: results do not depend on the number of
threads. Children of a batch have one thread each (`cementct.core.children`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TypeVar

from cementct.core.children import THREADS_VARIABLE

A = TypeVar("A")
B = TypeVar("B")

# More threads than this would wait for memory, not for each other.
MOST_THREADS = 4


def thread_count() -> int:
    """Return how many threads one study may use: what ``CEMENTCT_THREADS`` says, else one a core."""
    named = os.environ.get(THREADS_VARIABLE, "")
    if named.isdecimal() and int(named) > 0:
        return min(int(named), MOST_THREADS)
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, MOST_THREADS)


def each(work: Callable[[A], B], items: Iterable[A]) -> list[B]:
    """Return what comes of each item, in their order; the first error of them is raised."""
    todo = list(items)
    threads = min(thread_count(), len(todo))
    if threads < 2:
        return [work(item) for item in todo]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, todo))


def beside(first: Callable[[], A], second: Callable[[], B]) -> tuple[A, B]:
    """Return what comes of two pieces of work that do not depend on each other."""
    if thread_count() < 2:
        return first(), second()
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(second)
        return first(), other.result()
