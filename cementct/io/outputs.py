"""A study's output folder, written whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Give a folder to write into, and put it in the place of `target` once everything is written.

    Until then nothing stands under `target`'s name but what stood there before. Where writing fails or is
    interrupted, what was written is removed and `target` is as it was.

    Parameters
    ----------
    target
        The folder to be; its parent is made where it is missing.

    Yields
    ------
    Path
        A folder beside it, to write into.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=target.parent))
    try:
        yield partial
        partial.chmod(0o777 & ~_umask())
        _put_in_place(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _put_in_place(partial: Path, target: Path) -> None:
    """Rename `partial` to `target`; what stood there steps aside first and comes back where that fails."""
    if not target.exists() and not target.is_symlink():
        partial.rename(target)
        return
    aside = Path(tempfile.mkdtemp(prefix=".partial-", dir=target.parent))
    former = aside / "former"
    try:
        target.rename(former)
        try:
            partial.rename(target)
        except BaseException:
            former.rename(target)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
