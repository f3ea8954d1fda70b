"""DICOM studies that are damaged, lie, or mean harm."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydicom.uid import MediaStorageDirectoryStorage, MRImageStorage, PositronEmissionTomographyImageStorage

from cementct.testing.encodings import Encoding
from cementct.testing.hostile.case import Ending, HostileCase
from cementct.testing.hostile.sound import Edit, change_files, write_sound_dicom

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

_TRANSFER_SYNTAX = struct.pack("<HH", 0x0002, 0x0010)
# Bytes at the end of a compressed slice that are overwritten: of some hundred in all.
_CORRUPTED = 120
# Bytes that a deflated data set unpacks to, and of it what is packed once and copied.
_BOMB, _UNIT = 4 * 1024**3, 16 * 1024**2


def dicom_cases() -> tuple[HostileCase, ...]:
    """Return the cases that are DICOM studies."""
    return (*_damaged(), *_lying(), *_contradicting(), *_other_kinds())


def _damaged() -> tuple[HostileCase, ...]:
    corrupted = tuple(
        HostileCase(
            f"corrupted-{encoding.name.lower().replace('_', '-')}",
            f"corrupted frames, {encoding.name.replace('_', ' ')}",
            _corrupted(encoding),
            Ending.REFUSED,
            r"cannot be decoded|expected a sound file|expected Hounsfield units|cannot be read",
        )
        for encoding in (Encoding.RLE, Encoding.JPEG_LOSSLESS, Encoding.JPEG_LS, Encoding.JPEG_2000)
    )
    return (
        HostileCase(
            "truncated-files",
            "every file cut short",
            lambda f: change_files(write_sound_dicom(f), lambda data: data[:-300]),
            Ending.REFUSED,
            r"cut short: expected \d+ bytes of pixels, found \d+",
        ),
        HostileCase("one-truncated-file", "one file of a series cut short", _one_cut, Ending.DONE),
        HostileCase(
            "cut-in-the-header",
            "files that end within the header",
            lambda f: change_files(write_sound_dicom(f), lambda data: data[:400]),
            Ending.REFUSED,
            "expected .*, found",
        ),
        HostileCase(
            "wrong-transfer-syntax",
            "plain pixels whose header says JPEG 2000",
            _called(b"1.2.840.10008.1.2.4.90"),
            Ending.REFUSED,
            "cannot be decoded|no pixels",
        ),
        HostileCase(
            "wrong-byte-order",
            "little endian files whose header says big endian",
            _called(b"1.2.840.10008.1.2.2"),
            Ending.REFUSED,
            "expected .*, found",
        ),
        *corrupted,
        HostileCase(
            "deflate-bomb",
            "a deflated data set that unpacks to 4 GB",
            _deflate_bomb,
            Ending.REFUSED,
            "expected|cannot be read",
        ),
        HostileCase(
            "nested-sequences", "sequences nested 5000 deep", _nested, Ending.REFUSED, "expected .*, found"
        ),
    )


def _lying() -> tuple[HostileCase, ...]:
    return (
        _edited(
            "lying-size",
            "65535 × 65535 pixels in a file of 3 kB",
            _lie_about_size,
            "absurd image size of 65535 × 65535",
        ),
        _edited(
            "lying-frames",
            "60000 frames of 16384 × 16384 in a file of 3 kB",
            _lie_about_frames,
            "60000 frames",
        ),
        _edited(
            "negative-spacing",
            "a negative pixel spacing",
            _set(PixelSpacing=["-0.7", "0.7"]),
            "absurd pixel spacing",
        ),
        _edited(
            "nan-positions",
            "positions that are NaN",
            _set(ImagePositionPatient=["NaN", "0", "0"]),
            "no image position",
        ),
        _edited(
            "infinite-orientation",
            "an orientation that is infinite",
            _set(ImageOrientationPatient=["inf", "0", "0", "0", "1", "0"]),
            "no image position or orientation",
        ),
        _edited("zero-slope", "a rescale slope of zero", _set(RescaleSlope="0"), "absurd rescale slope"),
        _edited(
            "no-rescale", "no rescale at all", _drop("RescaleSlope", "RescaleIntercept"), "no rescale slope"
        ),
        _edited(
            "zero-normal", "an orientation of zeros", _set(ImageOrientationPatient=["0"] * 6), "right angles"
        ),
    )


def _contradicting() -> tuple[HostileCase, ...]:
    return (
        HostileCase(
            "one-uid-for-all-images",
            "the same SOPInstanceUID in every image",
            lambda f: write_sound_dicom(f, _set(SOPInstanceUID="2.25.1")),
            Ending.DONE,
        ),
        _edited(
            "two-images-at-one-place",
            "different images of one series at one place",
            _same_place,
            "different pixels",
        ),
        _edited(
            "two-patients-in-one-folder", "images of two patients in one folder", _two_patients, "one patient"
        ),
        HostileCase(
            "one-series-in-two-studies",
            "images of one series that name two studies in turn",
            lambda f: write_sound_dicom(f, _in_turn(StudyInstanceUID="2.25.77")),
            Ending.DONE,
        ),
        HostileCase(
            "two-frames-of-reference",
            "images of one series that name two frames of reference in turn",
            lambda f: write_sound_dicom(f, _in_turn(FrameOfReferenceUID="2.25.78")),
            Ending.DONE,
        ),
        HostileCase(
            "uids-with-paths",
            "UIDs such as ../../../etc/passwd",
            lambda f: write_sound_dicom(
                f,
                _set(
                    StudyInstanceUID="../../../../tmp/evil",
                    SeriesInstanceUID="../../../etc/passwd",
                    SOPInstanceUID="/etc/passwd\0",
                ),
            ),
            Ending.DONE,
        ),
        HostileCase(
            "name-with-html",
            "a patient's name of HTML and a number that is a spreadsheet formula",
            lambda f: write_sound_dicom(
                f,
                _set(
                    PatientName="<script>alert('Roe')</script>",
                    PatientID="=cmd|'/c calc'!A1",
                    SeriesDescription="<img src=x onerror=alert(1)>",
                ),
            ),
            Ending.DONE,
        ),
    )


def _other_kinds() -> tuple[HostileCase, ...]:
    return (
        _edited("another-modality", "an MR series", _magnetic_resonance, "not a CT image .modality MR"),
        _edited("nuclear-medicine", "a PET series", _positron_emission, "not a CT image .modality PT"),
        _edited("a-single-slice-many-times", "ten copies of one slice", _one_slice, "too few|single slice"),
        HostileCase(
            "dicomdir-outside",
            "a DICOMDIR that points out of the folder",
            _dicomdir,
            Ending.REFUSED,
            "DICOM directory",
        ),
    )


def _edited(name: str, what: str, edit: Edit, says: str) -> HostileCase:
    return HostileCase(name, what, lambda folder: write_sound_dicom(folder, edit), Ending.REFUSED, says)


def _set(**values: Any) -> Edit:
    def edit(dataset: FileDataset, _number: int) -> None:
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    return edit


def _in_turn(**values: Any) -> Edit:
    """Return what gives every second image other values."""
    edit = _set(**values)

    def every_second(dataset: FileDataset, number: int) -> None:
        if number % 2:
            edit(dataset, number)

    return every_second


def _drop(*keywords: str) -> Edit:
    def edit(dataset: FileDataset, _number: int) -> None:
        for keyword in keywords:
            delattr(dataset, keyword)

    return edit


def _one_cut(folder: Path) -> Path:
    last = max(write_sound_dicom(folder).iterdir())
    last.write_bytes(last.read_bytes()[:-300])
    return folder


def _called(syntax: bytes) -> Callable[[Path], Path]:
    """Return what writes sound files and gives them another transfer syntax in the header alone."""

    def rename(data: bytes) -> bytes:
        at = data.index(_TRANSFER_SYNTAX)
        length = int.from_bytes(data[at + 6 : at + 8], "little")
        value = syntax + b"\0" * (len(syntax) % 2)
        return data[: at + 6] + struct.pack("<H", len(value)) + value + data[at + 8 + length :]

    return lambda folder: change_files(write_sound_dicom(folder), rename)


def _corrupted(encoding: Encoding) -> Callable[[Path], Path]:
    def corrupt(data: bytes) -> bytes:
        return data[:-_CORRUPTED] + b"\xa5" * (_CORRUPTED - 8) + data[-8:]

    return lambda folder: change_files(write_sound_dicom(folder, encoding=encoding), corrupt)


def _deflate_bomb(folder: Path) -> Path:
    """Write one deflated file whose data set is a private element of zeros, 4 GB long."""
    import zlib

    write_sound_dicom(folder, encoding=Encoding.DEFLATED)
    first, *others = sorted(folder.iterdir())
    for path in others:
        path.unlink()
    data = first.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(struct.pack("<HH2sHI", 0x0009, 0x1001, b"OB", 0, 0xFFFFFFF0))
    packed += packer.flush(zlib.Z_FULL_FLUSH)
    # What zeros pack to repeats itself: it is packed once, and copied.
    whole = zlib.compressobj(9, wbits=-15)
    unit = whole.compress(bytes(_UNIT)) + whole.flush(zlib.Z_FULL_FLUSH)
    first.write_bytes(data[:start] + packed + unit * (_BOMB // _UNIT))
    return folder


def _nested(folder: Path) -> Path:
    """Write one file whose header is nothing but sequences within sequences."""
    write_sound_dicom(folder)
    first, *others = sorted(folder.iterdir())
    for path in others:
        path.unlink()
    data = first.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    opening = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    first.write_bytes(data[:start] + opening * 5000)
    return folder


def _lie_about_size(dataset: FileDataset, _number: int) -> None:
    dataset.Rows = dataset.Columns = 65535


def _lie_about_frames(dataset: FileDataset, _number: int) -> None:
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = 60000, 16384, 16384


def _same_place(dataset: FileDataset, number: int) -> None:
    """Move one image to its neighbour; where every place held two they would be phases."""
    x, y, z = (float(v) for v in dataset.ImagePositionPatient)
    dataset.ImagePositionPatient = [x, y, z - 2.0 * (number == 5)]


def _two_patients(dataset: FileDataset, number: int) -> None:
    if number % 2:
        dataset.PatientName, dataset.PatientID = "Doe^Somebody", "QQ-1234"
        dataset.SeriesInstanceUID = "2.25.99"


def _magnetic_resonance(dataset: FileDataset, _number: int) -> None:
    dataset.Modality = "MR"
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = MRImageStorage


def _positron_emission(dataset: FileDataset, _number: int) -> None:
    dataset.Modality = "PT"
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = PositronEmissionTomographyImageStorage


def _one_slice(dataset: FileDataset, _number: int) -> None:
    dataset.ImagePositionPatient, dataset.PixelData = [0, 0, 0], b"\0\4" * (dataset.Rows * dataset.Columns)


def _dicomdir(folder: Path) -> Path:
    """Write a DICOM directory whose only record names a file far outside."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    def point_outside(dataset: FileDataset, _number: int) -> None:
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
        record = Dataset()
        record.DirectoryRecordType = "IMAGE"
        record.ReferencedFileID = ["..", "..", "..", "etc", "passwd"]
        dataset.DirectoryRecordSequence = Sequence([record])

    first, *others = sorted(write_sound_dicom(folder, point_outside).iterdir())
    for path in others:
        path.unlink()
    first.rename(folder / "DICOMDIR")
    return folder
