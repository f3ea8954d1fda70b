"""Masks and labels that the user gives, brought onto the grid of the post-injection volume."""

from __future__ import annotations

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


def read_mask(path: Path, grid: Grid) -> Mask:
    """Return the voxels of a mask file that are not 0, on `grid`; errors are those of `read_numbers`."""
    return Mask(np.asarray(read_numbers(path, grid).labels > 0), grid)


def read_numbers(path: Path, grid: Grid) -> LabelMap:
    """Return the numbers of a mask file, on `grid`.

    Raises
    ------
    StudyRefused
        Where the file cannot be read or lies elsewhere in the patient.
    """
    return _on_grid(read_labels(path), grid, path.name)


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
    from cementct.io.segments import read_segments

    segments = read_segments(path)
    levels = {number: Level(name) for number, name in segments.names.items() if name in set(Level)}
    if not levels:
        raise StudyRefused(f"{path.name}: expected segments with the codes of vertebrae, found none")
    labels = _on_grid(segments.labels, grid, path.name)
    numbers = np.zeros(int(labels.labels.max(initial=0)) + 1, dtype=np.uint8)
    for segment, level in levels.items():
        if segment < numbers.size:
            numbers[segment] = level.verse_number
    return SpineLabels(
        vertebrae=LabelMap(numbers[labels.labels], grid),
        levels={level.verse_number: level for level in levels.values()},
        level_source=LevelSource.LABEL_FILE,
    )


def _on_grid(labels: LabelMap, grid: Grid, name: str) -> LabelMap:
    check_overlap(labels, grid, name)
    return resample_labels(labels, grid)
