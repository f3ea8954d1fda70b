"""The child that reads odd files (`cementct.io.apart`): one request after another, each within its limits."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import warnings
from contextlib import suppress
from math import ceil
from typing import Any

from cementct.core.children import limit_memory
from cementct.core.errors import CementctError
from cementct.io.apart import Request, receive, send
from cementct.io.images import Unusable
from cementct.io.raw_header import NotDicom


def serve() -> None:
    """Answer requests until the parent is gone."""
    # An interrupt from the keyboard reaches the whole group; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whatever prints must not get between the bytes of an answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    while (message := receive(sys.stdin.buffer)) is not None:
        request: Request = pickle.loads(message)  # noqa: S301 - written by this package
        try:
            answer = pickle.dumps(_answer(request), protocol=pickle.HIGHEST_PROTOCOL)
        except MemoryError:
            answer = pickle.dumps(("failed", "it needs more memory than such a file can"))
        send(answers, answer)


def _answer(request: Request) -> tuple[str, Any]:
    read, arguments = request.work
    try:
        with suppress(ImportError, ValueError, OSError):
            _limit_time(request.limit_s)
        limit_memory(request.room_bytes)
        return "result", read(*arguments)
    except (CementctError, NotDicom, Unusable) as error:
        return "raised", error.with_traceback(None)
    except MemoryError:
        return "failed", "it needs more memory than such a file can"
    except OSError as error:
        return "failed", error.strerror or "OSError"
    except Exception as error:  # noqa: BLE001 - libraries raise anything on damaged bytes
        return "failed", type(error).__name__


def _limit_time(limit_s: float) -> None:
    """Let the system end this process where it takes too much time, also where its parent is gone."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = ceil(used.ru_utime + used.ru_stime + limit_s) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))


if __name__ == "__main__":
    serve()
