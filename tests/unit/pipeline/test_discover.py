"""Which studies an input holds, and what they are called."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import nibabel
import numpy as np
import pytest

from cementct.core.errors import StudyRefused
from cementct.core.image import Volume
from cementct.io.header import Identity
from cementct.io.privacy import PatientWords
from cementct.pipeline.discover import StudyForm, StudySource, discover_studies
from cementct.pipeline.names import StudyNames
from cementct.pipeline.study_input import open_study, study_identity


@dataclass(frozen=True)
class Glance:
    """What a fake glance sees."""

    cement: bool
    needle: bool = False
    volume_ml: float = 1.0
    z_range_mm: tuple[float, float] | None = None


def glance(volume: Volume) -> Glance:
    return Glance(bool((volume.hu == 2000).any()))


def never(_volume: Volume) -> Glance:
    raise AssertionError("no pixel should have been looked at")


def write(
    ct: ModuleType, folder: Path, *, cement: bool, study: str = "s", series: str = "a", **tags: object
) -> Path:
    hu = ct.patient_like((20, 16, 16))
    if cement:
        hu[8:12, 5:9, 5:9] = 2000
    return ct.write_ct(folder, hu, study=study, series=series, tags=tags)


def volume(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    hu = np.random.default_rng(0).normal(40, 80, (12, 14, 16)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(hu, np.diag([-1.0, -1.0, 1.0, 1.0])), path)
    return path


def names(studies: tuple[StudySource, ...]) -> list[tuple[str, str]]:
    return [(s.name, "refused" if s.refused else s.form.value) for s in studies]


def test_a_folder_of_one_patient_is_one_study(ct: ModuleType, tmp_path: Path) -> None:
    write(ct, tmp_path / "case" / "before", cement=False, study="x")
    write(ct, tmp_path / "case" / "after", cement=True, study="y")
    studies = discover_studies([tmp_path / "case"], glance)
    assert names(studies) == [("case", "dicom")]
    assert studies[0].path == tmp_path / "case"


def test_series_of_one_study_in_folders_of_their_own_are_one_study(ct: ModuleType, tmp_path: Path) -> None:
    for k, cement in enumerate((False, True, True)):
        write(ct, tmp_path / "case" / f"series {k}", cement=cement, series=str(k))
    assert names(discover_studies([tmp_path / "case"], never)) == [("case", "dicom")]


def test_two_treatments_of_one_patient_are_two_studies(ct: ModuleType, tmp_path: Path) -> None:
    write(ct, tmp_path / "batch" / "one", cement=True, study="x")
    write(ct, tmp_path / "batch" / "two", cement=True, study="y")
    studies = discover_studies([tmp_path / "batch"], glance)
    assert names(studies) == [("one", "dicom"), ("two", "dicom")]
    assert [s.shown for s in studies] == ["one", "two"]


def test_copies_of_one_study_are_studies_of_their_own(ct: ModuleType, tmp_path: Path) -> None:
    write(ct, tmp_path / "batch" / "one", cement=True)
    shutil.copytree(tmp_path / "batch" / "one", tmp_path / "batch" / "two")
    assert names(discover_studies([tmp_path / "batch"], glance)) == [("one", "dicom"), ("two", "dicom")]


def test_several_patients_are_several_studies_without_a_look_at_pixels(
    ct: ModuleType, tmp_path: Path
) -> None:
    for k in range(3):
        write(
            ct,
            tmp_path / "b" / f"p{k}" / "deep",
            cement=False,
            PatientID=f"N{k}",
            PatientName=f"Name{k}",
            study=str(k),
        )
    assert names(discover_studies([tmp_path / "b"], never)) == [
        ("p0", "dicom"),
        ("p1", "dicom"),
        ("p2", "dicom"),
    ]


def test_a_single_folder_on_the_way_does_not_hide_the_studies(ct: ModuleType, tmp_path: Path) -> None:
    for k in range(2):
        write(ct, tmp_path / "b" / "DICOM" / f"p{k}", cement=False, PatientID=f"N{k}", PatientName=f"Name{k}")
    assert names(discover_studies([tmp_path / "b"], never)) == [("p0", "dicom"), ("p1", "dicom")]


def test_a_folder_with_studies_of_every_form(ct: ModuleType, tmp_path: Path) -> None:
    batch = tmp_path / "batch"
    write(ct, batch / "a-dicom", cement=True)
    volume(batch / "b-nifti" / "post.nii.gz")
    volume(batch / "c.nii.gz")
    (batch / "d-empty").mkdir()
    (batch / "d-empty" / "notes.txt").write_text("nothing")
    (batch / "readme.txt").write_text("nothing")
    (batch / "e-really-empty").mkdir()
    studies = discover_studies([batch], glance)
    assert names(studies) == [
        ("a-dicom", "dicom"), ("b-nifti", "volume-folder"), ("c", "volume-file"), ("d-empty", "refused"),
        ("e-really-empty", "refused"),
    ]  # fmt: skip


def test_a_nifti_folder_brings_its_masks(tmp_path: Path) -> None:
    folder = tmp_path / "case"
    for name in ("post", "pre", "vertebrae", "cement"):
        volume(folder / f"{name}.nii.gz")
    (folder / "other.txt").write_text("x")
    (study,) = discover_studies([folder], never)
    opened = open_study(study, never)
    assert opened.pre is not None
    assert opened.vertebra_file == folder / "vertebrae.nii.gz"
    assert opened.cement_file == folder / "cement.nii.gz"
    assert opened.lesion_file is None
    assert opened.post_report.file == "post.nii.gz"
    assert [item.file for item in opened.ignored] == ["other.txt"]


def test_a_link_out_of_a_nifti_folder_is_not_followed(tmp_path: Path) -> None:
    target = volume(tmp_path / "elsewhere" / "x.nii.gz")
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "post.nii.gz").symlink_to(target)
    (study,) = discover_studies([tmp_path / "case"], never)
    with pytest.raises(StudyRefused, match=r"post\.nii\.gz: .*link"):
        open_study(study, never)


def test_one_volume_is_one_study(tmp_path: Path) -> None:
    studies = discover_studies([volume(tmp_path / "scan 1.nii.gz")], never)
    assert names(studies) == [("scan1", "volume-file")]
    assert open_study(studies[0], never).post.file == "scan 1.nii.gz"


def test_what_is_not_there_or_no_study_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("x")
    paths = [tmp_path / "missing", tmp_path / "empty", tmp_path / "text.txt", volume(tmp_path / "v.nii")]
    studies = discover_studies(paths, never)
    assert [s.refused is None for s in studies] == [False, False, False, True]
    assert studies[0].refused == "missing: expected a file or folder, there is none"
    with pytest.raises(StudyRefused, match="missing: expected"):
        open_study(studies[0], never)


def test_several_patients_in_one_folder_are_refused(ct: ModuleType, tmp_path: Path) -> None:
    write(ct, tmp_path / "all", cement=True, PatientID="A", PatientName="A", series="x")
    write(ct, tmp_path / "all", cement=True, PatientID="B", PatientName="B", series="y")
    (study,) = discover_studies([tmp_path / "all"], never)
    assert study.refused is not None
    assert "one patient" in study.refused


def test_a_folder_named_after_the_patient_is_not_repeated(ct: ModuleType, tmp_path: Path) -> None:
    write(ct, tmp_path / "ROE_alexandra", cement=True)
    write(ct, tmp_path / "x" / "zx4711-ct", cement=True)
    studies = discover_studies([tmp_path / "ROE_alexandra", tmp_path / "x"], glance)
    assert studies[0].name.startswith("study-")
    assert len(studies[0].name) == 14
    assert studies[1].name == "x"
    opened = open_study(studies[1], glance)
    assert "4711" not in repr((opened.post_report, opened.ignored))


def test_names_are_cleaned_and_never_meet() -> None:
    hand_out = StudyNames()
    given = [
        hand_out.name(n) for n in ("a b.nii.gz", "ab", "a/b", "..", "summary.json", "Fall 3 (x).nrrd", "ä")
    ]
    assert given == ["ab", "ab-2", "ab-3", "study", "summary.json-2", "Fall3x", "study-2"]


@pytest.mark.parametrize(
    ("folder", "holds"),
    [
        ("DOE_JANE", True), ("doe^jane^2020", True), ("JaneDoe", True), ("12345", True), ("ct-12345-a", True),
        ("case1", False), ("spine", False), ("Mueller", True), ("müller", True),
    ],
)  # fmt: skip
def test_names_and_numbers_of_patients_are_recognised(folder: str, holds: bool) -> None:  # noqa: FBT001
    words = PatientWords.of([Identity("Doe^Jane", "12345", ""), Identity("Müller^Zoë", "", "")])
    assert words.are_in(folder) is holds


def test_a_short_part_of_a_number_identifies_nobody() -> None:
    words = PatientWords.of([Identity("PHANTOM^SAMPLE", "PHANTOM-0001", "")])
    assert not words.are_in("case-0001")
    assert words.are_in("phantom 0001")
    assert not words.are_in("sample")


def test_generic_names_identify_nobody() -> None:
    words = PatientWords.of([Identity("ANONYMOUS", "phantom", ""), Identity("", "", "")])
    assert not words.are_in("phantom-3")


def test_a_fingerprint_follows_content_and_not_times_or_places(ct: ModuleType, tmp_path: Path) -> None:
    write(ct, tmp_path / "a", cement=True)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (one,) = discover_studies([tmp_path / "a"], glance)
    (two,) = discover_studies([tmp_path / "b"], glance)
    before = study_identity(one)
    assert study_identity(two) == before
    path = next((tmp_path / "b").iterdir())
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    assert study_identity(two) != before
    assert StudyForm.DICOM is one.form


def closed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let a folder be one that this user may not list."""
    scandir = os.scandir

    def refuse(path: str | Path) -> Iterator[os.DirEntry[str]]:
        if Path(path) == folder:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("cementct.io.walk.os.scandir", refuse)


