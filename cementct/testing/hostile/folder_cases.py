"""Folders that mislead who walks through them, files that cannot be read, outputs that cannot be written."""

from __future__ import annotations

import os
from pathlib import Path

from cementct.testing.hostile.case import Ending, HostileCase
from cementct.testing.hostile.sound import write_sound_dicom, write_sound_volume

# Folders within folders; twice of what is looked into.
_DEEP = 64
# Files that are no images; a hundred thousand take a while to make, and are for the bench.
TINY_FILES = 1500
# A file system that no process can write to, and a file that no process can read, also where it is root.
_READ_ONLY, _UNREADABLE = "/proc", "/proc/self/mem"
# Less than any result needs, bytes.
_FULL_AFTER = 2000


def folder_cases(tiny_files: int = TINY_FILES) -> tuple[HostileCase, ...]:
    """Return the cases that are folders.

    Parameters
    ----------
    tiny_files
        How many the folder of tiny files holds.
    """
    return (
        HostileCase(
            "link-out-of-the-folder",
            "a symbolic link to a study outside",
            _link_out,
            Ending.REFUSED,
            "symbolic link",
        ),
        HostileCase(
            "links-in-circles", "symbolic links in circles beside a sound study", _circles, Ending.DONE
        ),
        HostileCase(
            "volume-link-out",
            "a post.nii.gz that is a link to a file outside",
            _volume_link,
            Ending.REFUSED,
            "link that leaves",
        ),
        HostileCase(
            "deep-nesting", f"a study {_DEEP} folders deep", _deep, Ending.REFUSED, "nested deeper than 32"
        ),
        HostileCase(
            "tiny-files",
            f"a folder of {tiny_files} tiny files",
            lambda f: _tiny(f, tiny_files),
            Ending.REFUSED,
            "expected DICOM images",
        ),
        HostileCase(
            "empty-files", "empty files called .dcm", _empty, Ending.REFUSED, "expected DICOM images"
        ),
        HostileCase("empty-folder", "an empty folder", _same, Ending.REFUSED, "expected DICOM images"),
        HostileCase("pipe", "a named pipe called .dcm beside a sound study", _pipe, Ending.DONE),
        HostileCase(
            "modules-in-the-folder",
            "Python files named as the tool's libraries beside a sound study",
            _modules,
            Ending.DONE,
        ),
        HostileCase(
            "nothing-there",
            "a path where nothing is",
            lambda f: f / "nothing-there-at-all",
            Ending.REFUSED,
            "expected a file or folder, there is none",
        ),
        HostileCase(
            "unreadable-file",
            "a file that cannot be read",
            lambda _f: Path(_UNREADABLE),
            Ending.REFUSED,
            "cannot be read",
        ),
    )


def output_cases() -> tuple[HostileCase, ...]:
    """Return the cases in which the results cannot be written; each has a study that is sound."""
    return (
        HostileCase(
            "full-disk",
            "a disk that is full",
            _sound,
            Ending.NOT_WRITTEN,
            "the results cannot be written",
            largest_file_bytes=_FULL_AFTER,
        ),
        HostileCase(
            "read-only-output",
            "an output folder that is read-only",
            _sound,
            Ending.USAGE,
            "--out: cannot write to this folder",
            out=f"{_READ_ONLY}/cementct-results",
        ),
        HostileCase(
            "output-in-a-file",
            "an output folder below a file",
            _sound,
            Ending.USAGE,
            "--out: cannot write to this folder",
            out="{input}/results",
        ),
    )


def _same(folder: Path) -> Path:
    return folder


def _sound(folder: Path) -> Path:
    return write_sound_volume(folder / "sound.nii.gz")


def _link_out(folder: Path) -> Path:
    write_sound_dicom(folder.parent / f"{folder.name}-outside")
    (folder / "study").symlink_to(folder.parent / f"{folder.name}-outside", target_is_directory=True)
    return folder


def _circles(folder: Path) -> Path:
    write_sound_dicom(folder / "series")
    (folder / "series" / "again").symlink_to(folder, target_is_directory=True)
    (folder / "self").symlink_to(folder / "self")
    return folder


def _volume_link(folder: Path) -> Path:
    outside = write_sound_volume(folder.parent / f"{folder.name}-outside" / "other.nii.gz")
    (folder / "post.nii.gz").symlink_to(outside)
    return folder


def _deep(folder: Path) -> Path:
    write_sound_dicom(folder.joinpath(*["d"] * _DEEP))
    return folder


def _tiny(folder: Path, count: int) -> Path:
    for number in range(count):
        own = folder / f"{number // 1000}"
        own.mkdir(exist_ok=True)
        (own / f"{number}.txt").write_bytes(b"tiny")
    return folder


def _empty(folder: Path) -> Path:
    for number in range(5):
        (folder / f"{number}.dcm").touch()
    return folder


def _pipe(folder: Path) -> Path:
    write_sound_dicom(folder)
    os.mkfifo(folder / "pipe.dcm")
    return folder


def _modules(folder: Path) -> Path:
    """Write files that any import from the study's folder would run."""
    write_sound_dicom(folder)
    trap = f"open({str(folder / 'it-ran')!r}, 'w').close()\nraise SystemExit(99)\n"
    for module in ("numpy", "pydicom", "socket", "struct", "signal", "pickle", "cementct", "multiprocessing"):
        (folder / f"{module}.py").write_text(trap)
    return folder
