"""A quicker start of a command: what scipy takes along and nobody uses is left behind."""

from __future__ import annotations

# Tools for tests, typing and Fortran.
_UNUSED = frozenset({"f2py", "test", "testing", "typing"})


def import_scipy() -> None:
    """Import scipy without numpy's tools for tests and Fortran.

    Scipy copies all names that numpy lists, and copying those imports them: a tenth of the time until a
    command begins to read. They are missing from that copy only; numpy itself is left as it was.
    """
    import numpy as np

    listed, names = np.__dir__, np.__all__
    used = [name for name in names if name not in _UNUSED]
    vars(np).update(__dir__=lambda: [name for name in listed() if name not in _UNUSED], __all__=used)
    try:
        import scipy.ndimage  # noqa: F401
    finally:
        vars(np).update(__dir__=listed, __all__=names)
