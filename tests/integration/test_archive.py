"""A study sent to the node comes back in a real archive as objects that pass the validators."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import highdicom
import pydicom
import pytest

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parents[1] / "sample_data" / "study"
PROGRAMS = ("/usr/sbin/Orthanc", "unshare", "/usr/bin/storescu", "dciodvfy")


def require_archive() -> None:
    """Skip where there is no archive to run; where one has to be, fail."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if os.geteuid() != 0:
        missing.append("root, for a network namespace")
    if missing and os.environ.get("CEMENTCT_REQUIRE_VALIDATORS"):
        pytest.fail(f"not there, and here it has to be: {', '.join(missing)}")
    if missing:
        pytest.skip(f"not there: {', '.join(missing)} (Debian: orthanc orthanc-dicomweb dcmtk dicom3tools)")


@pytest.mark.parametrize("way", ["store", "web", "script"])
def test_results_come_back_from_an_archive(tmp_path: Path, way: str) -> None:
    require_archive()
    work = tmp_path / "work"
    work.mkdir()
    script = [sys.executable, str(HERE / "archive_in_a_namespace.py"), str(work), str(SAMPLE), way]
    ran = subprocess.run(["unshare", "-n", *script], capture_output=True, text=True, check=False)
    log = (work / "node.log").read_text()
    assert ran.returncode == 0, ran.stderr[-2000:] + log[-2000:]
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["studies"] == 1
    assert found["counts"]["SEG"] == found["counts"]["SR"] == found["counts"]["DOC"] == 1
    assert found["counts"]["OT"] >= 4
    for path in sorted(work.glob("*.dcm")):
        checked = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        lines = (checked.stdout + checked.stderr).splitlines()
        assert [line for line in lines if line.startswith("Error")] == [], path.name
    segmentation = highdicom.seg.segread(work / "SEG-0.dcm")
    assert any(
        "L2" in segmentation.get_segment_description(n).segment_label for n in segmentation.segment_numbers
    )
    report = highdicom.sr.srread(work / "SR-0.dcm")
    assert report.content.get_volumetric_roi_measurement_groups()
    assert pydicom.dcmread(work / "DOC-0.dcm").EncapsulatedDocument.startswith(b"%PDF")
    assert "PHANTOM" not in log
