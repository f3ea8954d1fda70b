"""One bad study given to the command, in a process with limits, and what is wrong with how it ended."""

from __future__ import annotations

import os
import re
import resource
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cementct.core.children import limit_memory
from cementct.testing.hostile.case import Ending, HostileCase
from cementct.testing.hostile.sound import PRIVATE_WORDS

# Memory that a run may take beyond the program itself, bytes; a sound study of this size takes 0.1e9.
MOST_MEMORY = 1_500_000_000
# Processor time and wall time of a run, seconds; the second only for runs that wait for ever.
MOST_PROCESSOR_S, MOST_WALL_S = 60.0, 300.0
# What results are written in, to be searched for words of a patient.
_TEXTS = (".json", ".csv", ".html")


@dataclass(frozen=True)
class Trial:
    """How one run ended.

    Attributes
    ----------
    status
        Exit status; negative: the signal that ended it.
    said
        What it wrote to standard error.
    out
        The folder for its results.
    processor_s
        Processor time, its children's included.
    memory_bytes
        Largest memory beyond that of the program before it began.
    """

    status: int
    said: str
    out: Path
    processor_s: float
    memory_bytes: int


def try_case(case: HostileCase, folder: Path) -> Trial:
    """Make the input of a case below a folder, run the command over it, and return how that ended."""
    given = made(case, folder)
    out = Path(case.out.format(input=given)) if case.out else folder / "out" / case.name
    return run_command(case, given, out, folder / f"{case.name}.stderr")


def made(case: HostileCase, folder: Path) -> Path:
    """Return the input of a case, made below a folder."""
    own = folder / "in" / case.name
    own.mkdir(parents=True)
    return case.make(own)


def run_command(case: HostileCase, given: Path, out: Path, said: Path) -> Trial:
    """Run the command in a fork of this process, where everything is imported already."""
    import cementct.cli
    import cementct.pipeline.batch
    import cementct.report.html  # noqa: F401 - so that what a run takes is its own

    before = _memory_bytes()
    sys.stdout.flush()
    sys.stderr.flush()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _become_the_command(case, given, out, said)
    while True:
        ended, status, used = os.wait4(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() - began > MOST_WALL_S:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.005)
    memory = max(used.ru_maxrss * 1024 - before, 0)
    code = os.waitstatus_to_exitcode(status)
    return Trial(code, said.read_text("utf-8", "replace"), out, used.ru_utime + used.ru_stime, memory)


def _become_the_command(case: HostileCase, given: Path, out: Path, said: Path) -> None:
    """Run the command line in this process, and end it."""
    status = 70
    try:
        stream = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(stream, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        # Whoever started this may have put streams of its own in their place, as pytest does.
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
        os.chdir(given if given.is_dir() else "/")
        limit_memory(MOST_MEMORY)
        if case.largest_file_bytes is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (case.largest_file_bytes, case.largest_file_bytes))
        from cementct.cli import main

        sys.argv = ["cementct", "run", str(given), "--out", str(out), "--quiet"]
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _memory_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def faults(case: HostileCase, trial: Trial) -> list[str]:
    """Return what is wrong with how a run ended, in words; nothing where it ended as it should."""
    return [*_of_status(case, trial), *_of_words(case, trial), *_of_limits(trial), *_of_results(case, trial)]


def _of_status(case: HostileCase, trial: Trial) -> Iterator[str]:
    if trial.status != case.ending:
        yield f"expected exit status {int(case.ending)}, got {trial.status}"


def _of_words(case: HostileCase, trial: Trial) -> Iterator[str]:
    lines = trial.said.splitlines()
    wanted = 0 if case.ending is Ending.DONE else 1
    if len(lines) != wanted:
        yield f"expected {wanted} lines on standard error, got {len(lines)}: {trial.said[:300]!r}"
    if "Traceback" in trial.said or "internal error" in trial.said:
        yield f"expected no internal error, got {trial.said[:300]!r}"
    if not re.search(case.says, trial.said, re.IGNORECASE):
        yield f"expected words like {case.says!r}, got {trial.said[:300]!r}"
    yield from _private(trial.said.lower(), "standard error")


def _of_limits(trial: Trial) -> Iterator[str]:
    if trial.processor_s > MOST_PROCESSOR_S:
        yield f"took {trial.processor_s:.0f} s"
    if trial.memory_bytes > MOST_MEMORY:
        yield f"took {trial.memory_bytes / 1e6:.0f} MB"


def _of_results(case: HostileCase, trial: Trial) -> Iterator[str]:
    if not trial.out.is_dir():
        return
    names = sorted(p.name for p in trial.out.iterdir())
    hidden = [name for name in names if name.startswith(".")]
    studies = [p.parent.name for p in trial.out.glob("*/*") if p.name == "report.json"]
    if hidden:
        yield f"left half-written: {hidden}"
    if len(studies) != (case.ending is Ending.DONE):
        yield f"left results of studies {studies}"
    for path in sorted(trial.out.rglob("*")):
        if path.suffix in _TEXTS:
            text = path.read_text("utf-8", "replace")
            yield from _private(text.lower(), path.name)
            if "<script>alert" in text or "<img src=x" in text:
                yield f"{path.name} holds markup of a header"


def _private(text: str, where: str) -> Iterator[str]:
    for word in PRIVATE_WORDS:
        if re.search(rf"\b{re.escape(word)}\b", text):
            yield f"{where} names the patient ({word})"
