"""Masks grow and shrink as the filters of scipy do it, only faster."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from cementct.core.arrays import BoolArray
from cementct.core.morphology import (
    SLAB_BYTES,
    blocks_of,
    bounds_of,
    dilate_box,
    dilate_faces,
    erode_box,
    inner_voxels,
    mask_of,
    places_of,
)

SHAPES = st.tuples(*[st.integers(1, 14)] * 3)
SIZES = st.tuples(*[st.integers(0, 6).map(lambda n: 2 * n + 1)] * 3)


def random_mask(shape: tuple[int, ...], seed: int, share: float) -> BoolArray:
    return np.asarray(np.random.default_rng(seed).random(shape) < share)


@given(shape=SHAPES, size=SIZES, seed=st.integers(0, 99), share=st.sampled_from([0.02, 0.5, 0.98]))
def test_a_mask_grown_by_a_block_is_the_highest_value_of_each_neighbourhood(
    shape: tuple[int, ...], size: tuple[int, ...], seed: int, share: float
) -> None:
    mask = random_mask(shape, seed, share)
    assert np.array_equal(dilate_box(mask, size), ndimage.maximum_filter(mask, size=size, mode="nearest"))
    assert np.array_equal(erode_box(mask, size), ndimage.minimum_filter(mask, size=size, mode="nearest"))


@pytest.mark.parametrize("size", [(5, 7, 7), (1, 9, 3), (11, 1, 1)])
def test_large_masks_are_grown_and_shrunk_slab_by_slab_as_if_at_once(size: tuple[int, ...]) -> None:
    mask = random_mask((70, 80, 90), seed=3, share=0.02)
    assert mask.nbytes > 2 * SLAB_BYTES
    assert np.array_equal(dilate_box(mask, size), ndimage.maximum_filter(mask, size=size, mode="nearest"))
    assert np.array_equal(erode_box(~mask, size), ndimage.minimum_filter(~mask, size=size, mode="nearest"))


@given(shape=SHAPES, seed=st.integers(0, 99), share=st.sampled_from([0.05, 0.5, 0.95]))
def test_faces_are_those_of_scipys_usual_structure(shape: tuple[int, ...], seed: int, share: float) -> None:
    mask = random_mask(shape, seed, share)
    assert np.array_equal(dilate_faces(mask), ndimage.binary_dilation(mask))
    assert np.array_equal(inner_voxels(mask), ndimage.binary_erosion(mask))


@given(shape=SHAPES, seed=st.integers(0, 99), share=st.sampled_from([0.0, 0.05, 0.95]))
def test_places_are_those_of_numpy_in_its_order(shape: tuple[int, ...], seed: int, share: float) -> None:
    mask = random_mask(shape, seed, share)
    assert np.array_equal(places_of(mask), np.argwhere(mask))


def test_bounds_hold_a_mask_tightly_and_grow_only_as_far_as_the_array() -> None:
    mask = np.zeros((5, 6, 7), dtype=np.bool_)
    assert bounds_of(mask) is None
    mask[1, 2, 3] = mask[2, 2, 5] = True
    assert bounds_of(mask) == (slice(1, 3), slice(2, 3), slice(3, 6))
    assert bounds_of(mask, (2, 1, 9)) == (slice(0, 5), slice(1, 4), slice(0, 7))


@pytest.mark.parametrize("size", [(1, 1, 1), (3, 3, 3)])
def test_nothing_stays_nothing(size: tuple[int, int, int]) -> None:
    nothing = np.zeros((4, 4, 4), dtype=np.bool_)
    assert not dilate_box(nothing, size).any()
    assert not erode_box(nothing, size).any()


@given(shape=SHAPES, seed=st.integers(0, 99), share=st.floats(0.0, 1.0))
def test_a_mask_comes_back_from_the_list_of_its_voxels(
    shape: tuple[int, int, int], seed: int, share: float
) -> None:
    mask = random_mask(shape, seed, share)
    assert np.array_equal(mask_of(np.flatnonzero(mask), shape), mask)


@given(shape=SHAPES, seed=st.integers(0, 99), share=st.floats(0.0, 1.0))
def test_blocks_of_numbered_pieces_are_those_that_scipy_finds(
    shape: tuple[int, int, int], seed: int, share: float
) -> None:
    labels, count = ndimage.label(random_mask(shape, seed, share))
    index = np.flatnonzero(labels)
    blocks = blocks_of(index, labels.ravel()[index], shape)
    assert list(blocks) == list(range(1, count + 1))
    assert list(blocks.values()) == ndimage.find_objects(labels)
