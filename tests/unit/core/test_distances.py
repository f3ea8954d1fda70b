"""Depths inside and outside a mask come at once, and are those of two distance maps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from cementct.core.distances import FAR_MM, signed_depth

SPACING_MM = (2.0, 0.7, 0.7)


@given(seed=st.integers(0, 99), share=st.sampled_from([0.002, 0.3, 0.7, 0.998]))
def test_signed_depth_is_counted_from_the_outermost_voxels_both_ways(seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((6, 15, 13)) < share
    mask[2, 5, 5], mask[0, 0, 0] = True, False
    inner = ndimage.binary_erosion(mask, np.ones((3, 3, 3)), border_value=1)
    outside = ndimage.distance_transform_edt(~mask, sampling=SPACING_MM)
    inside = ndimage.distance_transform_edt(inner, sampling=SPACING_MM)
    expected = inside - outside + 0.5 * np.mean(SPACING_MM)
    assert signed_depth(mask, SPACING_MM) == pytest.approx(expected, abs=1e-4)


def test_all_of_an_array_lies_far_inside_and_none_of_it_far_outside() -> None:
    mask = np.ones((3, 4, 5), dtype=np.bool_)
    assert (signed_depth(mask, SPACING_MM) >= FAR_MM).all()
    assert (signed_depth(~mask, SPACING_MM) <= -FAR_MM).all()
