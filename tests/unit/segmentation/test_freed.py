"""Cement in a foramen that an engine took for bone is told by what the other side shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cementct.anatomy.model import Beneath, Compartment, Spine
from cementct.core.arrays import BoolArray
from cementct.core.findings import LeakType
from cementct.core.image import Region, Volume
from cementct.metrics.leaks import measure_leaks
from cementct.segmentation.cement.freed import free_cement, free_solid
from cementct.segmentation.model import Cement
from cementct.testing.block_spine import BONE_HU, CEMENT_HU, TISSUE_HU, block, build_block_spine

# A block of cement in the left foramen below the middle vertebra's pedicle, and its place on the other side.
FIRST_MM, LAST_MM = (12.0, 18.0, -11.0), (18.0, 24.0, -4.0)
LEFT = block(FIRST_MM, LAST_MM)
RIGHT = block((-FIRST_MM[0], *FIRST_MM[1:]), (-LAST_MM[0], *LAST_MM[1:]))


def swallowed(*, is_drawn: bool) -> tuple[Spine, Cement, BoolArray]:
    """Return a spine whose engine took cement in a foramen for bone, and that cement and where."""
    column = build_block_spine()
    cement = column.cement_of(LEFT)
    spine, middle = column.spine, column.middle
    compartments = spine.compartments
    taken = np.zeros(spine.grid.shape, dtype=np.bool_)
    taken[cement.box.slices] = cement.region
    compartment, place = compartments.compartment.copy(), compartments.place.copy()
    taken &= compartment == Compartment.FORAMEN_LEFT
    index = np.flatnonzero(taken)
    beneath = Beneath(index, compartment.ravel()[index], place.ravel()[index])
    compartment[taken], place[taken] = Compartment.POSTERIOR_ELEMENTS, middle.position + 1
    whole = Region.of(middle.whole.in_box(spine.grid.box) | taken)
    vertebrae = tuple(
        replace(v, is_drawn=is_drawn, whole=whole if v is middle else v.whole) for v in spine.vertebrae
    )
    borders = replace(compartments, compartment=compartment, place=place, beneath=beneath)
    return replace(spine, vertebrae=vertebrae, compartments=borders), cement, taken


def scan(spine: Spine, cement: Cement, right_hu: float, cement_hu: float = CEMENT_HU) -> Volume:
    """Return soft tissue with bone and cement, and something where the cement would be on the other side."""
    grid = spine.grid
    hu = np.full(grid.shape, TISSUE_HU)
    points = grid.to_lps(np.moveaxis(np.indices(grid.shape, dtype=np.float64), 0, -1))
    hu[RIGHT(points)] = right_hu
    block_hu = hu[cement.box.slices]
    block_hu += (cement_hu - block_hu) * cement.fraction
    return Volume(hu.astype(np.int16), grid)


def test_cement_in_a_foramen_that_passed_for_bone_is_a_foraminal_leak() -> None:
    spine, cement, taken = swallowed(is_drawn=False)
    volume = scan(spine, cement, TISSUE_HU)
    assert not measure_leaks(cement, spine, volume).leaks[spine.vertebrae[1].number]

    freed = free_cement(spine, cement, volume)

    assert (freed.compartments.compartment[taken] == Compartment.FORAMEN_LEFT).all()
    assert not freed.vertebrae[1].whole.in_box(spine.grid.box)[taken].any()
    (leak,) = measure_leaks(cement, freed, volume).leaks[spine.vertebrae[1].number]
    assert leak.type is LeakType.FORAMINAL
    assert leak.volume_ml == pytest.approx(0.25, rel=0.05)


def test_cement_stays_in_bone_where_the_other_side_is_bone_too() -> None:
    spine, cement, _ = swallowed(is_drawn=False)
    assert free_cement(spine, cement, scan(spine, cement, BONE_HU)) is spine


def test_bone_that_somebody_drew_is_believed() -> None:
    spine, cement, _ = swallowed(is_drawn=True)
    assert free_cement(spine, cement, scan(spine, cement, TISSUE_HU)) is spine


def test_nothing_else_changes_its_compartment() -> None:
    spine, cement, taken = swallowed(is_drawn=False)
    freed = free_cement(spine, cement, scan(spine, cement, TISSUE_HU))
    before, after = spine.compartments, freed.compartments
    assert np.array_equal(before.compartment[~taken], after.compartment[~taken])
    assert np.array_equal(before.place[~taken], after.place[~taken])


# As faint as cortex, and as marrow between cortex.
FAINT_CEMENT_HU, MARROW_HU = 550.0, 300.0


def test_what_is_as_faint_as_bone_but_solid_is_no_bone_without_its_like_on_the_other_side() -> None:
    spine, cement, taken = swallowed(is_drawn=False)
    freed = free_solid(spine, scan(spine, cement, TISSUE_HU, FAINT_CEMENT_HU))
    assert (freed.compartments.compartment[taken] == Compartment.FORAMEN_LEFT).all()
    assert not freed.vertebrae[1].whole.in_box(spine.grid.box)[taken].any()


@pytest.mark.parametrize(
    ("is_drawn", "right_hu", "cement_hu"),
    [(False, BONE_HU, FAINT_CEMENT_HU), (False, TISSUE_HU, MARROW_HU), (True, TISSUE_HU, FAINT_CEMENT_HU)],
    ids=["as on the other side", "not solid", "drawn by somebody"],
)
def test_bone_stays_bone(*, is_drawn: bool, right_hu: float, cement_hu: float) -> None:
    spine, cement, _ = swallowed(is_drawn=is_drawn)
    assert free_solid(spine, scan(spine, cement, right_hu, cement_hu)) is spine
