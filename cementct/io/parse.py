"""The few header elements that matter, read straight from the bytes of a DICOM file.

Ordinary files (little endian, explicit or implicit VR) are walked element by element, values decoded only
where they are wanted. Whatever is out of the ordinary goes to pydicom, and comes back in the same form.
"""

from __future__ import annotations

import os
from pathlib import Path
from struct import Struct
from struct import error as struct_error

from cementct.io.apart import read_apart
from cementct.io.limits import MAX_HEADER_BYTES
from cementct.io.raw_header import NotDicom, RawHeader, parse_with_pydicom
from cementct.io.tags import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    PER_FRAME_GROUPS,
    PIXEL_DATA,
    TRANSFER_SYNTAX,
    WANTED,
)

FIRST_BYTES = 16 * 1024
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG_VRS = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)
_SHORT_VRS = frozenset(
    vr.encode()
    for vr in "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()  # noqa: SIM905 - readable
)
_EXPLICIT = Struct("<HH2sH").unpack_from
_IMPLICIT = Struct("<HHI").unpack_from
_LENGTH = Struct("<I").unpack_from


class _Odd(Exception):
    """The bytes are not of the ordinary kind; pydicom has to read them."""


class _Incomplete(Exception):
    """The header goes on beyond the bytes at hand."""


def parse_header(path: Path | str) -> RawHeader:
    """Return the wanted elements of the file at `path`.

    Raises
    ------
    NotDicom
        Where the file is no DICOM file, or too damaged to tell.
    ReadingFailed
        Where it is out of the ordinary and takes too much time or memory.
    OSError
        Where it cannot be read.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        size = os.fstat(handle).st_size
        data = os.read(handle, FIRST_BYTES)
        while True:
            try:
                return _parse(data, size)
            except _Incomplete:
                more = os.read(handle, min(max(len(data) * 4, FIRST_BYTES), MAX_HEADER_BYTES - len(data)))
                if not more:
                    break
                data += more
            except (_Odd, struct_error, RecursionError):  # the last: sequences nested without end
                break
    finally:
        os.close(handle)
    return read_apart(parse_with_pydicom, str(path), size)


def _parse(data: bytes, size: int) -> RawHeader:
    """Walk the elements of an ordinary file."""
    values: dict[int, bytes] = {}
    start = _start_of_elements(data)
    if data[start : start + 2] == b"\x02\x00":
        position = _walk_meta(data, start, values)
        syntax = values.get(TRANSFER_SYNTAX, b"").rstrip(b"\0 ").decode("ascii", "replace")
    else:
        position = start
        syntax = EXPLICIT_LITTLE if _looks_explicit(data, start) else IMPLICIT_LITTLE
    if syntax in {EXPLICIT_BIG, DEFLATED} or not syntax:
        raise _Odd
    if syntax == IMPLICIT_LITTLE and _looks_explicit(data, position):
        syntax = EXPLICIT_LITTLE
    walk = _walk_implicit if syntax == IMPLICIT_LITTLE else _walk_explicit
    offset, length, multi_frame = walk(data, position, size, values)
    return RawHeader(values, syntax, offset, length, multi_frame, size)


def _looks_explicit(data: bytes, position: int) -> bool:
    """Tell whether the element at `position` names its VR, whatever the file meta says."""
    vr = data[position + 4 : position + 6]
    return vr.isalpha() and vr.isupper()


def _start_of_elements(data: bytes) -> int:
    if data[128:132] == b"DICM":
        return 132
    if data[:2] in {b"\x08\x00", b"\x02\x00"}:
        return 0
    raise NotDicom


def _walk_meta(data: bytes, position: int, values: dict[int, bytes]) -> int:
    """Keep the file meta elements; return where the data set starts."""
    while data[position : position + 2] == b"\x02\x00":
        group, element, vr, length = _EXPLICIT(data, position)
        position += 8
        if vr in _LONG_VRS:
            (length,) = _LENGTH(data, position)
            position += 4
        if position + length > len(data):
            raise _Incomplete
        tag = group << 16 | element
        if tag in WANTED:
            values[tag] = data[position : position + length]
        position += length
    return position


def _walk_explicit(data: bytes, position: int, size: int, values: dict[int, bytes]) -> tuple[int, int, bool]:
    """Keep the wanted elements; return where the pixel data are, and whether frames have groups."""
    end, wanted, short_vrs, unpack = len(data), WANTED, _SHORT_VRS, _EXPLICIT
    multi_frame = False
    while position + 12 <= end:
        group, element, vr, length = unpack(data, position)
        tag = group << 16 | element
        if vr in short_vrs:
            position += 8
        elif tag == PIXEL_DATA:
            (length,) = _LENGTH(data, position + 8)
            return position + 12, -1 if length == _UNDEFINED else length, multi_frame
        else:
            multi_frame = multi_frame or tag == PER_FRAME_GROUPS
            position, length = _long_element(data, position, vr, size)
        stop = position + length
        if tag in wanted:
            if stop > end:
                raise _Incomplete if end < size else _Odd
            values[tag] = data[position:stop]
        position = stop
    if end < size:
        raise _Incomplete
    return 0, 0, multi_frame


def _long_element(data: bytes, position: int, vr: bytes, size: int) -> tuple[int, int]:
    """Return where the value of an element with a long length starts, and its length."""
    if vr not in _LONG_VRS:
        raise _Odd
    (length,) = _LENGTH(data, position + 8)
    if length == _UNDEFINED:
        return _skip_undefined(data, position + 12, vr, size), 0
    return position + 12, length


def _value(data: bytes, position: int, length: int, size: int) -> bytes:
    """Return the bytes of an element's value."""
    if position + length > len(data):
        raise _Incomplete if len(data) < size else _Odd
    return data[position : position + length]


