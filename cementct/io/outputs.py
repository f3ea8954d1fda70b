"""A study's output folder, written whole or not at all.

What is written stands in a hidden folder until it is whole. One that a killed process left behind is found by
the name of its study, and removed when that study is written, or given up, the next time.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from cementct.core.errors import OutputNotWritten

_UNFINISHED = ".partial-"
# What the system says where the disk or its permissions, and not this tool, are at fault.
_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EACCES, errno.EPERM})


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

    Raises
    ------
    OutputNotWritten
        Where the disk is full or may not be written to.
    """
    remove_unfinished(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = _new_folder(target)
    except OSError as error:
        raise _not_written(target, error) from error
    try:
        yield partial
        partial.chmod(0o777 & ~_umask())
        _put_in_place(partial, target)
    except OSError as error:
        if error.errno in _DISK_ERRORS or str(error.filename or "").startswith(str(partial)):
            raise _not_written(target, error) from error
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_replaceable(target: Path, holds: Collection[str]) -> None:
    """See that what stands in the place of results is a folder of earlier ones, an empty one, or nothing.

    Parameters
    ----------
    target
        The folder to be.
    holds
        Names of files that every folder of results holds.

    Raises
    ------
    OutputNotWritten
        Where anything else stands there, which writing would remove.
    """
    try:
        if not target.exists() and not target.is_symlink():
            return
        if target.is_dir() and (
            not any(target.iterdir()) or all((target / name).is_file() for name in holds)
        ):
            return
    except OSError as error:
        raise _not_written(target, error) from error
    raise OutputNotWritten(
        f"{target.name}: expected earlier results or nothing of this name in the output folder, "
        "found something else, which was left alone"
    )


def remove_unfinished(target: Path) -> None:
    """Remove what a process that was killed left of writing the folder `target`."""
    for left in target.parent.glob(f"{_prefix(target)}*"):
        shutil.rmtree(left, ignore_errors=True)


def check_writable(folder: Path) -> None:
    """Make a folder where it is missing, and see that files can be written there.

    Raises
    ------
    OSError
        Where they cannot.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(prefix=_UNFINISHED, dir=folder) as probe:
        probe.write(b"probe")


def _not_written(target: Path, error: OSError) -> OutputNotWritten:
    return OutputNotWritten(f"{target.name}: the results cannot be written ({error.strerror})")


def _prefix(target: Path) -> str:
    # A hash, because the name of a study may be as long as a file's name can be.
    return f"{_UNFINISHED}{hashlib.sha256(target.name.encode()).hexdigest()[:16]}-"


def _new_folder(target: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))


def _put_in_place(partial: Path, target: Path) -> None:
    """Rename `partial` to `target`; what stood there steps aside first and comes back where that fails."""
    if not target.exists() and not target.is_symlink():
        partial.rename(target)
        return
    aside = _new_folder(target)
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
