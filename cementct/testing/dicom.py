"""Simulated scans written as DICOM: classic single-frame CT of an invented patient, and scouts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cementct.core.arrays import FloatArray, as_floats
from cementct.core.grid import Grid
from cementct.core.image import Volume

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

PATIENT_NAME = "PHANTOM^SAMPLE"
PATIENT_ID = "PHANTOM-0001"
STUDY_DATE = "20220103"
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
# Stored values are unsigned: this much is taken away again by the rescale intercept.
INTERCEPT_HU = -1024
# With a rescale that changes from slice to slice, the intercepts that take turns.
VARYING_INTERCEPTS_HU = (-1024, -1000, -1100)


class PatientPosition(StrEnum):
    """How the patient lies on the table, in DICOM's terms."""

    HFS = "HFS"
    HFP = "HFP"
    HFDR = "HFDR"
    HFDL = "HFDL"
    FFS = "FFS"
    FFP = "FFP"
    FFDR = "FFDR"
    FFDL = "FFDL"


# Directions (LPS) of increasing column and of increasing row, as a scanner that looks at the gantry from the
# table's side writes them.
_PLANE: dict[PatientPosition, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    PatientPosition.HFS: ((1, 0, 0), (0, 1, 0)),
    PatientPosition.HFP: ((-1, 0, 0), (0, -1, 0)),
    PatientPosition.HFDR: ((0, 1, 0), (-1, 0, 0)),
    PatientPosition.HFDL: ((0, -1, 0), (1, 0, 0)),
    PatientPosition.FFS: ((-1, 0, 0), (0, 1, 0)),
    PatientPosition.FFP: ((1, 0, 0), (0, -1, 0)),
    PatientPosition.FFDR: ((0, -1, 0), (-1, 0, 0)),
    PatientPosition.FFDL: ((0, 1, 0), (1, 0, 0)),
}


@dataclass(frozen=True)
class SeriesDetails:
    """What the headers of one series say.

    Attributes
    ----------
    number
        Series number.
    description
        Series description.
    time
        Of acquisition, HHMMSS.
    kernel
        Name of the reconstruction kernel.
    slice_thickness_mm
        Nominal thickness.
    position
        How the patient lies; decides the order in which voxels are stored.
    tilt_deg
        Gantry tilt; the volume is sampled anew along tilted slices.
    varying_rescale
        Whether the rescale intercept changes from slice to slice.
    study
        Text that tells studies apart; same text, same study UID.
    """

    number: int
    description: str
    time: str = "100000"
    kernel: str = "B40s"
    slice_thickness_mm: float = 1.0
    position: PatientPosition = PatientPosition.HFS
    tilt_deg: float = 0.0
    varying_rescale: bool = False
    study: str = "sample"


def uid_of(*parts: object) -> str:
    """Return a UID made from a hash of `parts`."""
    digest = hashlib.sha256("|".join(str(p) for p in parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:15], 'big')}"


def write_ct_series(folder: Path, volume: Volume, details: SeriesDetails) -> str:
    """Write one uncompressed file a slice and return the SeriesInstanceUID.

    Parameters
    ----------
    folder
        Made where it is missing; files are named by slice.
    volume
        The scan, in canonical order.
    details
        What the headers say.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pixels, grid, normal_step = _stored_slices(volume, details)
    series = uid_of(details.study, "series", details.number)
    for index in range(pixels.shape[0]):
        intercept = INTERCEPT_HU
        if details.varying_rescale:
            intercept = VARYING_INTERCEPTS_HU[index % len(VARYING_INTERCEPTS_HU)]
        position = as_floats(grid.origin_lps_mm) + index * normal_step
        item = _common(details, series, uid_of(details.study, details.number, index))
        item.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        item.InstanceNumber = index + 1
        item.ImagePositionPatient = [_decimal(v) for v in position]
        item.ImageOrientationPatient = [_decimal(v) for v in (*grid.direction[2], *grid.direction[1])]
        item.PixelSpacing = [_decimal(grid.spacing_mm[1]), _decimal(grid.spacing_mm[2])]
        item.SliceThickness = _decimal(details.slice_thickness_mm)
        item.SliceLocation = _decimal(float(position[2]))
        item.GantryDetectorTilt = _decimal(details.tilt_deg)
        item.ConvolutionKernel = details.kernel
        item.KVP = "120"
        item.WindowCenter, item.WindowWidth = "400", "1800"
        _set_pixels(item, pixels[index], intercept)
        item.save_as(folder / f"IM{index + 1:04d}.dcm", enforce_file_format=True)
    return series


def write_scout(folder: Path, volume: Volume, details: SeriesDetails) -> str:
    """Write a frontal localizer (mean along the rays) and return its SeriesInstanceUID."""
    folder.mkdir(parents=True, exist_ok=True)
    series = uid_of(details.study, "scout", details.number)
    image = np.asarray(volume.hu, dtype=np.float32).mean(axis=1)[::-1]
    item = _common(details, series, uid_of(details.study, "scout", details.number, 0))
    item.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    item.InstanceNumber = 1
    top = volume.grid.to_lps([volume.grid.shape[0] - 1, volume.grid.shape[1] / 2, 0])
    item.ImagePositionPatient = [_decimal(v) for v in top]
    item.ImageOrientationPatient = ["1", "0", "0", "0", "0", "-1"]
    item.PixelSpacing = [_decimal(volume.grid.spacing_mm[0]), _decimal(volume.grid.spacing_mm[2])]
    item.SliceThickness = "1"
    item.KVP = "120"
    _set_pixels(item, np.asarray(np.round(image), dtype=np.int32), INTERCEPT_HU)
    item.save_as(folder / "SC0001.dcm", enforce_file_format=True)
    return series


def stored_grid(grid: Grid, position: PatientPosition) -> Grid:
    """Return the grid in the order in which a scanner stores it: slices, rows, columns."""
    column, row = (as_floats(v) for v in _PLANE[position])
    normal = np.cross(column, row)
    axes, signs = [], []
    for wanted in (normal, row, column):
        closeness = as_floats(grid.direction) @ wanted
        axis = int(np.argmax(np.abs(closeness)))
        axes.append(axis)
        signs.append(float(np.sign(closeness[axis])))
    first = np.zeros(3)
    for axis, sign in zip(axes, signs, strict=True):
        first[axis] = 0 if sign > 0 else grid.shape[axis] - 1
    matrix = np.eye(4)
    for new, (axis, sign) in enumerate(zip(axes, signs, strict=True)):
        matrix[:3, new] = grid.affine_lps[:3, axis] * sign
    matrix[:3, 3] = grid.to_lps(first)
    n_z, n_y, n_x = (grid.shape[a] for a in axes)
    return Grid.from_affine(matrix, (n_z, n_y, n_x))


def _stored_slices(
    volume: Volume, details: SeriesDetails
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.int32]], Grid, FloatArray]:
    """Return pixels in stored order, their first slice's grid, and the step from slice to slice (LPS)."""
    grid = stored_grid(volume.grid, details.position)
    step = as_floats(grid.direction[0]) * grid.spacing_mm[0]
    if details.tilt_deg == 0.0:
        to_source = volume.grid.to_index(grid.to_lps(np.eye(3))) - volume.grid.to_index(
            grid.to_lps([0, 0, 0])
        )
        axes = [int(np.argmax(np.abs(row))) for row in to_source]
        turned = np.asarray(volume.hu).transpose(axes)
        flips = tuple(slice(None, None, -1 if to_source[i, a] < 0 else 1) for i, a in enumerate(axes))
        return np.asarray(turned[flips], dtype=np.int32), grid, step
    return _tilted_slices(volume, grid, details.tilt_deg)


