"""The table of all vertebrae as Apache Parquet, for data frames: one row group, plain values, no compression.

Written here and not with a library: those take 40 MB and more, and this corner of the format is small. The
tests read the files with Arrow's own reader. Format: https://parquet.apache.org/docs/file-format/; its
headers are Thrift structs in the compact protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from struct import pack

import numpy as np

from cementct.report.csv import Cell, columns

_MAGIC = b"PAR1"
CREATED_BY = "cementct"
# Numbers of the format's enumerations that are used.
_OPTIONAL, _UTF8, _PLAIN, _RLE, _UNCOMPRESSED, _DATA_PAGE = 1, 0, 0, 3, 0, 0


class ColumnType(IntEnum):
    """What a column holds, by the format's number for it."""

    TRUTH = 0
    WHOLE = 2
    REAL = 5
    TEXT = 6


_TRUTHS = frozenset(
    {
        "complete", "treated", "cement_within_5mm", "posterior_wall_involved", "compressed",
        "registration_ok",
    }
)  # fmt: skip
_TEXTS = frozenset(
    {"study", "level", "level_source", "lesion_source", "filling_category", "destruction", "quality"}
)


def column_type(name: str) -> ColumnType:
    """Return what the column of a given name holds, the same for every batch whatever its rows hold."""
    if name in _TEXTS or name.startswith("compartment_"):
        return ColumnType.TEXT
    if name in _TRUTHS:
        return ColumnType.TRUTH
    return ColumnType.WHOLE if name == "label" or name.endswith("_n") else ColumnType.REAL


def encode_parquet(rows: Sequence[Mapping[str, Cell]]) -> bytes:
    """Return rows as a Parquet file: the study's name, and the columns of ``report.csv``; all may be null.

    Parameters
    ----------
    rows
        Cells by the name of their column.
    """
    names = ["study", *columns()]
    body = bytearray(_MAGIC)
    chunks: list[_Field] = []
    for name in names:
        kind = column_type(name)
        offset = len(body)
        body += _page([row.get(name) for row in rows], kind)
        chunks.append(_column_chunk(name, kind, offset, size=len(body) - offset, count=len(rows)))
    total = len(body) - len(_MAGIC)
    group = _struct({1: _list(_STRUCT, chunks), 2: _i64(total), 3: _i64(len(rows))})
    root = _struct({4: _text("schema"), 5: _i32(len(names))})
    schema = [root, *(_schema_element(name) for name in names)]
    footer = _struct(
        {
            1: _i32(1),
            2: _list(_STRUCT, schema),
            3: _i64(len(rows)),
            4: _list(_STRUCT, [group]),
            6: _text(CREATED_BY),
        }
    )[1]
    return bytes(body) + footer + pack("<I", len(footer)) + _MAGIC


def _page(cells: Sequence[Cell], kind: ColumnType) -> bytes:
    """Return a column's only page: which cells are there, then their values."""
    there = np.array([cell is not None for cell in cells], dtype=np.uint8)
    bits = np.packbits(there, bitorder="little").tobytes()
    levels = _varint(len(bits) << 1 | 1) + bits if bits else b""
    data = pack("<I", len(levels)) + levels + _values([cell for cell in cells if cell is not None], kind)
    told = _struct({1: _i32(len(cells)), 2: _i32(_PLAIN), 3: _i32(_RLE), 4: _i32(_RLE)})
    header = _struct({1: _i32(_DATA_PAGE), 2: _i32(len(data)), 3: _i32(len(data)), 5: told})[1]
    return header + data


def _values(cells: Sequence[Cell], kind: ColumnType) -> bytes:
    if kind is ColumnType.TRUTH:
        return np.packbits(np.array(cells, dtype=bool), bitorder="little").tobytes()
    if kind is ColumnType.WHOLE:
        return np.array(cells, dtype="<i8").tobytes()
    if kind is ColumnType.REAL:
        return np.array(cells, dtype="<f8").tobytes()
    texts = [str(cell).encode() for cell in cells]
    return b"".join(pack("<I", len(text)) + text for text in texts)


def _schema_element(name: str) -> _Field:
    kind = column_type(name)
    fields = {1: _i32(kind), 3: _i32(_OPTIONAL), 4: _text(name)}
    if kind is ColumnType.TEXT:
        fields |= {6: _i32(_UTF8), 10: _struct({1: _struct({})})}
    return _struct(fields)


def _column_chunk(name: str, kind: ColumnType, offset: int, *, size: int, count: int) -> _Field:
    encodings = _list(_I32, [_i32(_PLAIN), _i32(_RLE)])
    meta = _struct(
        {
            1: _i32(kind),
            2: encodings,
            3: _list(_BINARY, [_text(name)]),
            4: _i32(_UNCOMPRESSED),
            5: _i64(count),
            6: _i64(size),
            7: _i64(size),
            9: _i64(offset),
        }
    )
    return _struct({2: _i64(offset), 3: meta})


# Thrift's compact protocol. A field is its type's number and its bytes.
_Field = tuple[int, bytes]
_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12
# Lists of fewer items than this have their length in their first byte.
_SHORT_LIST = 15


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _i32(number: int) -> _Field:
    return _I32, _varint(number << 1)


def _i64(number: int) -> _Field:
    return _I64, _varint(number << 1)


def _text(text: str) -> _Field:
    data = text.encode()
    return _BINARY, _varint(len(data)) + data


def _list(kind: int, items: Sequence[_Field]) -> _Field:
    size = len(items)
    head = bytes([size << 4 | kind]) if size < _SHORT_LIST else bytes([0xF0 | kind]) + _varint(size)
    return _LIST, head + b"".join(data for _, data in items)


def _struct(fields: Mapping[int, _Field]) -> _Field:
    out, before = bytearray(), 0
    for number, (kind, data) in sorted(fields.items()):
        out.append((number - before) << 4 | kind)
        out += data
        before = number
    return _STRUCT, bytes(out) + b"\0"
