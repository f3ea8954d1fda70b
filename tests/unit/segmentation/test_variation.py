"""Total-variation smoothing on lists of voxels: flat pieces, kept sums, and nothing across the border."""

from __future__ import annotations

import numpy as np
import pytest

from cementct.core.grid import Grid
from cementct.segmentation.lesion.variation import CHUNK, smooth_by_total_variation

SHAPE = (28, 30, 32)
GRID = Grid(SHAPE, (1.0, 0.9, 0.9), (0.0, 0.0, 0.0))
BELIEVED = np.ones(SHAPE, dtype=np.float32)


@pytest.fixture
def picture() -> np.ndarray:
    rng = np.random.default_rng(3)
    flat = np.zeros(SHAPE, dtype=np.float32)
    flat[:, :, 16:] = 1.0
    return flat + rng.normal(0.0, 0.2, SHAPE).astype(np.float32)


def test_noise_goes_and_the_border_between_two_pieces_stays(picture: np.ndarray) -> None:
    everywhere = np.ones(SHAPE, dtype=np.bool_)
    assert everywhere.sum() > CHUNK  # the list is worked on in more than one part
    smooth = smooth_by_total_variation(
        picture, weight=BELIEVED, domain=everywhere, grid=GRID, strength_mm=0.4
    )
    assert smooth[:, :, :15].std() < 0.05
    assert smooth[:, :, 17:].mean() - smooth[:, :, :15].mean() > 0.9
    assert smooth.sum() == pytest.approx(picture.sum(), rel=1e-2)


def test_what_lies_beyond_the_domain_changes_nothing_and_comes_out_empty(picture: np.ndarray) -> None:
    domain = np.zeros(SHAPE, dtype=np.bool_)
    domain[4:20, 5:25, 3:12] = True
    other = np.where(domain, picture, np.float32(50.0))
    first, second = (
        smooth_by_total_variation(p, weight=BELIEVED, domain=domain, grid=GRID, strength_mm=0.4)
        for p in (picture, other)
    )
    assert np.array_equal(first, second)
    assert not first[~domain].any()
