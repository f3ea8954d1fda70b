"""Sound files damaged in one to a few places, the same way for the same number."""

from __future__ import annotations

import gzip
import random
import re
import struct
from collections.abc import Callable

from cementct.io.tags import WANTED

from .seeds import Seed

# Numbers that programs trip over, as text and as bytes.
_WORDS = (
    b"NaN", b"-nan", b"inf", b"-inf", b"1e400", b"-1e400", b"1e-400", b"0", b"-0", b"-1", b"65535",
    b"65536", b"2147483647", b"-2147483648", b"4294967296", b"99999999999999999999", b"1" * 400, b"0x10",
    b"", b" ", b"\\", b"1\\", b"\\\\\\", b"../../../etc/passwd", b"<script>", b"=1+1", b"\0\0\0",
    b"\xff\xfe\xfd", b"1,5",
    b"1_0", b"\xef\xbc\x91", b"true", b"null", b"[]", b"%s%n", b"1e5", b"300", b"1e-9",
)  # fmt: skip
_NUMBERS = (0, 1, 2, 3, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0x80000000,
            0xFFFFFFFE, 0xFFFFFFFF)  # fmt: skip
_REALS = (float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 1e38, -1e38, 1e-40, -1.0, 1e9)
_TAGS = [struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in sorted(WANTED)]
_TAGS += [struct.pack(">HH", tag >> 16, tag & 0xFFFF) for tag in sorted(WANTED)]
_TAGS += [struct.pack("<HH", 0xFFFE, e) for e in (0xE000, 0xE00D, 0xE0DD)] + [
    struct.pack("<HH", 0x7FE0, 0x10)
]
# The share of changes that fall into the first bytes, where headers are.
_HEADER_BYTES, _HEADER_SHARE = 2000, 0.7
_VRS = b"OB OD OF OW SQ UN UT UI DS IS LO US SS FD PN DA TM CS LT".split()


def damaged(seed: Seed, number: int) -> dict[str, bytes]:
    """Return the files of a seed with the damage that a number stands for."""
    rng = random.Random(f"{seed.name} {number}")  # noqa: S311 - the same cases each time, not secrets
    files = dict(seed.files)
    names = sorted(files)
    for name in rng.sample(names, k=min(len(names), rng.choice((1, 1, 1, 2, 5)))):
        files[name] = _damaged_file(files[name], rng, name)
    return files


def _damaged_file(data: bytes, rng: random.Random, name: str) -> bytes:
    inside = name.endswith(".gz") and rng.random() < 0.7
    if inside:
        data = gzip.decompress(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        data = rng.choice(_ways(name))(bytearray(data), rng)
    return gzip.compress(data, compresslevel=1, mtime=0) if inside else data


def _ways(name: str) -> tuple[Callable[[bytearray, random.Random], bytes], ...]:
    general = (_set_number, _set_byte, _cut, _remove, _repeat, _insert)
    if name.endswith((".dcm",)):
        return (*general, _change_element, _change_element, _change_element, _change_element)
    if name.endswith((".nrrd", ".mha", ".json")):
        return (*general, _change_word, _change_word, _change_word, _change_line)
    return (*general, _set_real, _set_header_short, _set_header_short)


def _place(data: bytearray, rng: random.Random) -> int:
    end = len(data)
    if end > _HEADER_BYTES and rng.random() < _HEADER_SHARE:
        end = _HEADER_BYTES
    return rng.randrange(max(end, 1))


def _set_byte(data: bytearray, rng: random.Random) -> bytes:
    if data:
        data[_place(data, rng)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return bytes(data)


def _set_number(data: bytearray, rng: random.Random) -> bytes:
    at, form = _place(data, rng), rng.choice(("<H", "<I", ">H", ">I", "<Q"))
    packed = struct.pack(form, rng.choice(_NUMBERS) & (2 ** (8 * struct.calcsize(form)) - 1))
    data[at : at + len(packed)] = packed
    return bytes(data)


def _set_real(data: bytearray, rng: random.Random) -> bytes:
    at = rng.randrange(40, 348, 4)
    data[at : at + 4] = struct.pack("<f", rng.choice(_REALS))
    return bytes(data)


def _set_header_short(data: bytearray, rng: random.Random) -> bytes:
    at = rng.randrange(0, 348, 2)
    data[at : at + 2] = struct.pack("<H", rng.choice(_NUMBERS) & 0xFFFF)
    return bytes(data)


def _cut(data: bytearray, rng: random.Random) -> bytes:
    return bytes(data[: _place(data, rng)])


def _remove(data: bytearray, rng: random.Random) -> bytes:
    at = _place(data, rng)
    del data[at : at + rng.choice((1, 2, 4, 8, 64, 1000))]
    return bytes(data)


def _repeat(data: bytearray, rng: random.Random) -> bytes:
    at, count = _place(data, rng), rng.choice((2, 8, 64, 512))
    data[at:at] = data[at : at + count] * rng.choice((1, 2, 50))
    return bytes(data)


def _insert(data: bytearray, rng: random.Random) -> bytes:
    at = _place(data, rng)
    data[at:at] = rng.choice((rng.choice(_WORDS), rng.randbytes(rng.choice((1, 2, 7, 100)))))
    return bytes(data)


def _change_element(data: bytearray, rng: random.Random) -> bytes:
    """Change length, kind or value of a DICOM element, or its whole presence."""
    places = [at for tag in rng.sample(_TAGS, 12) if (at := data.find(tag)) >= 0]
    if not places:
        return _set_number(data, rng)
    at = rng.choice(places)
    length = int.from_bytes(data[at + 6 : at + 8], "little")
    what = rng.randrange(5)
    if what == 0:
        data[at + 6 : at + 8] = struct.pack(
            "<H", rng.choice((0, 1, length + 2, length * 2, 0xFFFE, 0xFFFF)) & 0xFFFF
        )
    elif what == 1:
        data[at + 4 : at + 6] = rng.choice(_VRS)
    elif what == 2:
        del data[at : at + 8 + length]
    else:
        word = rng.choice(_WORDS)
        word += b" " * (len(word) % 2)
        if length > 200 or rng.random() < 0.5:
            word = word[:length].ljust(min(length, 200))
        data[at + 6 : at + 8 + length] = struct.pack("<H", len(word)) + word
    return bytes(data)


def _change_word(data: bytearray, rng: random.Random) -> bytes:
    """Replace a number or a word of a text header."""
    found = list(re.finditer(rb"[-+\w.]+", bytes(data[:_HEADER_BYTES])))
    if not found:
        return _insert(data, rng)
    word = rng.choice(found)
    data[word.start() : word.end()] = rng.choice(_WORDS)
    return bytes(data)


def _change_line(data: bytearray, rng: random.Random) -> bytes:
    """Remove or repeat a line of a text header."""
    head, rest = bytes(data[:400]), bytes(data[400:])
    lines = head.split(b"\n")
    at = rng.randrange(len(lines))
    lines[at : at + 1] = [] if rng.random() < 0.5 else [lines[at]] * rng.choice((2, 2, 300))
    return b"\n".join(lines) + rest
