"""A cheap first look: which vertebrae could hold cement at all."""

from __future__ import annotations

import numpy as np

from cementct.anatomy.model import Compartment, Spine
from cementct.core.image import Volume
from cementct.segmentation.cement.seeds import BRIGHTER_THAN_BONE_HU, FAINT_LEVELS_HU, FEWEST_BRIGHT_VOXELS

# Less than this over the faintest level cannot be faint cement.
LEAST_FAINT_ML = 0.30
# Bright voxels are counted from a little below the level of bone, for the margin the later look may lower.
BRIGHT_MARGIN_HU = 200.0

_INSIDE = [int(Compartment.BODY), int(Compartment.PEDICLE_LEFT), int(Compartment.PEDICLE_RIGHT)]


def suspicious_vertebrae(volume: Volume, spine: Spine) -> tuple[int, ...]:
    """Return the vertebrae (numbers) with enough dense voxels in body or pedicles for a closer look."""
    found = []
    compartments = spine.compartments
    for vertebra in spine.vertebrae:
        box = vertebra.whole.box.intersection(compartments.box)
        if box.is_empty:
            continue
        inside = np.isin(compartments.compartment[box.within(compartments.box)], _INSIDE)
        inside |= vertebra.body.in_box(box)
        hu = volume.hu[box.slices][inside]
        bright = np.count_nonzero(hu > BRIGHTER_THAN_BONE_HU - BRIGHT_MARGIN_HU)
        faint = np.count_nonzero(hu > FAINT_LEVELS_HU[-1]) * volume.grid.voxel_ml
        if bright >= FEWEST_BRIGHT_VOXELS or faint >= LEAST_FAINT_ML:
            found.append(vertebra.number)
    return tuple(found)
