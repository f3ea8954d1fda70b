"""Sums over boxes are those of a filter that mirrors the array at its edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from cementct.segmentation.vertebrae.embedded.box_sum import box_sum


@pytest.mark.parametrize("size", [(1, 1, 1), (2, 3, 4), (5, 1, 7), (11, 19, 2)])
def test_a_box_sum_is_the_box_mean_times_its_size(size: tuple[int, int, int]) -> None:
    values = np.random.default_rng(0).integers(0, 9, (12, 20, 15))
    mean = ndimage.uniform_filter(values.astype(np.float64), size, mode="reflect")
    assert np.allclose(box_sum(values.astype(np.float32), size), mean * np.prod(size), rtol=1e-5)


def test_a_box_may_be_larger_than_the_array() -> None:
    ones = np.ones((2, 3, 3), dtype=np.uint16)
    assert (box_sum(ones, (9, 4, 1)) == 36).all()
