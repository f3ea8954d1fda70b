"""A cheap first look: which vertebrae could hold cement at all."""

from __future__ import annotations

import numpy as np

from cementct.anatomy.model import Compartment, Spine
from cementct.core.arrays import BoolArray
from cementct.core.grid import Triple
from cementct.core.image import Volume
from cementct.core.morphology import bounds_of
from cementct.segmentation.before import EarlierScan
from cementct.segmentation.cement.faint_masses import FAINT_LEVELS_HU, FAINTEST_NEW_HU
from cementct.segmentation.cement.seeds import BRIGHTER_THAN_BONE_HU, FEWEST_BRIGHT_VOXELS, NEW_FROM_HU

# Less than this over the faintest level cannot be faint cement.
LEAST_FAINT_ML = 0.30
# Cortex is thinner than twice this, faint cement thicker.
SOLID_HALF_MM = 1.4
# Bright voxels are counted from a little below the level of bone, for the margin the later look may lower.
BRIGHT_MARGIN_HU = 200.0

_INSIDE = [int(Compartment.BODY), int(Compartment.PEDICLE_LEFT), int(Compartment.PEDICLE_RIGHT)]


def suspicious_vertebrae(volume: Volume, spine: Spine, earlier: EarlierScan | None = None) -> tuple[int, ...]:
    """Return the vertebrae (numbers) with enough dense voxels in body or pedicles for a closer look.

    With the scan before injection, what is new counts as dense from `FAINTEST_NEW_HU` on.
    """
    found = []
    compartments = spine.compartments
    for vertebra in spine.vertebrae:
        box = vertebra.whole.box.intersection(compartments.box)
        if box.is_empty:
            continue
        hu = volume.hu[box.slices]
        # Hardly anything is dense at all; of that is asked whether it lies inside.
        dense = np.asarray(hu > FAINT_LEVELS_HU[-1])
        if earlier is not None:
            both = box.intersection(earlier.box)
            now, before = volume.hu[both.slices], earlier.hu[both.within(earlier.box)]
            # What was not seen before is not a number, and nothing is greater than that.
            dense[both.within(box)] |= (now > FAINTEST_NEW_HU) & (now - before > NEW_FROM_HU)
        kinds = compartments.compartment[box.within(compartments.box)][dense]
        dense[dense] = np.isin(kinds, _INSIDE) | vertebra.body.in_box(box)[dense]
        bright = np.count_nonzero(hu[dense] > BRIGHTER_THAN_BONE_HU - BRIGHT_MARGIN_HU)
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
    left = ndimage.binary_erosion(dense[bounds_of(dense) or ...], cross, iterations=rounds)
    return bool(np.count_nonzero(left) >= 2)
