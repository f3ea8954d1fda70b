"""The pre-injection scan carried onto the post-injection grid, vertebra by vertebra."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cementct.anatomy.model import Spine
from cementct.core.distances import distance_outside
from cementct.core.image import Volume
from cementct.segmentation.model import EarlierScan, Registration
from cementct.segmentation.registration.carry import carry_hu

REACH_MM = 12.0
# Each vertebra's movement is applied this far around it: discs, canal and the veins beside the body.


def carry_earlier_scan(
    pre: Volume, registrations: Mapping[int, Registration], post: Volume, post_spine: Spine
) -> EarlierScan | None:
    """Return the pre-injection intensities where they lie after injection; None where nothing was registered.

    Every voxel follows the vertebra it is nearest to; beyond `REACH_MM` of a registered vertebra, and where
    that vertebra's registration failed, the intensity is unknown.

    Parameters
    ----------
    pre
        The scan before injection.
    registrations
        By number of the post-injection vertebra.
    post, post_spine
        The scan after injection and its vertebrae.
    """
    moved = [v for v in post_spine.vertebrae if v.number in registrations and registrations[v.number].ok]
    if not moved:
        return None
    grid = post.grid
    blocks = {v.number: grid.expand(v.whole.box, REACH_MM) for v in post_spine.vertebrae}
    box = blocks[moved[0].number]
    for vertebra in moved[1:]:
        box = box.union(blocks[vertebra.number])
    hu = np.full(box.shape, np.nan, dtype=np.float32)
    nearest = np.full(box.shape, REACH_MM, dtype=np.float32)
    follows = np.zeros(box.shape, dtype=np.uint16)
    for vertebra in post_spine.vertebrae:
        block = blocks[vertebra.number].intersection(box)
        if block.is_empty:
            continue
        bone = vertebra.whole.in_box(block)
        if not bone.any():
            continue
        distance = distance_outside(bone, grid.spacing_mm)
        window = block.within(box)
        closer = distance < nearest[window]
        nearest[window][closer] = distance[closer]
        follows[window][closer] = vertebra.number
    for vertebra in moved:
        block = blocks[vertebra.number].intersection(box)
        own = follows[block.within(box)] == vertebra.number
        hu[block.within(box)][own] = carry_hu(pre, registrations[vertebra.number], grid, block, own)
    return EarlierScan(box=box, hu=hu)
