"""NIfTI volumes read: the header is judged before any voxel is unpacked, and no more is than it promises."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from cementct.core.arrays import FloatArray, as_floats
from cementct.core.errors import UnreadableFile
from cementct.core.grid import ORTHOGONALITY_TOLERANCE, Grid
from cementct.io.limits import MAX_DEFLATE_RATIO, check_length, check_shape, check_spacing
from cementct.io.quiet import quiet

# Header extensions lie between header and voxels; the largest ones seen are some hundred kilobytes.
MAX_VOXEL_OFFSET = 64 * 1024 * 1024
# RAS, NIfTI's frame, to LPS, ours.
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_MILLIMETRES = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}


@dataclass(frozen=True)
class NiftiHeader:
    """What a NIfTI file says about its voxels.

    Attributes
    ----------
    path, name
        The file, and what messages call it.
    grid
        The file's own grid.
    dtype
        Type of the stored numbers.
    offset
        Byte at which they start.
    slope, intercept
        ``value = stored × slope + intercept``.
    """

    path: Path
    name: str
    grid: Grid
    dtype: np.dtype[Any]
    offset: int
    slope: float
    intercept: float


def read_nifti_header(path: Path, name: str) -> NiftiHeader:
    """Return what the header of the file at `path` says.

    Raises
    ------
    UnreadableFile
        Where it is no NIfTI file, not 3-D, without geometry, or absurd.
    """
    import nibabel

    try:
        with quiet():
            image = nibabel.load(path)
        header, shape = image.header, tuple(int(n) for n in image.shape)
        dtype = np.dtype(header.get_data_dtype())
        offset = int(image.dataobj.offset)
        slope, intercept = (float(v) for v in (image.dataobj.slope, image.dataobj.inter))
    except Exception as error:  # nibabel raises anything on damaged headers
        raise UnreadableFile(
            f"{name}: expected a NIfTI volume, it cannot be read ({type(error).__name__})"
        ) from error
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3 or min(shape) < 2:
        size = " × ".join(str(n) for n in shape)
        raise UnreadableFile(f"{name}: expected one 3-D volume, found {size} voxels")
    check_shape(shape, name)
    if dtype.kind not in "iuf" or dtype.names is not None:
        raise UnreadableFile(f"{name}: expected one number per voxel, found the type {dtype}")
    if not 0 <= offset <= MAX_VOXEL_OFFSET:
        raise UnreadableFile(f"{name}: the header puts the voxels at the absurd byte {offset}")
    if not (np.isfinite(slope) and np.isfinite(intercept) and slope != 0):
        slope, intercept = 1.0, 0.0
    x, y, z = shape
    with quiet(), np.errstate(all="ignore"):
        grid = _grid(header, (z, y, x), name)
    ratio = MAX_DEFLATE_RATIO if _is_gzip(path) else 1
    check_length(path, offset + int(np.prod(shape)) * dtype.itemsize, name, ratio=ratio)
    return NiftiHeader(path, name, grid, dtype, offset, slope, intercept)


def _grid(header: Any, shape: tuple[int, int, int], name: str) -> Grid:
    """Return the grid that the header's sform, or else its qform, describes."""
    unit = _MILLIMETRES.get(int(header["xyzt_units"]) & 7, 1.0)
    sform_code, qform_code = int(header["sform_code"]), int(header["qform_code"])
    candidates: list[FloatArray] = []
    if sform_code > 0:
        candidates.append(as_floats(header.get_sform()))
    if qform_code > 0:
        try:
            candidates.append(as_floats(header.get_qform()))
        except Exception:  # noqa: BLE001 - nibabel raises several kinds on absurd quaternions
            candidates.append(np.full((4, 4), np.nan))
    if not candidates:
        raise UnreadableFile(
            f"{name}: no geometry; expected a qform or an sform with a code over 0, found both codes 0"
        )
    why = ""
    for affine_ras in candidates:
        why = _why_not(affine_ras)
        if not why:
            affine = _RAS_TO_LPS @ affine_ras
            affine[:3] *= unit
            affine = affine[:, [2, 1, 0, 3]]
            check_spacing(tuple(float(v) for v in np.linalg.norm(affine[:3, :3], axis=0)), name)
            return Grid.from_affine(affine, shape)
    raise UnreadableFile(f"{name}: expected a right-angled grid, {why}")


def _why_not(affine: FloatArray) -> str:
    """Return why an affine describes no right-angled grid; empty where it does."""
    if not np.all(np.isfinite(affine)) or np.abs(affine).max() > 1e6:
        return "its affine holds numbers that are not finite"
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if lengths.min() < 1e-9:
        return "its affine is singular"
    directions = affine[:3, :3] / lengths
    lean = float(np.abs(directions.T @ directions - np.eye(3)).max())
    if lean > ORTHOGONALITY_TOLERANCE:
        angle = float(np.degrees(np.arcsin(min(lean, 1.0))))
        return f"its axes are sheared by {angle:.1f} degrees; undo the gantry tilt first"
    return ""


def read_nifti_slabs(header: NiftiHeader, slices: int = 16) -> Iterator[tuple[int, np.ndarray[Any, Any]]]:
    """Yield the stored numbers some slices at a time, with the index of the first; shape (slices, y, x).

    Raises
    ------
    UnreadableFile
        Where the file ends before its header says, or its compression is damaged.
    """
    depth, height, width = header.grid.shape
    per_slice = height * width * header.dtype.itemsize
    with _voxels(header) as stream:
        for start in range(0, depth, slices):
            count = min(slices, depth - start)
            data = _read_exactly(stream, count * per_slice, header.name)
            yield start, np.frombuffer(data, header.dtype).reshape(count, height, width)


@contextmanager
def _voxels(header: NiftiHeader) -> Iterator[BinaryIO]:
    """Open the file where its voxels start."""
    with header.path.open("rb") as plain:
        stream: BinaryIO = plain
        if _is_gzip(header.path):
            from isal import igzip

            stream = cast("BinaryIO", igzip.GzipFile(fileobj=plain))
        _read_exactly(stream, header.offset, header.name)
        yield stream


def _read_exactly(stream: BinaryIO, count: int, name: str) -> bytes:
    parts: list[bytes] = []
    there = 0
    while there < count:
        try:
            data = stream.read(count - there)
        except (EOFError, zlib.error, OSError) as error:
            raise UnreadableFile(f"{name}: the compressed data are damaged or cut short") from error
        if not data:
            raise UnreadableFile(f"{name}: the file ends before all the voxels that its header promises")
        parts.append(data)
        there += len(data)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as handle:
        return handle.read(2) == b"\x1f\x8b"