def _skip_undefined(data: bytes, position: int, vr: bytes, size: int) -> int:
    """Return where an element of undefined length ends, which has to be a sequence."""
    if vr != b"SQ":
        raise _Odd
    return _skip_items(data, position, size)


def _skip_items(data: bytes, position: int, size: int) -> int:
    """Return where a sequence of undefined length ends (explicit VR)."""
    while True:
        if position + 8 > len(data):
            raise _Incomplete if len(data) < size else _Odd
        group, element, length = _IMPLICIT(data, position)
        tag = group << 16 | element
        position += 8
        if tag == _SEQUENCE_END:
            return position
        if tag != _ITEM:
            raise _Odd
        position = _skip_elements(data, position, size) if length == _UNDEFINED else position + length


def _skip_elements(data: bytes, position: int, size: int) -> int:
    """Return where an item of undefined length ends (explicit VR)."""
    while True:
        if position + 12 > len(data):
            if data[position : position + 8] == b"\xfe\xff\x0d\xe0\0\0\0\0":
                return position + 8
            raise _Incomplete if len(data) < size else _Odd
        group, element, vr, length = _EXPLICIT(data, position)
        if group << 16 | element == _ITEM_END:
            return position + 8
        if vr not in _LONG_VRS:
            position += 8 + length
            continue
        (length,) = _LENGTH(data, position + 8)
        position += 12
        position = _skip_undefined(data, position, vr, size) if length == _UNDEFINED else position + length


def _walk_implicit(data: bytes, position: int, size: int, values: dict[int, bytes]) -> tuple[int, int, bool]:
    """Keep the wanted elements; return where the pixel data are, and whether frames have groups."""
    end = len(data)
    multi_frame = False
    while True:
        if position + 8 > end:
            if end >= size:
                return 0, 0, multi_frame
            raise _Incomplete
        group, element, length = _IMPLICIT(data, position)
        tag = group << 16 | element
        position += 8
        if tag == PIXEL_DATA:
            return position, -1 if length == _UNDEFINED else length, multi_frame
        multi_frame = multi_frame or tag == PER_FRAME_GROUPS
        if length == _UNDEFINED:
            raise _Odd
        if tag in WANTED:
            values[tag] = _value(data, position, length, size)
        position += length
