"""Reading libraries kept quiet: their warnings quote header values, and values name patients."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LIBRARIES = ("pydicom", "highdicom", "nibabel", "nibabel.global")


@contextmanager
def quiet() -> Iterator[None]:
    """Let no warning and no log message of a reading library out; errors are raised as ever."""
    loggers = [logging.getLogger(name) for name in _LIBRARIES]
    were_disabled = [logger.disabled for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.disabled = True
        try:
            yield
        finally:
            for logger, disabled in zip(loggers, were_disabled, strict=True):
                logger.disabled = disabled