def test_a_patients_folder_that_cannot_be_listed_is_refused_and_the_others_are_found(
    ct: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("p0", "p1"):
        write(ct, tmp_path / name, cement=True)
    closed(monkeypatch, tmp_path / "p0")
    found = discover_studies([tmp_path], glance)
    assert [study.form for study in found if study.refused is None] == [StudyForm.DICOM]
    assert [study.refused for study in found if study.refused] == [
        "p0: the folder cannot be listed (Permission denied)"
    ]


def test_a_nifti_folder_that_cannot_be_listed_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("s0", "s1", "s2"):
        (tmp_path / name).mkdir()
        volume(tmp_path / name / "post.nii.gz")
    closed(monkeypatch, tmp_path / "s1")
    found = discover_studies([tmp_path], never)
    assert {study.name: study.refused is None for study in found} == {"s0": True, "s1": False, "s2": True}


def test_a_fingerprint_follows_every_byte_of_a_volume_and_its_masks(tmp_path: Path) -> None:
    study = tmp_path / "study"
    study.mkdir()
    volume(study / "post.nii.gz")
    mask = study / "cement.nii"
    mask.write_bytes(bytes(500_000))
    (source,) = discover_studies([study], never)
    before = study_identity(source)
    data = bytearray(mask.read_bytes())
    data[100_000] = 1
    mask.write_bytes(bytes(data))
    assert study_identity(source) != before


def test_a_tree_of_sites_holds_the_studies_of_all(ct: ModuleType, tmp_path: Path) -> None:
    """As deep as they may lie, of every form, beside what is none."""
    for place in ("north/p1", "north/p2", "south/ward/p1"):
        (tmp_path / place).mkdir(parents=True)
        volume(tmp_path / place / "post.nii.gz")
    volume(tmp_path / "south" / "p3.nii.gz")
    write(ct, tmp_path / "south" / "p4", cement=True)
    (tmp_path / "readme.txt").write_text("no study")

    found = discover_studies([tmp_path], never)

    assert [(study.shown, study.form) for study in found] == [
        ("north/p1", StudyForm.VOLUME_FOLDER),
        ("north/p2", StudyForm.VOLUME_FOLDER),
        ("south/p3.nii.gz", StudyForm.VOLUME_FILE),
        ("south/p4", StudyForm.DICOM),
        ("south/ward/p1", StudyForm.VOLUME_FOLDER),
    ]
    assert len({study.name for study in found}) == 5
    assert all(study.refused is None for study in found)
