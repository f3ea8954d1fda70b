"""Volumes and label maps that come as one file: NIfTI, NRRD, MHA, and DICOM segmentations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cementct.core.arrays import HuArray, LabelArray
from cementct.core.errors import StudyRefused, UnreadableFile
from cementct.core.grid import Grid, canonical
from cementct.core.image import NOT_MEASURED_BELOW_HU, PADDING_HU, LabelMap
from cementct.io.hounsfield import check_hounsfield
from cementct.io.limits import MAX_SPACING_MM
from cementct.io.scan import Scan, scan_of

NIFTI_SUFFIXES = (".nii.gz", ".nii")
VOLUME_SUFFIXES = (*NIFTI_SUFFIXES, ".nrrd", ".mha")
DICOM_SUFFIXES = (".dcm", ".dicom")

# Rescaled numbers this near to a whole number are that number; far below the noise of any CT.
WHOLE_WITHIN_HU = 1e-3

Slabs = Iterator[tuple[int, np.ndarray[Any, Any]]]


def volume_suffix(path: Path) -> str | None:
    """Return the ending that makes a file a volume, or None where it has none of them."""
    name = path.name.lower()
    return next((suffix for suffix in VOLUME_SUFFIXES if name.endswith(suffix)), None)


def read_volume(path: Path, *, name: str | None = None) -> Scan:
    """Return the CT volume in a NIfTI, NRRD or MHA file.

    Parameters
    ----------
    path
        The file.
    name
        What messages and the report call it; its own name where none is given.

    Raises
    ------
    UnreadableFile
        Where it is missing, damaged, absurd, not 3-D or without geometry.
    StudyRefused
        Where its numbers cannot be Hounsfield units.
    """
    shown = name or path.name
    grid, slabs = _open(path, shown)
    try:
        hu = _to_hu(slabs, grid, shown)
    except MemoryError as error:
        raise StudyRefused(f"{shown}: not enough memory for a volume of {grid.shape} voxels") from error
    flags = check_hounsfield(hu, shown)
    return scan_of(hu, grid, file=shown, flags=flags)


def read_labels(path: Path, *, name: str | None = None) -> LabelMap:
    """Return the label map in a file, on its own grid in canonical order.

    Any type of number will do, as long as every value is a whole number from 0 to 65535. Of a DICOM
    segmentation the labels are segment numbers.

    Parameters
    ----------
    path
        The file.
    name
        What messages call it; its own name where none is given.

    Raises
    ------
    UnreadableFile
        Where it is missing, damaged or absurd, without geometry, or holds other numbers.
    """
    shown = name or path.name
    _check_is_file(path, shown)
    if is_dicom(path):
        from cementct.io.segments import read_segments

        return read_segments(path, name=shown).labels
    grid, slabs = _open(path, shown)
    labels: LabelArray = np.zeros(grid.shape, dtype=np.uint8)
    for start, values in slabs:
        whole = np.rint(values) if values.dtype.kind == "f" else values
        low, high = float(whole.min()), float(whole.max())
        if not (low >= 0 and high <= 65535) or not np.array_equal(whole, values):
            raise UnreadableFile(
                f"{shown}: expected labels that are whole numbers from 0 to 65535, "
                f"found values from {values.min():g} to {values.max():g}"
            )
        if high > 255 and labels.dtype == np.uint8:
            labels = labels.astype(np.uint16)
        labels[start : start + len(whole)] = whole
    turned, turn = canonical(grid)
    return LabelMap(np.ascontiguousarray(turn.apply(labels)), turned)


def is_dicom(path: Path) -> bool:
    """Tell whether a file begins as DICOM files do."""
    with path.open("rb") as handle:
        return handle.read(132)[128:] == b"DICM"


def _check_is_file(path: Path, name: str) -> None:
    if not path.exists():
        raise StudyRefused(f"{name}: expected a file, there is none")
    if not path.is_file():
        raise StudyRefused(f"{name}: expected a file, found something else")


def _open(path: Path, name: str) -> tuple[Grid, Slabs]:
    """Return the grid of a file, and its values some slices at a time, rescaled as the header says."""
    _check_is_file(path, name)
    suffix = volume_suffix(path)
    if suffix is None:
        raise UnreadableFile(f"{name}: expected a file that ends in {', '.join(VOLUME_SUFFIXES)}")
    try:
        if suffix not in NIFTI_SUFFIXES:
            from cementct.io.metaimage import read_itk

            array, grid = read_itk(path, name)
            return grid, iter([(0, array)])
        from cementct.io.nifti import read_nifti_header, read_nifti_slabs

        header = read_nifti_header(path, name)
        slabs = read_nifti_slabs(header)
        if (header.slope, header.intercept) != (1.0, 0.0):
            return header.grid, _rescaled(slabs, header.slope, header.intercept)
    except OSError as error:
        raise UnreadableFile(f"{name}: cannot be read ({error.strerror})") from error
    return header.grid, slabs


def _rescaled(slabs: Slabs, slope: float, intercept: float) -> Slabs:
    whole = slope.is_integer() and intercept.is_integer() and max(abs(slope), abs(intercept)) < 2**15
    for start, stored in slabs:
        if whole and stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2 and slope == 1:
            yield start, stored.astype(np.int32) + int(intercept)
        else:
            yield start, stored.astype(np.float64) * slope + intercept


def _to_hu(slabs: Slabs, grid: Grid, name: str) -> HuArray:
    """Return the values as 16-bit whole numbers where that is exact, else as 32-bit floats.

    What is not a number was not measured.
    """
    hu: HuArray = np.empty(grid.shape, dtype=np.int16)
    for start, values in slabs:
        stop = start + len(values)
        if hu.dtype == np.int16:
            whole = _as_whole(values)
            if whole is not None:
                hu[start:stop] = whole
                continue
            kept = hu[:start]
            hu = np.empty(grid.shape, dtype=np.float32)
            hu[:start] = kept
        with np.errstate(over="ignore", invalid="ignore"):
            real = np.nan_to_num(values.astype(np.float32), nan=PADDING_HU, posinf=np.inf, neginf=PADDING_HU)
        real[real <= NOT_MEASURED_BELOW_HU] = PADDING_HU
        hu[start:stop] = real
    if not hu.size or grid.spacing_mm[0] > MAX_SPACING_MM:
        raise UnreadableFile(f"{name}: expected a volume, found none")
    return hu


def _as_whole(values: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.int16]] | None:
    """Return values as 16-bit whole numbers, or None where that would change them."""
    if values.dtype.kind == "f":
        measured = np.where(np.isfinite(values) | np.isposinf(values), values, PADDING_HU)
        low, high = float(measured.min()), float(measured.max())
        if low < -1e9 or high > 32767:
            return None
        measured = np.maximum(measured, PADDING_HU)
        nearest = np.rint(measured)
        if float(np.abs(nearest - measured).max()) > WHOLE_WITHIN_HU:
            return None
        whole = nearest.astype(np.int16)
    else:
        if int(values.max()) > 32767:
            return None
        # Numbers of one byte hold no padding, and numpy compares them with nothing that they cannot hold.
        padded = values.dtype.kind == "i" and values.dtype.itemsize > 1
        whole = (np.maximum(values, PADDING_HU) if padded else values).astype(np.int16)
    if int(whole.min()) <= NOT_MEASURED_BELOW_HU:
        whole[whole <= NOT_MEASURED_BELOW_HU] = PADDING_HU
    return whole
