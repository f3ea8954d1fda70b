"""Bad studies end with the right exit status and one line on what was wrong, alone and in a batch."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from benchmarks.hostile.trial import faults, made, try_case
from cementct.testing.hostile.case import Ending, HostileCase
from cementct.testing.hostile.corpus import hostile_cases
from cementct.testing.hostile.sound import write_sound_dicom, write_sound_volume
from tests.integration.conftest import run_cementct

CASES = hostile_cases()

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="limits on memory are set as Linux knows them"
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_study_ends_as_it_should(case: HostileCase, tmp_path: Path) -> None:
    assert faults(case, try_case(case, tmp_path)) == []


def test_the_sound_studies_of_a_batch_of_bad_ones_are_done(tmp_path: Path) -> None:
    bad = [
        case
        for case in CASES
        if not case.out and not case.largest_file_bytes and case.name != "nothing-there"
    ]
    inputs = [write_sound_volume(tmp_path / "in" / "first.nii.gz")]
    inputs += [made(case, tmp_path) for case in bad]
    inputs.append(write_sound_dicom(tmp_path / "in" / "last"))
    ran = run_cementct(*inputs, "--jobs", "2", "--format", "json", out=tmp_path / "out")

    assert ran.status == 4
    assert "Traceback" not in ran.stderr
    states = list(json.loads(ran.stdout.splitlines()[-1])["studies"].values())
    assert states == ["done", *("done" if case.ending is Ending.DONE else "refused" for case in bad), "done"]
    assert not list((tmp_path / "out").glob(".*"))
    assert not list(tmp_path.rglob("it-ran"))


@pytest.mark.skipif(os.system("unshare -rm true 2> /dev/null") != 0, reason="no user namespaces here")  # noqa: S605
@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        ("size=40k,nr_inodes=20", 1, "the results cannot be written (No space left on device)"),
        ("ro", 2, "cannot write to this folder (Read-only file system)"),
    ],
)
def test_a_file_system_that_takes_no_more_is_said_in_one_line(
    options: str, status: int, says: str, tmp_path: Path
) -> None:
    import subprocess

    out = tmp_path / "out"
    out.mkdir()
    study = write_sound_volume(tmp_path / "sound.nii.gz")
    run = f"{sys.executable} -m cementct.cli run {study} --out {out} -q"
    command = f"mount -t tmpfs -o {options} none {out} && exec {run}"
    ran = subprocess.run(["unshare", "-rm", "sh", "-c", command], capture_output=True, text=True, check=False)

    assert ran.returncode == status, ran.stderr
    assert says in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
