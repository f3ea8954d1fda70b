"""What holds of leaks wherever the voxels happen to lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cementct.core.findings import LeakType
from cementct.metrics.leaks import LeakFindings, measure_leaks
from cementct.testing.block_spine import Shape, block, build_block_spine, join

SPACING_MM = (1.5, 0.9, 0.9)
DEEP = block((-5, 4, -5), (8, 10, 5))
SHEET = block((1, 16, -8), (9, 17.5, 8))
FLUSH = block((-6, 8, -6), (6, 16, 13))
L2 = 21
shares = st.floats(0.0, 1.0)


def found(shape: Shape, offset: tuple[float, float, float]) -> LeakFindings:
    shift = tuple(share * step for share, step in zip(offset, SPACING_MM, strict=True))
    spine = build_block_spine(SPACING_MM, offset_mm=(shift[0], shift[1], shift[2]))
    cement = spine.cement_of(shape)
    return measure_leaks(cement, spine.spine, spine.volume_with(cement))


@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.tuples(shares, shares, shares))
def test_a_thin_sheet_is_found_wherever_the_voxels_lie(offset: tuple[float, float, float]) -> None:
    (leak,) = found(join(DEEP, SHEET), offset).leaks[L2]

    assert leak.type is LeakType.EPIDURAL
    assert leak.volume_ml == pytest.approx(0.192, rel=0.3)


@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.tuples(shares, shares, shares))
def test_flush_cement_is_no_leak_wherever_the_voxels_lie(offset: tuple[float, float, float]) -> None:
    assert found(FLUSH, offset).leaks[L2] == ()


def test_the_same_cement_gives_the_same_leaks() -> None:
    first, second = (found(join(DEEP, SHEET), (0.3, 0.3, 0.3)) for _ in range(2))

    assert first.leaks == second.leaks
    assert np.array_equal(first.labels, second.labels)
