"""What is refused before memory or time is spent on it.

The bounds lie far beyond any clinical CT, and far below what would exhaust an ordinary machine.
"""

from __future__ import annotations

from math import prod
from pathlib import Path

from cementct.core.errors import UnreadableFile

# Voxels in one volume. The longest clinical CT, 512 × 512 × 3000, has 0.8e9; as int16 the bound takes 2.2 GB.
MAX_VOXELS = 1_100_000_000
# Voxels along one axis; photon-counting CT reaches 1024 in plane and about 5000 slices.
MAX_AXIS = 16_384
# Files below one INPUT: ten thousand studies of 300 images.
MAX_FILES = 3_000_000
# Files of one study; the largest CT sessions hold a few thousand images.
MAX_STUDY_FILES = 100_000
# Folders within folders; PACS exports reach about 8.
MAX_DEPTH = 32
# Bytes of a DICOM header that are read before the pixel data; ordinary ones take 2 to 20 kB.
MAX_HEADER_BYTES = 64 * 1024 * 1024
# Deflate can shrink data by at most 1032 to 1 (zlib's technical notes); a header that promises more lies.
MAX_DEFLATE_RATIO = 1040
# Distance between neighbouring voxels that a CT can have, in millimetres: micro-CT to very thick slices.
MIN_SPACING_MM = 0.01
MAX_SPACING_MM = 50.0


def check_shape(shape: tuple[int, ...], file: str) -> None:
    """Refuse a volume whose header promises an absurd number of voxels.

    Raises
    ------
    UnreadableFile
        Where a size is not positive, or the volume is larger than any CT.
    """
    if min(shape, default=0) < 1 or max(shape, default=0) > MAX_AXIS or prod(shape) > MAX_VOXELS:
        size = " × ".join(str(n) for n in shape)
        raise UnreadableFile(
            f"{file}: expected a volume of at most {MAX_AXIS} voxels along an axis and {MAX_VOXELS:.1e} "
            f"in all, the header says {size}"
        )


def check_spacing(spacing_mm: tuple[float, ...], file: str) -> None:
    """Refuse voxel distances that no CT can have.

    Raises
    ------
    UnreadableFile
        Where a spacing is not a number or out of bounds.
    """
    if not all(MIN_SPACING_MM <= s <= MAX_SPACING_MM for s in spacing_mm):
        found = ", ".join(f"{s:g}" for s in spacing_mm)
        raise UnreadableFile(
            f"{file}: expected voxel spacings between {MIN_SPACING_MM:g} and {MAX_SPACING_MM:g} mm, "
            f"found {found} mm"
        )


def check_length(path: Path, needed_bytes: int, file: str, *, ratio: int = 1) -> None:
    """Refuse a file that is too short for the voxels its header promises, before they are read.

    Parameters
    ----------
    path
        The file.
    needed_bytes
        Bytes of voxels that the header promises.
    file
        The file's name for the message.
    ratio
        By how much the file's compression can shrink data at most; 1 for none.

    Raises
    ------
    UnreadableFile
        Where the file cannot hold that many.
    """
    size = path.stat().st_size
    if size * ratio < needed_bytes:
        raise UnreadableFile(
            f"{file}: expected {needed_bytes} bytes of voxels from the header, the file has {size} bytes"
        )
