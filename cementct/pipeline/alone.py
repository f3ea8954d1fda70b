"""One study in a process of its own, for callers that may start no child by `multiprocessing`.

The process reads a pickled `StudyTask` from standard input and writes the pickled outcome to standard output.
Both ends are this very package: nothing from elsewhere is unpickled.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time

from cementct.core.children import child_environment
from cementct.core.outcome import StudyOutcome, StudyState
from cementct.io.outputs import remove_unfinished
from cementct.pipeline.batch import run_study_limited
from cementct.pipeline.progress import ignore_progress
from cementct.pipeline.task import StudyTask

# How often the process looks whether the one that started it is still there, in seconds.
LOOK_EVERY_S = 0.5


def run_alone(task: StudyTask) -> StudyOutcome:
    """Analyse one study in a fresh process that is killed at its time limit, and return how it ended."""
    limit_s = task.options.study_timeout_s
    process = subprocess.Popen(
        [sys.executable, "-m", "cementct.pipeline.alone"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env=child_environment(),
    )
    try:
        answer, _ = process.communicate(pickle.dumps(task), timeout=limit_s)
    except subprocess.TimeoutExpired:
        _kill(process)
        remove_unfinished(task.folder)
        return StudyOutcome(task.source.name, StudyState.TIMEOUT, why=f"not done after {limit_s:g} s")
    except BaseException:
        _kill(process)
        raise
    if process.returncode != 0:
        remove_unfinished(task.folder)
        why = f"its process ended with code {process.returncode}"
        return StudyOutcome(task.source.name, StudyState.FAILED, why=why)
    outcome: StudyOutcome = pickle.loads(answer)  # noqa: S301 - written by this module
    return outcome


def _kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _end_with(parent: int) -> None:
    """End this process and its children once its parent is gone: the study is another worker's by then."""
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY_S)
    os.killpg(0, signal.SIGKILL)


def _main() -> None:
    # The parent is told by who it is now: it may go before this process gets here, and the task with it.
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    # Whatever prints must not get between the bytes of the answer.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    task: StudyTask = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by this module
    with answer:
        answer.write(pickle.dumps(run_study_limited(task, ignore_progress)))


if __name__ == "__main__":
    _main()
