"""Odd files read apart: in a child with limits on time and memory, which may crash without harm.

Ordinary files never come here. What needs a decoder or a general parser does: compressed pixels, headers
out of the ordinary, multi-frame groups, segmentations, NRRD and MetaImage. One child serves all files of a
process; it starts with the first of them, is replaced where it dies, and ends with the process.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from struct import Struct
from typing import Any, BinaryIO, TypeVar, cast

from cementct.core.children import child_environment

_Result = TypeVar("_Result")

# How long one file may take, in seconds. A second a file is much already; the rest is for busy machines.
LIMIT_S = 60.0
# How many files of one process may run into their time limit before no odd file is tried any more.
MOST_LATE = 3
# Memory that reading a file may take beyond a few copies of its voxels, in bytes: headers, tables, libraries.
ROOM_BYTES = 512 * 1024 * 1024
# Copies of the voxels that decoding, checking and handing over keep at one time.
COPIES = 4
LENGTH = Struct("<Q")


class ReadingFailed(Exception):
    """A file could not be read apart; the message is the reason, without the file's name."""


@dataclass(frozen=True)
class Request:
    """What a child is asked to do.

    Attributes
    ----------
    work
        A function of a module, and its arguments.
    limit_s
        Seconds of processor time that it may take.
    room_bytes
        Memory that it may take.
    """

    work: tuple[Callable[..., Any], tuple[Any, ...]]
    limit_s: float
    room_bytes: int


def read_apart(
    read: Callable[..., _Result], *arguments: Any, voxel_bytes: int = 0, limit_s: float = LIMIT_S
) -> _Result:
    """Return what `read` returns for `arguments`, called in the child.

    Errors of this tool that it raises there are raised here.

    Parameters
    ----------
    read
        A function of a module.
    arguments
        What it is called with; they must be picklable, and so must its result.
    voxel_bytes
        How much memory its voxels take, by a header that was judged before.
    limit_s
        How long it may take, in seconds.

    Raises
    ------
    ReadingFailed
        Where the child crashes, or takes more time or memory than it may.
    """
    request = Request((read, arguments), limit_s, ROOM_BYTES + COPIES * voxel_bytes)
    return cast("_Result", _child_of(os.getpid()).ask(request))


class _Child:
    """The child of this process, started where there is none."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._late = 0
        self._lock = threading.Lock()

    def ask(self, request: Request) -> Any:
        """Return the child's answer, or raise the error that it answers with."""
        with self._lock:
            if self._late >= MOST_LATE:
                raise ReadingFailed(f"not tried, because {self._late} files before it took too long")
            answer = self._exchange(request)
        kind, value = pickle.loads(answer)  # noqa: S301 - written by this package
        if kind == "result":
            return value
        if kind == "raised":
            raise value
        raise ReadingFailed(f"cannot be read ({value})")

    def _exchange(self, request: Request) -> bytes:
        process = self._running()
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        clock = threading.Timer(request.limit_s, end)
        clock.daemon = True
        clock.start()
        try:
            send(cast("BinaryIO", process.stdin), pickle.dumps(request))
            answer = receive(cast("BinaryIO", process.stdout))
        except OSError:
            answer = None
        finally:
            clock.cancel()
        if answer is not None:
            return answer
        process.kill()
        code = process.wait()
        self._process = None
        if late.is_set() or code == -_SIGXCPU:
            self._late += 1
            raise ReadingFailed(f"expected to be read within {request.limit_s:g} s, was not")
        raise ReadingFailed(f"expected a sound file, reading it crashed (code {code})")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cementct.io.apart_child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # decoders print what they find in a file
                env=child_environment(),
            )
        return self._process


# Of the signal for too much processor time; the module `signal` lacks it on some systems.
_SIGXCPU = 24


@cache
def _child_of(process_id: int) -> _Child:
    # By process: a child must not be shared with a fork of this process.
    del process_id
    return _Child()


def send(stream: BinaryIO, message: bytes) -> None:
    """Write one message, its length in front."""
    stream.write(LENGTH.pack(len(message)))
    stream.write(message)
    stream.flush()


def receive(stream: BinaryIO) -> bytes | None:
    """Return the next message, or None where the other side is gone."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    message = stream.read(length)
    return message if len(message) == length else None
