"""A batch of many small studies: studies per hour, what the batch itself costs, and memory over time.

Usage: ``python -m benchmarks.batch [--studies 200] [--jobs 2] [--write]``; ``--write`` renews
``docs/reliability.md``. 200 studies take some four minutes on two idle cores.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.reliability import store
from cementct.core.grid import Grid
from cementct.io.labelmaps import write_nifti

# One vertebra-like block of bone in soft tissue: enough for every step to run, and quick.
SHAPE = (24, 48, 48)
GRID = Grid(SHAPE, (2.0, 1.5, 1.5), (0.0, 0.0, 0.0))
SAMPLE_EVERY_S = 0.3
TENTHS = 10


@dataclass
class Watched:
    """One run of the command, watched from outside.

    Attributes
    ----------
    events
        What it told, with the seconds since it began.
    memory
        Moments (s), memory of all its processes, and of its own process alone (MB).
    wall_s
        How long it took.
    """

    events: list[dict[str, Any]] = field(default_factory=list)
    memory: list[tuple[float, float, float]] = field(default_factory=list)
    wall_s: float = 0.0


def write_studies(folder: Path, count: int) -> None:
    """Write small volumes that differ in their noise."""
    folder.mkdir()
    for number in range(count):
        hu = np.random.default_rng(number).normal(40, 12, SHAPE)
        hu[:, :6], hu[6:18, 18:34, 14:34], hu[8:16, 22:30, 18:30] = -1000, 300, 180
        write_nifti(folder / f"study{number:04d}.nii.gz", np.rint(hu).astype(np.int16), GRID)


def watch(command: list[str]) -> Watched:
    """Run the command with ``--json-log``, and note what it tells and what memory it takes."""
    told = Watched()
    began = time.monotonic()
    run = subprocess.Popen(
        [*command, "--json-log"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    thread = threading.Thread(target=_sample, args=(run.pid, told, began), daemon=True)
    thread.start()
    for line in run.stderr or ():
        told.events.append(json.loads(line))
    run.wait()
    told.wall_s = time.monotonic() - began
    thread.join()
    return told


def _sample(process_id: int, told: Watched, began: float) -> None:
    """Note the memory of a process and all its children until it ends."""
    try:
        root = psutil.Process(process_id)
        while root.is_running() and root.status() != psutil.STATUS_ZOMBIE:
            own = _memory_mb(root)
            whole = own + sum(_memory_mb(child) for child in root.children(recursive=True))
            told.memory.append((time.monotonic() - began, whole, own))
            time.sleep(SAMPLE_EVERY_S)
    except psutil.Error:
        return


def _memory_mb(process: psutil.Process) -> float:
    """Return the memory of a process, what it shares with others counted once in all."""
    try:
        return float(process.memory_full_info().pss) / 1e6
    except psutil.Error:
        return 0.0


def figures(first: Watched, again: Watched, studies: int, jobs: int) -> dict[str, Any]:
    """Return what is told of a batch and its repetition."""
    finished = [event for event in first.events if event["event"] == "study-finished"]
    bad = [event["study"] for event in finished if event["state"] != "done"]
    if bad or len(finished) != studies:
        raise SystemExit(f"expected {studies} studies done, {len(finished)} ended, these badly: {bad}")
    starts = [event["at_s"] for event in first.events if event["event"] == "study-started"]
    seconds = [event["seconds"] for event in finished]
    working_s = first.wall_s - min(starts)
    return {
        "what": f"volumes of {' × '.join(map(str, SHAPE))} voxels, JSON and label maps.",
        "studies": studies,
        "jobs": jobs,
        "studies_per_hour": 3600 * studies / first.wall_s,
        "study_s": statistics.median(seconds),
        "overhead_s": (working_s * jobs - sum(seconds)) / studies,
        "start_s": min(starts),
        "again_s": again.wall_s,
        "peak_mb": max(whole for _, whole, _ in first.memory),
        "tenths_mb": _by_tenths(first, 1),
        "parent_mb": _by_tenths(first, 2),
    }


def _by_tenths(told: Watched, which: int) -> list[float]:
    parts: list[list[float]] = [[] for _ in range(TENTHS)]
    for sample in told.memory:
        parts[min(int(TENTHS * sample[0] / told.wall_s), TENTHS - 1)].append(sample[which])
    return [statistics.median(part) if part else 0.0 for part in parts]


def main() -> None:
    """Make the studies, run them twice, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_studies(folder / "in", wanted.studies)
        command = [
            sys.executable,
            "-m",
            "cementct.cli",
            "run",
            str(folder / "in"),
            "--out",
            str(folder / "out"),
        ]
        command += ["--format", "json", "--jobs", str(wanted.jobs)]
        told = figures(watch(command), watch([*command, "--skip-existing"]), wanted.studies, wanted.jobs)
    print(json.dumps(told, indent=2))
    if wanted.write:
        store("batch", told)


if __name__ == "__main__":
    main()
