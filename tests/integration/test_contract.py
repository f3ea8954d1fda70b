"""Exit status, names and privacy, as callers rely on them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from cementct.core.grid import Grid
from cementct.io.labelmaps import write_nifti
from tests.integration.conftest import run_cementct

SOFT_TISSUE_HU = 40


@pytest.fixture
def volume_without_a_spine(tmp_path: Path) -> Path:
    """Write a small volume of water in air."""
    hu = np.full((24, 48, 48), -1000, dtype=np.int16)
    hu[4:20, 8:40, 8:40] = SOFT_TISSUE_HU
    path = tmp_path / "water.nii.gz"
    write_nifti(path, hu, Grid(hu.shape, (2.0, 1.0, 1.0), (0.0, 0.0, 0.0)))
    return path


def test_a_volume_without_a_spine_is_done_and_says_so(volume_without_a_spine: Path, tmp_path: Path) -> None:
    ran = run_cementct(volume_without_a_spine, out=tmp_path / "out")
    assert ran.status == 0, ran.stderr
    report = ran.report("water")
    assert report["vertebrae"] == []
    assert "no-vertebrae-found" in {flag["flag"] for flag in report["quality"]}


def test_a_path_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    ran = run_cementct(tmp_path / "nowhere", out=tmp_path / "out")
    assert ran.status == 3
    assert "nowhere" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_one_refused_study_of_two_does_not_stop_the_other(
    volume_without_a_spine: Path, tmp_path: Path
) -> None:
    studies = tmp_path / "studies"
    studies.mkdir()
    shutil.copy(volume_without_a_spine, studies / "good.nii.gz")
    (studies / "bad.nii.gz").write_bytes(b"this is no volume")
    ran = run_cementct(studies, out=tmp_path / "out")
    assert ran.status == 4
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert {s["study"]: s["state"] for s in summary["studies"]} == {"good": "done", "bad": "refused"}
    assert not (tmp_path / "out" / "bad").exists()


def test_results_never_take_the_place_of_images(volume_without_a_spine: Path, tmp_path: Path) -> None:
    study = tmp_path / "p1"
    study.mkdir()
    shutil.copy(volume_without_a_spine, study / "post.nii.gz")
    ran = run_cementct(study, out=tmp_path)
    assert ran.status == 2
    assert "--out: expected another folder" in ran.stderr
    assert [p.name for p in study.iterdir()] == ["post.nii.gz"]
    assert not (tmp_path / "summary.json").exists()


def test_a_study_that_lies_in_the_output_folder_is_not_passed_over(
    volume_without_a_spine: Path, tmp_path: Path
) -> None:
    study = tmp_path / "site" / "ward" / "p1"
    study.mkdir(parents=True)
    shutil.copy(volume_without_a_spine, study / "post.nii.gz")
    assert run_cementct(tmp_path / "site", out=tmp_path / "site" / "ward").status == 2
    assert [p.name for p in study.iterdir()] == ["post.nii.gz"]


def test_results_below_an_input_are_no_study_of_the_next_run(
    volume_without_a_spine: Path, tmp_path: Path
) -> None:
    studies = tmp_path / "studies"
    for name in ("p1", "p2"):
        (studies / name).mkdir(parents=True)
        shutil.copy(volume_without_a_spine, studies / name / "post.nii.gz")
    for _ in range(2):
        ran = run_cementct(studies, out=studies / "results")
        assert ran.status == 0, ran.stderr
    summary = json.loads((studies / "results" / "summary.json").read_text(encoding="utf-8"))
    assert [study["study"] for study in summary["studies"]] == ["p1", "p2"]


def test_a_folder_of_somebody_elses_in_the_output_folder_is_left_alone(
    volume_without_a_spine: Path, tmp_path: Path
) -> None:
    notes = tmp_path / "out" / "water" / "notes.txt"
    notes.parent.mkdir(parents=True)
    notes.write_text("mine")
    ran = run_cementct(volume_without_a_spine, out=tmp_path / "out")
    assert ran.status == 1
    assert "left alone" in ran.stderr
    assert notes.read_text() == "mine"


@pytest.mark.parametrize("option", ["--study-memory", "--study-timeout"])
@pytest.mark.parametrize("number", ["nan", "inf", "1e300", "0"])
def test_a_limit_that_is_none_is_a_usage_error(
    volume_without_a_spine: Path, tmp_path: Path, option: str, number: str
) -> None:
    ran = run_cementct(volume_without_a_spine, option, number, out=tmp_path / "out")
    assert ran.status == 2
    assert option in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_label_file_without_its_scheme_is_a_usage_error(
    volume_without_a_spine: Path, tmp_path: Path
) -> None:
    study = tmp_path / "study"
    study.mkdir()
    shutil.copy(volume_without_a_spine, study / "post.nii.gz")
    shutil.copy(volume_without_a_spine, study / "vertebrae.nii.gz")
    assert run_cementct(study, out=tmp_path / "out").status == 2


def test_options_of_one_study_are_refused_with_several(volume_without_a_spine: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.nii.gz"
    shutil.copy(volume_without_a_spine, other)
    ran = run_cementct(volume_without_a_spine, other, "--top-level", "T12", out=tmp_path / "out")
    assert ran.status == 2


def test_the_same_input_gives_the_same_bytes_on_any_number_of_jobs(
    volume_without_a_spine: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.nii.gz"
    shutil.copy(volume_without_a_spine, other)
    one = run_cementct(volume_without_a_spine, other, "--jobs", "1", out=tmp_path / "one")
    two = run_cementct(volume_without_a_spine, other, "--jobs", "2", out=tmp_path / "two")
    assert (one.status, two.status) == (0, 0)
    names = sorted(p.relative_to(one.out) for p in one.out.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(two.out) for p in two.out.rglob("*") if p.is_file())
    for name in names:
        assert (one.out / name).read_bytes() == (two.out / name).read_bytes(), name


def test_a_finished_study_is_left_alone_where_that_is_asked(
    volume_without_a_spine: Path, tmp_path: Path
) -> None:
    first = run_cementct(volume_without_a_spine, out=tmp_path / "out")
    report = first.out / "water" / "report.json"
    before = report.stat().st_mtime_ns
    again = run_cementct(volume_without_a_spine, "--skip-existing", out=tmp_path / "out")
    assert again.status == 0
    assert report.stat().st_mtime_ns == before
    other = run_cementct(
        volume_without_a_spine, "--skip-existing", "--top-level", "T12", out=tmp_path / "out"
    )
    assert other.status == 0
    assert report.stat().st_mtime_ns > before
