"""The errors a caller may meet, all descended from one."""

from __future__ import annotations

import traceback
from pathlib import Path

# With this variable set, internal errors come with their traceback.
DEBUG_VARIABLE = "CEMENTCT_DEBUG"


class CementctError(Exception):
    """Any failure that cementct foresees; its message is fit for a user's eyes."""


class UsageError(CementctError):
    """The command or call contradicts itself or lacks something (exit status 2)."""


class StudyRefused(CementctError):
    """A study cannot be analysed (exit status 3).

    The message says in one line what was expected, what was found, and in which file.
    """


class OutputNotWritten(CementctError):
    """Results cannot be written: the disk is full, or the folder may not be written to (exit status 1)."""


class UnreadableFile(StudyRefused):
    """One file is damaged, absurd or of a kind that is not read."""


class GeometryError(StudyRefused):
    """Positions, spacings or orientations do not describe a regular volume."""


def describe_internal_error(error: BaseException) -> str:
    """Return kind and place of an error, without its message, which may hold what must not be shown."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"internal error: {type(error).__name__}{place}"
