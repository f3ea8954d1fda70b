"""Vertebrae from the installed TotalSegmentator package: an optional extra that needs its own download."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from cementct.anatomy.labels import SpineLabels
from cementct.core.arrays import FloatArray
from cementct.core.errors import StudyRefused, UsageError
from cementct.core.grid import Grid
from cementct.core.image import LabelMap, Volume
from cementct.core.levels import LabelScheme
from cementct.segmentation.vertebrae.label_file import TOTALSEGMENTATOR_SACRUM, labels_from_file

# The structures asked for (TotalSegmentator v2, task ``total``): 24 vertebrae, S1 and the sacrum.
STRUCTURES = (
    "sacrum",
    "vertebrae_S1",
    *(f"vertebrae_L{i}" for i in range(5, 0, -1)),
    *(f"vertebrae_T{i}" for i in range(12, 0, -1)),
    *(f"vertebrae_C{i}" for i in range(7, 0, -1)),
)
# The last number of the class map of that task that is a vertebra (C1).
LAST_VERTEBRA = 50
INSTALL_HINT = "pip install 'cementct[totalsegmentator]'"

Segmenter = Callable[..., Any]


def segment_vertebrae(volume: Volume, *, segmenter: Segmenter | None = None) -> SpineLabels:
    """Return the vertebrae that TotalSegmentator finds.

    Parameters
    ----------
    volume
        The scan.
    segmenter
        What is called in place of ``totalsegmentator.python_api.totalsegmentator``: takes an in-memory NIfTI
        image and returns one.

    Raises
    ------
    UsageError
        Where the package is not installed.
    StudyRefused
        Where it finds no vertebra, or answers on another grid.
    """
    run = segmenter or _installed_segmenter()
    answer = run(to_nifti(volume), task="total", ml=True, roi_subset=list(STRUCTURES), quiet=True)
    array = np.asarray(answer.dataobj).T
    if array.shape != volume.grid.shape:
        raise StudyRefused(
            f"expected TotalSegmentator's answer on the scan's grid {volume.grid.shape}, found {array.shape}"
        )
    labels = np.where(array <= LAST_VERTEBRA, array, 0).astype(np.uint8)
    labels[labels < TOTALSEGMENTATOR_SACRUM] = 0
    return labels_from_file(LabelMap(labels, volume.grid), LabelScheme.TOTALSEGMENTATOR)


def to_nifti(volume: Volume) -> Any:
    """Return a volume as an in-memory NIfTI image: axes x, y, z, positions in RAS millimetres."""
    nibabel = import_module("nibabel")
    return nibabel.Nifti1Image(np.ascontiguousarray(volume.hu.T), nifti_affine(volume.grid))


def nifti_affine(grid: Grid) -> FloatArray:
    """Return the 4 by 4 matrix that takes (x, y, z, 1) indices to RAS millimetres."""
    lps = grid.affine_lps[:, [2, 1, 0, 3]]
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps


def _installed_segmenter() -> Segmenter:
    try:
        api = import_module("totalsegmentator.python_api")
    except ImportError as error:
        raise UsageError(
            "the engine 'totalsegmentator' needs the TotalSegmentator package, which is not installed; "
            f"install it with: {INSTALL_HINT}"
        ) from error
    found: Segmenter = api.totalsegmentator
    return found
