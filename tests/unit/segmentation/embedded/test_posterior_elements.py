"""What behind the bodies is bone, and what is too dense and too thick for it."""

from __future__ import annotations

import numpy as np

from cementct.core.grid import Box, Grid
from cementct.core.image import Volume
from cementct.segmentation.vertebrae.embedded.posterior_elements import CEMENT_HU, _core, _near_cement

SHAPE = (24, 24, 24)
GRID = Grid(SHAPE, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
EVERYTHING = Box((0, 0, 0), SHAPE)
LIMIT = np.full(SHAPE, CEMENT_HU, dtype=np.float32)


def near_cement(hu: np.ndarray) -> np.ndarray:
    return np.asarray(_near_cement(Volume(hu, GRID), EVERYTHING, LIMIT))


def test_a_ball_of_cement_and_its_blur_are_no_cortex() -> None:
    hu = np.full(SHAPE, 60, dtype=np.int16)
    hu[9:14, 9:14, 9:14] = 2000
    found = near_cement(hu)
    assert found[11, 11, 11]
    assert found[11, 11, 15]
    assert not found[11, 11, 20]


def test_bright_cortex_is_too_thin_for_cement() -> None:
    hu = np.full(SHAPE, 60, dtype=np.int16)
    hu[:, :, 12] = 1400
    assert not near_cement(hu).any()


def test_the_outermost_millimetre_of_the_canal_may_be_its_wall() -> None:
    canal = np.zeros(SHAPE, dtype=np.bool_)
    canal[:, 6:18, 6:18] = True
    core = _core(canal, GRID)
    assert core[12, 12, 12]
    assert not core[12, 6, 12]
    assert core[0, 12, 12]
