"""Distances to masks agree with scipy's for any mask and any spacing."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from cementct.core.arrays import BoolArray
from cementct.core.distances import FAR_MM, depth_inside, distance_outside, signed_depth, within

masks = arrays(np.bool_, array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=7))
spacings = st.tuples(*[st.floats(0.2, 4.0)] * 3)


@given(masks, spacings)
def test_outside_a_mask_distances_are_those_of_scipy(
    mask: BoolArray, spacing: tuple[float, float, float]
) -> None:
    found = distance_outside(mask, spacing)
    if mask.any():
        np.testing.assert_allclose(found, ndimage.distance_transform_edt(~mask, sampling=spacing), rtol=1e-5)
    else:
        assert (found == FAR_MM).all()


@given(masks, spacings)
def test_inside_a_mask_everything_beyond_the_array_is_outside(
    mask: BoolArray, spacing: tuple[float, float, float]
) -> None:
    expected = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    np.testing.assert_allclose(depth_inside(mask, spacing), expected, rtol=1e-5)


@given(masks, spacings)
def test_signed_depth_is_half_a_voxel_on_the_outermost_voxels_and_negative_outside(
    mask: BoolArray, spacing: tuple[float, float, float]
) -> None:
    half = 0.5 * float(np.mean(spacing))
    depth = signed_depth(mask, spacing) - half
    if not mask.any():
        assert (depth < -0.9 * FAR_MM).all()
        return
    assert np.isfinite(depth).all()
    border = mask & ~ndimage.binary_erosion(mask, np.ones((3, 3, 3)), border_value=1)
    np.testing.assert_allclose(depth[border], 0.0, atol=1e-5)
    np.testing.assert_allclose(depth[~mask], -distance_outside(mask, spacing)[~mask], rtol=1e-5, atol=1e-5)
    if border.any():
        inside = mask & ~border
        expected = ndimage.distance_transform_edt(~border, sampling=spacing)[inside]
        np.testing.assert_allclose(depth[inside], expected, rtol=1e-5, atol=1e-5)


@given(masks, spacings, st.floats(0.0, 6.0))
def test_what_lies_within_reach_is_what_lies_no_farther(
    mask: BoolArray, spacing: tuple[float, float, float], reach: float
) -> None:
    far = distance_outside(mask, spacing)
    found = within(mask, reach, spacing)
    assert found[far <= reach].all()
    assert not found[far > reach + 0.01].any()
