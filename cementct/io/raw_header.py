"""The wanted elements of one file, undecoded; and how pydicom gets them out of files that are odd."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from struct import pack
from typing import Any

from cementct.io.quiet import quiet
from cementct.io.tags import IMPLICIT_LITTLE, PER_FRAME_GROUPS, WANTED


class NotDicom(Exception):
    """The file holds no DICOM data."""


@dataclass(frozen=True, slots=True)
class RawHeader:
    """The wanted elements of one file, undecoded.

    Attributes
    ----------
    values
        Bytes by element number (group << 16 | element); 16-bit numbers are little endian.
    transfer_syntax
        UID of how the file is encoded.
    pixel_offset, pixel_length
        Where the value of the pixel data starts and how long the header says it is, in bytes; None where
        only pydicom can tell. The length of encapsulated pixel data is -1; without pixel data both are 0.
    multi_frame
        Whether per-frame functional groups are there.
    file_bytes
        Size of the file.
    """

    values: dict[int, bytes]
    transfer_syntax: str
    pixel_offset: int | None
    pixel_length: int | None
    multi_frame: bool
    file_bytes: int


def parse_with_pydicom(path: Path | str, size: int) -> RawHeader:
    """Read the wanted elements with pydicom, into the same form."""
    import pydicom

    tags: list[Any] = [*WANTED, PER_FRAME_GROUPS]
    try:
        with quiet():
            dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=tags)
            elements = [e for e in [*dataset.file_meta, *dataset] if int(e.tag) in WANTED]
            values = {int(e.tag): _as_bytes(e.value) for e in elements}
            syntax = str(dataset.file_meta.get("TransferSyntaxUID", "") or "")
            multi_frame = PER_FRAME_GROUPS in dataset
    except OSError:
        raise
    except Exception as error:  # damaged bytes raise anything in pydicom
        raise NotDicom(type(error).__name__) from error
    if 0x00080016 not in values and 0x00280010 not in values and 0x0020000D not in values:
        raise NotDicom
    return RawHeader(values, syntax or IMPLICIT_LITTLE, None, None, multi_frame, size)


def _as_bytes(value: Any) -> bytes:
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    if isinstance(value, int):
        return pack("<H", value & 0xFFFF) if type(value) is int else str(value).encode()
    if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue":
        return "\\".join(str(v) for v in value).encode()
    return str(value).encode()
