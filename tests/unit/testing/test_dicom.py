from pathlib import Path

import numpy as np
import pydicom
import pytest

from cementct.core.grid import Grid
from cementct.core.image import Volume
from cementct.testing.dicom import (
    PatientPosition,
    SeriesDetails,
    stored_grid,
    uid_of,
    write_ct_series,
    write_scout,
)


@pytest.fixture
def volume() -> Volume:
    rng = np.random.default_rng(2)
    hu = rng.integers(-1000, 3071, (6, 8, 10)).astype(np.int16)
    return Volume(hu, Grid((6, 8, 10), (1.25, 0.8, 0.7), (-20.0, 15.0, 300.0)))


@pytest.mark.parametrize("position", list(PatientPosition))
def test_every_stored_pixel_stands_where_the_patient_has_it(
    tmp_path: Path, volume: Volume, position: PatientPosition
) -> None:
    details = SeriesDetails(4, "test", position=position, varying_rescale=True)
    write_ct_series(tmp_path, volume, details)
    files = sorted(tmp_path.iterdir())
    item = pydicom.dcmread(files[2])
    row, column = 3, 4
    orientation = np.asarray(item.ImageOrientationPatient, dtype=float)
    spacing = np.asarray(item.PixelSpacing, dtype=float)
    point = np.asarray(item.ImagePositionPatient, dtype=float)
    point = point + orientation[:3] * column * spacing[1] + orientation[3:] * row * spacing[0]
    z, y, x = np.round(volume.grid.to_index(point)).astype(int)
    stored = item.pixel_array[row, column] * float(item.RescaleSlope) + float(item.RescaleIntercept)
    assert stored == volume.hu[z, y, x]


@pytest.mark.parametrize("position", list(PatientPosition))
def test_the_stored_grid_holds_the_same_points(volume: Volume, position: PatientPosition) -> None:
    grid = stored_grid(volume.grid, position)
    corners = [[0, 0, 0], [n - 1 for n in grid.shape]]
    index = volume.grid.to_index(grid.to_lps(corners))
    np.testing.assert_allclose(index, np.round(index), atol=1e-9)


def test_a_tilted_series_moves_along_the_table_and_not_along_its_normal(
    tmp_path: Path, volume: Volume
) -> None:
    write_ct_series(tmp_path, volume, SeriesDetails(5, "tilted", tilt_deg=15.0))
    first, second = (pydicom.dcmread(f) for f in sorted(tmp_path.iterdir())[:2])
    step = np.asarray(second.ImagePositionPatient, float) - np.asarray(first.ImagePositionPatient, float)
    np.testing.assert_allclose(step, [0, 0, 1.25], atol=1e-5)
    orientation = np.asarray(first.ImageOrientationPatient, float)
    normal = np.cross(orientation[:3], orientation[3:])
    assert np.rad2deg(np.arccos(normal @ [0, 0, 1])) == pytest.approx(15.0, abs=0.01)


def test_headers_name_only_the_invented_patient(tmp_path: Path, volume: Volume) -> None:
    write_scout(tmp_path, volume, SeriesDetails(1, "Scout"))
    item = pydicom.dcmread(next(tmp_path.iterdir()))
    assert str(item.PatientName) == "PHANTOM^SAMPLE"
    assert "LOCALIZER" in item.ImageType


def test_uids_depend_on_content_only() -> None:
    assert uid_of("a", 1) == uid_of("a", 1)
    assert uid_of("a", 1) != uid_of("a", 2)
    assert len(uid_of("a", 1)) <= 64
