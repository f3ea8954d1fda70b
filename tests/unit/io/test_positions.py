"""However the patient lies, reading brings the scan into the same order, to the last voxel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cementct.core.grid import Grid
from cementct.core.image import Volume
from cementct.io.dicom import read_series, scan_folder
from cementct.testing.dicom import PatientPosition, SeriesDetails, write_ct_series


@pytest.mark.parametrize("position", list(PatientPosition))
def test_a_scan_is_the_same_volume_in_every_position(tmp_path: Path, position: PatientPosition) -> None:
    hu = np.random.default_rng(1).integers(-1000, 2000, (12, 20, 16)).astype(np.int16)
    volume = Volume(hu, Grid((12, 20, 16), (1.5, 0.75, 0.75), (-30.0, 12.0, 240.0)))
    write_ct_series(tmp_path, volume, SeriesDetails(4, "test", position=position))
    (series,) = scan_folder(tmp_path).series
    read = read_series(series).volume
    assert np.array_equal(read.hu, volume.hu)
    assert read.grid.is_close(volume.grid)
