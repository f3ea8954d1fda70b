"""Which series is post-injection, which pre-injection, and what is said of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from cementct.core.errors import StudyRefused, UsageError
from cementct.core.flags import Flag
from cementct.core.image import Volume
from cementct.io.dicom import scan_folder
from cementct.pipeline.choice import SeriesChoice
from cementct.pipeline.choose import choose_series
from cementct.pipeline.kernels import UNKNOWN_SHARPNESS, kernel_sharpness

CEMENT_HU, NEEDLE_HU = 2000, 3000


@dataclass(frozen=True)
class Glance:
    """What a fake glance sees: voxels over a threshold."""

    cement: bool
    needle: bool
    volume_ml: float
    z_range_mm: tuple[float, float] | None


def glance(volume: Volume) -> Glance:
    cement = volume.hu == CEMENT_HU
    z = volume.grid.to_lps(np.argwhere(cement))[:, 2] if cement.any() else np.zeros(0)
    return Glance(
        bool(cement.any()),
        bool((volume.hu == NEEDLE_HU).any()),
        float(cement.sum()) * volume.grid.voxel_ml,
        (float(z.min()), float(z.max())) if z.size else None,
    )


class Study:
    """Series written one after another into a folder."""

    def __init__(self, ct: ModuleType, folder: Path) -> None:
        self.ct, self.folder = ct, folder
        self.looked = 0

    def add(
        self,
        name: str,
        time: str,
        *,
        cement: int = 0,
        at: int = 10,
        needle: bool = False,
        slices: int = 30,
        mm: float = 1.0,
        kernel: str = "B30f",
        first_z: float = -300.0,
        study: str = "s",
        **tags: object,
    ) -> str:
        hu = self.ct.patient_like((slices, 16, 16))
        if cement:
            hu[at : at + cement, 5:9, 5:9] = CEMENT_HU
        if needle:
            hu[at, 3, 3:10] = NEEDLE_HU
        values = {"AcquisitionTime": time, "ConvolutionKernel": kernel, **tags}
        self.ct.write_ct(
            self.folder / study / name,
            hu,
            series=name,
            study=study,
            spacing_mm=(mm, 0.8, 0.8),
            origin=(0.0, 0.0, first_z),
            tags=values,
        )
        return self.ct.uid("series", name)

    def look(self, volume: Volume) -> Glance:
        self.looked += 1
        return glance(volume)

    def choose(self, **by_hand: str) -> SeriesChoice:
        return choose_series(scan_folder(self.folder), self.look, **by_hand)


@pytest.fixture
def study(ct: ModuleType, tmp_path: Path) -> Study:
    return Study(ct, tmp_path)


def uids(choice: SeriesChoice) -> tuple[str | None, str | None]:
    post, pre = choice.post.series, choice.pre.series if choice.pre else None
    assert post is not None
    return post.series_uid, pre.series_uid if pre else None


def reasons(choice: SeriesChoice) -> dict[str | None, str]:
    return {item.series_instance_uid: item.why for item in choice.ignored}


def test_the_scan_before_and_the_scan_after(study: Study) -> None:
    pre, post = study.add("pre", "090000"), study.add("post", "100000", cement=4)
    choice = study.choose()
    assert uids(choice) == (post, pre)
    assert choice.flags == ()
    assert "latest acquisition that shows cement" in choice.post_why


def test_the_last_control_is_post_and_earlier_ones_are_intra_procedural(study: Study) -> None:
    pre = study.add("pre", "090000")
    needle = study.add("needle", "093000", needle=True)
    first = study.add("first", "094000", cement=2)
    post = study.add("last", "095000", cement=4)
    choice = study.choose()
    assert uids(choice) == (post, pre)
    assert "during the procedure: it shows cement" in reasons(choice)[first]
    assert "during the procedure: it shows a needle" in reasons(choice)[needle]
    assert [f.flag for f in choice.flags] == [Flag.INTRA_PROCEDURAL_SERIES]


def test_a_later_series_without_cement_is_not_post(study: Study) -> None:
    post, later = study.add("post", "100000", cement=4), study.add("thorax", "101500", first_z=0.0)
    choice = study.choose()
    assert uids(choice) == (post, None)
    assert reasons(choice)[later] == "No cement was seen in it."


def test_thin_enough_slices_are_equal_and_the_softer_kernel_decides(study: Study) -> None:
    study.add("sharp", "100000", cement=4, mm=1.0, kernel="B70f")
    soft = study.add("soft", "100000", cement=4, mm=1.5, kernel="B30f")
    study.add("thick", "100000", cement=4, mm=3.0, kernel="B10f")
    choice = study.choose()
    assert uids(choice) == (soft, None)
    assert any("sharper kernel" in why for why in reasons(choice).values())
    assert any("thicker slices (3 mm)" in why for why in reasons(choice).values())


def test_a_softer_kernel_does_not_outweigh_slices_more_than_twice_as_thick(study: Study) -> None:
    sharp = study.add("sharp", "100000", cement=4, mm=0.6, kernel="B70f")
    study.add("soft", "100000", cement=4, mm=1.5, kernel="B30f")
    assert uids(study.choose()) == (sharp, None)


def test_of_thick_slices_the_thinnest_are_best(study: Study) -> None:
    thinner = study.add("sharp", "100000", cement=4, mm=2.0, kernel="B70f")
    study.add("soft", "100000", cement=4, mm=3.0, kernel="B30f")
    assert uids(study.choose()) == (thinner, None)


def test_of_equal_series_the_one_with_more_slices_is_best(study: Study) -> None:
    study.add("short", "100000", cement=4, slices=25)
    long = study.add("long", "100000", cement=4, slices=35)
    assert uids(study.choose()) == (long, None)


def test_the_latest_acquisition_goes_before_thinner_slices(study: Study) -> None:
    study.add("thin", "095000", cement=4, mm=0.8)
    late = study.add("late", "100000", cement=4, mm=3.0)
    assert uids(study.choose())[0] == late


def test_reconstructions_of_the_same_acquisition_are_never_pre(study: Study) -> None:
    post = study.add("post", "100000", cement=4)
    other = study.add("other range", "100000.5", kernel="B70f")
    choice = study.choose()
    assert uids(choice) == (post, None)
    assert "sharper kernel" in reasons(choice)[other]


def test_derived_and_sagittal_series_serve_only_where_nothing_else_is_there(
    study: Study, ct: ModuleType
) -> None:
    study.add("derived", "100000", cement=4, ImageType=["DERIVED", "SECONDARY", "AXIAL"], kernel="B10f")
    axial = study.add("axial", "100000", cement=4)
    assert uids(study.choose())[0] == axial
    for path in (study.folder / "s" / "axial").iterdir():
        path.unlink()
    assert uids(study.choose())[0] == ct.uid("series", "derived")


def test_a_sagittal_volume_is_used_where_no_axial_one_is_there(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like((20, 16, 16))
    hu[8:12, 5:9, 5:9] = CEMENT_HU
    ct.write_ct(tmp_path, hu, orientation=(0, 1, 0, 0, 0, -1))
    choice = choose_series(scan_folder(tmp_path), glance)
    assert choice.post_why == "The only series; it shows cement."


def test_old_cement_may_be_in_the_scan_before(study: Study) -> None:
    pre = study.add("old", "090000", cement=3, study="last year", AcquisitionDate="20230301")
    post = study.add("post", "100000", cement=9)
    choice = study.choose()
    assert uids(choice) == (post, pre)
    assert choice.pre_why is not None
    assert "cement of an earlier treatment" in choice.pre_why


def test_a_scan_days_before_with_the_same_cement_is_not_pre(study: Study) -> None:
    before = study.add("before", "090000", study="a", AcquisitionDate="20240101")
    after = study.add("day 1", "090000", cement=4, study="b", AcquisitionDate="20240110")
    follow_up = study.add("month 3", "100000", cement=4, study="c", AcquisitionDate="20240401")
    choice = study.choose()
    assert uids(choice) == (follow_up, before)
    assert "as much cement" in reasons(choice)[after]


def test_where_none_shows_cement_the_latest_is_taken(study: Study) -> None:
    early, late = study.add("early", "090000"), study.add("late", "100000")
    choice = study.choose()
    assert uids(choice) == (late, early)
    assert choice.post_why == "No series shows cement; the latest one was taken."


def test_cement_in_a_part_that_the_chosen_series_does_not_cover_is_reported(study: Study) -> None:
    lower = study.add("L4", "093000", cement=4, first_z=-400.0)
    post = study.add("L1", "100000", cement=4, first_z=-300.0)
    choice = study.choose()
    assert uids(choice) == (post, None)
    assert [item.series_uid for item in choice.uncovered_cement] == [lower]
    assert choice.uncovered_cement[0].z_range_lps_mm == pytest.approx((-390.0, -387.0))
    assert Flag.CEMENT_IN_OTHER_SERIES in [f.flag for f in choice.flags]


def test_series_are_chosen_by_hand(study: Study) -> None:
    first, second = study.add("first", "090000", cement=4), study.add("second", "100000", cement=4)
    plain = study.add("plain", "110000")
    assert uids(study.choose(post_uid=first, pre_uid=plain)) == (first, plain)
    assert uids(study.choose(pre_uid=second))[0] == first
    with pytest.raises(StudyRefused, match=rf"--post: expected the UID of a series .*{first}"):
        study.choose(post_uid="1.2.3")
    with pytest.raises(UsageError, match="two different series"):
        study.choose(post_uid=first, pre_uid=first)


def test_a_scout_chosen_by_hand_is_refused_with_its_reason(study: Study) -> None:
    study.add("post", "100000", cement=4)
    scout = study.add("scout", "090000", slices=1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    with pytest.raises(StudyRefused, match="scout"):
        study.choose(post_uid=scout)


def without_times(study: Study, edit: Callable[[object], None] | None = None) -> None:
    from pydicom import dcmread

    for path in study.folder.rglob("*"):
        if path.is_file():
            data = dcmread(path)
            for keyword in ("AcquisitionTime", "AcquisitionDate", "ContentTime", "ContentDate"):
                delattr(data, keyword)
            if edit:
                edit(data)
            data.save_as(path)


def test_without_acquisition_times_the_series_number_decides(study: Study) -> None:
    pre = study.add("pre", "110000", SeriesNumber=2)
    study.add("control", "100000", cement=3, SeriesNumber=5)
    post = study.add("post", "090000", cement=4, SeriesNumber=9)
    without_times(study)
    choice = study.choose()
    assert uids(choice) == (post, pre)
    assert "by series number and date" in choice.post_why


def test_without_any_order_what_shows_no_cement_came_before(study: Study) -> None:
    pre, post = study.add("zz", "110000"), study.add("aa", "090000", cement=3)
    without_times(study, lambda data: delattr(data, "StudyDate"))
    assert uids(study.choose()) == (post, pre)


def test_pixels_are_looked_at_only_as_far_as_the_choice_needs(study: Study) -> None:
    for k in range(4):
        study.add(f"old {k}", f"08{k}000")
    study.add("post", "100000", cement=4)
    study.add("post sharp", "100000", cement=4, kernel="B80f")
    study.choose()
    assert study.looked == 2


def test_an_unreadable_series_is_passed_over_with_its_reason(study: Study) -> None:
    post, broken = study.add("post", "100000", cement=4), study.add("broken", "110000", cement=4)
    for path in (study.folder / "s" / "broken").iterdir():
        from pydicom import dcmread

        data = dcmread(path)
        data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.90"
        data.PixelData = b"\xfe\xff\x00\xe0\x00\x00\x00\x00\xfe\xff\x00\xe0\x08\x00\x00\x00notJPEG!"
        data["PixelData"].is_undefined_length = True
        data["PixelData"].VR = "OB"
        data.save_as(path)
    choice = study.choose()
    assert uids(choice)[0] == post
    assert reasons(choice)[broken].startswith("Cannot be read: s/broken/")


def test_without_a_usable_series_the_refusal_says_what_is_there(study: Study) -> None:
    study.add("scout", "090000", slices=1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    with pytest.raises(StudyRefused, match=r"no usable series: .*found 1 DICOM files.*scout"):
        study.choose()


@pytest.mark.parametrize(
    ("softer", "sharper"),
    [
        ("B20f", "B30f"), ("B31s", "B70f"), ("Br40d\\3", "Hr60"), ("I30f 2", "I70f 3"), ("SOFT", "STANDARD"),
        ("STANDARD", "DETAIL"), ("DETAIL", "BONE"), ("BONE", "BONEPLUS"), ("B", "D"), ("C", "L"), ("A", "YC"),
        ("FC08", "FC30"), ("FC13-H", "FC81"), ("STANDARD", ""), ("", "BONE"),
    ],
)  # fmt: skip
def test_kernels_of_every_vendor_are_in_order(softer: str, sharper: str) -> None:
    assert kernel_sharpness(softer) < kernel_sharpness(sharper)


def test_an_unknown_kernel_stands_in_the_middle() -> None:
    assert kernel_sharpness("mystery 5") == UNKNOWN_SHARPNESS


def test_scans_of_two_studies_with_the_same_time_are_two_acquisitions(study: Study) -> None:
    pre = study.add("pre", "100000", study="one", SeriesNumber=2)
    post = study.add("post", "100000", cement=4, study="two", SeriesNumber=3)
    assert uids(study.choose()) == (post, pre)


def test_acquisition_numbers_tell_apart_what_times_do_not(study: Study) -> None:
    pre = study.add("pre", "100000", AcquisitionNumber=1, SeriesNumber=2)
    post = study.add("post", "100000", cement=4, AcquisitionNumber=2, SeriesNumber=3)
    assert uids(study.choose()) == (post, pre)


def test_a_scan_before_from_another_table_setting_need_not_overlap_in_numbers(study: Study) -> None:
    pre = study.add("pre", "090000", first_z=800.0, FrameOfReferenceUID="2.25.5")
    post = study.add("post", "100000", cement=4)
    assert uids(study.choose()) == (post, pre)


def test_a_scan_before_of_another_part_of_the_body_is_not_pre(study: Study) -> None:
    thorax = study.add("thorax", "090000", first_z=0.0)
    post = study.add("post", "100000", cement=4)
    choice = study.choose()
    assert uids(choice) == (post, None)
    assert reasons(choice)[thorax] == "Earlier, but it covers another part of the body."
