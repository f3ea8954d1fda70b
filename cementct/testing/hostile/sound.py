"""A small sound scan, as DICOM and as one file, that bad ones are made from: water in air, no spine in it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cementct.core.arrays import HuArray
from cementct.core.grid import Grid
from cementct.core.image import Volume
from cementct.io.labelmaps import write_nifti
from cementct.testing.dicom import SeriesDetails, write_ct_series
from cementct.testing.encodings import Encoding, recode

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

# An invented patient, none of whose words may come back in a message or a result.
PATIENT_NAME, PATIENT_NUMBER = "Roe^Alexandra", "ZX-4711"
PRIVATE_WORDS = ("roe", "alexandra", "zx-4711", "zx4711")
SHAPE = (10, 32, 32)
GRID = Grid(SHAPE, (2.0, 1.0, 1.0), (0.0, 0.0, 0.0))
Edit = Callable[["FileDataset", int], None]


def sound_hu() -> HuArray:
    """Return the intensities, shape `SHAPE`."""
    rng = np.random.default_rng(0)
    hu = np.full(SHAPE, -1000, dtype=np.int16)
    hu[1:-1, 5:-5, 5:-5] = np.rint(rng.normal(40, 12, (SHAPE[0] - 2, SHAPE[1] - 10, SHAPE[2] - 10)))
    return hu


def write_sound_volume(path: Path) -> Path:
    """Write the scan as one NIfTI file, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_nifti(path, sound_hu(), GRID)
    return path


def write_sound_dicom(folder: Path, edit: Edit | None = None, *, encoding: Encoding | None = None) -> Path:
    """Write the scan as one DICOM file a slice, and return the folder.

    Parameters
    ----------
    folder
        Made where it is missing.
    edit
        Changes the data set of a slice, given with its number from 0, before it is written.
    encoding
        Encoding of the files; explicit little endian where none is named.
    """
    from pydicom.config import IGNORE, settings

    write_ct_series(folder, Volume(sound_hu(), GRID), SeriesDetails(number=2, description="hostile"))
    before = settings.writing_validation_mode
    settings.writing_validation_mode = IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # bad values are what is wanted
            for number, path in enumerate(sorted(folder.iterdir())):
                _edit(path, number, edit, encoding)
    finally:
        settings.writing_validation_mode = before
    return folder


def _edit(path: Path, number: int, edit: Edit | None, encoding: Encoding | None) -> None:
    import pydicom

    dataset = pydicom.dcmread(path)
    dataset.PatientName, dataset.PatientID = PATIENT_NAME, PATIENT_NUMBER
    if edit is not None:
        edit(dataset, number)
    dataset.save_as(path)
    if encoding is not None:
        recode(path, encoding)


def change_files(folder: Path, change: Callable[[bytes], bytes]) -> Path:
    """Change the bytes of every file of a folder, and return the folder."""
    for path in sorted(folder.iterdir()):
        path.write_bytes(change(path.read_bytes()))
    return folder
