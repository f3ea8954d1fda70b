"""The rim of what an earlier scan shows as well: a shift of half a voxel makes it look new."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cementct.core.distances import within
from cementct.segmentation.cement.scene import Scene
from cementct.segmentation.cement.seeds import SMALLEST_BRIGHT_SEED_ML, Seeds
from cementct.segmentation.cement.surroundings import Surroundings

# What an earlier scan shows over this level is cement or dense bone, whose edge is steep.
DENSE_BEFORE_HU = 900.0
# The edge lies within this distance of where the earlier scan, carried over, has it.
CARRIED_WITHIN_MM = 1.6


def without_rims(scene: Scene, around: Surroundings, seeds: Seeds) -> Seeds:
    """Return seeds without those of vertebrae in which only the rim of something old is new.

    Parameters
    ----------
    scene, around
        The block of CT and its anatomy; `around.expected_hu` is the earlier scan where `around.known`.
    seeds
        Cement beyond doubt.
    """
    before = around.known & (around.expected_hu > DENSE_BEFORE_HU)
    if not before.any() or not seeds.treated:
        return seeds
    rim = within(before, CARRIED_WITHIN_MM, scene.spacing_mm)
    mask = seeds.mask.copy()
    dropped = set()
    for number in seeds.treated:
        own = seeds.mask & (around.owner == number)
        if np.count_nonzero(own & ~rim) * scene.voxel_ml < SMALLEST_BRIGHT_SEED_ML and (own & rim).any():
            mask &= ~own
            dropped.add(number)
    return replace(
        seeds,
        mask=mask,
        treated=tuple(n for n in seeds.treated if n not in dropped),
        faint=tuple(n for n in seeds.faint if n not in dropped),
    )
