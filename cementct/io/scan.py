"""A volume together with where it came from: its own grid, its series, and the doubts about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from cementct.core.arrays import HuArray
from cementct.core.findings import SeriesReport
from cementct.core.flags import QualityFlag
from cementct.core.grid import Grid, Reorientation, canonical
from cementct.core.image import Volume


@dataclass(frozen=True)
class SeriesIdentity:
    """The DICOM series that a volume was read from.

    Attributes
    ----------
    series_uid, study_uid, frame_of_reference_uid
        UIDs, or None where the header has none.
    sop_class_uid
        Kind of its images.
    number
        Series number, or None.
    kernel
        Convolution kernel; empty where the header has none.
    thickness_mm
        Nominal slice thickness, or None.
    patient_position
        As HFS or FFP; empty where the header has none.
    acquired
        When its first and its last image were scanned, by the scanner's clock, or None.
    tilt_deg
        Gantry tilt that was undone, in degrees; 0 where there was none.
    folder, files, frames
        The folder that was searched, and for each slice of the file's own grid, in the order of its first
        axis, the file (relative) and the frame within it (from 0).
    sop_uids
        SOPInstanceUID of each of these slices, or None.
    """

    series_uid: str | None
    study_uid: str | None
    frame_of_reference_uid: str | None
    sop_class_uid: str
    number: int | None
    kernel: str
    thickness_mm: float | None
    patient_position: str
    acquired: tuple[datetime, datetime] | None
    tilt_deg: float
    folder: str
    files: tuple[str, ...]
    frames: tuple[int, ...]
    sop_uids: tuple[str | None, ...]


@dataclass(frozen=True)
class Scan:
    """A CT volume as the science sees it, and the way back to the file it came from.

    Attributes
    ----------
    volume
        In canonical order.
    source_grid
        The file's own grid; of a tilted series the right-angled grid after the tilt is undone. Label maps
        are written on it.
    reorientation
        How the canonical order comes from the file's own.
    series
        The DICOM series, or None where the volume came from another kind of file.
    file
        The file relative to the input, where the volume came from one file that is not DICOM.
    flags
        Doubts about the volume as a whole.
    """

    volume: Volume
    source_grid: Grid
    reorientation: Reorientation
    series: SeriesIdentity | None = None
    file: str | None = None
    flags: tuple[QualityFlag, ...] = ()

    def report(self, why: str) -> SeriesReport:
        """Return what the report says of this volume.

        Parameters
        ----------
        why
            Why it was chosen.
        """
        return SeriesReport(
            series_instance_uid=self.series.series_uid if self.series else None,
            file=self.file,
            shape=self.source_grid.shape,
            spacing_mm=tuple(round(s, 6) for s in self.source_grid.spacing_mm),  # type: ignore[arg-type]
            why=why,
        )


def scan_of(
    hu: HuArray,
    source_grid: Grid,
    *,
    series: SeriesIdentity | None = None,
    file: str | None = None,
    flags: tuple[QualityFlag, ...] = (),
) -> Scan:
    """Return the scan of intensities that stand in the order of their file.

    Parameters
    ----------
    hu
        Hounsfield units, shape of `source_grid`.
    source_grid
        The file's own grid.
    series, file, flags
        As in `Scan`.
    """
    grid, turn = canonical(source_grid)
    volume = Volume(np.ascontiguousarray(turn.apply(hu)), grid)
    return Scan(volume, source_grid, turn, series, file, flags)
