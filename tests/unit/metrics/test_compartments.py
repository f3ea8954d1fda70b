"""What is said of compartments: present, possible, none seen, not assessable."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from cementct.core.findings import CompartmentState
from cementct.core.flags import Flag
from cementct.core.grid import Triple
from cementct.core.image import PADDING_HU, Region, Volume
from cementct.metrics.leaks import LeakFindings, measure_leaks
from cementct.testing.block_spine import BlockSpine, Shape, ball, block, build_block_spine, join

DEEP = block((-5, 2, -5), (8, 10, 5))
L2 = 21


@cache
def column(spacing_mm: Triple = (1.0, 0.8, 0.8)) -> BlockSpine:
    return build_block_spine(spacing_mm)


def findings(shape: Shape, spacing_mm: Triple = (1.0, 0.8, 0.8)) -> LeakFindings:
    spine = column(spacing_mm)
    cement = spine.cement_of(shape)
    return measure_leaks(cement, spine.spine, spine.volume_with(cement))


def test_on_thin_clean_slices_every_compartment_without_cement_is_none_seen() -> None:
    states = findings(DEEP).compartments[L2]

    assert {getattr(states, name) for name in states.__struct_fields__} == {CompartmentState.NONE_SEEN}


def test_a_definite_leak_is_present_and_a_speck_possible() -> None:
    states = findings(join(DEEP, block((2, 17, -8), (8, 20, 8)), ball((15, 22, -7), 1.3))).compartments[L2]

    assert states.epidural is CompartmentState.PRESENT
    assert states.foraminal_left is CompartmentState.POSSIBLE
    assert states.foraminal_right is CompartmentState.NONE_SEEN


def test_a_diskal_leak_is_above_or_below() -> None:
    states = findings(join(DEEP, block((-4, -4, 15), (4, 4, 19)))).compartments[L2]

    assert states.diskal_above is CompartmentState.PRESENT
    assert states.diskal_below is CompartmentState.NONE_SEEN


def test_thick_slices_leave_canal_and_foramina_unassessed_where_nothing_was_seen() -> None:
    found = findings(DEEP, (3.0, 0.8, 0.8))
    states = found.compartments[L2]

    assert states.epidural is CompartmentState.NOT_ASSESSABLE
    assert states.foraminal_left is CompartmentState.NOT_ASSESSABLE
    assert states.diskal_above is CompartmentState.NONE_SEEN
    raised = {flag.flag for flag in found.flags[L2]}
    assert {Flag.CANAL_NOT_ASSESSABLE, Flag.FORAMEN_NOT_ASSESSABLE, Flag.THICK_SLICES} <= raised


def test_thick_slices_still_show_a_bulky_leak() -> None:
    states = findings(join(DEEP, block((2, 17, -8), (8, 22, 8))), (3.0, 0.8, 0.8)).compartments[L2]

    assert states.epidural is CompartmentState.PRESENT


def test_streaks_over_the_canal_leave_it_unassessed() -> None:
    spine = column()
    cement = spine.cement_of(join(DEEP, block((12, 0, -8), (14, 16, 8)), block((-3, 24, -1), (3, 25, 1))))
    clean = spine.cement_of(DEEP)
    covered = replace(clean, box=spine.spine.grid.box, **_spread(clean, spine.spine.grid.shape))
    states = measure_leaks(covered, spine.spine, spine.volume_with(cement)).compartments[L2]

    assert states.epidural is CompartmentState.NOT_ASSESSABLE
    assert states.paravertebral is CompartmentState.NONE_SEEN


def test_a_canal_outside_the_measured_field_is_unassessed() -> None:
    spine = column()
    cement = spine.cement_of(DEEP)
    whole = spine.volume_with(cement)
    hu = np.array(whole.hu)
    behind_mm = whole.grid.to_lps(np.moveaxis(np.indices(whole.grid.shape), 0, -1))[..., 1]
    hu[behind_mm > 24] = PADDING_HU

    states = measure_leaks(cement, spine.spine, Volume(hu, whole.grid)).compartments[L2]

    assert states.epidural is CompartmentState.NOT_ASSESSABLE
    assert states.diskal_above is CompartmentState.NONE_SEEN


def test_the_access_track_is_read_where_the_space_behind_the_body_is_in_view() -> None:
    spine = column()
    cement = spine.cement_of(DEEP)
    whole = spine.volume_with(cement)
    hu = np.array(whole.hu)
    behind_mm = whole.grid.to_lps(np.moveaxis(np.indices(whole.grid.shape), 0, -1))[..., 1]
    hu[behind_mm > 36] = PADDING_HU

    states = measure_leaks(cement, spine.spine, Volume(hu, whole.grid)).compartments[L2]

    assert states.access_track is CompartmentState.NOT_ASSESSABLE
    assert states.paravertebral is CompartmentState.NONE_SEEN


def test_a_process_that_reaches_out_of_view_hides_no_access_track() -> None:
    spine = column()
    cement = spine.cement_of(DEEP)
    position = next(v.position for v in spine.spine.vertebrae if v.number == L2)
    vertebra = spine.spine.vertebrae[position]
    mask = np.zeros(spine.spine.grid.shape, dtype=np.bool_)
    mask[vertebra.whole.box.slices] = vertebra.whole.voxels
    middle = tuple(n // 2 for n in mask.shape)
    mask[middle[0], middle[1] :, middle[2]] = True
    cut = replace(vertebra, whole=Region.of(mask))
    vertebrae = tuple(cut if v.number == L2 else v for v in spine.spine.vertebrae)

    seen = replace(spine.spine, vertebrae=vertebrae)
    states = measure_leaks(cement, seen, spine.volume_with(cement)).compartments[L2]

    assert states.access_track is CompartmentState.NONE_SEEN


def _spread(cement: object, shape: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """Return the arrays of `cement` on the whole grid, with streaks everywhere."""
    arrays = {}
    for name in ("fraction", "region", "deposits", "owner"):
        part = getattr(cement, name)
        whole = np.zeros(shape, dtype=part.dtype)
        whole[cement.box.slices] = part  # type: ignore[attr-defined]
        arrays[name] = whole
    arrays["streaks"] = np.ones(shape, dtype=np.bool_)
    return arrays
