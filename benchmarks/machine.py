"""When and on what a bench ran: the words that stand above its figures."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime


def machine_class() -> str:
    """Return how many cores of which kind the machine has."""
    return f"{os.cpu_count()} cores, {platform.machine()}"


def when_and_where() -> str:
    """Return the date, the class of the machine, and the version of Python."""
    today = datetime.now(tz=UTC).date().isoformat()
    return f"{today}, {machine_class()}, Python {platform.python_version()}"
