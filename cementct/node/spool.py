"""Received studies on disk: folders whose place says how far each study has come.

A study moves by renaming its folder, which is done wholly or not at all, so that after a crash at any moment
the folders alone tell what is left to do:

``incoming/KEY`` (images still arrive) → ``work/JOB`` (analysis, then sending) → ``done/JOB`` or ``dead/JOB``.

KEY is a hash of the StudyInstanceUID; no name, number or UID from a header stands in a path.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

# Digits of the hash that names a study: no two of a hospital's studies meet.
KEY_DIGITS = 24
IMAGES, RESULTS = "images", "results"
INCOMING, WORK, DONE, DEAD, PARTS = "incoming", "work", "done", "dead", "parts"
STATE_FILE, REASON_FILE, JOURNAL_FILE = "state.json", "reason.json", "journal.jsonl"


class JobState(msgspec.Struct, kw_only=True):
    """How far one study has come.

    Attributes
    ----------
    analysed
        Whether its results are whole.
    sent
        File names of the results that the destination has confirmed.
    tries
        How often sending was tried without success.
    next_try
        When it is tried again, in seconds since 1970.
    """

    analysed: bool = False
    sent: list[str] = msgspec.field(default_factory=list)
    tries: int = 0
    next_try: float = 0.0


@dataclass(frozen=True)
class Job:
    """One study to analyse or to send."""

    folder: Path

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @property
    def images(self) -> Path:
        """Where its images lie."""
        return self.folder / IMAGES

    @property
    def results(self) -> Path:
        """Where its results are written."""
        return self.folder / RESULTS

    def state(self) -> JobState:
        """Return how far it has come; a fresh state where nothing is known."""
        try:
            return msgspec.json.decode((self.folder / STATE_FILE).read_bytes(), type=JobState)
        except (OSError, msgspec.MsgspecError):
            return JobState()

    def save(self, state: JobState) -> None:
        """Keep how far it has come."""
        write_safely(self.folder / STATE_FILE, msgspec.json.encode(state))


class Spool:
    """The folders of a node."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in (INCOMING, WORK, DONE, DEAD, PARTS):
            (root / name).mkdir(parents=True, exist_ok=True)
        # What was half received when the node stopped was never confirmed; its sender sends it again.
        for part in (root / PARTS).iterdir():
            part.unlink(missing_ok=True)
        # While a node was down nothing could come: quiet counts from when it listened at the earliest.
        self.listening_since = time.time()

    def key(self, study_uid: str) -> str:
        """Return the name under which a study is kept."""
        return hashlib.sha256(study_uid.encode()).hexdigest()[:KEY_DIGITS]

    def keep_image(self, study_uid: str, instance_uid: str, data: bytes) -> None:
        """Put one received object where its study is gathered; when this returns it is safe on disk.

        The same object sent again takes the place of the first.

        Raises
        ------
        OSError
            Where it cannot be written.
        """
        name = hashlib.sha256(instance_uid.encode()).hexdigest()[:KEY_DIGITS]
        part = self.root / PARTS / f"{name}.{time.monotonic_ns()}"
        try:
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            # The folder may leave for `work` between making it and moving the image into it.
            for attempt in range(3):
                folder = self.root / INCOMING / self.key(study_uid) / IMAGES
                try:
                    folder.mkdir(parents=True, exist_ok=True)
                    part.replace(folder / f"{name}.dcm")
                    break
                except FileNotFoundError:
                    if attempt == 2:
                        raise
            sync_folder(folder)
            sync_folder(folder.parent)
            sync_folder(folder.parent.parent)
        finally:
            part.unlink(missing_ok=True)

    def stable_studies(self, quiet_s: float) -> Iterator[Path]:
        """Yield the folders of studies for which nothing has come for a while."""
        for folder in sorted((self.root / INCOMING).iterdir()):
            try:
                last = (folder / IMAGES).stat().st_mtime
            except FileNotFoundError:
                continue
            if time.time() - max(last, self.listening_since) >= quiet_s:
                yield folder

    def begin(self, folder: Path) -> Job:
        """Turn a gathered study into a job; images of an earlier part of the same study join it."""
        number = 1 + max((int(p.name.rpartition("-")[2]) for p in self._jobs_of(folder.name)), default=0)
        target = self.root / WORK / f"{folder.name}-{number}"
        folder.rename(target)
        sync_folder(target.parent)
        sync_folder(folder.parent)
        return Job(target)

    def gather_earlier(self, job: Job) -> None:
        """Link the images of earlier, finished parts of the same study into a job."""
        key = job.name.rpartition("-")[0]
        for earlier in self._jobs_of(key):
            if earlier == job.folder or not (earlier / IMAGES).is_dir():
                continue
            for image in (earlier / IMAGES).iterdir():
                target = job.images / image.name
                if not target.exists():
                    os.link(image, target)

    def jobs(self) -> list[Job]:
        """Return the jobs that are not finished, in the order of their names."""
        return [Job(folder) for folder in sorted((self.root / WORK).iterdir()) if folder.is_dir()]

    def finish(self, job: Job) -> None:
        """Put a job away whose results have all been sent."""
        self._move(job, DONE)

    def bury(self, job: Job, why: str) -> None:
        """Put a job away that cannot be done, with the reason."""
        write_safely(job.folder / REASON_FILE, msgspec.json.encode({"why": why}))
        self._move(job, DEAD)

    def forget(self, older_than_s: float) -> None:
        """Remove finished jobs older than this."""
        for folder in (self.root / DONE).iterdir():
            if time.time() - folder.stat().st_mtime > older_than_s:
                shutil.rmtree(folder, ignore_errors=True)

    def note(self, event: str, **details: Any) -> None:
        """Add a line to the journal; it holds no patient data."""
        line = msgspec.json.encode({"time": round(time.time(), 3), "event": event, **details}) + b"\n"
        with (self.root / JOURNAL_FILE).open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def counts(self) -> dict[str, int]:
        """Return how many studies are where."""
        return {name: sum(1 for _ in (self.root / name).iterdir()) for name in (INCOMING, WORK, DONE, DEAD)}

    def free_mb(self) -> float:
        """Return the free space on the spool's disk, in megabytes."""
        return shutil.disk_usage(self.root).free / 1e6

    def _jobs_of(self, key: str) -> list[Path]:
        return [p for place in (WORK, DONE, DEAD) for p in sorted((self.root / place).glob(f"{key}-*"))]

    def _move(self, job: Job, place: str) -> None:
        target = self.root / place / job.name
        job.folder.rename(target)
        os.utime(target)
        sync_folder(target.parent)
        sync_folder(self.root / WORK)


def write_safely(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, safe on disk when this returns."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was made, moved or removed in a folder safe on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
