"""The source images that DICOM results refer to and inherit patient and study from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cementct.core.errors import StudyRefused
from cementct.io.quiet import quiet
from cementct.io.scan import Scan

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# Elements that every image has to have but real files lack at times (type 2: may be empty).
EMPTY_WHERE_MISSING = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName", "Manufacturer", "SeriesNumber", "InstanceNumber",
)  # fmt: skip


@dataclass(frozen=True)
class SourceImages:
    """The headers of the images that a volume was read from.

    Attributes
    ----------
    scan
        The volume.
    datasets
        Header of each file, pixels left out, in the order of the slices; a file with many frames once.
    one_per_slice
        Whether each slice of the volume is one of the files, in their order and place: neither resampled
        for a tilt or a missing slice, nor a frame of many.
    """

    scan: Scan
    datasets: tuple[Dataset, ...]
    one_per_slice: bool

    @property
    def first(self) -> Dataset:
        """The header that patient and study are taken from."""
        return self.datasets[0]

    def at(self, index: int) -> Dataset:
        """Return the header of the image of a slice, or of the nearest that there is."""
        return self.datasets[int(np.clip(index, 0, len(self.datasets) - 1))]


def read_source_images(scan: Scan) -> SourceImages:
    """Return the headers of a volume's DICOM images.

    Raises
    ------
    StudyRefused
        Where the volume does not come from DICOM, or its files have gone or lack the UIDs to refer to.
    """
    import pydicom

    series = scan.series
    if series is None:
        raise StudyRefused(
            f"{scan.file or 'the study'}: DICOM results need DICOM images to refer to, "
            "found another kind of file"
        )
    names = list(dict.fromkeys(name for name in series.files if name))
    datasets = []
    for name in names:
        try:
            with quiet():
                dataset = pydicom.dcmread(Path(series.folder) / name, stop_before_pixels=True, force=True)
        except (OSError, pydicom.errors.InvalidDicomError) as error:
            raise StudyRefused(f"{name}: cannot be read again for the DICOM results") from error
        _require_uids(dataset, name)
        for element in EMPTY_WHERE_MISSING:
            if element not in dataset:
                setattr(dataset, element, None)
        datasets.append(dataset)
    single = all(int(d.get("NumberOfFrames", 1) or 1) == 1 for d in datasets)
    complete = len(names) == scan.source_grid.shape[0] and all(series.sop_uids)
    return SourceImages(scan, tuple(datasets), single and complete and not series.tilt_deg)


def _require_uids(dataset: Dataset, name: str) -> None:
    missing = [
        element
        for element in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
        if not dataset.get(element)
    ]
    if missing:
        raise StudyRefused(f"{name}: DICOM results have to refer to {', '.join(missing)}, which it lacks")
