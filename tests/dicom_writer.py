"""Small CT series as DICOM files, right or wrong in any way a test needs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def uid(*words: object) -> str:
    """Return a UID made from words, the same each time."""
    digest = hashlib.sha256(repr(words).encode()).hexdigest()
    return f"2.25.{int(digest[:24], 16)}"


def patient_like(shape: tuple[int, int, int]) -> np.ndarray:
    """Return HU with air around tissue, in which every voxel can be told from its neighbours."""
    z, y, x = np.indices(shape)
    hu = -60 + 5 * z + 3 * y + 2 * x
    edge = (y < 2) | (x < 2) | (y >= shape[1] - 2) | (x >= shape[2] - 2)
    return np.where(edge, -1000, hu).astype(np.int16)


def ct_dataset(
    stored: np.ndarray, *, series: str, study: str, syntax: UID = ExplicitVRLittleEndian
) -> Dataset:
    """Return one CT image without a place."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = CTImageStorage
    data = Dataset()
    data.file_meta = meta
    data.SOPClassUID = CTImageStorage
    data.Modality = "CT"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.PatientName, data.PatientID, data.PatientBirthDate = "Roe^Alexandra", "ZX-4711", "19500101"
    data.PatientSex, data.AccessionNumber, data.ReferringPhysicianName, data.StudyID = "F", "", "", ""
    data.Manufacturer = "Phantom Works"
    data.StudyInstanceUID, data.SeriesInstanceUID = uid("study", study), uid("series", series)
    data.FrameOfReferenceUID = uid("frame", study)
    data.StudyDate = data.AcquisitionDate = data.ContentDate = "20240301"
    data.StudyTime, data.AcquisitionTime, data.ContentTime = "100000", "101500", "101600"
    data.SeriesNumber, data.AcquisitionNumber = 3, 1
    data.ConvolutionKernel, data.PatientPosition = "B30f", "HFS"
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = stored.shape[-2:]
    data.BitsAllocated = data.BitsStored = stored.dtype.itemsize * 8
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(stored.dtype.kind == "i")
    data.RescaleSlope, data.RescaleIntercept = 1, -1024
    data.PixelData = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
    return data


def write_ct(
    folder: Path,
    hu: np.ndarray,
    *,
    spacing_mm: tuple[float, float, float] = (1.0, 0.8, 0.7),
    origin: tuple[float, float, float] = (-10.0, -20.0, -300.0),
    orientation: tuple[float, ...] = AXIAL,
    step: tuple[float, float, float] | None = None,
    series: str = "a",
    study: str = "s",
    slope: float = 1,
    intercept: float = -1024,
    dtype: type = np.uint16,
    syntax: UID = ExplicitVRLittleEndian,
    tags: dict[str, Any] | None = None,
    edit: Callable[[Dataset, int], None] | None = None,
    skip: tuple[int, ...] = (),
    file_name: Callable[[int], str] | None = None,
) -> Path:
    """Write HU of shape (slices, rows, columns) as one file a slice; return the folder.

    `step` is the way from one slice to the next, along the normal where it is not given. `edit` changes the
    data set of a slice before it is written.
    """
    row, column = np.asarray(orientation[:3]), np.asarray(orientation[3:])
    way = np.cross(row, column) * spacing_mm[0] if step is None else np.asarray(step)
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(len(hu)):
        if k in skip:
            continue
        stored = np.rint((hu[k].astype(np.float64) - intercept) / slope).astype(dtype)
        data = ct_dataset(stored, series=series, study=study, syntax=syntax)
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = uid("image", study, series, k)
        data.InstanceNumber = len(hu) - k
        data.RescaleSlope, data.RescaleIntercept = slope, intercept
        data.ImageOrientationPatient = [float(v) for v in orientation]
        data.ImagePositionPatient = [round(float(v), 6) for v in np.asarray(origin) + k * way]
        data.PixelSpacing = [spacing_mm[1], spacing_mm[2]]
        data.SliceThickness = spacing_mm[0]
        for keyword, value in (tags or {}).items():
            if value is None:
                delattr(data, keyword)
            else:
                setattr(data, keyword, value)
        if edit is not None:
            edit(data, k)
        name = file_name(k) if file_name else f"{series}-{hashlib.md5(str(k).encode()).hexdigest()[:8]}"  # noqa: S324
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        data.save_as(folder / name, enforce_file_format=True)
    return folder


def write_enhanced(
    file: Path,
    hu: np.ndarray,
    *,
    spacing_mm: tuple[float, float, float] = (1.0, 0.8, 0.7),
    slopes: bool = False,
) -> Path:
    """Write HU as one enhanced multi-frame file, frames in mixed order; return the file."""
    order = [*range(1, len(hu), 2), *range(0, len(hu), 2)]
    intercepts = {k: -1024 - (k if slopes else 0) for k in order}
    stored = np.stack([(hu[k] - intercepts[k]).astype(np.uint16) for k in order])
    data = ct_dataset(stored, series="enhanced", study="s")
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = uid("enhanced")
    data.NumberOfFrames = len(order)
    del data.RescaleSlope, data.RescaleIntercept, data.ConvolutionKernel
    shared = Dataset()
    shared.PlaneOrientationSequence = Sequence([_with(ImageOrientationPatient=list(AXIAL))])
    shared.PixelMeasuresSequence = Sequence(
        [_with(PixelSpacing=list(spacing_mm[1:]), SliceThickness=spacing_mm[0])]
    )
    shared.CTReconstructionSequence = Sequence([_with(ConvolutionKernel=["B60f"])])
    data.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for k in order:
        groups = Dataset()
        groups.PlanePositionSequence = Sequence([_with(ImagePositionPatient=[0.0, 0.0, k * spacing_mm[0]])])
        value = _with(RescaleSlope=1, RescaleIntercept=intercepts[k], RescaleType="HU")
        groups.PixelValueTransformationSequence = Sequence([value])
        groups.FrameContentSequence = Sequence([_with(FrameAcquisitionDateTime="20240301101500")])
        frames.append(groups)
    data.PerFrameFunctionalGroupsSequence = Sequence(frames)
    file.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(file, enforce_file_format=True)
    return file


def _with(**values: Any) -> Dataset:
    data = Dataset()
    for keyword, value in values.items():
        setattr(data, keyword, value)
    return data
