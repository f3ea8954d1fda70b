"""The blocks in which cement is looked for and measured, and its arrays from one block in another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cementct.anatomy.model import Spine
from cementct.core.arrays import BoolArray
from cementct.core.grid import Box, Scalar
from cementct.core.morphology import bounds_of
from cementct.segmentation.cement.by_source import MEASURING_MARGIN_MM
from cementct.segmentation.cement.scene import Scene
from cementct.segmentation.model import Cement

# Leaks are looked for this far around the treated vertebrae and their neighbours: behind them runs the access
# track, before and beside them veins, whose farther branches are searched for remote deposits.
MARGIN_MM = 25.0
MARGIN_BEHIND_MM = 40.0
# Vertebrae above and below a treated one that are looked at as well: cement in canal and veins travels.
NEIGHBOURS = 2


def work_box(spine: Spine, numbers: tuple[int, ...]) -> Box:
    """Return the block around some vertebrae and their neighbours in which cement is looked for."""
    positions = {v.position for v in spine.vertebrae if v.number in numbers}
    near = [v for v in spine.vertebrae if min(abs(v.position - p) for p in positions) <= NEIGHBOURS]
    box = near[0].whole.box
    for vertebra in near[1:]:
        box = box.union(vertebra.whole.box)
    around = spine.grid.expand(box, MARGIN_MM)
    behind = spine.grid.expand(box, MARGIN_BEHIND_MM)
    (z, y, x), (z_end, _, x_end) = around.start, around.stop
    return Box((z, y, x), (z_end, behind.stop[1], x_end))


def block_of(scene: Scene, where: BoolArray) -> Box:
    """Return the block, on the scene's grid, in which some voxels are measured."""
    bounds = bounds_of(where)
    if bounds is None:
        return scene.grid.box
    return scene.grid.expand(Box.of(bounds), MEASURING_MARGIN_MM + 2.0 * max(scene.spacing_mm))


def with_streaks(cement: Cement, searched: Box, streaks: BoolArray) -> Cement:
    """Return the cement with the streaks of the block that was searched, in the smallest block of both."""
    own = bounds_of((cement.fraction > 0) | cement.region | (cement.owner > 0))
    beside = bounds_of(streaks)
    boxes = [Box.of(own).placed_in(cement.box)] if own is not None else []
    boxes += [Box.of(beside).placed_in(searched)] if beside is not None else []
    if not boxes:
        return cement
    box = boxes[0].union(boxes[-1])
    return replace(
        cement,
        box=box,
        fraction=_placed(cement.fraction, cement.box, box),
        region=_placed(cement.region, cement.box, box),
        deposits=_placed(cement.deposits, cement.box, box),
        owner=_placed(cement.owner, cement.box, box),
        streaks=_placed(streaks, searched, box),
        new=None if cement.new is None else _placed(cement.new, cement.box, box),
    )


def _placed(array: NDArray[Scalar], there: Box, box: Box) -> NDArray[Scalar]:
    """Return the part of an array, given in one block, that lies in another; 0 beyond it."""
    out = np.zeros(box.shape, dtype=array.dtype)
    common = there.intersection(box)
    if not common.is_empty:
        out[common.within(box)] = array[common.within(there)]
    return out
