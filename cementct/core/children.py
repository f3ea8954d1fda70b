"""The environment and the limits of the processes that this tool starts.

Children compute with one thread each: many run side by side, and sums over several threads differ in their
last digits from run to run. And no child looks for Python modules in the folder it is started in: that may be
a folder of somebody else's files, one of which is called ``numpy.py``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# How many threads one study may use (`cementct.core.threads`).
THREADS_VARIABLE = "CEMENTCT_THREADS"

# Libraries always have one thread: on the small matrices of one study threads wait for each other more than
# they work. And arrays get pages of the ordinary size: those of large arrays, cleared whole for every array
# that is made for a moment, took a fifth of the processor time of a study and a tenth of its memory.
_LIBRARIES = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1",
    "NUMPY_MADVISE_HUGEPAGE": "0",
    "PYTHONSAFEPATH": "1",
}
# Memory given back is kept for the next array: all threads take theirs from one store (else each keeps one of
# its own, 0.3 GB more), arrays of up to 32 MB lie in it, and so much of it may lie idle. Clearing new memory
# for every array took a fifteenth of the time. GNU's C library reads the variables at the start of a process
# and knows each by a number (`mallopt` in malloc.h); others pass them over.
_STORE = {
    "MALLOC_ARENA_MAX": (-8, 1),
    "MALLOC_MMAP_THRESHOLD_": (-3, 32 * 1024**2),
    "MALLOC_TRIM_THRESHOLD_": (-1, 256 * 1024**2),
}
_CHILDREN = {
    **_LIBRARIES,
    **{name: str(size) for name, (_, size) in _STORE.items()},
    THREADS_VARIABLE: "1",
}


def own_environment() -> dict[str, str]:
    """Return the environment variables for this process, to be set before numpy is imported."""
    return {**os.environ, **_LIBRARIES}


def keep_memory() -> None:
    """Let this process keep memory for its next arrays, as children do by their environment."""
    import ctypes

    with suppress(AttributeError, OSError, TypeError):
        library = ctypes.CDLL(None)
        for number, size in _STORE.values():
            library.mallopt(number, size)


def give_back_memory() -> None:
    """Give the system the memory that this process keeps for its next arrays: before most of it is in use."""
    import ctypes

    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def child_environment() -> dict[str, str]:
    """Return the environment variables for a child."""
    return {**os.environ, **_CHILDREN}


def limit_memory(room_bytes: int) -> None:
    """Let this process take so much memory beyond what it has, and no more.

    What would take more raises `MemoryError`. Where the system knows no such limit, none is set.
    """
    with suppress(ImportError, ValueError, OSError):
        import resource

        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - the core knows no paths
            pages = int(statm.read().split()[0])
        room = pages * resource.getpagesize() + room_bytes
        resource.setrlimit(resource.RLIMIT_AS, (room, resource.getrlimit(resource.RLIMIT_AS)[1]))


@contextmanager
def as_for_children() -> Iterator[None]:
    """Let this process have the children's environment for a while, for what starts them by inheritance."""
    before = {name: os.environ.get(name) for name in _CHILDREN}
    os.environ.update(_CHILDREN)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
