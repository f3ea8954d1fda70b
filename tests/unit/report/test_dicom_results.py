"""DICOM results lie where their images do, inherit the patient, and say nothing that the report does not."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom
import msgspec
import numpy as np
import pydicom
import pytest

from cementct.core.errors import StudyRefused
from cementct.core.findings import StudyReport
from cementct.core.formats import ReportFormat
from cementct.core.image import Region
from cementct.core.levels import Level
from cementct.io.dicom import read_series, scan_folder
from cementct.io.scan import Scan, scan_of
from cementct.io.segments import Purpose, read_segments
from cementct.report.dicom import codes
from cementct.report.dicom.identity import ResultIdentity
from cementct.report.dicom.seg import Segment, SegmentKind, build_segmentation
from cementct.report.dicom.source import read_source_images
from cementct.report.dicom.sr import build_report
from cementct.report.dicom.write import expected_files, write_dicom
from cementct.report.material import ReportMaterial
from cementct.report.pdf import render_pdf
from cementct.testing.dicom import PATIENT_NAME, PatientPosition, SeriesDetails, write_ct_series

ALL = tuple(ReportFormat)


def scan_in(folder: Path) -> Scan:
    return read_series(scan_folder(folder).series[0])


def segment(region: Region, number: int = 21) -> Segment:
    return Segment(
        SegmentKind.VERTEBRA,
        "L2 vertebra",
        codes.ANATOMY,
        codes.level_concept(Level.L2),
        (200, 180, 150),
        region,
        number,
        Level.L2,
    )


def corner(scan: Scan) -> Region:
    """Return a block that no symmetry of the grid maps onto itself."""
    voxels = np.zeros(scan.volume.grid.shape, dtype=np.bool_)
    voxels[1:4, 2:5, 3:9] = True
    voxels[4, 2, 3] = True
    return Region.of(voxels)


@pytest.mark.parametrize("position", list(PatientPosition))
@pytest.mark.parametrize("tilt_deg", [0.0, 12.0])
def test_a_segment_comes_back_where_it_was(
    material: ReportMaterial, report: StudyReport, tmp_path: Path, position: PatientPosition, tilt_deg: float
) -> None:
    small = material.post.crop(material.post.grid.box.intersection(material.cement.box))
    write_ct_series(tmp_path / "ct", small, SeriesDetails(4, "x", position=position, tilt_deg=tilt_deg))
    scan = scan_in(tmp_path / "ct")
    source = read_source_images(scan)
    assert source.one_per_slice == (tilt_deg == 0.0)
    region = corner(scan)
    made = build_segmentation(report, (segment(region),), source, ResultIdentity.of(report))
    made.save_as(tmp_path / "seg.dcm")
    back = read_segments(tmp_path / "seg.dcm").labels
    expected = scan.volume.grid.to_lps(region.indices())
    found = back.grid.to_lps(np.argwhere(back.labels > 0))
    assert found.shape == expected.shape
    distance = np.linalg.norm(found[:, None] - expected[None], axis=2)
    assert distance.min(axis=1).max() < 0.01
    assert distance.min(axis=0).max() < 0.01


@pytest.fixture
def scan(material: ReportMaterial, tmp_path: Path) -> Scan:
    """Return the column of blocks as a DICOM series."""
    write_ct_series(tmp_path / "ct", material.post, SeriesDetails(4, "after"))
    return scan_in(tmp_path / "ct")


def written(
    report: StudyReport, material: ReportMaterial, scan: Scan, folder: Path, formats: Any = ALL
) -> dict[str, pydicom.Dataset]:
    document = b"%PDF-1.4 x" if ReportFormat.PDF in formats else None
    paths = write_dicom(report, replace(material, post=scan.volume), scan, folder, formats, document=document)
    return {path.name: pydicom.dcmread(path) for path in paths}


_ONCE: dict[str, Path] = {}


@pytest.fixture
def results(
    block_report: StudyReport,
    material: ReportMaterial,
    scan: Scan,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Return the folder of all DICOM results of the column of blocks, written once for all tests."""
    if "folder" not in _ONCE:
        folder = tmp_path_factory.mktemp("results")
        written(block_report, material, scan, folder)
        _ONCE["folder"] = folder / "dicom"
    return _ONCE["folder"]


