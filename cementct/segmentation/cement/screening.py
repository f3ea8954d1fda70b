"""A cheap first look: which vertebrae could hold cement at all."""

from __future__ import annotations

import numpy as np

from cementct.anatomy.model import Compartment, Spine
from cementct.core.arrays import BoolArray
from cementct.core.grid import Triple
from cementct.core.image import Volume
from cementct.segmentation.cement.faint_masses import FAINT_LEVELS_HU
from cementct.segmentation.cement.seeds import BRIGHTER_THAN_BONE_HU, FEWEST_BRIGHT_VOXELS

# Less than this over the faintest level cannot be faint cement.
LEAST_FAINT_ML = 0.30
# Cortex is thinner than twice this, faint cement thicker.
SOLID_HALF_MM = 1.4
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
        hu = volume.hu[box.slices]
        bright = np.count_nonzero(hu[inside] > BRIGHTER_THAN_BONE_HU - BRIGHT_MARGIN_HU)
        dense = inside & (hu > FAINT_LEVELS_HU[-1])
        faint = np.count_nonzero(dense) * volume.grid.voxel_ml >= LEAST_FAINT_ML
        if bright >= FEWEST_BRIGHT_VOXELS or (faint and _is_solid(dense, volume.grid.spacing_mm)):
            found.append(vertebra.number)
    return tuple(found)


def _is_solid(dense: BoolArray, spacing_mm: Triple) -> bool:
    """Tell whether anything in a mask is thicker than cortex, in the plane."""
    from scipy import ndimage

    cross = np.zeros((3, 3, 3), dtype=np.bool_)
    cross[1, 1, :] = cross[1, :, 1] = True
    rounds = max(1, round(SOLID_HALF_MM / spacing_mm[1]))
    return bool(np.count_nonzero(ndimage.binary_erosion(dense, cross, iterations=rounds)) >= 2)
