"""Bodies carried over from before injection: filled up where a lesion had hidden them, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cementct.core.arrays import BoolArray
from cementct.core.image import Region
from cementct.segmentation.model import Registration
from cementct.segmentation.registration.vertebrae_before import carry_vertebrae

STILL = Registration(rotation=np.eye(3), translation_mm=np.zeros(3), ok=True, residual_mm=0.1, pre_number=101)


def carried_body(
    made,
    before: BoolArray,
    after: BoolArray,
    *,
    cement: BoolArray | None = None,
    dense: BoolArray | None = None,
) -> BoolArray:
    """Return the body of the first vertebra that was outlined like this before and after injection."""
    grid = made.volume.grid
    first = made.spine.vertebrae[0]
    pre = replace(made.spine, vertebrae=(replace(first, body=Region.of(before)),))
    post = replace(made.spine, vertebrae=(replace(first, body=Region.of(after)),))
    nowhere = np.zeros(grid.shape, dtype=np.bool_)
    where = Region.of(nowhere if cement is None else cement)
    hu = np.where(nowhere if dense is None else dense, np.int16(740), made.volume.hu)
    scan = replace(made.volume, hu=hu)
    found = carry_vertebrae((grid, pre), {101: STILL}, scan, post, cement=where, treated={101})
    return found[0].body.in_box(grid.box)


@pytest.fixture
def made(build_spine):
    return build_spine(count=1, spacing_mm=(1.0, 1.0, 1.0))


def body_of(made) -> BoolArray:
    return made.spine.vertebrae[0].body.in_box(made.volume.grid.box)


def test_an_endplate_that_a_lesion_hid_before_is_body(made):
    after = body_of(made)
    before = after & (made.local[2] < 8.0)
    assert (after & ~before).any()
    assert np.array_equal(carried_body(made, before, after), after)


def test_a_leak_in_the_disc_that_passes_for_body_is_none(made):
    before = body_of(made)
    left, back, up = made.local
    leak = (np.hypot(left, back) < 6.0) & (up > 10.0) & (up < 15.0)
    assert np.array_equal(carried_body(made, before, before | leak), before)


def test_cement_that_spread_in_the_disc_along_an_endplate_is_no_body(made):
    after = body_of(made)
    before = after & (made.local[2] < 8.0)
    spread = after & ~before
    assert np.array_equal(carried_body(made, before, after, cement=spread), before)
    in_part = spread & (made.local[0] > 8.0)
    assert np.array_equal(carried_body(made, before, after, cement=in_part), after)


def test_a_leak_along_an_endplate_that_the_search_missed_is_no_body(made):
    after = body_of(made)
    before = after & (made.local[2] < 8.0)
    spread = after & ~before
    missed = spread & (made.local[0] > -10.0)
    assert np.array_equal(carried_body(made, before, after, dense=missed), before)
    in_part = spread & (made.local[0] > 14.0)
    assert np.array_equal(carried_body(made, before, after, dense=in_part), after)


def test_two_outlines_of_one_endplate_may_differ_by_a_voxel(made):
    after = body_of(made)
    before = after & (made.local[2] < 10.0)
    assert np.array_equal(carried_body(made, before, after), before)


def test_a_wall_that_a_lesion_opened_before_is_body(made):
    after = body_of(made)
    left, back, up = made.local
    before = after & ~((left > 4.0) & (np.abs(up) < 8.0) & (back > -2.0))
    gained = carried_body(made, before, after) & ~before
    assert gained.sum() > 0.85 * (after & ~before).sum()


def test_a_leak_in_the_waist_of_a_body_is_none(made):
    left, _, up = made.local
    waist = body_of(made) & ~((np.abs(left) > 18.0) & (np.abs(up) < 7.0))
    leak = body_of(made) & ~waist & (left > 0) & (made.local[1] > 0)
    assert np.array_equal(carried_body(made, waist, waist | leak), waist)


def test_a_body_of_one_slice_is_carried_as_it_is(made):
    middle = round(float(np.flatnonzero(body_of(made).any(axis=(1, 2))).mean()))
    plate = np.zeros_like(body_of(made))
    plate[middle] = body_of(made)[middle]
    assert np.array_equal(carried_body(made, plate, plate), plate)
    thicker = plate.copy()
    thicker[middle + 1] = plate[middle]
    assert np.array_equal(carried_body(made, plate, thicker), plate)
