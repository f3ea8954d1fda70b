"""The files below a folder, found safely: no symbolic link is followed, and there are limits."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cementct.core.errors import StudyRefused
from cementct.io.limits import MAX_DEPTH, MAX_FILES


@dataclass(frozen=True)
class FoundFiles:
    """The regular files below a folder, and what was passed over.

    Attributes
    ----------
    root
        The folder.
    files
        Paths relative to the folder, in the order of their names.
    passed_over
        Relative path and reason of what was not looked at: links, folders too deep or unreadable.
    """

    root: Path
    files: tuple[str, ...]
    passed_over: tuple[tuple[str, str], ...]


def find_files(root: Path) -> FoundFiles:
    """Return all regular files below `root`, however deep.

    Symbolic links are not followed: one that stays inside points to what is found anyway, and one that
    leaves the folder or runs in a circle must not be. Hidden files and folders are left out.

    Raises
    ------
    StudyRefused
        Where the folder cannot be listed, or holds more files than any study.
    """
    files: list[str] = []
    passed_over: list[tuple[str, str]] = []
    waiting = [("", 0)]
    while waiting:
        folder, depth = waiting.pop()
        try:
            entries = sorted(os.scandir(root / folder if folder else root), key=lambda entry: entry.name)
        except OSError as error:
            if not folder:
                raise StudyRefused(
                    f"expected a readable folder, it cannot be listed ({error.strerror})"
                ) from error
            passed_over.append((folder, f"the folder cannot be listed ({error.strerror})"))
            continue
        folders: list[tuple[str, int]] = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            name = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_symlink():
                passed_over.append((name, "a symbolic link, not followed"))
            elif entry.is_dir(follow_symlinks=False):
                if depth + 1 > MAX_DEPTH:
                    passed_over.append((name, f"nested deeper than {MAX_DEPTH} folders"))
                else:
                    folders.append((name, depth + 1))
            elif entry.is_file(follow_symlinks=False):
                files.append(name)
        if len(files) > MAX_FILES:
            raise StudyRefused(f"expected at most {MAX_FILES} files in a study, found more")
        waiting.extend(reversed(folders))
    return FoundFiles(root, tuple(files), tuple(passed_over))
