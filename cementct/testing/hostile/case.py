"""One bad input, and how a run over it has to end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path


class Ending(IntEnum):
    """How a run of one study ends, by its exit status."""

    DONE = 0
    NOT_WRITTEN = 1
    USAGE = 2
    REFUSED = 3


@dataclass(frozen=True)
class HostileCase:
    """A bad input.

    Attributes
    ----------
    name
        What the case, and the input's folder, is called.
    what
        What is wrong, as a phrase for a table.
    make
        Makes the input in a folder that is there, and returns what is given to the command.
    ending
        How a run of it alone ends.
    says
        Regular expression that the one line on standard error has to match; empty where nothing is said.
    out
        The folder for the results, where that is what is wrong; else None.
    largest_file_bytes
        How large a file may become, where a full disk is simulated; else None.
    """

    name: str
    what: str
    make: Callable[[Path], Path]
    ending: Ending
    says: str = ""
    out: str | None = None
    largest_file_bytes: int | None = None
