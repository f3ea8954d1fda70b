"""How the analysis of one study among several ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cementct.core.findings import StudyReport


class StudyState(StrEnum):
    """How a study ended."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    TIMEOUT = "timeout"


@dataclass(frozen=True)
class StudyOutcome:
    """One study of a batch and what became of it.

    Attributes
    ----------
    study
        Name of its folder in the output.
    state
        How it ended.
    why
        One line on why it did not end well; None where it did.
    report
        What was found, where it was done.
    already_there
        Whether an earlier run had finished it and it was left as it stood.
    """

    study: str
    state: StudyState
    why: str | None = None
    report: StudyReport | None = None
    already_there: bool = False
