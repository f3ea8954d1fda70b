"""A batch on a real Dask scheduler with two workers, one of which is killed while it works."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import nibabel
import numpy as np
import psutil
import pytest

PATIENCE_S = 240.0
STUDIES = 5


def dask(*words: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "10s"}
    return subprocess.Popen([sys.executable, "-m", *words], env=environment, start_new_session=True)


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    """Return a folder of small scans of soft tissue."""
    rng = np.random.default_rng(3)
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(STUDIES):
        hu = rng.normal(40, 10, (48, 48, 12)).astype(np.int16)
        hu[:, :6], hu[20:30, 20:26] = -1000, 700
        nibabel.save(nibabel.Nifti1Image(hu, np.diag([1.5, 1.5, 2.0, 1.0])), folder / f"study{number}.nii.gz")
    return folder


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Yield the scheduler's address and its two workers."""
    file = tmp_path / "scheduler.json"
    words = ("--no-dashboard", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
    scheduler = dask("distributed.cli.dask_scheduler", *words)
    started: list[subprocess.Popen[bytes]] = [scheduler]
    try:
        wait_for(file.is_file)
        time.sleep(0.5)
        address = json.loads(file.read_text())["address"]
        for name in ("one", "two"):
            words = (address, "--nworkers", "1", "--nthreads", "1", "--no-nanny", "--no-dashboard")
            started.append(
                dask("distributed.cli.dask_worker", *words, "--local-directory", str(tmp_path / name))
            )
        yield address, started[1:]
    finally:
        for process in started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def analyses(worker: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return the processes of studies that a worker has started; one that ends meanwhile is none."""
    found = []
    for process in psutil.Process(worker.pid).children():
        with suppress(psutil.NoSuchProcess):
            if "cementct.pipeline.alone" in process.cmdline():
                found.append(process)
    return found


def test_a_killed_worker_loses_and_doubles_no_study(
    studies: Path, cluster: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path
) -> None:
    address, (first, _) = cluster
    out = tmp_path / "out"
    command = [sys.executable, "-m", "cementct.cli", "run", str(studies), "--out", str(out)]
    run = subprocess.Popen([*command, "--scheduler", address, "--format", "json"], stdout=subprocess.PIPE)
    # The first worker is killed once it has started the process of a study.
    wait_for(lambda: analyses(first) or run.poll() is not None)
    assert run.poll() is None
    orphans = analyses(first)
    os.killpg(first.pid, signal.SIGKILL)

    # Nobody goes on with a study that another worker is given.
    psutil.wait_procs(orphans, timeout=PATIENCE_S)
    assert not any(orphan.is_running() for orphan in orphans)
    said, _ = run.communicate(timeout=PATIENCE_S)

    assert run.returncode == 0
    told = json.loads(said.splitlines()[-1])["studies"]
    assert told == {f"study{i}": "done" for i in range(STUDIES)}
    summary = json.loads((out / "summary.json").read_text())
    assert [study["study"] for study in summary["studies"]] == sorted(told)
    assert sorted(p.parent.name for p in out.glob("[!.]*/report.json")) == sorted(told)
    assert not list(out.glob(".*"))


def test_no_scheduler_is_said_in_one_line(studies: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cementct.cli", "run", str(studies), "--out", str(tmp_path / "out")]
    run = subprocess.run(
        [*command, "--scheduler", "tcp://127.0.0.1:9"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 3
    assert "--scheduler: expected a Dask scheduler at tcp://127.0.0.1:9, none answers" in run.stderr
    assert "Traceback" not in run.stderr