def test_every_object_belongs_to_the_patient_and_the_study(
    block_report: StudyReport, scan: Scan, results: Path
) -> None:
    assert scan.series is not None
    made = {path.name: pydicom.dcmread(path) for path in results.iterdir()}
    assert {"seg.dcm", "sr.dcm", "sc-001.dcm", "report-pdf.dcm"} <= made.keys()
    assert set(expected_files(block_report, ALL)) <= {f"dicom/{name}" for name in made}
    for dataset in made.values():
        assert str(dataset.PatientName) == PATIENT_NAME
        assert dataset.StudyInstanceUID == scan.series.study_uid
        assert dataset.SeriesInstanceUID != scan.series.series_uid
        equipment = [item.get("ManufacturerModelName") for item in dataset.ContributingEquipmentSequence]
        assert "cementct" in equipment
    assert len({d.SOPInstanceUID for d in made.values()}) == len(made)


def test_writing_twice_gives_the_same_bytes(
    block_report: StudyReport, material: ReportMaterial, scan: Scan, results: Path, tmp_path: Path
) -> None:
    written(block_report, material, scan, tmp_path)
    for path in results.iterdir():
        assert path.read_bytes() == (tmp_path / "dicom" / path.name).read_bytes(), path.name


def test_another_version_has_other_uids(block_report: StudyReport) -> None:
    newer = msgspec.structs.replace(
        block_report, software=msgspec.structs.replace(block_report.software, version="9.9")
    )
    one, two = ResultIdentity.of(block_report), ResultIdentity.of(newer)
    assert one.uid("sr", "instance") != two.uid("sr", "instance")
    assert one.uid("sr", "series") != one.uid("sr", "instance")
    assert len(one.uid("sr", "instance")) <= 64


def test_uids_hang_on_what_is_said_and_not_on_where_files_lie(block_report: StudyReport) -> None:
    moved = msgspec.structs.replace(
        block_report, study=msgspec.structs.replace(block_report.study, input_sha256="0" * 64)
    )
    assert ResultIdentity.of(moved) == ResultIdentity.of(block_report)
    assert ResultIdentity.of(moved, [ReportFormat.SEG]) != ResultIdentity.of(moved, [ReportFormat.SR])
    fewer = msgspec.structs.replace(block_report, vertebrae=block_report.vertebrae[:-1])
    assert ResultIdentity.of(fewer) != ResultIdentity.of(block_report)


def test_an_edited_segmentation_gives_vertebrae_lesion_and_cement_apart(
    block_report: StudyReport, material: ReportMaterial, results: Path
) -> None:
    path = results / "seg.dcm"
    vertebrae = read_segments(path, purpose=Purpose.VERTEBRAE)
    assert sorted(vertebrae.names.values()) == sorted(str(v.level) for v in block_report.vertebrae)
    counts = np.bincount(vertebrae.labels.labels.ravel())
    for found in block_report.vertebrae:
        number = next(n for n, name in vertebrae.names.items() if name == found.level)
        assert counts[number] == material.vertebra(found.label).whole.count
    bodies = read_segments(path, purpose=Purpose.BODIES)
    assert sorted(bodies.names.values()) == sorted(vertebrae.names.values())
    cement = read_segments(path, purpose=Purpose.CEMENT)
    owned = material.cement.region & (material.cement.owner == block_report.treated[0].label)
    assert np.count_nonzero(cement.labels.labels) == np.count_nonzero(owned)
    lesion = read_segments(path, purpose=Purpose.LESION)
    assert np.count_nonzero(lesion.labels.labels) == np.count_nonzero(material.cement.fraction >= 0.5)


def items(container: pydicom.Dataset, meaning: str) -> list[pydicom.Dataset]:
    """Return all content items of a meaning, at any depth."""
    found = []
    for item in container.get("ContentSequence", []):
        if "ConceptNameCodeSequence" in item and item.ConceptNameCodeSequence[0].CodeMeaning == meaning:
            found.append(item)
        found += items(item, meaning)
    return found


def test_absent_is_said_only_where_nothing_was_seen(report: StudyReport, scan: Scan) -> None:
    made = build_report(report, read_source_images(scan), ResultIdentity.of(report), None)
    said = {
        name: [item.ConceptCodeSequence[0].CodeMeaning for item in items(made, concept)]
        for name, concept in (
            ("epidural", "Cement in spinal canal, epidural"),
            ("left", "Cement in left neural foramina"),
            ("right", "Cement in right neural foramina"),
        )
    }
    # T12, then L2, as in the report made by hand.
    assert said["epidural"] == ["Possible", "Present"]
    assert said["left"] == ["Absent", "Undetermined"]
    assert said["right"] == ["Absent", "Absent"]


