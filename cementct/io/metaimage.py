"""NRRD and MetaImage (MHA) volumes read through SimpleITK, the header judged first."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from cementct.core.errors import UnreadableFile
from cementct.core.grid import Grid
from cementct.io.apart import ReadingFailed, read_apart
from cementct.io.limits import MAX_DEFLATE_RATIO, MAX_VOXELS, check_length, check_shape, check_spacing

# The text header of either format ends within this many bytes.
HEADER_BYTES = 64 * 1024
# Of a 64-bit number, the longest that such files hold.
LARGEST_VOXEL_BYTES = 8


def read_itk(path: Path, name: str) -> tuple[np.ndarray[Any, Any], Grid]:
    """Return the stored numbers, shape (z, y, x), and the grid of an NRRD or MHA file.

    Raises
    ------
    UnreadableFile
        Where it is not one 3-D volume of plain numbers with a geometry of its own, all in this one file.
    """
    compressed = _check_text_header(path, name)
    try:
        return read_apart(
            _read_apart, path, name, compressed, voxel_bytes=_most_voxel_bytes(path, compressed)
        )
    except ReadingFailed as failure:
        raise UnreadableFile(f"{name}: {failure}") from failure


def _most_voxel_bytes(path: Path, compressed: bool) -> int:  # noqa: FBT001 - what the header's judge returned
    """Return how much memory the voxels can take at most, whatever the header says."""
    return min(
        path.stat().st_size * (MAX_DEFLATE_RATIO if compressed else 1), MAX_VOXELS * LARGEST_VOXEL_BYTES
    )


def _read_apart(path: Path, name: str, compressed: bool) -> tuple[np.ndarray[Any, Any], Grid]:  # noqa: FBT001
    """Read with SimpleITK, in the child."""
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        size = tuple(int(n) for n in reader.GetSize())
        components = int(reader.GetNumberOfComponents())
        spacing = tuple(float(v) for v in reader.GetSpacing())
        direction = np.asarray(reader.GetDirection(), dtype=np.float64)
        origin = np.asarray(reader.GetOrigin(), dtype=np.float64)
        pixel = SimpleITK.GetPixelIDValueAsString(reader.GetPixelID())
    except RuntimeError as error:
        raise UnreadableFile(f"{name}: expected an NRRD or MHA volume, its header cannot be read") from error
    if len(size) != 3 or min(size) < 2 or components != 1:
        found = " × ".join(str(n) for n in size)
        raise UnreadableFile(f"{name}: expected one 3-D volume, found {found} voxels of {components} numbers")
    check_shape(size, name)
    check_spacing(spacing, name)
    bits = int((re.search(r"(\d+)-bit", pixel) or ["", "8"])[1])
    check_length(path, int(np.prod(size)) * bits // 8, name, ratio=MAX_DEFLATE_RATIO if compressed else 1)
    grid = _grid(direction, spacing, origin, size, name)
    try:
        image = reader.Execute()
    except (RuntimeError, MemoryError) as error:
        raise UnreadableFile(f"{name}: the voxels cannot be read") from error
    return SimpleITK.GetArrayFromImage(image), grid


def _grid(
    direction: np.ndarray[Any, Any],
    spacing: tuple[float, ...],
    origin: np.ndarray[Any, Any],
    size: tuple[int, ...],
    name: str,
) -> Grid:
    affine = np.eye(4)
    affine[:3, :3] = direction.reshape(3, 3) * np.asarray(spacing)
    affine[:3, 3] = origin
    x, y, z = size
    try:
        return Grid.from_affine(affine[:, [2, 1, 0, 3]], (z, y, x))
    except ValueError as error:
        raise UnreadableFile(
            f"{name}: expected a right-angled grid of finite numbers, found another"
        ) from error


def _check_text_header(path: Path, name: str) -> bool:
    """Refuse a header without geometry or with voxels elsewhere; tell whether they are compressed."""
    with path.open("rb") as handle:
        raw = handle.read(HEADER_BYTES)
    if path.suffix.lower() == ".nrrd":
        text = raw.split(b"\n\n")[0].split(b"\r\n\r\n")[0].decode("latin-1").lower()
        if not text.startswith("nrrd"):
            raise UnreadableFile(f"{name}: expected an NRRD file, found another kind")
        if re.search(r"^data ?file:", text, re.MULTILINE):
            raise UnreadableFile(f"{name}: expected the voxels in the same file, it points to another")
        if not re.search(r"^space directions:", text, re.MULTILINE) or not re.search(
            r"^space:", text, re.MULTILINE
        ):
            raise UnreadableFile(
                f"{name}: no geometry; expected 'space' and 'space directions' in the header"
            )
        return bool(re.search(r"^encoding: *(gz|gzip|bz2|bzip2)", text, re.MULTILINE))
    text = raw.split(b"ElementDataFile")[0].decode("latin-1")
    pointer = re.search(rb"ElementDataFile *= *([^\r\n]*)", raw)
    if pointer is None:
        raise UnreadableFile(f"{name}: expected a MetaImage (MHA) file, found another kind")
    if pointer[1].strip() != b"LOCAL":
        raise UnreadableFile(f"{name}: expected the voxels in the same file, it points to another")
    if not re.search(r"^Element(Spacing|Size) *=", text, re.MULTILINE):
        raise UnreadableFile(f"{name}: no geometry; expected 'ElementSpacing' in the header")
    return bool(re.search(r"^CompressedData *= *true", text, re.MULTILINE | re.IGNORECASE))
