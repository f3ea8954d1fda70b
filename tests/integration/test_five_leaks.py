"""All five leak types in one vertebra, found from a label file, and what else follows from the same case."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cementct
from cementct.core.findings import LeakType, Side
from cementct.core.levels import Level
from cementct.io.labelmaps import write_nifti
from cementct.testing.phantom import PhantomCase, make_case
from cementct.testing.spec import CaseSpec, CementSpec, LeakSpec, LesionSpec, Scanner, Treatment

LEAKS = (
    LeakSpec(LeakType.DISKAL, 0.30, Side.LEFT, above=True),
    LeakSpec(LeakType.EPIDURAL, 0.20, Side.RIGHT),
    LeakSpec(LeakType.PARAVERTEBRAL, 0.25, Side.LEFT),
    LeakSpec(LeakType.FORAMINAL, 0.15, Side.RIGHT),
    LeakSpec(LeakType.ACCESS_TRACK, 0.12, Side.LEFT),
)
SPEC = CaseSpec(
    seed=41,
    focus=Level.L2,
    fov_mm=(84.0, 116.0, 110.0),
    treatments=(
        Treatment(Level.L2, LesionSpec(4.0), CementSpec(4.0, filling=0.7, opacity_hu=2300.0), LEAKS),
    ),
    scanner=Scanner(pixel_mm=0.8, slice_spacing_mm=1.25, slice_thickness_mm=1.25, noise_hu=12.0),
)


@pytest.fixture(scope="module")
def case() -> PhantomCase:
    return make_case(SPEC)


@pytest.fixture(scope="module")
def study(case: PhantomCase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("five") / "patient"
    folder.mkdir()
    write_nifti(folder / "post.nii.gz", np.asarray(case.post.hu), case.post.grid)
    write_nifti(folder / "vertebrae.nii.gz", case.vertebrae.labels, case.vertebrae.grid)
    return folder


@pytest.fixture(scope="module")
def report(study: Path) -> Any:
    return cementct.analyze(study, label_scheme="verse")


def test_the_treated_vertebra_is_found_with_its_name_from_the_file(report: Any) -> None:
    assert [(v.level, v.level_source) for v in report.treated] == [("L2", "label-file")]


def test_each_type_of_leak_is_found_once_on_its_side(report: Any, case: PhantomCase) -> None:
    true = Counter((k.type, k.side) for k in case.truth.vertebra("L2").leaks if k.listed)
    found = Counter((k.type, k.side) for k in report.treated[0].leaks if k.certainty == "definite")
    assert found == true


def test_volumes_of_cement_and_leaks_are_the_true_ones(report: Any, case: PhantomCase) -> None:
    true, found = case.truth.vertebra("L2"), report.treated[0]
    assert found.cement_volume_ml == pytest.approx(true.cement_volume_ml, rel=0.03)
    for kind in LeakType:
        wanted = sum(k.volume_ml for k in true.leaks if k.type is kind)
        assert sum(k.volume_ml for k in found.leaks if k.type is kind) == pytest.approx(wanted, rel=0.2), kind


def test_without_a_scan_before_injection_filling_is_marked_as_biased(report: Any) -> None:
    vertebra = report.treated[0]
    assert vertebra.lesion_source == "post"
    assert "filling-biased-high" in {flag.flag for flag in vertebra.quality}
    assert vertebra.destruction is None


def test_untreated_vertebrae_have_no_cement_and_say_that_they_were_not_assessed(report: Any) -> None:
    for vertebra in report.vertebrae:
        if not vertebra.treated:
            assert vertebra.cement_volume_ml is None
            assert vertebra.lesion_volume_ml is None
            assert "not-assessed" in {flag.flag for flag in vertebra.quality}


def test_a_drawn_cement_mask_is_taken_as_it_is(study: Path, case: PhantomCase, tmp_path: Path) -> None:
    mask = (case.cement.labels > 0).astype(np.uint8)
    write_nifti(tmp_path / "cement.nii.gz", mask, case.post.grid)
    drawn = cementct.analyze(study, label_scheme="verse", cement=tmp_path / "cement.nii.gz")
    voxels_ml = np.count_nonzero(mask) * case.post.grid.voxel_ml
    assert [v.level for v in drawn.treated] == ["L2"]
    assert drawn.treated[0].cement_volume_ml == pytest.approx(voxels_ml, abs=0.002)


def test_a_drawn_lesion_is_the_one_that_is_filled(study: Path, case: PhantomCase, tmp_path: Path) -> None:
    write_nifti(tmp_path / "lesion.nii.gz", (case.lesion.labels > 0).astype(np.uint8), case.post.grid)
    drawn = cementct.analyze(study, label_scheme="verse", lesion=tmp_path / "lesion.nii.gz")
    found, true = drawn.treated[0], case.truth.vertebra("L2")
    assert found.lesion_source == "mask"
    assert found.filling_rate == pytest.approx(true.filling_rate, abs=0.06)


def test_the_report_survives_its_json(report: Any) -> None:
    from cementct.report.json import decode_report, encode_report

    assert decode_report(encode_report(report)) == report
    assert json.loads(encode_report(report))["schema_version"] == "1.0"


def test_the_same_patient_without_cement_has_no_treated_vertebra(tmp_path: Path) -> None:
    bare = make_case(replace(SPEC, treatments=()))
    write_nifti(tmp_path / "bare.nii.gz", np.asarray(bare.post.hu), bare.post.grid)
    write_nifti(tmp_path / "labels.nii.gz", bare.vertebrae.labels, bare.vertebrae.grid)
    untreated = cementct.analyze(
        tmp_path / "bare.nii.gz", vertebrae=tmp_path / "labels.nii.gz", label_scheme="verse"
    )
    assert untreated.treated == ()
    assert untreated.study.remote_deposits == ()
