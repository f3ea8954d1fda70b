"""Heights come from the scan before injection, unless a drawn outline fits that scan as well."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cementct.core.image import Region
from cementct.pipeline.measuring import _measure_heights
from cementct.pipeline.steps import Before, Structures
from cementct.segmentation.model import Cement, Registration

NUMBER = 101
STILL = Registration(
    rotation=np.eye(3), translation_mm=np.zeros(3), ok=True, residual_mm=0.1, pre_number=NUMBER
)


def no_cement(made):
    empty = np.zeros(made.volume.grid.shape, dtype=np.uint16)
    nowhere = empty > 0
    return Cement(
        box=made.volume.grid.box,
        fraction=empty.astype(np.float32),
        region=nowhere,
        deposits=empty,
        owner=empty,
        properties=(),
        foreign=(),
        streaks=nowhere,
        noise_hu=12.0,
    )


def middle_height_mm(made, *, is_drawn, lower_mm=0.0):
    """Return the height measured of a body whose upper endplate an engine puts 5 mm lower before injection.

    By `lower_mm` the body was lower indeed.
    """
    spine, grid = made.spine, made.volume.grid
    upper, *others = spine.vertebrae
    plate, body = upper.superior_endplate, upper.body.in_box(grid.box)
    top_mm = plate.height_mm.max() - lower_mm
    found = replace(
        upper,
        superior_endplate=replace(plate, height_mm=plate.height_mm - 5.0),
        body=Region.of(body & (made.local[2] <= top_mm)),
    )
    hu = made.volume.hu.copy()
    if lower_mm:
        hu[body & (made.local[2] > top_mm)] = 60
        hu[body & (made.local[2] > top_mm - 1.5) & (made.local[2] <= top_mm)] = 600
    before = Before(replace(made.volume, hu=hu), replace(spine, vertebrae=(found, *others)), {NUMBER: STILL})
    after = replace(spine, vertebrae=tuple(replace(v, is_drawn=is_drawn) for v in spine.vertebrae))
    return _measure_heights(Structures(after, no_cement(made), before))[NUMBER].heights_mm.middle


def test_a_drawn_outline_that_fits_the_scan_before_is_measured_and_not_what_an_engine_found_there(
    build_spine,
):
    made = build_spine()
    drawn, found = (middle_height_mm(made, is_drawn=drawn) for drawn in (True, False))
    assert drawn == pytest.approx(found + 5.0)


def test_a_body_that_was_lower_before_is_measured_there(build_spine):
    made = build_spine()
    assert middle_height_mm(made, is_drawn=True, lower_mm=5.0) == pytest.approx(
        middle_height_mm(made, is_drawn=False, lower_mm=5.0)
    )
