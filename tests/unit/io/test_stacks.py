"""Gaps, copies, contradictions, phases and tilt: repaired where that is exact, else named."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import ndimage

from cementct.core.flags import Flag
from cementct.core.image import PADDING_HU
from cementct.io.dicom import read_series, scan_folder
from cementct.io.stack import runs

SHAPE = (14, 20, 24)


def numbered(k: int) -> str:
    return f"IM{k:03d}"


def test_an_even_stack_is_one_run() -> None:
    assert [(r.first, r.last) for r in runs(np.arange(10) * 0.7)] == [(0, 9)]


def test_positions_rounded_to_a_tenth_are_even() -> None:
    assert [(r.first, r.last) for r in runs(np.round(np.arange(40) * 0.625, 1))] == [(0, 39)]


def test_a_gap_parts_two_runs() -> None:
    along = np.delete(np.arange(20) * 1.0, 8)
    assert sorted((r.first, r.last) for r in runs(along)) == [(0, 7), (8, 18)]


def test_two_spacings_make_two_runs_that_share_a_slice() -> None:
    along = np.concatenate([np.arange(10) * 1.0, 9 + np.arange(1, 6) * 5.0])
    assert sorted((r.first, r.last, r.spacing_mm) for r in runs(along)) == [(0, 9, 1.0), (9, 14, 5.0)]


def test_a_spacing_that_creeps_is_not_even() -> None:
    along = np.cumsum(np.linspace(1.0, 1.5, 60))
    assert all(run.count < 60 for run in runs(along))


def test_missing_slices_are_named_and_the_sides_kept_apart(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)
    ct.write_ct(tmp_path, hu, skip=(5,), file_name=numbered)
    found = scan_folder(tmp_path)
    assert [(s.count, s.part) for s in found.series] == [(5, 1), (8, 2)]
    flag = found.series[1].flags[0]
    assert flag.flag is Flag.MISSING_SLICES
    assert "1 missing between slices 5 and 6 (IM004, IM006), 2.00 mm apart instead of 1.00" in flag.says
    assert np.array_equal(read_series(found.series[1]).volume.hu, hu[6:])


def test_uneven_slices_are_refused_by_name(ct: ModuleType, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    places = np.cumsum(rng.uniform(0.6, 2.5, SHAPE[0]))

    def uneven(data, k):
        data.ImagePositionPatient = [0, 0, float(places[k])]

    ct.write_ct(tmp_path, ct.patient_like(SHAPE), edit=uneven, file_name=numbered)
    found = scan_folder(tmp_path)
    assert found.series == ()
    assert "unevenly spaced" in found.ignored[0].why
    assert "IM00" in found.ignored[0].why


def test_true_copies_are_dropped(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)
    ct.write_ct(tmp_path / "one", hu)
    ct.write_ct(tmp_path / "two", hu)
    found = scan_folder(tmp_path)
    assert [s.count for s in found.series] == [14]
    assert found.series[0].flags == ()


def test_one_copied_slice_under_another_uid_is_dropped(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)
    ct.write_ct(tmp_path, hu)
    ct.write_ct(tmp_path / "more", hu[4:5], origin=(-10.0, -20.0, -296.0), edit=_other_uid)
    found = scan_folder(tmp_path)
    assert [s.count for s in found.series] == [14]
    assert np.array_equal(read_series(found.series[0]).volume.hu, hu)


def test_a_contradicting_slice_is_refused_by_name(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)
    ct.write_ct(tmp_path, hu, file_name=numbered)
    ct.write_ct(
        tmp_path, hu[4:5] + 9, origin=(-10.0, -20.0, -296.0), edit=_other_uid, file_name=lambda _k: "EXTRA"
    )
    found = scan_folder(tmp_path)
    assert found.series == ()
    assert "Slice 5 is there 2 times with different pixels (EXTRA and IM004)" in found.ignored[0].why


def _other_uid(data, _k) -> None:
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = "2.25.77"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}),
        ({"AcquisitionTime": "101500"}, {"AcquisitionTime": "101700"}),
        ({"TemporalPositionIdentifier": 1}, {"TemporalPositionIdentifier": 2}),
    ],
)
def test_phases_at_the_same_places_are_told_apart(
    ct: ModuleType, tmp_path: Path, first: dict[str, object], second: dict[str, object]
) -> None:
    hu = ct.patient_like(SHAPE)
    ct.write_ct(tmp_path / "x", hu, tags=first)
    ct.write_ct(tmp_path / "y", hu + 50, tags=second)
    found = scan_folder(tmp_path)
    assert sorted(int(read_series(s).volume.hu[3, 9, 9]) for s in found.series) == [
        hu[3, 9, 9],
        hu[3, 9, 9] + 50,
    ]


def test_phases_whose_images_each_have_their_own_time_are_told_apart(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)
    for phase in (0, 1):
        ct.write_ct(
            tmp_path,
            hu + 50 * phase,
            file_name=lambda k, phase=phase: f"{k}-{phase}",
            edit=lambda d, k, phase=phase: setattr(d, "AcquisitionTime", f"10{15 + phase:02d}{k:02d}.5"),
        )
    found = scan_folder(tmp_path)
    assert sorted(int(read_series(s).volume.hu[3, 9, 9]) for s in found.series) == [
        hu[3, 9, 9],
        hu[3, 9, 9] + 50,
    ]


def test_sizes_kernels_and_planes_in_one_series_are_kept_apart(ct: ModuleType, tmp_path: Path) -> None:
    ct.write_ct(tmp_path / "1", ct.patient_like(SHAPE))
    ct.write_ct(tmp_path / "2", ct.patient_like((14, 30, 24)))
    ct.write_ct(tmp_path / "3", ct.patient_like(SHAPE), tags={"ConvolutionKernel": "B70f"})
    ct.write_ct(tmp_path / "4", ct.patient_like(SHAPE), orientation=(0, 1, 0, 0, 0, -1))
    found = scan_folder(tmp_path)
    assert len(found.series) == 4
    assert sorted(s.plane for s in found.series) == ["axial", "axial", "axial", "sagittal"]


def tilted(ct: ModuleType, folder: Path, degrees: float, *, spacing: float = 1.0) -> np.ndarray:
    """Write a smooth patient as a gantry tilted by `degrees` scans it; return a function of places."""
    angle = np.radians(degrees)
    orientation = (1, 0, 0, 0, np.cos(angle), np.sin(angle))
    row, column = np.asarray(orientation[:3]), np.asarray(orientation[3:])
    k, v, u = np.indices((24, 40, 40))
    places = k[..., None] * [0, 0, spacing] + v[..., None] * column * 0.8 + u[..., None] * row * 0.8
    ct.write_ct(
        folder,
        np.rint(landscape(places)).astype(np.int16),
        spacing_mm=(spacing, 0.8, 0.8),
        origin=(0, 0, 0),
        orientation=orientation,
        step=(0, 0, spacing),
    )
    return places


def landscape(places: np.ndarray) -> np.ndarray:
    """Return smooth HU at LPS positions."""
    x, y, z = np.moveaxis(places, -1, 0)
    return 100 + 300 * np.sin(x / 5) * np.cos(y / 6) + 200 * np.sin(z / 7)


@pytest.mark.parametrize("degrees", [17.0, -25.0])
def test_gantry_tilt_is_undone_onto_a_right_angled_grid(
    ct: ModuleType, tmp_path: Path, degrees: float
) -> None:
    tilted(ct, tmp_path, degrees)
    found = scan_folder(tmp_path)
    series = found.series[0]
    scan = read_series(series)
    assert series.tilt_deg == pytest.approx(abs(degrees), abs=0.01)
    assert series.spacing_mm == pytest.approx(np.cos(np.radians(degrees)), abs=1e-6)
    hu, grid = scan.volume.hu, scan.volume.grid
    index = np.argwhere(hu > PADDING_HU)
    error = hu[tuple(index.T)] - landscape(grid.to_lps(index))
    assert np.abs(error).max() < 8
    assert len(index) > 0.95 * 24 * 40 * 40
    assert np.all(hu[hu <= -1500] == PADDING_HU)


def test_undoing_the_tilt_keeps_what_lies_at_the_edge(ct: ModuleType, tmp_path: Path) -> None:
    places = tilted(ct, tmp_path, 20)
    scan = read_series(scan_folder(tmp_path).series[0])
    corners = places[[0, 0, -1, -1], [1, -2, 1, -2], [3, -3, 3, -3]]
    index = scan.volume.grid.to_index(corners)
    values = ndimage.map_coordinates(scan.volume.hu.astype(float), index.T, order=1, mode="nearest")
    assert np.abs(values - landscape(corners)).max() < 12


def test_a_drift_below_rounding_is_no_tilt(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)
    ct.write_ct(tmp_path, hu, step=(0.002, 0.0, 1.0))
    scan = read_series(scan_folder(tmp_path).series[0])
    assert np.array_equal(scan.volume.hu, hu)


def test_images_that_jump_sideways_are_refused_by_name(ct: ModuleType, tmp_path: Path) -> None:
    def jump(data, k):
        x, y, z = data.ImagePositionPatient
        data.ImagePositionPatient = [x + (3.0 if k >= 6 else 0.0), y, z]

    ct.write_ct(tmp_path, ct.patient_like(SHAPE), edit=jump, file_name=numbered)
    found = scan_folder(tmp_path)
    assert found.series == ()
    assert "jump sideways between slices 6 and 7 (IM005, IM006)" in found.ignored[0].why
