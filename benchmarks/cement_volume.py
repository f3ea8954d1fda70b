"""Cement volumes and their 90 % intervals against deposits of exactly known volume in a column of blocks.

Run ``python benchmarks/cement_volume.py FIRST_SEED COUNT``. Seeds under 1000 were used for tuning, seeds from
1000 on are for reporting.
"""

from __future__ import annotations

import sys
from functools import cache

import numpy as np
from scipy import ndimage

from cementct.core.image import Volume
from cementct.metrics.volume import measure_cement
from cementct.segmentation.cement import segment_cement
from cementct.testing.block_spine import BONE_HU, BlockSpine, ball, build_block_spine, cord, join

SPACINGS_MM = ((0.8, 0.5, 0.5), (1.25, 0.7, 0.7), (2.0, 0.7, 0.7), (3.0, 0.8, 0.8))
TEXTURE_HU = 45.0


@cache
def blocks(index: int) -> BlockSpine:
    """Return the column of blocks at one of the spacings."""
    return build_block_spine(SPACINGS_MM[index])


def measure_case(seed: int) -> tuple[float, float, float, float, bool]:
    """Return slice distance, true and measured volume, its standard deviation, and whether it was clipped."""
    rng = np.random.default_rng(seed)
    index = int(rng.integers(len(SPACINGS_MM)))
    spine = blocks(index)
    centre = tuple(float(v) for v in rng.uniform(-3.0, 3.0, 3))
    shape = join(
        ball((centre[0], centre[1], centre[2]), float(rng.uniform(6.0, 9.5))),
        cord([(centre[0], centre[1], centre[2]), (centre[0], 19.0, 6.0), (centre[0], 19.0, -8.0)], 2.2),
    )
    opacity = float(rng.uniform(900.0, 5000.0))
    hu = np.full(spine.spine.grid.shape, 40.0)
    bone = np.zeros(hu.shape, dtype=np.bool_)
    for vertebra in spine.spine.vertebrae:
        bone[vertebra.whole.box.slices] |= vertebra.whole.voxels
    texture = ndimage.gaussian_filter(
        rng.normal(size=hu.shape), [0.7 / s for s in spine.spine.grid.spacing_mm]
    )
    hu[bone] = BONE_HU + TEXTURE_HU * (texture / texture.std())[bone]
    cement = spine.cement_of(shape)
    here = hu[cement.box.slices]
    here += cement.fraction * (opacity - here)
    hu += rng.normal(0.0, float(rng.uniform(8.0, 40.0)), hu.shape)
    clipped = opacity > 3071.0
    volume = Volume(np.round(np.minimum(hu, 3071.0)).astype(np.int16), spine.spine.grid)
    truth = float(cement.fraction.sum(dtype=np.float64)) * spine.spine.grid.voxel_ml
    found = measure_cement(segment_cement(volume, spine.spine), spine.spine).get(spine.middle.number)
    got, sd = (found.volume_ml, found.sd_ml) if found else (0.0, 0.0)
    return SPACINGS_MM[index][0], truth, got, sd, clipped


def main() -> None:
    """Print one line a case and a summary."""
    first, count = int(sys.argv[1]), int(sys.argv[2])
    rows = []
    for seed in range(first, first + count):
        slice_mm, truth, got, sd, clipped = measure_case(seed)
        rows.append((slice_mm, truth, got, sd, clipped))
        error = 100 * (got / truth - 1)
        print(f"{seed} slices {slice_mm} mm, clipped {clipped}: {truth:.3f} -> {got:.3f} ml ({error:+.1f} %)")
    table = np.array(rows, dtype=np.float64)
    error = np.abs(table[:, 2] / table[:, 1] - 1)
    inside = np.abs(table[:, 2] - table[:, 1]) <= 1.645 * table[:, 3]
    for name, where in (("unclipped", table[:, 4] == 0), ("clipped", table[:, 4] == 1)):
        if where.any():
            print(
                f"{name}: n {where.sum()}, median error {100 * np.median(error[where]):.2f} %, "
                f"95th percentile {100 * np.percentile(error[where], 95):.2f} %, "
                f"90 % intervals that hold the truth {inside[where].mean():.2f}"
            )


if __name__ == "__main__":
    main()
