"""DICOM segmentations read as label maps, with the levels that their codes name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cementct.core.arrays import LabelArray
from cementct.core.errors import UnreadableFile
from cementct.core.grid import Grid, canonical
from cementct.core.image import LabelMap
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
        The level that a segment's code stands for, such as ``"L2"``, by segment number; segments that are no
        vertebra are absent.
    """

    labels: LabelMap
    names: Mapping[int, str]


def read_segments(path: Path, *, name: str | None = None) -> Segments:
    """Return the segments of a DICOM segmentation.

    Raises
    ------
    UnreadableFile
        Where it is no segmentation, or its frames make no regular volume.
    """
    import highdicom

    shown = name or path.name
    try:
        with quiet():
            segmentation = highdicom.seg.segread(path)
            numbers = [int(n) for n in segmentation.segment_numbers]
            check_shape(
                (max(1, int(segmentation.NumberOfFrames)), segmentation.Rows, segmentation.Columns), shown
            )
            labels, grid = _combined(segmentation, numbers)
            names = {n: _level(segmentation.get_segment_description(n)) for n in numbers}
    except UnreadableFile:
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
    volume = segmentation.get_volume(combine_segments=True, skip_overlap_checks=True, rescale_fractional=True)
    array = np.asarray(volume.array)
    affine = np.asarray(volume.affine, dtype=np.float64)
    depth, height, width = (int(n) for n in array.shape[:3])
    grid = Grid.from_affine(affine, (depth, height, width))
    labels: LabelArray = array.astype(np.uint8) if max(numbers) < 256 else array.astype(np.uint16)
    return labels, grid


def _level(description: Any) -> str | None:
    code = str(description.segmented_property_type.value)
    if code in LEVEL_CODES:
        return LEVEL_CODES[code]
    if code != ANY_VERTEBRA:
        return None
    word = _LEVEL_WORD.search(str(description.segment_label))
    return word[1].upper() if word else None
