"""Help by hand, turned headers and patients on their side, from files to the report."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import nibabel
import numpy as np
import pytest

import cementct
from cementct.anatomy.describe import describe_spine
from cementct.anatomy.hints import GivenAnatomy, GivenVertebra
from cementct.anatomy.naming import LevelHints
from cementct.core.errors import StudyRefused
from cementct.core.findings import StudyReport
from cementct.core.grid import Box
from cementct.core.image import Volume
from cementct.core.levels import Level
from cementct.io.dicom import read_series, scan_folder
from cementct.io.files import read_volume
from cementct.segmentation.vertebrae.embedded import segment_vertebrae
from cementct.testing.dicom import PatientPosition, SeriesDetails, write_ct_series
from tests.integration.conftest import SAMPLE, run_cementct

# Slices of the sample around L2, whose canal and disc have leaked cement.
SLICES = (0, 60)
# The middle of L1 in the public lumbar scan, LPS mm, and where soft tissue takes the place of its arch.
L1_CENTRE = (6.5, -121.5, 385.9)
REMOVED_ABOVE_MM, REMOVED_BEHIND_MM = 370.0, -103.0


@pytest.fixture(scope="module")
def one_level() -> Volume:
    """Return the sample's post-injection scan around one treated vertebra."""
    series = next(s for s in scan_folder(SAMPLE).series if s.header.number == 3)
    volume = read_series(series).volume
    return volume.crop(Box((SLICES[0], 12, 28), (SLICES[1], 150, 150)))


def lying(volume: Volume, position: PatientPosition, folder: Path) -> Path:
    write_ct_series(folder, volume, SeriesDetails(3, "after", position=position, slice_thickness_mm=1.25))
    return folder


def as_data(report: StudyReport) -> object:
    return json.loads(msgspec.json.encode(report.vertebrae))


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (
            {"center": [0, 0, 0]},
            "anatomy.json: vertebrae[0].center: expected only the keys level, centre_lps_mm",
        ),
        (
            {"centre_lps_mm": [0, 0, 900]},
            "anatomy.json: vertebrae[0].centre_lps_mm: expected points in the scan",
        ),
        (
            {"centre_lps_mm": [20, 20, 20]},
            "anatomy.json: vertebrae[0]: expected a vertebral body at the place",
        ),
    ],
)
def test_what_cannot_be_respected_is_refused_with_file_and_key(
    tmp_path: Path, entry: dict[str, object], says: str
) -> None:
    scan, file = water(tmp_path), tmp_path / "anatomy.json"
    file.write_text(json.dumps({"vertebrae": [entry]}), encoding="utf-8")
    with pytest.raises(StudyRefused) as refusal:
        cementct.analyze(scan, anatomy=file)
    assert str(refusal.value).startswith(says)
    assert "\n" not in str(refusal.value)


def test_the_command_refuses_a_file_that_is_no_json(tmp_path: Path) -> None:
    scan, file = water(tmp_path), tmp_path / "anatomy.json"
    file.write_text("centre: 1, 2, 3", encoding="utf-8")
    ran = run_cementct(scan, "--anatomy", file, "--quiet", out=tmp_path / "out")
    assert ran.status == 3
    assert "anatomy.json: expected JSON, found a fault in line 1, column 1" in ran.stderr
    assert not (tmp_path / "out" / "post").exists()


def water(folder: Path) -> Path:
    """Write a scan without a spine."""
    hu = np.full((40, 40, 40), -1000, dtype=np.int16)
    hu[4:36, 4:36, 4:36] = 40
    path = folder / "post.nii.gz"
    nibabel.save(nibabel.Nifti1Image(hu, np.diag([-1.0, -1.0, 1.0, 1.0])), path)
    return path


@pytest.mark.slow
def test_a_patient_on_the_side_feet_first_has_the_report_of_one_on_the_back(
    one_level: Volume, tmp_path: Path
) -> None:
    reports = [
        cementct.analyze(lying(one_level, position, tmp_path / position))
        for position in (PatientPosition.HFS, PatientPosition.FFDL)
    ]
    supine, lateral = (as_data(report) for report in reports)
    assert supine == lateral
    sides = {leak.type: leak.side for v in reports[0].treated for leak in v.leaks}
    assert sides == {"diskal": "right", "epidural": "left"}


def test_one_vertebra_upside_down_is_noticed(real_data: Path) -> None:
    volume = read_volume(real_data / "tptbox_l3" / "sub-ct_label-22_ct.nii.gz").volume
    for steps in ((1, 1), (-1, 1), (1, -1)):
        hu = np.ascontiguousarray(volume.hu[:: steps[0], :: steps[1]])
        spine = describe_spine(volume, segment_vertebrae(Volume(hu, volume.grid)))
        assert spine.orientation_contradicts_anatomy is (steps != (1, 1))


@pytest.fixture(scope="module")
def laminectomy(real_data: Path) -> Volume:
    """Return a lumbar scan without the arches of the upper vertebrae: the engine loses the canal there."""
    volume = read_volume(real_data / "totalsegmentator_lumbar_3mm" / "ct.nii.gz").volume
    z, y, _ = np.rint(volume.grid.to_index((0.0, REMOVED_BEHIND_MM, REMOVED_ABOVE_MM))).astype(int)
    hu = volume.hu.copy()
    arches = hu[z:, y:]
    arches[arches > 100] = 40
    return Volume(hu, volume.grid).crop(Box((40, 20, 20), (112, 101, 100)))


@pytest.mark.slow
def test_a_given_centre_brings_back_a_vertebra_that_was_lost(laminectomy: Volume) -> None:
    given = GivenAnatomy((GivenVertebra("anatomy.json: vertebrae[0]", Level.L1, L1_CENTRE),))
    labels = segment_vertebrae(laminectomy, given)
    spine = describe_spine(laminectomy, labels, hints=LevelHints(by_hand=given))
    (first,) = [v for v in spine.vertebrae if v.level is Level.L1]
    assert first.centroid_lps_mm == L1_CENTRE
    index = np.rint(laminectomy.grid.to_index(L1_CENTRE)).astype(int)
    assert first.body.in_box(laminectomy.grid.box)[tuple(index)]
    assert np.linalg.norm(np.asarray(first.frame.centre_lps_mm) - L1_CENTRE) < 4.0


def test_a_centre_in_the_muscle_is_refused(laminectomy: Volume) -> None:
    given = GivenAnatomy((GivenVertebra("anatomy.json: vertebrae[0]", None, (60.0, -95.0, 330.0)),))
    labels = segment_vertebrae(laminectomy, given)
    with pytest.raises(StudyRefused, match=r"^anatomy.json: vertebrae\[0\]: expected a vertebral body"):
        describe_spine(laminectomy, labels, hints=LevelHints(by_hand=given))
