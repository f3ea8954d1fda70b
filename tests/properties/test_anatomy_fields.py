"""Surfaces over planes: what holds whatever the numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cementct.anatomy.fields import bridge_gaps, extended_at, fit_surface, plane_of, shifted, smooth_field
from cementct.anatomy.model import HeightField
from cementct.anatomy.naming import REGULAR, counted_from
from cementct.anatomy.sampling import Extent, first_surface, local_coordinates, sample_block
from cementct.core.frame import Frame
from cementct.core.grid import Box, Grid

slopes = st.floats(-0.5, 0.5)
offsets = st.floats(-20.0, 20.0)
FIRST, SECOND = np.arange(-6.0, 7.0), np.arange(-4.0, 5.0)


def plane(offset: float, along: float, across: float) -> np.ndarray:
    return offset + along * FIRST[:, None] + across * SECOND[None, :]


@given(offsets, slopes, slopes, st.sets(st.integers(0, 116), max_size=40))
def test_gaps_in_a_plane_are_bridged_straight(offset, along, across, gaps):
    heights = plane(offset, along, across)
    holed = heights.copy()
    inner = [g for g in gaps if 0 < g // 9 < 12 and 0 < g % 9 < 8]
    holed.ravel()[inner] = np.nan
    assert np.allclose(bridge_gaps(holed), heights, atol=1e-9)


@given(offsets, slopes, slopes)
def test_a_plane_is_found_again_and_outlives_smoothing(offset, along, across):
    heights = plane(offset, along, across)
    field = HeightField(FIRST, SECOND, heights)
    assert np.allclose(plane_of(field), (offset, along, across), atol=1e-6)
    assert np.allclose(smooth_field(heights, 1.5), heights, atol=1e-6)


@given(offsets, slopes, slopes)
def test_one_wild_height_does_not_move_the_plane(offset, along, across):
    heights = plane(offset, along, across)
    heights[3, 4] += 30.0
    first, second = np.meshgrid(FIRST, SECOND, indexing="ij")
    found = fit_surface(first, second, heights, curved=False, scale_mm=1.0)
    assert np.allclose(found, (offset, along, across), atol=0.02)


@given(offsets, slopes, offsets)
def test_a_moved_origin_sees_the_same_surface(offset, along, move):
    field = HeightField(FIRST, SECOND, plane(offset, along, 0.1))
    moved = shifted(field, move, -move, 2 * move)
    assert np.allclose(
        extended_at(moved, FIRST - move, np.full(13, 1.0 + move)) + 2 * move,
        extended_at(field, FIRST, np.full(13, 1.0)),
        atol=1e-9,
    )


@given(st.floats(1.0, 18.0))
def test_a_march_meets_a_surface_to_a_fraction_of_a_step(depth):
    positions = np.arange(20.0)
    bone = np.clip(positions - depth + 0.5, 0.0, 1.0).astype(np.float32)
    assert abs(float(first_surface(bone, positions)) - depth) < 0.5


@given(st.floats(-30, 30), st.floats(-30, 30), st.floats(-30, 30))
def test_local_coordinates_of_voxels_are_those_of_the_frame(x, y, z):
    grid = Grid((5, 6, 7), (2.0, 0.7, 0.8), (x, y, z))
    frame = Frame.from_axes((1.0, 2.0, 3.0), (0.1, -0.3, 1.0), (0.2, 1.0, 0.1))
    box = Box((1, 2, 0), (4, 5, 6))
    found = np.stack(local_coordinates(grid, box, frame), axis=-1)
    index = np.stack(
        np.meshgrid(*[np.arange(a, b) for a, b in zip(box.start, box.stop, strict=True)], indexing="ij"),
        axis=-1,
    )
    assert np.allclose(found, frame.to_local(grid.to_lps(index)), atol=1e-4)


@settings(max_examples=10, deadline=None)
@given(st.floats(-20, 20), st.floats(-20, 20))
def test_sampling_in_a_turned_frame_keeps_volume(tilt, turn):
    grid = Grid((40, 40, 40), (1.0, 1.0, 1.0), (-19.5, -19.5, -19.5))
    index = np.stack(np.meshgrid(*[np.arange(40)] * 3, indexing="ij"), axis=-1)
    ball = np.linalg.norm(grid.to_lps(index), axis=-1) <= 12.0
    up = (np.sin(np.radians(turn)), np.sin(np.radians(tilt)), 1.0)
    frame = Frame.from_axes((0.0, 0.0, 0.0), up, (0.0, 1.0, 0.0))
    reach = (-16.0, 16.0)
    block = sample_block(ball, grid.box, grid, frame, extent=Extent(reach, reach, reach), step_mm=1.0)
    assert abs(float(block.bone.sum()) / np.count_nonzero(ball) - 1.0) < 0.01


@given(st.integers(0, 10), st.sampled_from(REGULAR), st.integers(1, 12))
def test_names_counted_from_one_vertebra_are_the_same_from_any_other(position, level, count):
    if position >= count:
        return
    names = counted_from(position, level, count)
    if names is None:
        return
    for other in range(count):
        assert counted_from(other, names[other], count) == names
