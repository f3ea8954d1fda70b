"""The module of the mercure router: flat folders in and out, and nothing of the patient but in DICOM."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pydicom
import pytest

from cementct.core.errors import UsageError
from cementct.core.findings import (
    Compartments,
    CompartmentState,
    LevelSource,
    SeriesReport,
    Software,
    StudyDescription,
    StudyReport,
    VertebraReport,
)
from cementct.core.grid import Grid
from cementct.core.image import Volume
from cementct.core.levels import Level
from cementct.core.outcome import StudyOutcome, StudyState
from cementct.node.mercure import read_module_settings, result_of
from cementct.testing.dicom import SeriesDetails, write_ct_series

TASK = {
    "id": "7",
    "info": {"patient_name": "PHANTOM^SAMPLE", "mrn": "PHANTOM-0001"},
    "process": {"module_name": "cementct", "settings": {"formats": "sr", "series_offset": 5}},
}


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Return an input folder as the router fills it, with a scan of soft tissue, and an output folder."""
    source, target = tmp_path / "in", tmp_path / "out"
    rng = np.random.default_rng(3)
    hu = rng.normal(40, 10, (12, 48, 48)).astype(np.int16)
    hu[:, :6], hu[:, 20:26, 20:30] = -1000, 700
    grid = Grid(hu.shape, (2.0, 1.5, 1.5), (0.0, 0.0, 0.0))
    write_ct_series(tmp_path / "ct", Volume(hu, grid), SeriesDetails(2, "x"))
    source.mkdir()
    target.mkdir()
    for path in (tmp_path / "ct").iterdir():
        header = pydicom.dcmread(path, stop_before_pixels=True)
        name = f"{header.SeriesInstanceUID}#{header.SOPInstanceUID}"
        path.rename(source / f"{name}.dcm")
        (source / f"{name}.tags").write_text("{}")
    (source / "task.json").write_text(json.dumps(TASK))
    return source, target


@pytest.fixture
def report_of_one() -> StudyReport:
    """Return a report with one treated vertebra and little else."""
    vertebra = VertebraReport(
        level=Level.L2,
        label=21,
        level_source=LevelSource.SACRUM,
        centroid_lps_mm=(0.0, 0.0, 0.0),
        complete=True,
        treated=True,
        cement_volume_ml=4.0,
    )
    return StudyReport(
        software=Software(name="cementct", version="0", config_sha256="0"),
        study=StudyDescription(
            post=SeriesReport(series_instance_uid="1.2", shape=(1, 1, 1), spacing_mm=(1.0, 1.0, 1.0), why=""),
            pre=None,
        ),
        vertebrae=(vertebra,),
    )


def run(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in {"HOME", "TMPDIR"}}
    environment |= {"MERCURE_IN_DIR": str(source), "MERCURE_OUT_DIR": str(target)}
    command = [sys.executable, "-m", "cementct.cli", "mercure"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_study_with_nothing_to_report_ends_well_with_flat_results(folders: tuple[Path, Path]) -> None:
    source, target = folders
    ran = run(source, target)
    assert ran.returncode == 0, ran.stderr
    assert sorted(p.name for p in target.iterdir()) == ["result.json", "sr.dcm"]
    result = json.loads((target / "result.json").read_text())
    assert result == {"status": "done", "treated": []}
    assert pydicom.dcmread(target / "sr.dcm").SeriesNumber == 9106
    assert "PHANTOM" not in ran.stdout + ran.stderr + json.dumps(result)


def test_a_folder_without_ct_is_refused_and_says_so_in_its_result(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    target.mkdir()
    (source / "readme.txt").write_text("no images")
    ran = run(source, target)
    assert ran.returncode == 3
    assert [p.name for p in target.iterdir()] == ["result.json"]
    assert json.loads((target / "result.json").read_text())["status"] == "refused"
    assert "Traceback" not in ran.stderr


def test_missing_variables_and_unknown_settings_are_named(tmp_path: Path) -> None:
    ran = run(tmp_path / "nowhere", tmp_path)
    assert ran.returncode == 2
    assert "MERCURE_IN_DIR" in ran.stderr
    task = tmp_path / "task.json"
    task.write_text("[")
    with pytest.raises(UsageError, match=r"task\.json"):
        read_module_settings(task)


def test_settings_may_be_one_step_of_several(tmp_path: Path) -> None:
    task = tmp_path / "task.json"
    steps = [
        {"module_name": "other", "settings": {"formats": "html"}},
        {"module_name": "cementct-1", "settings": {"formats": "seg"}},
    ]
    task.write_text(json.dumps({"process": steps}))
    assert read_module_settings(task) == {"formats": "seg"}


@pytest.mark.parametrize(
    ("state", "speaks"),
    [("present", True), ("possible", True), ("not-assessable", True), ("none-seen", False)],
)
def test_canal_and_foramina_are_told_of_unless_nothing_was_seen(
    report_of_one: StudyReport, state: str, *, speaks: bool
) -> None:
    none = CompartmentState.NONE_SEEN
    fields: dict[str, Any] = dict.fromkeys(msgspec.structs.asdict(_plain()), none)
    fields["foraminal_left"] = CompartmentState(state)
    (vertebra,) = report_of_one.vertebrae
    told = msgspec.structs.replace(vertebra, compartments=Compartments(**fields))
    report = msgspec.structs.replace(report_of_one, vertebrae=(told,))
    result = result_of(StudyOutcome("study", StudyState.DONE, report=report))
    assert ("__mercure_notification" in result) == speaks
    if speaks:
        assert "not for clinical use" in result["__mercure_notification"]["text"]


def _plain() -> Compartments:
    none = CompartmentState.NONE_SEEN
    return Compartments(
        epidural=none,
        foraminal_left=none,
        foraminal_right=none,
        diskal_above=none,
        diskal_below=none,
        paravertebral=none,
        access_track=none,
    )
