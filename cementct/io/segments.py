"""DICOM segmentations read as label maps, with the levels that their codes name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from cementct.core.arrays import LabelArray
from cementct.core.errors import UnreadableFile
from cementct.core.grid import Grid, canonical
from cementct.core.image import LabelMap
from cementct.io.apart import ReadingFailed, read_apart
from cementct.io.limits import check_shape
from cementct.io.quiet import quiet

# SNOMED CT codes of the vertebrae (pydicom's dictionary; S1 as in TotalSegmentator's map).
LEVEL_CODES: Mapping[str, str] = {
    "14806007": "C1", "39976000": "C2", "113205007": "C3", "5329002": "C4", "36978003": "C5",
    "36054005": "C6", "87391001": "C7", "64864005": "T1", "53733008": "T2", "1626008": "T3",
    "73071006": "T4", "56401006": "T5", "45296009": "T6", "62487009": "T7", "11068009": "T8",
    "82687006": "T9", "7610001": "T10", "12989004": "T11", "23215003": "T12", "66794005": "L1",
    "14293000": "L2", "36470004": "L3", "11994002": "L4", "49668003": "L5", "65985001": "S1",
}  # fmt: skip
# A vertebra without a code of its own (T13, L6) is named by its label.
ANY_VERTEBRA = "51282000"


class Purpose(StrEnum):
    """What a segmentation is read for; of one that holds several things only these are taken."""

    ANY = "any"
    VERTEBRAE = "vertebrae"
    BODIES = "bodies"
    LESION = "lesion"
    CEMENT = "cement"


# What other segments hold, by the code of their type: SNOMED CT's lesion and its bony metastasis, and the
# private codes under which this tool writes bodies and cement.
LESION_CODE, BODY_CODE, CEMENT_CODE = "52988006", "vertebral-body", "bone-cement"
_CODES: Mapping[Purpose, frozenset[str]] = {
    Purpose.LESION: frozenset({LESION_CODE, "94222008"}),
    Purpose.BODIES: frozenset({BODY_CODE}),
    Purpose.CEMENT: frozenset({CEMENT_CODE}),
}
# A binary segmentation holds eight voxels in a byte.
BITS_A_BYTE = 8
_LEVEL_WORD = re.compile(r"\b([CTL]\d{1,2}|S1)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Segments:
    """A segmentation.

    Attributes
    ----------
    labels
        Segment numbers on the segmentation's own grid, in canonical order. Where segments overlap, the one
        with the higher number shows.
    names
        The level that a segment's code stands for, such as ``"L2"``, or, of a lesion or of cement, the level
        that it lies in, by segment number; segments without one are absent.
    """

    labels: LabelMap
    names: Mapping[int, str]


def read_segments(path: Path, *, name: str | None = None, purpose: Purpose = Purpose.ANY) -> Segments:
    """Return the segments of a DICOM segmentation.

    Parameters
    ----------
    path
        The file.
    name
        What messages call it; its own name where none is given.
    purpose
        Which segments are wanted: vertebrae with a level; bodies, lesions or cement by their codes. Where no
        segment has such a code, all are taken; of bodies none.

    Raises
    ------
    UnreadableFile
        Where it is no segmentation, or its frames make no regular volume.
    """
    shown = name or path.name
    try:
        return read_apart(_read_apart, path, shown, purpose, voxel_bytes=path.stat().st_size * BITS_A_BYTE)
    except ReadingFailed as failure:
        raise UnreadableFile(f"{shown}: {failure}") from failure
    except OSError as error:
        raise UnreadableFile(f"{shown}: cannot be read ({error.strerror})") from error


def _read_apart(path: Path, shown: str, purpose: Purpose) -> Segments:
    """Read with highdicom, in the child."""
    import highdicom

    try:
        with quiet():
            segmentation = highdicom.seg.segread(path)
            described = {
                int(n): segmentation.get_segment_description(n) for n in segmentation.segment_numbers
            }
            numbers = _chosen(described, purpose)
            check_shape(
                (max(1, int(segmentation.NumberOfFrames)), segmentation.Rows, segmentation.Columns), shown
            )
            labels, grid = _combined(segmentation, numbers or list(described))
            if not numbers:
                labels = np.zeros_like(labels)
            names = {n: _level(described[n]) for n in numbers}
    except (UnreadableFile, MemoryError):
        raise
    except Exception as error:  # highdicom raises anything on what it does not expect
        raise UnreadableFile(
            f"{shown}: expected a DICOM segmentation of a regular volume, "
            f"it cannot be read ({type(error).__name__})"
        ) from error
    turned, turn = canonical(grid)
    return Segments(
        LabelMap(np.ascontiguousarray(turn.apply(labels)), turned),
        {n: level for n, level in names.items() if level},
    )


def _combined(segmentation: Any, numbers: list[int]) -> tuple[LabelArray, Grid]:
    """Return all segments as one array of segment numbers, and its grid."""
    volume = segmentation.get_volume(
        segment_numbers=numbers, combine_segments=True, skip_overlap_checks=True, rescale_fractional=True
    )
    array = np.asarray(volume.array)
    affine = np.asarray(volume.affine, dtype=np.float64)
    depth, height, width = (int(n) for n in array.shape[:3])
    grid = Grid.from_affine(affine, (depth, height, width))
    labels: LabelArray = array.astype(np.uint8) if max(numbers) < 256 else array.astype(np.uint16)
    return labels, grid


def _chosen(described: Mapping[int, Any], purpose: Purpose) -> list[int]:
    """Return the numbers of the segments that a purpose asks for, all where none is marked as such."""
    codes = {number: str(d.segmented_property_type.value) for number, d in described.items()}
    if purpose is Purpose.VERTEBRAE:
        chosen = [n for n, d in described.items() if _vertebra(d) is not None]
    else:
        chosen = [n for n, code in codes.items() if code in _CODES.get(purpose, frozenset())]
    return chosen if chosen or purpose is Purpose.BODIES else list(described)


def _level(description: Any) -> str | None:
    """Return the level that a segment is, or lies in."""
    level = _vertebra(description)
    if level is not None:
        return level
    for region in description.anatomic_regions or []:
        if str(region.value) in LEVEL_CODES:
            return LEVEL_CODES[str(region.value)]
    return None


def _vertebra(description: Any) -> str | None:
    code = str(description.segmented_property_type.value)
    if code in LEVEL_CODES:
        return LEVEL_CODES[code]
    if code != ANY_VERTEBRA:
        return None
    word = _LEVEL_WORD.search(str(description.segment_label))
    return word[1].upper() if word else None
