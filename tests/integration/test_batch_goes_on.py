"""A batch that is killed or interrupted goes on where it stopped, and leaves nothing half-written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cementct.core.outcome import StudyState
from cementct.io.outputs import remove_unfinished, whole_folder
from cementct.pipeline.batch import run_batch
from cementct.pipeline.options import RunOptions
from cementct.pipeline.progress import BatchStarted, ProgressEvent
from cementct.testing.hostile.sound import write_sound_dicom, write_sound_volume
from tests.integration.conftest import run_cementct

STUDIES = 5
PATIENCE_S = 300.0


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    """Return a folder of sound studies."""
    for number in range(STUDIES):
        write_sound_volume(tmp_path / "in" / f"study{number}.nii.gz")
    return tmp_path / "in"


def start(studies: Path, out: Path) -> subprocess.Popen[bytes]:
    # Tests that run in the background ignore interrupts, and would hand that down.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from cementct.cli import main; main()"
    )
    command = [sys.executable, "-c", program, "run", str(studies), "--out", str(out), "--format", "json"]
    return subprocess.Popen([*command, "--jobs", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for_reports(out: Path, run: subprocess.Popen[bytes], count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while len(list(out.glob("[!.]*/report.json"))) < count and run.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_batch_that_is_ended_goes_on_where_it_stopped(
    how: signal.Signals, studies: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = start(studies, out)
    wait_for_reports(out, run, 1)
    children = psutil.Process(run.pid).children(recursive=True) if run.poll() is None else []
    run.send_signal(how)
    run.communicate(timeout=PATIENCE_S)
    psutil.wait_procs(children, timeout=PATIENCE_S)
    assert run.returncode in {-signal.SIGKILL, 130, 0}
    before = {path: path.stat().st_mtime_ns for path in out.glob("[!.]*/report.json")}

    again = run_cementct(studies, "--jobs", "2", "--format", "json", "--skip-existing", out=out)

    assert again.status == 0, again.stderr
    assert before
    assert {path: path.stat().st_mtime_ns for path in before} == before
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert [study["study"] for study in summary["studies"]] == [f"study{i}" for i in range(STUDIES)]
    assert {study["state"] for study in summary["studies"]} == {"done"}
    assert not list(out.glob(".*"))


def test_no_child_outlives_a_batch_that_is_killed(studies: Path, tmp_path: Path) -> None:
    run = start(studies, tmp_path / "out")
    wait_for_reports(tmp_path / "out", run, 1)
    children = psutil.Process(run.pid).children(recursive=True) if run.poll() is None else []
    run.kill()
    run.communicate()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []


def test_an_interrupted_run_says_so_with_130(studies: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = start(studies, out)
    deadline = time.monotonic() + PATIENCE_S
    while not out.is_dir() and run.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 130
    assert "interrupted; nothing half-written was left" in said.decode()
    assert not list(out.glob(".*"))


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_study_whose_files_vanish_is_refused_and_the_others_are_done(
    studies: Path, tmp_path: Path, jobs: int
) -> None:
    def remove_one(event: ProgressEvent) -> None:
        if isinstance(event, BatchStarted):
            (studies / "study1.nii.gz").unlink()

    ended = run_batch([studies], tmp_path / "out", RunOptions(jobs=jobs), remove_one)

    states = {entry.study: entry.state for entry in ended.entries}
    assert states.pop("study1") is StudyState.REFUSED
    assert set(states.values()) == {StudyState.DONE}
    assert ended.exit_status == 4
    (why,) = (entry.why for entry in ended.entries if entry.study == "study1")
    assert why is not None
    assert why.startswith("study1.nii.gz: ")


def test_what_a_killed_process_left_is_removed_when_its_study_is_written_again(tmp_path: Path) -> None:
    name = "x" * 250
    for target in (tmp_path / name, tmp_path / "other"):
        child = os.fork()
        if child == 0:
            with whole_folder(target) as folder:
                (folder / "half").write_text("half")
                os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)
    assert len(list(tmp_path.glob(".partial-*"))) == 2
    with whole_folder(tmp_path / name) as folder:
        (folder / "whole").write_text("whole")
    assert len(list(tmp_path.glob(".partial-*"))) == 1
    remove_unfinished(tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_study_that_hangs_is_given_up_and_leaves_nothing(studies: Path, tmp_path: Path) -> None:
    ran = run_cementct(studies, "--study-timeout", "0.001", out=tmp_path / "out")
    assert ran.status == 4
    assert "timeout: not done after 0.001 s" in ran.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "summary.csv",
        "summary.json",
        "summary.parquet",
    ]


def test_a_study_that_needs_more_memory_than_it_may_is_given_up(studies: Path, tmp_path: Path) -> None:
    ran = run_cementct(studies / "study0.nii.gz", "--study-memory", "0.000001", out=tmp_path / "out")
    assert ran.status == 1
    assert "memory" in ran.stderr


def test_dicom_results_are_the_same_bytes_on_any_number_of_jobs(tmp_path: Path) -> None:
    from cementct.testing.encodings import Encoding

    for number, encoding in enumerate((None, Encoding.JPEG_2000)):
        write_sound_dicom(tmp_path / "in" / f"study{number}", encoding=encoding)
    inputs = sorted((tmp_path / "in").iterdir())
    forms = ("--format", "json,csv,html,pdf,seg,sr,sc")
    one = run_cementct(*inputs, *forms, "--jobs", "1", out=tmp_path / "one")
    two = run_cementct(*inputs, *forms, "--jobs", "2", out=tmp_path / "two")
    assert (one.status, two.status) == (0, 0), one.stderr
    names = sorted(p.relative_to(one.out) for p in one.out.rglob("*") if p.is_file())
    assert any(name.suffix == ".dcm" for name in names)
    assert names == sorted(p.relative_to(two.out) for p in two.out.rglob("*") if p.is_file())
    for name in names:
        assert (one.out / name).read_bytes() == (two.out / name).read_bytes(), name
