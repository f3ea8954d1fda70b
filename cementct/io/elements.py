"""Values of a DICOM header decoded: numbers, words, UIDs and moments."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from functools import lru_cache

# What the standard allows in a UID (PS3.5, 9.1); anything else never reaches a path, a report or a message.
_UID = re.compile(r"[0-9.]{1,64}")


class Elements:
    """Typed access to the wanted elements of one header."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[int, bytes]) -> None:
        self._values = values

    def text(self, tag: int) -> str:
        """Return a text element without padding; empty where it is missing."""
        value = self._values.get(tag)
        return value.decode("latin-1").strip(" \0") if value else ""

    def raw(self, tag: int) -> bytes:
        """Return the bytes of an element; empty where it is missing."""
        return self._values.get(tag, b"")

    def number(self, tag: int) -> float | None:
        """Return the first value of a decimal string, or None."""
        return _number(self.text(tag).split("\\")[0])

    def whole(self, tag: int) -> int | None:
        """Return the first value of an integer string, or None."""
        value = self.number(tag)
        return int(value) if value is not None and math.isfinite(value) else None

    def numbers(self, tag: int, count: int) -> tuple[float, ...] | None:
        """Return `count` finite decimal values, or None where they are missing or absurd."""
        parts = self._values.get(tag, b"").split(b"\\")
        if len(parts) != count:
            return None
        try:
            values = tuple([float(part.strip(b" \0")) for part in parts])
        except ValueError:
            return None
        return values if all(map(math.isfinite, values)) else None

    def short(self, tag: int) -> int | None:
        """Return a 16-bit number without its sign, or None."""
        value = self._values.get(tag)
        return int.from_bytes(value[:2], "little") if value else None


def _number(text: str) -> float | None:
    try:
        return float(text.strip(" \0"))
    except ValueError:
        return None


def safe_uid(text: str) -> str | None:
    """Return `text` where it is a well-formed UID, else None."""
    return text if _UID.fullmatch(text) else None


@lru_cache(maxsize=4096)
def moment_of(date: str, time: str) -> datetime | None:
    """Return the moment that a DICOM date and time (or date and time in one) name, or None."""
    date = date.replace(".", "").replace("-", "")
    time = time.replace(":", "")
    digits, _, fraction = time.partition(".")
    if not re.fullmatch(r"\d{8}", date) or not re.fullmatch(r"\d{2,6}", digits):
        return None
    try:
        day = datetime.strptime(date, "%Y%m%d")  # noqa: DTZ007 - DICOM times are the scanner's own
        hours, minutes, seconds = int(digits[:2]), int(digits[2:4] or 0), int(digits[4:6] or 0)
    except ValueError:
        return None
    if hours > 23 or minutes > 59 or seconds > 60 or not (fraction or "0").isdigit():
        return None
    part = float(f"0.{fraction or 0}")
    return day + timedelta(hours=hours, minutes=minutes, seconds=seconds + part)


def acquisition_moment(elements: Elements) -> tuple[datetime | None, str]:
    """Return when an image was scanned, by the best clock the header has, and which clock that is."""
    combined = re.split(r"[+\-&]", elements.text(0x0008002A))[0]
    moment = moment_of(combined[:8], combined[8:]) if len(combined) > 8 else None
    if moment is not None:
        return moment, "acquisition time"
    dates = [elements.text(t) for t in (0x00080022, 0x00080023, 0x00080021, 0x00080020)]
    any_date = next((d for d in dates if d), "")
    clocks = (("acquisition time", 0x00080032), ("content time", 0x00080033), ("series time", 0x00080031),
              ("study time", 0x00080030))  # fmt: skip
    for (clock, tag), date in zip(clocks, dates, strict=True):
        moment = moment_of(date or any_date, elements.text(tag))
        if moment is not None:
            return moment, clock
    return moment_of(any_date, "000000"), "date"


def content_moment(elements: Elements) -> datetime | None:
    """Return when an image was made, or None."""
    return moment_of(elements.text(0x00080023) or elements.text(0x00080020), elements.text(0x00080033))
