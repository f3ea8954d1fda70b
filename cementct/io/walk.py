"""The files below a folder, found safely: no symbolic link is followed, and there are limits."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cementct.core.errors import StudyRefused
from cementct.io.limits import MAX_DEPTH, MAX_FILES

_FILE, _FOLDER = "file", "folder"
_CLOSED = "the folder cannot be listed"


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

    @property
    def closed(self) -> dict[str, str]:
        """Folders that cannot be listed, and why: nobody knows what they hold."""
        return {name: why for name, why in self.passed_over if why.startswith(_CLOSED)}

    def below(self, folder: str) -> FoundFiles:
        """Return what lies below one folder, still relative to the root."""
        start = f"{folder}/"
        return FoundFiles(
            self.root,
            tuple(name for name in self.files if name.startswith(start)),
            tuple(item for item in self.passed_over if item[0].startswith(start) or item[0] == folder),
        )

    def parts(self, base: str) -> dict[str, FoundFiles]:
        """Return what lies below each subfolder of the folder `base` (with a slash at its end, or empty).

        Still relative to the root, and found in one go: there may be thousands of subfolders.
        """
        files: dict[str, list[str]] = {}
        passed_over: dict[str, list[tuple[str, str]]] = {}
        skip = len(base)
        for name in self.files:
            part, slash, _ = name[skip:].partition("/")
            if slash and name.startswith(base):
                files.setdefault(part, []).append(name)
        for name, why in self.passed_over:
            if name.startswith(base):
                passed_over.setdefault(name[skip:].partition("/")[0], []).append((name, why))
        return {
            part: FoundFiles(self.root, tuple(own), tuple(passed_over.get(part, ())))
            for part, own in files.items()
        }

    def moved(self, folder: str) -> FoundFiles:
        """Return the files relative to one folder, for which all have to lie below it."""
        skip = len(folder) + 1
        return FoundFiles(
            self.root / folder,
            tuple(name[skip:] for name in self.files),
            tuple((name[skip:], why) for name, why in self.passed_over if len(name) > skip),
        )


def find_files(root: Path) -> FoundFiles:
    """Return all regular files below `root`, however deep.

    Symbolic links are not followed: one that stays inside points to what is found anyway, and one that
    leaves the folder or runs in a circle must not be. Hidden files and folders are left out.

    Raises
    ------
    StudyRefused
        Where the folder cannot be listed, or holds more files than any batch.
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
                raise StudyRefused(f"expected a folder that can be listed ({error.strerror})") from error
            passed_over.append((folder, f"{_CLOSED} ({error.strerror})"))
            continue
        folders: list[tuple[str, int]] = []
        for entry in entries:
            name = f"{folder}/{entry.name}" if folder else entry.name
            kind = _kind(entry, depth)
            if kind == _FILE:
                files.append(name)
            elif kind == _FOLDER:
                folders.append((name, depth + 1))
            elif kind:
                passed_over.append((name, kind))
        if len(files) > MAX_FILES:
            raise StudyRefused(f"expected at most {MAX_FILES} files below one input, found more")
        waiting.extend(reversed(folders))
    return FoundFiles(root, tuple(files), tuple(passed_over))


def _kind(entry: os.DirEntry[str], depth: int) -> str:
    """Return whether an entry is a file or a folder to look into, or why it is passed over."""
    if entry.name.startswith("."):
        return ""
    if entry.is_symlink():
        return "a symbolic link, not followed"
    if entry.is_dir(follow_symlinks=False):
        return _FOLDER if depth < MAX_DEPTH else f"nested deeper than {MAX_DEPTH} folders"
    return _FILE if entry.is_file(follow_symlinks=False) else ""
