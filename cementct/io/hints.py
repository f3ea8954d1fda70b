"""The user's file of anatomy given by hand: JSON with one entry a vertebra.

The form, all of it optional but one of centre, endplate and wall::

    {"vertebrae": [{"level": "L2",
                    "centre_lps_mm": [x, y, z],
                    "superior_endplate_lps_mm": [[x, y, z], ...],
                    "inferior_endplate_lps_mm": [[x, y, z], ...],
                    "posterior_wall_lps_mm": [[x, y, z], ...]}]}
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cementct.anatomy.hints import SURFACES, GivenAnatomy, GivenVertebra
from cementct.core.errors import StudyRefused, UnreadableFile
from cementct.core.grid import Grid, Triple
from cementct.core.levels import Level

# A file that a person made by hand is smaller, bytes; 26 vertebrae with 100 points each take 150 kB.
LARGEST_FILE_BYTES = 1_000_000
# Points on one surface: more than anyone clicks.
MOST_POINTS = 500
# No coordinate of a scan is larger, mm; tables are 2 m long.
LARGEST_COORDINATE_MM = 1e5
# So much of a foreign word is shown in a message, characters.
LONGEST_WORD = 40
# So many faults are named in one message.
MOST_FAULTS = 5

_KEYS = ("level", "centre_lps_mm", *SURFACES)


def read_hints(path: Path, grid: Grid) -> GivenAnatomy:
    """Return the anatomy that a JSON file gives by hand.

    Parameters
    ----------
    path
        The file.
    grid
        The scan that it speaks of; every point has to lie in it.

    Raises
    ------
    UnreadableFile
        Where it is no JSON of the expected form; the message names every fault with its key.
    StudyRefused
        Where a point lies outside the scan, or a level stands twice.
    """
    reader = _Reader(path.name)
    entries = reader.entries(_parsed(path))
    given = [reader.vertebra(entry, f"vertebrae[{i}]") for i, entry in enumerate(entries)]
    reader.refuse(UnreadableFile)
    for vertebra in given:
        reader.check_place(vertebra, grid)
    reader.check_levels(given)
    reader.refuse(StudyRefused)
    return GivenAnatomy(tuple(given))


def _parsed(path: Path) -> Any:
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise UnreadableFile(f"{path.name}: expected a JSON file of at most {LARGEST_FILE_BYTES} bytes")
        return json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_without_doubles)
    except OSError as error:
        raise UnreadableFile(f"{path.name}: cannot be read ({error.strerror})") from error
    except json.JSONDecodeError as error:
        raise UnreadableFile(
            f"{path.name}: expected JSON, found a fault in line {error.lineno}, column {error.colno}"
        ) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise UnreadableFile(f"{path.name}: expected JSON, found something else") from error
    except _Doubled as error:
        raise UnreadableFile(f"{path.name}: expected each key once, found {error} twice") from error


class _Doubled(Exception):
    """A key stands twice in one JSON object."""


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        if key in out:
            raise _Doubled(_short(key))
        out[key] = value
    return out


class _Reader:
    """Turns parsed JSON into values and collects what is wrong with it."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._faults: list[str] = []

    def refuse(self, kind: type[StudyRefused]) -> None:
        """Raise one error that names the faults found so far, if there are any."""
        if self._faults:
            more = len(self._faults) - MOST_FAULTS
            named = "; ".join(self._faults[:MOST_FAULTS]) + (f"; and {more} more" if more > 0 else "")
            raise kind(f"{self._file}: {named}")

    def entries(self, document: Any) -> list[Any]:
        """Return the list under the key ``vertebrae``."""
        if not isinstance(document, dict) or not isinstance(document.get("vertebrae"), list):
            self._fault("", 'a JSON object with a list under "vertebrae"', document)
            return []
        self._check_keys(document, ("vertebrae",), "")
        if not document["vertebrae"]:
            self._faults.append("vertebrae: expected at least one entry, found none")
        return list(document["vertebrae"])

    def vertebra(self, entry: Any, key: str) -> GivenVertebra:
        """Return one entry; where it is faulty, what can be read of it."""
        given = GivenVertebra(f"{self._file}: {key}")
        if not isinstance(entry, dict):
            self._fault(key, "a JSON object", entry)
            return given
        self._check_keys(entry, _KEYS, key)
        values = {name: entry[name] for name in _KEYS if entry.get(name) is not None}
        if not set(values) - {"level"}:
            self._faults.append(f"{key}: expected one of {', '.join(_KEYS[1:])}, found none of them")
        read: dict[str, Any] = {}
        for name, value in values.items():
            where = f"{key}.{name}"
            if name == "level":
                read[name] = self._level(value, where)
            elif name == "centre_lps_mm":
                read[name] = self._point(value, where)
            else:
                read[name] = self._points(value, where)
        return GivenVertebra(given.key, **read)

    def check_place(self, given: GivenVertebra, grid: Grid) -> None:
        """Collect a fault for each point outside the scan."""
        key = given.key.removeprefix(f"{self._file}: ")
        places = {name: getattr(given, name) for name in SURFACES}
        if given.centre_lps_mm is not None:
            places["centre_lps_mm"] = [given.centre_lps_mm]
        for name, points in places.items():
            outside = [tuple(float(v) for v in point) for point in points if not grid.contains(point)]
            if outside:
                shown = ", ".join(f"{v:g}" for v in outside[0])
                self._faults.append(
                    f"{key}.{name}: expected points in the scan (LPS, mm), found ({shown}) outside it"
                )

    def check_levels(self, given: list[GivenVertebra]) -> None:
        """Collect a fault where two vertebrae have one name."""
        seen: dict[Level, str] = {}
        for vertebra in given:
            key = vertebra.key.removeprefix(f"{self._file}: ")
            if vertebra.level is None:
                continue
            if vertebra.level in seen:
                self._faults.append(f"{key}.level: {vertebra.level} is already {seen[vertebra.level]}.level")
            seen.setdefault(vertebra.level, key)

    def _level(self, value: Any, key: str) -> Level | None:
        if isinstance(value, str) and value.strip().upper() in set(Level):
            return Level(value.strip().upper())
        self._fault(key, "a level such as T12 or L3, or null", value)
        return None

    def _point(self, value: Any, key: str) -> Triple | None:
        if isinstance(value, list) and len(value) == 3 and all(_is_number(v) for v in value):
            x, y, z = (float(v) for v in value)
            return x, y, z
        self._fault(key, "three numbers [x, y, z] (LPS, mm)", value)
        return None

    def _points(self, value: Any, key: str) -> list[Triple]:
        """Return a list of points; a single point may stand without the outer brackets."""
        if isinstance(value, list) and value and all(_is_number(v) for v in value):
            value = [value]
        if not isinstance(value, list) or not 1 <= len(value) <= MOST_POINTS:
            self._fault(key, f"a list of 1 to {MOST_POINTS} points [x, y, z] (LPS, mm)", value)
            return []
        points = [self._point(point, f"{key}[{i}]") for i, point in enumerate(value)]
        return [point for point in points if point is not None]

    def _check_keys(self, entry: dict[str, Any], known: tuple[str, ...], key: str) -> None:
        for name in entry:
            if name not in known:
                where = f"{key}.{_short(name)}" if key else _short(name)
                self._faults.append(f"{where}: expected only the keys {', '.join(known)}")

    def _fault(self, key: str, expected: str, found: Any) -> None:
        where = f"{key}: " if key else ""
        self._faults.append(f"{where}expected {expected}, found {_short(json.dumps(found))}")


def _is_number(value: Any) -> bool:
    # NaN fails the comparison too.
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and (-LARGEST_COORDINATE_MM <= value <= LARGEST_COORDINATE_MM)
    )


def _short(text: str) -> str:
    """Return a foreign word in one short line."""
    line = " ".join("".join(c if c.isprintable() else "?" for c in text).split())
    return line if len(line) <= LONGEST_WORD else f"{line[:LONGEST_WORD]}…"
