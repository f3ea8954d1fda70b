"""Which input a result belongs to: a fingerprint of its content that no copy or touch of a file changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from cementct.io.files import volume_suffix

# Bytes looked at in each place of a DICOM image; headers of CT images lie within the first.
SAMPLE_BYTES = 16 * 1024
# Files smaller than this are looked at as a whole.
WHOLE_BYTES = 4 * SAMPLE_BYTES


def files_identity(root: Path, files: Iterable[str]) -> str:
    """Return a fingerprint of files, 64 hex digits.

    Of each file its relative path and its size are looked at, of volumes and masks all content. Of other
    large files, which are DICOM images, the beginning, middle and end are, so that a study of many images
    costs some milliseconds: the beginning holds the SOPInstanceUID, which changes with what an image shows.
    Times of the file system do not count.

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
        total.update(_digest(root / name))
    return total.hexdigest()


def _digest(path: Path) -> bytes:
    with path.open("rb", buffering=0) as handle:
        size = handle.seek(0, 2)
        if size > WHOLE_BYTES and volume_suffix(path) is None:
            digest = hashlib.sha256(str(size).encode())
            for start in (0, size // 2, size - SAMPLE_BYTES):
                handle.seek(start)
                digest.update(handle.read(SAMPLE_BYTES))
            return digest.digest()
    with path.open("rb") as whole:
        return hashlib.file_digest(whole, "sha256").digest()