def test_a_scan_without_vertebrae_has_a_report_that_says_so(report: StudyReport, scan: Scan) -> None:
    empty = msgspec.structs.replace(report, vertebrae=())
    made = build_report(empty, read_source_images(scan), ResultIdentity.of(empty), None)
    (said,) = items(made, "Vertebrae identified in the scan")
    assert said.ConceptCodeSequence[0].CodeMeaning == "Absent"


def test_the_report_is_preliminary_and_unverified_and_holds_every_number(
    block_report: StudyReport, results: Path
) -> None:
    made = pydicom.dcmread(results / "sr.dcm")
    assert (made.CompletionFlag, made.VerificationFlag, made.PreliminaryFlag) == (
        "COMPLETE",
        "UNVERIFIED",
        "PRELIMINARY",
    )
    (volume,) = items(made, "Volume of bone cement from this vertebra")
    value = volume.MeasuredValueSequence[0]
    assert float(value.NumericValue) == block_report.treated[0].cement_volume_ml
    assert value.MeasurementUnitsCodeSequence[0].CodingSchemeDesignator == "UCUM"
    groups = items(made, "Measurement Group")
    leaks = sum(len(v.leaks) for v in block_report.vertebrae)
    assert len(groups) == len(block_report.vertebrae) + leaks
    assert len(items(made, "Image Library Group")) == 1


def test_a_segmentation_of_one_segment_can_be_referred_to(report: StudyReport, scan: Scan) -> None:
    source, identity = read_source_images(scan), ResultIdentity.of(report)
    only = (segment(corner(scan)),)
    segmentation = build_segmentation(report, only, source, identity)
    made = build_report(report, source, identity, (segmentation, only))
    (reference,) = items(made, "Referenced Segment")
    assert reference.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == segmentation.SOPInstanceUID
    highdicom.sr.Comprehensive3DSR.from_dataset(made)


def test_key_images_refer_to_their_images_and_carry_no_patient(
    block_report: StudyReport, scan: Scan, results: Path
) -> None:
    assert scan.series is not None
    made = {path.name: pydicom.dcmread(path) for path in results.glob("sc-*")}
    assert len(made) >= 2 + len(block_report.treated[0].leaks) - 1
    for dataset in made.values():
        assert dataset.BurnedInAnnotation == "NO"
        named = {item.ReferencedSOPInstanceUID for item in dataset.SourceImageSequence}
        assert named <= set(scan.series.sop_uids)
        assert dataset.pixel_array.ndim == 3


def test_a_volume_that_is_no_dicom_cannot_be_referred_to(scan: Scan) -> None:
    other = scan_of(np.asarray(scan.volume.hu), scan.volume.grid, file="post.nii.gz")
    with pytest.raises(StudyRefused, match=r"post\.nii\.gz"):
        read_source_images(other)


def test_the_pdf_is_the_same_twice_and_names_no_patient(
    block_report: StudyReport, material: ReportMaterial
) -> None:
    document = render_pdf(block_report, material)
    assert document.startswith(b"%PDF")
    assert document == render_pdf(block_report, material)
    assert PATIENT_NAME.encode() not in document


def test_a_report_without_pictures_or_treated_vertebra_becomes_a_pdf(report: StudyReport) -> None:
    empty = msgspec.structs.replace(report, vertebrae=())
    assert render_pdf(empty, None).startswith(b"%PDF")
    untreated = msgspec.structs.replace(report, vertebrae=tuple(v for v in report.vertebrae if not v.treated))
    assert render_pdf(untreated, None).startswith(b"%PDF")


def validator(name: str) -> str:
    """Return the path of a validator; only where none can be installed may a test do without."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("CEMENTCT_REQUIRE_VALIDATORS"):
            pytest.fail(f"{name} is not installed, and here it has to be")
        pytest.skip(f"{name} (Debian packages dicom3tools, dcmtk) is not installed")
    return path


def test_the_objects_pass_the_validator(results: Path) -> None:
    program = validator("dciodvfy")
    for path in sorted(results.iterdir()):
        ran = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
        errors = [line for line in (ran.stdout + ran.stderr).splitlines() if line.startswith("Error")]
        assert errors == [], path.name


def test_the_structured_report_can_be_dumped(results: Path) -> None:
    program = validator("dsrdump")
    ran = subprocess.run([program, str(results / "sr.dcm")], capture_output=True, text=True, check=True)
    assert "Imaging Measurement Report" in ran.stdout
    assert "Volume of the vertebral body" in ran.stdout
