"""Make the atlas of posterior elements that the embedded engine uses, from CT volumes with vertebra labels.

Usage: python benchmarks/make_posterior_atlas.py DATA_FOLDER

For each vertebra that the engine places in the volumes of `make_vertebra_pattern.SOURCES`, the truth is
looked up in the vertebra's own coordinates; the atlas is the share of vertebrae that have a place.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from make_vertebra_pattern import SOURCES
from scipy import ndimage

from cementct.io.files import read_labels, read_volume
from cementct.segmentation.vertebrae.embedded import posterior_elements
from cementct.segmentation.vertebrae.embedded.levels import find_levels
from cementct.segmentation.vertebrae.embedded.place import PlacedVertebra, place_vertebrae
from cementct.segmentation.vertebrae.embedded.posterior_elements import ASIDE_MM, BACK_MM, PHASES
from cementct.segmentation.vertebrae.embedded.straighten import straighten
from cementct.segmentation.vertebrae.embedded.tracking import track_canal

SMOOTHING = (1.0, 0.7, 0.7)
# Of the counts, in steps of the atlas: few vertebrae were counted.


def main() -> None:
    """Write posterior_atlas.npz beside the module that reads it."""
    folder = Path(sys.argv[1])
    atlases = {name: count_places(folder, sources) for name, sources in SOURCES.items()}
    target = Path(posterior_elements.__file__).with_name("posterior_atlas.npz")
    np.savez_compressed(target, **atlases)
    print(f"wrote {target.name}: " + ", ".join(f"{n} {a.shape}" for n, a in atlases.items()))


def count_places(folder: Path, sources: list[tuple[str, str, range]]) -> np.ndarray:
    """Return the share (0 to 255) of vertebrae that have each place of the atlas."""
    counts = []
    for image, labels, numbers in sources:
        volume = read_volume(folder / image).volume
        mask = read_labels(folder / labels)
        kept = np.where(np.isin(mask.labels, list(numbers)), mask.labels, 0)
        track = track_canal(volume)
        if track is None:
            raise SystemExit(f"no canal found in {image}")
        spine = straighten(volume, track)
        levels, column = find_levels(spine)
        if levels is None:
            raise SystemExit(f"no vertebra found in {image}")
        for placed in place_vertebrae(spine, column, levels):
            if not (placed.cut_above or placed.cut_below):
                own = _own_places(kept, mask.grid.spacing_mm, placed)
                if own is not None:
                    counts.append(own)
    share = ndimage.gaussian_filter(np.mean(counts, axis=0), SMOOTHING)
    return np.round(share * 255).astype(np.uint8)


def _own_places(
    labels: np.ndarray, spacing_mm: tuple[float, ...], placed: PlacedVertebra
) -> np.ndarray | None:
    """Return where the vertebra's own label stands, averaged over left and right."""
    phase, back, aside = (
        np.arange(first + step / 2, last, step) for first, last, step in (PHASES, BACK_MM, ASIDE_MM)
    )
    sides = []
    centre = np.round(placed.placement.centre_mm / spacing_mm).astype(int)
    number = labels[tuple(np.clip(centre, 0, np.array(labels.shape) - 1))]
    if number == 0:
        return None
    for sign in (1, -1):
        up, backwards, left = np.meshgrid(
            phase * placed.spacing_mm, back + placed.canal_back_mm, sign * aside, indexing="ij"
        )
        index = np.round(placed.placement.to_grid_mm(left, backwards, up) / spacing_mm).astype(int)
        inside = np.all((index >= 0) & (index < labels.shape), axis=-1)
        index = np.clip(index, 0, np.array(labels.shape) - 1)
        sides.append((labels[tuple(np.moveaxis(index, -1, 0))] == number) & inside)
    return np.mean(sides, axis=0)


if __name__ == "__main__":
    main()
