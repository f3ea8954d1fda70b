"""Single volumes and masks that are damaged or lie."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cementct.core.grid import Grid
from cementct.io.labelmaps import write_nifti
from cementct.testing.hostile.case import Ending, HostileCase
from cementct.testing.hostile.sound import GRID, SHAPE, sound_hu, write_sound_volume

# Where NIfTI-1 keeps its size, its codes of sform and qform, and its affine, in bytes.
_DIM, _SFORM_CODE, _AFFINE = 40, 254, 280
_BOMB_BLOCK, _BOMB_BLOCKS = 8 * 1024 * 1024, 100


def volume_cases() -> tuple[HostileCase, ...]:
    """Return the cases that are single files, or folders with masks."""
    return (*_nifti(), *_others(), *_masks())


def _nifti() -> tuple[HostileCase, ...]:
    def case(name: str, what: str, change: Callable[[bytes], bytes], says: str) -> HostileCase:
        return HostileCase(name, what, lambda f: _changed(f / f"{name}.nii.gz", change), Ending.REFUSED, says)

    return (
        HostileCase(
            "gzip-bomb",
            "a .nii.gz with 800 MB of zeros behind its voxels",
            _bomb,
            Ending.DONE,
        ),
        case(
            "absurd-size",
            "a size of 30000 × 30000 × 30000",
            _size(30000, 30000, 30000),
            "the header says 30000",
        ),
        case(
            "size-beyond-the-file",
            "a size of 1000 × 1000 × 1000 in a file of 20 kB",
            _size(1000, 1000, 1000),
            r"expected \d+ bytes of voxels",
        ),
        case("negative-size", "a negative size", _size(-5, 32, 10), "expected"),
        case(
            "four-dimensions",
            "a fourth dimension",
            lambda d: _put(d, _DIM, "<5h", 4, 32, 32, 5, 2),
            "expected one 3-D volume",
        ),
        case(
            "nan-affine",
            "an affine of NaN",
            lambda d: _put(_put(d, _SFORM_CODE - 2, "<2h", 0, 1), _AFFINE, "<f", np.nan),
            "not finite",
        ),
        case(
            "no-geometry",
            "neither sform nor qform",
            lambda d: _put(d, _SFORM_CODE - 2, "<2h", 0, 0),
            "no geometry",
        ),
        case(
            "sheared",
            "sheared axes",
            lambda d: _put(_put(d, _SFORM_CODE - 2, "<2h", 0, 1), _AFFINE + 4, "<f", 0.6),
            "sheared",
        ),
        HostileCase(
            "damaged-gzip",
            "a .nii.gz whose compressed bytes are damaged",
            _damaged_gzip,
            Ending.REFUSED,
            "damaged or cut short|cannot be read",
        ),
        HostileCase(
            "cut-gzip", "a .nii.gz cut in half", _cut_gzip, Ending.REFUSED, "damaged or cut short|ends before"
        ),
        HostileCase(
            "empty-volume",
            "an empty .nii.gz",
            lambda f: _bytes(f / "empty-volume.nii.gz", b""),
            Ending.REFUSED,
            "expected",
        ),
        HostileCase(
            "text-as-volume",
            "a text file called .nii",
            lambda f: _bytes(f / "text-as-volume.nii", b"no volume\n" * 50),
            Ending.REFUSED,
            "expected a NIfTI volume",
        ),
    )


def _others() -> tuple[HostileCase, ...]:
    return (
        HostileCase(
            "mha-that-points-outside",
            "an .mha whose voxels are said to be in /etc/passwd",
            lambda f: _bytes(f / "mha-that-points-outside.mha", _metaimage("/etc/passwd")),
            Ending.REFUSED,
            "points to another",
        ),
        HostileCase(
            "mha-with-absurd-size",
            "an .mha of 99999 × 99999 × 99999 voxels",
            lambda f: _bytes(f / "mha-with-absurd-size.mha", _metaimage("LOCAL", "99999 99999 99999")),
            Ending.REFUSED,
            "expected",
        ),
        HostileCase(
            "mha-that-crashes-its-reader",
            "a compressed .mha that lies about its length",
            lambda f: _bytes(f / "mha-that-crashes-its-reader.mha", _lying_metaimage()),
            Ending.REFUSED,
            "expected|cannot be read",
        ),
        HostileCase(
            "nrrd-with-nan-directions",
            "an .nrrd whose axes are NaN",
            lambda f: _bytes(f / "nrrd-with-nan-directions.nrrd", _nrrd("(nan,0,0) (0,1,0) (0,0,1)")),
            Ending.REFUSED,
            "expected",
        ),
        HostileCase(
            "numbers-that-are-no-hu",
            "an image of 0 to 255",
            _grey,
            Ending.REFUSED,
            "expected Hounsfield units",
        ),
    )


def _masks() -> tuple[HostileCase, ...]:
    far = Grid(SHAPE, GRID.spacing_mm, (900.0, 900.0, 900.0))
    return (
        HostileCase(
            "mask-elsewhere",
            "a mask whose geometry belongs to another volume",
            lambda f: _with_mask(f, far, 1),
            Ending.REFUSED,
            "they lie elsewhere",
        ),
        HostileCase(
            "mask-of-fractions",
            "a mask of fractions",
            lambda f: _with_mask(f, GRID, 0.5),
            Ending.REFUSED,
            "whole numbers",
        ),
    )


def _bytes(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _changed(path: Path, change: Callable[[bytes], bytes]) -> Path:
    plain = gzip.decompress(write_sound_volume(path).read_bytes())
    return _bytes(path, gzip.compress(change(plain), mtime=0))


def _put(data: bytes, at: int, form: str, *numbers: float) -> bytes:
    packed = struct.pack(form, *numbers)
    return data[:at] + packed + data[at + len(packed) :]


def _size(x: int, y: int, z: int) -> Callable[[bytes], bytes]:
    return lambda data: _put(data, _DIM, "<4h", 3, x, y, z)


def _bomb(folder: Path) -> Path:
    path = folder / "gzip-bomb.nii.gz"
    sound = write_sound_volume(path).read_bytes()
    block = gzip.compress(bytes(_BOMB_BLOCK), mtime=0)
    return _bytes(path, sound + block * _BOMB_BLOCKS)


def _damaged_gzip(folder: Path) -> Path:
    path = folder / "damaged-gzip.nii.gz"
    data = bytearray(write_sound_volume(path).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 200] = bytes(200)
    return _bytes(path, bytes(data))


def _cut_gzip(folder: Path) -> Path:
    path = folder / "cut-gzip.nii.gz"
    data = write_sound_volume(path).read_bytes()
    return _bytes(path, data[: len(data) // 2])


def _grey(folder: Path) -> Path:
    path = folder / "numbers-that-are-no-hu.nii.gz"
    write_nifti(path, np.clip(sound_hu() + 100, 0, 255).astype(np.int16), GRID)
    return path


def _metaimage(voxels: str, size: str = "32 32 10") -> bytes:
    head = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
        "TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\nElementSpacing = 1 1 2\n"
        f"DimSize = {size}\nElementType = MET_SHORT\nElementDataFile = {voxels}\n"
    )
    return head.encode() + sound_hu().tobytes()


def _lying_metaimage() -> bytes:
    """Return compressed voxels behind a header that promises half the bytes they unpack to."""
    import zlib

    packed = zlib.compress(sound_hu().tobytes())
    head = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
        "CompressedData = True\n"
        f"CompressedDataSize = {len(packed) * 100}\nTransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\n"
        "ElementSpacing = 1 1 2\nDimSize = 32 16 10\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    )
    return head.encode() + packed


def _nrrd(directions: str) -> bytes:
    head = (
        "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 32 32 10\n"
        f"space directions: {directions}\nkinds: domain domain domain\nendian: little\nencoding: raw\n"
        "space origin: (0,0,0)\n\n"
    )
    return head.encode() + sound_hu().tobytes()


def _with_mask(folder: Path, grid: Grid, value: float) -> Path:
    write_sound_volume(folder / "post.nii.gz")
    mask = np.zeros(SHAPE, dtype=np.float32)
    mask[4:6, 10:20, 10:20] = value
    write_nifti(folder / "cement.nii.gz", mask, grid)
    return folder
