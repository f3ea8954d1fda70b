"""A DICOM study as it is stored: before, during and after, with old cement next door, in one or two parts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import cementct
from cementct.core.findings import StudyReport, VertebraReport
from cementct.core.grid import Box
from cementct.core.image import Volume
from cementct.core.levels import Level
from cementct.io.labelmaps import write_nifti
from cementct.testing.dicom import SeriesDetails, write_ct_series
from cementct.testing.phantom import PhantomCase, make_case
from cementct.testing.spec import CaseSpec, CementSpec, LesionSpec, Scanner, Treatment

SCANNER = Scanner(pixel_mm=0.9, slice_spacing_mm=1.5, slice_thickness_mm=1.5, noise_hu=12.0, clip_hu=3071)
NEW = Treatment(Level.L2, LesionSpec(3.5), CementSpec(3.0, opacity_hu=2600.0))
OLD = Treatment(Level.L3, None, CementSpec(2.5, opacity_hu=2400.0, old=True))
SPEC = CaseSpec(
    seed=4590,
    focus=Level.L2,
    fov_mm=(96.0, 108.0, 96.0),
    fov_centre_mm=(-12.0, 15.0, 0.0),
    treatments=(NEW, OLD),
    scanner=SCANNER,
    pre_scanner=SCANNER,
)
pytestmark = pytest.mark.slow
NEEDLE_HU, NEEDLE_RADIUS_MM = 3071, 1.3


@dataclass(frozen=True)
class Series:
    """UIDs of what was written."""

    pre: str
    during: str
    post: str


@pytest.fixture(scope="module")
def case() -> PhantomCase:
    return make_case(SPEC)


@pytest.fixture(scope="module")
def labels(case: PhantomCase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("labels") / "labels.nii.gz"
    write_nifti(file, case.vertebrae.labels, case.vertebrae.grid)
    return file


def with_needle(case: PhantomCase) -> Volume:
    """Return the scan before injection with a needle on its way into L2, as clipped metal."""
    assert case.pre is not None
    assert case.pre_bodies is not None
    grid = case.pre.grid
    body = case.pre_bodies.labels == Level.L2.verse_number
    tip = grid.to_lps(np.argwhere(body).mean(axis=0)) + np.array([9.0, 4.0, 0.0])
    way = np.array([0.28, 0.96, 0.03])
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)
    along = (grid.to_lps(index) - tip) @ way
    across = np.linalg.norm(grid.to_lps(index) - tip - along[..., None] * way, axis=-1)
    return Volume(
        np.where((along > 0) & (across < NEEDLE_RADIUS_MM), NEEDLE_HU, case.pre.hu).astype(np.int16), grid
    )


def part(volume: Volume, start: int, stop: int) -> Volume:
    """Return some slices of a volume."""
    box = Box((start, 0, 0), (stop, *volume.grid.shape[1:]))
    return Volume(np.array(volume.hu[box.slices]), volume.grid.crop(box))


def write(folder: Path, volume: Volume, details: SeriesDetails, date: str | None = None) -> str:
    """Write a series into the one folder that holds all, on another day where that is given."""
    import pydicom

    part_folder = folder.parent / f"{folder.name}-{details.number}"
    uid = write_ct_series(part_folder, volume, details)
    folder.mkdir(exist_ok=True)
    for file in sorted(part_folder.iterdir()):
        item = pydicom.dcmread(file)
        if date is not None:
            item.StudyDate = item.SeriesDate = item.AcquisitionDate = item.ContentDate = date
        item.save_as(folder / f"{details.number}-{file.name}")
        file.unlink()
    return uid


def entry(report: StudyReport, level: str) -> VertebraReport:
    return next(v for v in report.vertebrae if v.level == level)


def flags(entry: StudyReport | VertebraReport) -> set[str]:
    return {q.flag.value for q in entry.quality}


@pytest.fixture(scope="module")
def whole(
    case: PhantomCase, labels: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[StudyReport, Series]:
    """Analyse the scans before, with the needle and after, and return the report and their UIDs."""
    folder = tmp_path_factory.mktemp("whole")
    assert case.pre is not None
    earlier = SeriesDetails(2, "plan", "090000", study="planning")
    series = Series(
        write(folder / "all", case.pre, earlier, date="20211220"),
        write(folder / "all", with_needle(case), SeriesDetails(3, "needle", "093000")),
        write(folder / "all", case.post, SeriesDetails(4, "control", "100000")),
    )
    return cementct.analyze(folder / "all", vertebrae=labels, label_scheme="verse"), series


def test_the_scan_with_a_needle_is_neither_before_nor_after(whole: tuple[StudyReport, Series]) -> None:
    report, series = whole
    assert report.study.post.series_instance_uid == series.post
    assert report.study.pre is not None
    assert report.study.pre.series_instance_uid == series.pre
    (why,) = [i.why for i in report.study.ignored_series if i.series_instance_uid == series.during]
    assert "during the procedure" in why


def test_old_cement_counts_nowhere_and_is_flagged(whole: tuple[StudyReport, Series]) -> None:
    old = entry(whole[0], "L3")
    assert not old.treated
    assert old.cement_volume_ml is None
    assert "old-cement" in flags(old)


def test_the_new_cement_is_measured_and_nothing_stays_inseparable(
    whole: tuple[StudyReport, Series], case: PhantomCase
) -> None:
    new = entry(whole[0], "L2")
    truth = next(v for v in case.truth.vertebrae if v.level == "L2")
    assert [v.level for v in whole[0].treated] == ["L2"]
    assert new.cement_volume_ml == pytest.approx(truth.cement_volume_ml, rel=0.05)
    assert not {"old-cement", "needle-in-place"} & flags(new)
    assert "old-cement-not-separable" not in flags(whole[0])


@pytest.mark.parametrize("levels", [(), ("L3", "L2")])
def test_after_injection_alone_all_cement_counts_and_only_the_user_can_part_it(
    levels: tuple[str, ...], case: PhantomCase, labels: Path, tmp_path: Path
) -> None:
    write_ct_series(tmp_path / "post", case.post, SeriesDetails(4, "control", "100000"))
    report = cementct.analyze(tmp_path / "post", vertebrae=labels, label_scheme="verse", levels=levels)
    assert [v.level for v in report.treated] == ["L2", "L3"]
    assert ("old-cement-not-separable" in flags(report)) == (not levels)


def test_cement_in_a_part_that_another_series_shows_is_told(
    case: PhantomCase, labels: Path, tmp_path: Path
) -> None:
    upper = next(v for v in case.truth.vertebrae if v.level == "L2").centroid_lps_mm[2]
    lower = next(v for v in case.truth.vertebrae if v.level == "L3").centroid_lps_mm[2]
    between = int(case.post.grid.to_index((0.0, 0.0, (upper + lower) / 2))[0])
    last = case.post.grid.shape[0]
    low = write(tmp_path / "s", part(case.post, 0, between - 2), SeriesDetails(4, "L3", "100000"))
    write(tmp_path / "s", part(case.post, between - 1, last), SeriesDetails(5, "L2", "101000"))
    report = cementct.analyze(tmp_path / "s", vertebrae=labels, label_scheme="verse")
    (told,) = [q.says for q in report.quality if q.flag.value == "cement-in-other-series"]
    assert low in told
    assert [v.level for v in report.treated] == ["L2"]
