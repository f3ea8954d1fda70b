"""Children that read damaged files one after another, watched for death, time and memory."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from .mutate import damaged
from .reading import outcome
from .seeds import Seed

# Address space that a child may take beyond what it has once everything is imported, bytes.
ROOM_BYTES = 1_500_000_000
# Memory that reading one input of some kilobytes may take at most, bytes.
MOST_BYTES = 300_000_000
# Processor time after which a case counts as hanging, seconds; wall time is longer on a busy machine.
MOST_CPU_S, MOST_WALL_S = 10.0, 120.0
# A child is replaced after so many cases, so that what it may have kept does not blur what a case takes.
CASES_A_CHILD = 2000


@dataclass(frozen=True)
class Result:
    """What came of one case.

    Attributes
    ----------
    kind
        ``read``, ``refused``, ``contained`` (a reader crashed, in the child that is there for it), ``error``,
        ``crash``, ``hang``, ``memory`` or ``noise``.
    detail
        Which error, in which place; where things went well nothing that matters.
    """

    kind: str
    detail: str

    @property
    def is_finding(self) -> bool:
        """Whether something is to be mended."""
        return self.kind not in {"read", "refused", "contained"}


class Watched:
    """Hands cases to a child, and replaces it where it dies."""

    def __init__(self, seeds: tuple[Seed, ...]) -> None:
        self._seeds = seeds
        self._context = multiprocessing.get_context("fork")
        self._child: Any = None
        self._pipe: Any = None
        self._done = 0

    def run(self, seed: int, number: int) -> Result:
        """Return what comes of one case."""
        if self._child is None or self._done >= CASES_A_CHILD:
            self.stop()
            self._start()
        self._done += 1
        self._pipe.send((seed, number))
        if not self._pipe.poll(MOST_WALL_S):
            self.stop()
            return Result("hang", f"not done after {MOST_WALL_S:g} s")
        try:
            kind, detail = self._pipe.recv()
        except (EOFError, OSError):
            self._child.join()
            code = self._child.exitcode
            self._child = None
            return Result("crash", f"its process ended with code {code}")
        return Result(kind, detail)

    def stop(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child.join()
        self._child, self._done = None, 0

    def _start(self) -> None:
        self._pipe, theirs = self._context.Pipe()
        self._child = self._context.Process(target=_work, args=(theirs, self._seeds))
        self._child.start()
        theirs.close()


def _work(pipe: Connection, seeds: tuple[Seed, ...]) -> None:
    """Read one case after another until the pipe closes."""
    _import_readers()
    address_space = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (address_space + ROOM_BYTES, resource.RLIM_INFINITY))
    shared = Path("/dev/shm")  # noqa: S108 - only where it is there; a folder of its own within
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir=shared if shared.is_dir() else None))
    noise = (folder.parent / f"{folder.name}.noise").open("w+b")
    sys.stderr.flush()
    os.dup2(noise.fileno(), 2)
    os.dup2(noise.fileno(), 1)
    try:
        while True:
            seed, number = pipe.recv()
            pipe.send(_one(seeds[seed], number, folder / "in", noise))
    except EOFError:
        pass
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        Path(noise.name).unlink(missing_ok=True)


def _import_readers() -> None:
    import highdicom  # noqa: F401 - before memory is limited
    import nibabel  # noqa: F401
    import SimpleITK  # noqa: F401

    import cementct.pipeline.analyze  # noqa: F401


def _one(seed: Seed, number: int, folder: Path, noise: Any) -> tuple[str, str]:
    files = damaged(seed, number)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    noise.seek(0)
    noise.truncate()
    before, cpu = _peak_after_reset(), _cpu_s()
    kind, detail = outcome(seed.reader, folder, sorted(files))
    took, used = _peak_bytes() - before, _cpu_s() - cpu
    if kind == "error":
        return kind, detail
    if took > MOST_BYTES:
        return "memory", f"took {took / 1e6:.0f} MB"
    if used > MOST_CPU_S:
        return "hang", f"took {used:.0f} s"
    sys.stdout.flush()
    sys.stderr.flush()
    noise.seek(0)
    said = noise.read(200)
    return ("noise", repr(said)) if said else (kind, detail)


def _cpu_s() -> float:
    """Return the processor time of this process and its children, gone and alive.

    The child that reads for many cases counts while it lives: else all its time would fall on the case with
    which it ends.
    """
    used, gone = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    alive = sum(
        _processor_s(pid) for file in Path("/proc/self/task").glob("*/children") for pid in _words(file)
    )
    return used.ru_utime + used.ru_stime + gone.ru_utime + gone.ru_stime + alive


def _processor_s(pid: str) -> float:
    """Return the processor time of a child; it may have ended meanwhile."""
    fields = _words(Path("/proc") / pid / "stat", after=")")
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def _words(file: Path, after: str = "") -> list[str]:
    try:
        text = file.read_text()
    except OSError:
        return []
    return text.rpartition(after)[2].split() if after else text.split()


def _peak_after_reset() -> int:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak_bytes()


def _peak_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
