"""Vertebrae from a label file: what its numbers mean in each of three schemes."""

from __future__ import annotations

import numpy as np

from cementct.anatomy.labels import SpineLabels
from cementct.core.arrays import FloatArray
from cementct.core.errors import StudyRefused
from cementct.core.findings import LevelSource
from cementct.core.image import LabelMap, Mask
from cementct.core.levels import LabelScheme, Level, level_of_number

# Numbers of the sacrum beside the vertebrae (TotalSegmentator v2 class map, task ``total``).
TOTALSEGMENTATOR_SACRUM = 25
# Organs of the same file that lie on one side in nearly everybody: spleen, stomach and heart; the liver.
TOTALSEGMENTATOR_LEFT, TOTALSEGMENTATOR_RIGHT = (1, 6, 51), (5,)
# Less of an organ than this is a slice of it at the scan's end, ml.
LEAST_ORGAN_ML = 20.0
# SPINEPS instance files hold discs as 100 + n and endplates as 200 + n, n being the vertebra above.
SPINEPS_DISC, SPINEPS_ENDPLATE = 100, 200
# SPINEPS subregion files hold these structures; they share no number with vertebrae from C1 to L6 but 26.
SPINEPS_SUBREGIONS = range(41, 51)
# At most so many unknown numbers are named in a sentence.
NUMBERS_NAMED = 8

EXPECTED = {
    LabelScheme.VERSE: "1–7 (C1–C7), 8–19 (T1–T12), 20–25 (L1–L6), 28 (T13)",
    LabelScheme.TOTALSEGMENTATOR: "27–31 (L5 up to L1), 32–43 (T12 up to T1), 44–50 (C7 up to C1)",
    LabelScheme.SPINEPS: "1–25 or 28 (vertebrae C1–L6, T13) of a SPINEPS instance file",
}


def labels_from_file(labels: LabelMap, scheme: LabelScheme) -> SpineLabels:
    """Return the vertebrae of a label map under their VerSe numbers.

    Parameters
    ----------
    labels
        The label map, on the grid of the volume.
    scheme
        What its numbers mean.

    Returns
    -------
    SpineLabels
        Whole vertebrae with their levels. Numbers that mean nothing in the scheme are left out; a note for
        the whole volume (0) names them.

    Raises
    ------
    StudyRefused
        Where no number of the map is a vertebra of the scheme.
    """
    found = labels.numbers()
    named = {n: level for n in found if (level := level_of_number(n, scheme)) is not None}
    bodied = {n: level for n, level in named.items() if level is not Level.S1}
    if not bodied:
        raise StudyRefused(_refusal(found, scheme))
    to_verse = np.zeros(max(found) + 1, dtype=np.uint8)
    for number, level in named.items():
        to_verse[number] = level.verse_number
    vertebrae = LabelMap(to_verse[labels.labels], labels.grid)
    return SpineLabels(
        vertebrae=vertebrae,
        levels={level.verse_number: level for level in named.values()},
        level_source=LevelSource.LABEL_FILE,
        sacrum=_sacrum(labels, found, scheme),
        left_organs=_organs(labels, TOTALSEGMENTATOR_LEFT, scheme),
        right_organs=_organs(labels, TOTALSEGMENTATOR_RIGHT, scheme),
        notes=_notes([n for n in found if n not in named], scheme),
    )


def _sacrum(labels: LabelMap, found: list[int], scheme: LabelScheme) -> Mask | None:
    if scheme is LabelScheme.TOTALSEGMENTATOR and TOTALSEGMENTATOR_SACRUM in found:
        return labels.mask(TOTALSEGMENTATOR_SACRUM)
    return None


def _organs(labels: LabelMap, numbers: tuple[int, ...], scheme: LabelScheme) -> FloatArray:
    """Return the centres (LPS) of those of some organs that are labelled."""
    from scipy import ndimage

    if scheme is not LabelScheme.TOTALSEGMENTATOR:
        return np.zeros((0, 3))
    blocks = ndimage.find_objects(labels.labels, max_label=max(numbers))
    centres = []
    for number in numbers:
        block = blocks[number - 1]
        if block is None:
            continue
        places = np.argwhere(labels.labels[block] == number)
        if len(places) * labels.grid.voxel_ml >= LEAST_ORGAN_ML:
            centres.append(labels.grid.to_lps(places.mean(axis=0) + [part.start for part in block]))
    return np.asarray(centres, dtype=np.float64).reshape(-1, 3)


def _notes(unknown: list[int], scheme: LabelScheme) -> dict[int, str]:
    if scheme is LabelScheme.SPINEPS:
        unknown = [n for n in unknown if n < SPINEPS_DISC]
    if scheme is LabelScheme.TOTALSEGMENTATOR:
        unknown = [n for n in unknown if n > 117]
    if not unknown:
        return {}
    return {0: f"The label file also holds {_listed(unknown)}, which the scheme {scheme} does not know."}


def _refusal(found: list[int], scheme: LabelScheme) -> str:
    says = f"expected vertebrae numbered {EXPECTED[scheme]} (scheme {scheme}), found {_listed(found)}"
    if scheme is LabelScheme.SPINEPS and found and set(found) <= {*SPINEPS_SUBREGIONS, 60, 61, 62, 100}:
        says += "; this looks like a SPINEPS subregion file, the instance file is needed"
    return says


def _listed(numbers: list[int]) -> str:
    if not numbers:
        return "no number but 0"
    shown = ", ".join(str(n) for n in numbers[:NUMBERS_NAMED])
    more = len(numbers) - NUMBERS_NAMED
    return f"numbers {shown}" + (f" and {more} more" if more > 0 else "")
