"""Masks and labels that the user gives, brought onto the grid of the post-injection volume."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cementct.anatomy.labels import SpineLabels
from cementct.core.errors import StudyRefused, UsageError
from cementct.core.findings import LevelSource
from cementct.core.grid import Grid
from cementct.core.image import LabelMap, Mask
from cementct.core.levels import LabelScheme, Level
from cementct.io.files import is_dicom, read_labels
from cementct.io.resample import check_overlap, resample_labels
from cementct.io.segments import Purpose, Segments, read_segments


def read_lesion(path: Path, grid: Grid) -> Mask:
    """Return the lesion in a mask file, on `grid`: what is not 0, or a DICOM SEG's lesion segments.

    Raises
    ------
    StudyRefused
        Where the file cannot be read or lies elsewhere in the patient.
    """
    if path.is_file() and is_dicom(path):
        labels = read_segments(path, purpose=Purpose.LESION).labels
    else:
        labels = read_labels(path)
    return Mask(np.asarray(_on_grid(labels, grid, path.name).labels > 0), grid)


def read_cement(path: Path, grid: Grid) -> LabelMap:
    """Return the numbers of a cement file, on `grid`.

    Of a DICOM SEG they are the numbers of the vertebrae that its cement segments name as their region, 1
    where they name none.

    Raises
    ------
    StudyRefused
        Where the file cannot be read or lies elsewhere in the patient.
    """
    if not (path.is_file() and is_dicom(path)):
        return _on_grid(read_labels(path), grid, path.name)
    segments = read_segments(path, purpose=Purpose.CEMENT)
    labels = _on_grid(segments.labels, grid, path.name)
    numbers = np.ones(int(labels.labels.max(initial=0)) + 1, dtype=np.uint8)
    numbers[0] = 0
    named = {n: level for n, level in _levels(segments).items() if n < numbers.size}
    for number, level in named.items():
        numbers[number] = level.verse_number
    return LabelMap(numbers[labels.labels], grid)


def _levels(segments: Segments) -> dict[int, Level]:
    return {number: Level(name) for number, name in segments.names.items() if name in set(Level)}


def read_vertebra_labels(path: Path, grid: Grid, *, scheme: LabelScheme | None) -> SpineLabels:
    """Return the vertebrae of a label file or a DICOM SEG with level codes, on `grid`.

    Parameters
    ----------
    path
        The file.
    grid
        The grid of the post-injection volume.
    scheme
        What the numbers mean; a DICOM SEG needs none.

    Raises
    ------
    StudyRefused
        Where the file cannot be read, lies elsewhere, or names no vertebra.
    UsageError
        Where a label file comes without a scheme.
    """
    if not path.is_file():
        raise StudyRefused(f"{path.name}: expected a label file, there is none")
    if is_dicom(path):
        return _from_segmentation(path, grid)
    if scheme is None:
        raise UsageError(f"{path.name}: expected --label-scheme with a label file")
    from cementct.segmentation.vertebrae.label_file import labels_from_file

    return labels_from_file(_on_grid(read_labels(path), grid, path.name), scheme)


def _from_segmentation(path: Path, grid: Grid) -> SpineLabels:
    segments = read_segments(path, purpose=Purpose.VERTEBRAE)
    levels = _levels(segments)
    if not levels:
        raise StudyRefused(f"{path.name}: expected segments with the codes of vertebrae, found none")
    bodies = read_segments(path, purpose=Purpose.BODIES)
    return SpineLabels(
        vertebrae=_by_level(segments, levels, grid, path.name),
        bodies=_by_level(bodies, _levels(bodies), grid, path.name) if bodies.names else None,
        levels={level.verse_number: level for level in levels.values()},
        level_source=LevelSource.LABEL_FILE,
    )


def _by_level(segments: Segments, levels: Mapping[int, Level], grid: Grid, name: str) -> LabelMap:
    """Return segments under the numbers of their levels, on `grid`; others are left out."""
    labels = _on_grid(segments.labels, grid, name)
    numbers = np.zeros(int(labels.labels.max(initial=0)) + 1, dtype=np.uint8)
    for segment, level in levels.items():
        if segment < numbers.size:
            numbers[segment] = level.verse_number
    return LabelMap(numbers[labels.labels], grid)


def _on_grid(labels: LabelMap, grid: Grid, name: str) -> LabelMap:
    check_overlap(labels, grid, name)
    return resample_labels(labels, grid)
