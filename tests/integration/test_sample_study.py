"""On the sample study the report agrees with its truth."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import nibabel
import numpy as np
import pytest

from tests.integration.conftest import Ran

FILES = [
    "report.json", "report.csv", "report.html",
    "vertebrae.nii.gz", "bodies.nii.gz", "cement.nii.gz", "lesion.nii.gz", "leaks.nii.gz",
]  # fmt: skip


def treated(truth_or_report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {v["level"]: v for v in truth_or_report["vertebrae"] if v["treated"]}


def test_the_run_ends_well_and_writes_every_file(sample_run: Ran) -> None:
    assert sample_run.status == 0, sample_run.stderr
    assert sorted(p.name for p in (sample_run.out / "study").iterdir()) == sorted(FILES)
    assert (sample_run.out / "summary.csv").is_file()
    assert (sample_run.out / "summary.json").is_file()


def test_the_last_line_is_for_machines(sample_run: Ran) -> None:
    assert json.loads(sample_run.stdout.splitlines()[-1])["studies"] == {"study": "done"}


def test_the_treated_vertebrae_are_the_true_ones(sample_run: Ran, sample_truth: dict[str, Any]) -> None:
    assert set(treated(sample_run.report())) == set(treated(sample_truth))


def test_every_vertebra_in_view_has_an_entry(sample_run: Ran, sample_truth: dict[str, Any]) -> None:
    whole = {v["level"] for v in sample_truth["vertebrae"] if v["complete"]}
    assert whole <= {v["level"] for v in sample_run.report()["vertebrae"]}


def test_cement_volumes_are_within_two_per_cent(sample_run: Ran, sample_truth: dict[str, Any]) -> None:
    found = treated(sample_run.report())
    for level, true in treated(sample_truth).items():
        assert found[level]["cement_volume_ml"] == pytest.approx(true["cement_volume_ml"], rel=0.02)


def test_filling_categories_are_right(sample_run: Ran, sample_truth: dict[str, Any]) -> None:
    found = treated(sample_run.report())
    for level, true in treated(sample_truth).items():
        assert found[level]["lesion_source"] == "pre"
        assert found[level]["filling_category"] == true["filling_category"]


def test_every_leak_is_found_with_its_type_and_none_is_invented(
    sample_run: Ran, sample_truth: dict[str, Any]
) -> None:
    found = treated(sample_run.report())
    for level, true in treated(sample_truth).items():
        wanted = Counter((k["type"], k["side"]) for k in true["leaks"] if k["listed"])
        seen = Counter((k["type"], k["side"]) for k in found[level]["leaks"] if k["certainty"] == "definite")
        assert seen == wanted


def test_label_maps_agree_with_the_report(sample_run: Ran) -> None:
    for vertebra in treated(sample_run.report()).values():
        number = vertebra["label"]
        image = nibabel.load(sample_run.out / "study" / "cement.nii.gz")
        labels = np.asanyarray(image.dataobj)
        volume_ml = np.count_nonzero(labels == number) * np.prod(image.header.get_zooms()) / 1000
        assert volume_ml == pytest.approx(vertebra["cement_volume_ml"], rel=0.10)


def test_the_patient_in_the_header_appears_nowhere(sample_run: Ran) -> None:
    written = b"".join(p.read_bytes() for p in sample_run.out.rglob("*") if p.is_file())
    said = (sample_run.stdout + sample_run.stderr).encode()
    for word in (b"PHANTOM^", b"SAMPLE^"):
        assert word not in written
        assert word not in said
