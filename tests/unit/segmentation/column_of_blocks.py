"""Cement in a column of blocks, as the search for cement finds it."""

from __future__ import annotations

from functools import cache

import numpy as np

from cementct.core.image import Volume
from cementct.segmentation.cement import segment_cement
from cementct.segmentation.model import Cement
from cementct.testing.block_spine import CEMENT_HU, BlockSpine, Shape, build_block_spine

# Numbers of the vertebra above the middle one, and of the middle one.
L1, L2 = 20, 21


@cache
def blocks() -> BlockSpine:
    return build_block_spine((1.25, 0.8, 0.8))


def cement_of(shape: Shape) -> Cement:
    """Return the cement that is found where cement of a shape was put."""
    return cement_of_opacities((shape, CEMENT_HU))


def cement_of_opacities(*put: tuple[Shape, float]) -> Cement:
    """Return the cement that is found where cement of some shapes and intensities (HU) was put."""
    spine = blocks()
    hu = np.asarray(spine.volume_without_cement().hu, dtype=np.float64)
    for shape, cement_hu in put:
        made = spine.cement_of(shape)
        here = hu[made.box.slices]
        here += made.fraction * (cement_hu - here)
    hu += np.random.default_rng(0).normal(0.0, 15.0, hu.shape)
    return segment_cement(Volume(np.round(hu).astype(np.int16), spine.spine.grid), spine.spine)
