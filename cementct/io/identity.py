"""Which input a result belongs to: a fingerprint of its content that no copy or touch of a file changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

# Bytes looked at in each place of a file; headers of CT images lie within the first.
SAMPLE_BYTES = 16 * 1024
# Files smaller than this are looked at as a whole.
WHOLE_BYTES = 4 * SAMPLE_BYTES


def files_identity(root: Path, files: Iterable[str]) -> str:
    """Return a fingerprint of files, 64 hex digits.

    Of each file its relative path, its size, and its beginning, middle and end are looked at, so that a
    study of many images costs some milliseconds; the beginning holds the SOPInstanceUID. Times of the file
    system do not count.

    Parameters
    ----------
    root
        Folder that the names are relative to.
    files
        Names of the files, in any order.

    Raises
    ------
    OSError
        Where a file cannot be read.
    """
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{name}\0".encode("utf-8", "surrogateescape"))
        total.update(_sample(root / name))
    return total.hexdigest()


def _sample(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as handle:
        size = handle.seek(0, 2)
        digest.update(str(size).encode())
        if size <= WHOLE_BYTES:
            handle.seek(0)
            digest.update(handle.read())
        else:
            for start in (0, size // 2, size - SAMPLE_BYTES):
                handle.seek(start)
                digest.update(handle.read(SAMPLE_BYTES))
    return digest.digest()
