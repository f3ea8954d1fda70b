"""One damaged input read, in the child: what came of it, in one word and one place."""

from __future__ import annotations

import traceback
from pathlib import Path

from cementct.core.errors import CementctError
from cementct.core.grid import Grid

from .seeds import MARKS, SHAPE, Reader

# The only thing that a message may say beyond this length is a file's name.
LONGEST_MESSAGE = 1000


# What a message says of a reader that crashed in its child.
CRASHED = "reading it crashed"


def read(reader: Reader, folder: Path, files: list[str]) -> bool:
    """Read what lies in a folder as the command line would; tell whether a child crashed over it."""
    if reader is Reader.STUDY:
        return _read_study(folder)
    path = folder / files[0]
    if reader is Reader.VOLUME:
        from cementct.io.files import read_volume

        read_volume(path)
    elif reader is Reader.LABELS:
        from cementct.io.files import read_labels

        read_labels(path)
    elif reader is Reader.SEGMENTS:
        from cementct.io.segments import Purpose, read_segments

        for purpose in (Purpose.ANY, Purpose.VERTEBRAE):
            read_segments(path, purpose=purpose)
    else:
        from cementct.io.hints import read_hints

        read_hints(path, Grid(SHAPE, (1.5, 0.8, 0.7), (-10.0, -20.0, -300.0)))
    return False


def _read_study(folder: Path) -> bool:
    """Find the studies of a folder, read every series, and choose among them."""
    from cementct.io.dicom import read_series, scan_folder
    from cementct.pipeline.discover import discover_studies
    from cementct.pipeline.study_input import open_study, study_identity
    from cementct.segmentation.presence import shows_cement

    said = []
    scanned = scan_folder(folder)
    said += [item.why for item in scanned.ignored]
    for series in scanned.series:
        said += [flag.says for flag in series.flags]
        try:
            read_series(series)
        except CementctError as error:
            said.append(str(error))
    for source in discover_studies([folder], shows_cement):
        said += [source.name, source.shown]
        study_identity(source)
        try:
            opened = open_study(source, shows_cement)
            said += [item.why for item in opened.ignored]
        except CementctError as error:
            said.append(str(error))
    for words in said:
        check_words(words)
    return any(CRASHED in words for words in said)


class Faulty(Exception):
    """A message that no user should see."""


def check_words(words: str) -> None:
    """Raise where a message is not one line, far too long, or names the patient."""
    if "\n" in words or not words.isprintable():
        raise Faulty(f"a message of several lines or with control characters: {words[:80]!r}")
    if len(words) > LONGEST_MESSAGE:
        raise Faulty(f"a message of {len(words)} letters: {words[:80]!r}")
    if any(mark in words for mark in MARKS):
        raise Faulty(f"a message that names the patient: {words[:80]!r}")


def outcome(reader: Reader, folder: Path, files: list[str]) -> tuple[str, str]:
    """Return 'read', 'refused' or 'contained', or 'error' with kind and place of an unforeseen error."""
    try:
        crashed = read(reader, folder, files)
    except CementctError as error:
        try:
            check_words(str(error))
        except Faulty as fault:
            return "error", f"Faulty {fault}"
        return "contained" if CRASHED in str(error) else "refused", str(error)
    except BaseException as error:  # noqa: BLE001 - this is what is looked for
        frames = traceback.extract_tb(error.__traceback__)
        own = [f for f in frames if "/cementct/" in f.filename] or frames
        place = f"{Path(own[-1].filename).name}:{own[-1].lineno}"
        words = f" {error}" if isinstance(error, Faulty) else ""
        return "error", f"{type(error).__name__} in {place} ({Path(frames[-1].filename).name}){words}"
    return "contained" if crashed else "read", ""