def _tilted_slices(
    volume: Volume, grid: Grid, tilt_deg: float
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.int32]], Grid, FloatArray]:
    """Return slices turned about their columns' axis while the table still moves along the patient."""
    from scipy import ndimage

    angle = np.deg2rad(tilt_deg)
    column = as_floats(grid.direction[2])
    row = np.cos(angle) * as_floats(grid.direction[1]) + np.sin(angle) * as_floats(grid.direction[0])
    normal = np.cross(column, row)
    step = as_floats(grid.direction[0]) * grid.spacing_mm[0]
    middle = (grid.shape[1] - 1) / 2 * grid.spacing_mm[1]
    first = as_floats(grid.origin_lps_mm) + middle * (as_floats(grid.direction[1]) - row)
    rows, columns = np.meshgrid(np.arange(grid.shape[1]), np.arange(grid.shape[2]), indexing="ij")
    plane = rows[..., None] * row * grid.spacing_mm[1] + columns[..., None] * column * grid.spacing_mm[2]
    out = np.empty(grid.shape, dtype=np.int32)
    for index in range(grid.shape[0]):
        at = np.moveaxis(volume.grid.to_index(first + index * step + plane), -1, 0)
        values = ndimage.map_coordinates(np.asarray(volume.hu, dtype=np.float32), at, order=1, cval=-1024.0)
        out[index] = np.round(values)
    x, y, z = (float(v) for v in first)
    rows_lps = tuple(tuple(float(v) for v in axis) for axis in (normal, row, column))
    tilted = Grid(grid.shape, grid.spacing_mm, (x, y, z), rows_lps)  # type: ignore[arg-type]
    return out, tilted, step


def _common(details: SeriesDetails, series: str, instance: str) -> FileDataset:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(CT_IMAGE_STORAGE)
    meta.MediaStorageSOPInstanceUID = UID(instance)
    meta.TransferSyntaxUID = UID(EXPLICIT_LITTLE_ENDIAN)
    item = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    item.SOPClassUID, item.SOPInstanceUID = CT_IMAGE_STORAGE, instance
    item.PatientName, item.PatientID = PATIENT_NAME, PATIENT_ID
    item.PatientBirthDate, item.PatientSex = "", "O"
    item.StudyInstanceUID, item.SeriesInstanceUID = uid_of(details.study, "study"), series
    item.FrameOfReferenceUID = uid_of(details.study, "frame", details.number)
    item.StudyID, item.AccessionNumber, item.ReferringPhysicianName = "1", "", ""
    item.PositionReferenceIndicator = ""
    item.StudyDate = item.SeriesDate = item.AcquisitionDate = item.ContentDate = STUDY_DATE
    item.StudyTime = "090000"
    item.SeriesTime = item.AcquisitionTime = item.ContentTime = details.time
    item.Modality, item.Manufacturer = "CT", "cementct phantom"
    item.SeriesNumber, item.AcquisitionNumber = details.number, details.number
    item.SeriesDescription, item.PatientPosition = details.description, details.position.value
    return item


def _set_pixels(
    item: FileDataset, hu: np.ndarray[tuple[int, ...], np.dtype[np.int32]], intercept: int
) -> None:
    stored = np.clip(hu - intercept, 0, 65535).astype("<u2")
    item.SamplesPerPixel, item.PhotometricInterpretation = 1, "MONOCHROME2"
    item.Rows, item.Columns = stored.shape
    item.BitsAllocated, item.BitsStored, item.HighBit, item.PixelRepresentation = 16, 16, 15, 0
    item.RescaleIntercept, item.RescaleSlope, item.RescaleType = str(intercept), "1", "HU"
    item.PixelData = stored.tobytes()


def _decimal(value: float) -> str:
    """Return a number as a DICOM decimal string (at most 16 characters)."""
    text = f"{float(value):.6f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text
