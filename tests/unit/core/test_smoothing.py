"""Tests of smoothing in parts: wherever it is asked for it is that of the whole array."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from cementct.core.smoothing import BLOCK, SmoothedInParts

SIGMA = (0.8, 1.0, 2.9)
SHAPE = (BLOCK + 9, 2 * BLOCK + 5, BLOCK - 7)


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(5).normal(0.0, 100.0, SHAPE).astype(np.float32)


def test_what_is_asked_for_is_as_in_the_whole_array(noise: np.ndarray) -> None:
    whole = ndimage.gaussian_filter(noise, SIGMA)
    index = np.flatnonzero(noise > 300.0)
    assert SmoothedInParts(noise, SIGMA).at(index) == pytest.approx(whole.ravel()[index], abs=1e-3)


def test_all_that_a_voxel_reaches_is_smoothed() -> None:
    picture = np.zeros(SHAPE, dtype=np.float32)
    picture[BLOCK - 1, BLOCK, 3] = 1000.0
    smoothed = SmoothedInParts(picture, SIGMA)
    smoothed.smooth_around(np.flatnonzero(picture))
    assert smoothed.values == pytest.approx(ndimage.gaussian_filter(picture, SIGMA), abs=1e-3)


def test_what_nobody_asks_for_is_left_out(noise: np.ndarray) -> None:
    smoothed = SmoothedInParts(noise, SIGMA)
    smoothed.at(np.array([0]))
    assert not smoothed.values[:, BLOCK:].any()


def test_what_is_too_bright_counts_as_no_more_than_it_may(noise: np.ndarray) -> None:
    whole = ndimage.gaussian_filter(np.minimum(noise, 50.0), SIGMA)
    index = np.flatnonzero(noise > 300.0)
    cut = SmoothedInParts(noise, SIGMA, highest=50.0)
    assert cut.at(index) == pytest.approx(whole.ravel()[index], abs=1e-3)
