"""Leaks as they are in patients: what they are made of, where they go, and what the contract calls them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray
from cementct.core.findings import LeakType, Side
from cementct.core.levels import Level
from cementct.testing.judging import judge_leaks, leak_types
from cementct.testing.site import Site
from cementct.testing.spec import CementSpec, LeakShape, LeakSpec, Treatment
from cementct.testing.treating import inject_site
from cementct.testing.truth import LeakTruth

NAMES = {20: "L1", 21: "L2", 22: "L3", 23: "L4"}


def leaked(site: Site, leak: LeakSpec) -> tuple[list[LeakTruth], BoolArray]:
    """Return the leaks that a wanted one becomes, and its voxels."""
    treatment = Treatment(Level.L2, None, CementSpec(3.0), (leak,))
    injected = inject_site(site, treatment, np.zeros(site.own.shape, dtype=np.bool_), seed=3)
    types = leak_types(site, injected.voxels, injected.track)
    found = judge_leaks(site, types, NAMES, list(NAMES))
    return [f for f in found if f.volume_ml > 0.005], np.asarray(types > 0)


def thickness_mm(site: Site, voxels: BoolArray) -> float:
    """Return twice the greatest depth under a leak's surface."""
    return 2 * float(ndimage.distance_transform_edt(voxels, sampling=site.grid.spacing_mm).max())


@pytest.mark.parametrize(
    "leak",
    [
        LeakSpec(LeakType.PARAVERTEBRAL, 0.2, Side.LEFT, LeakShape.VEINS),
        LeakSpec(LeakType.EPIDURAL, 0.1, Side.RIGHT, LeakShape.PLEXUS),
        LeakSpec(LeakType.EPIDURAL, 0.1, Side.LEFT, LeakShape.BEYOND_WALL),
        LeakSpec(LeakType.DISKAL, 0.3, Side.LEFT, LeakShape.SPREADING, above=False),
        LeakSpec(LeakType.DISKAL, 0.7, Side.LEFT, LeakShape.INTO_NEIGHBOUR),
        LeakSpec(LeakType.ACCESS_TRACK, 0.1, Side.LEFT, LeakShape.TRANSCOSTOVERTEBRAL),
    ],
    ids=lambda leak: leak.shape,
)
def test_a_leak_is_of_its_type_side_and_volume_in_one_piece(worn_site: Site, leak: LeakSpec) -> None:
    found, _ = leaked(worn_site, leak)
    assert [f.type for f in found] == [leak.type]
    assert found[0].volume_ml == pytest.approx(leak.volume_ml, rel=0.08)
    assert found[0].side in {leak.side, Side.MIDLINE}


@pytest.mark.parametrize("shape", [LeakShape.PAIRED_CORDS, LeakShape.PAIRED_SHEETS])
def test_paired_epidural_leaks_lie_on_both_sides_and_are_thin(worn_site: Site, shape: LeakShape) -> None:
    leak = LeakSpec(LeakType.EPIDURAL, 0.2, Side.MIDLINE, shape, levels=1.2, thickness_mm=1.2)
    found, voxels = leaked(worn_site, leak)
    assert {f.side for f in found} == {Side.LEFT, Side.RIGHT}
    assert sum(f.volume_ml for f in found) == pytest.approx(0.2, rel=0.08)
    assert thickness_mm(worn_site, voxels) < 3.0


def test_veins_are_thin_and_lie_close_to_the_body(worn_site: Site) -> None:
    _, voxels = leaked(worn_site, LeakSpec(LeakType.PARAVERTEBRAL, 0.3, Side.LEFT, LeakShape.VEINS))
    assert thickness_mm(worn_site, voxels) < 3.5
    assert np.median(worn_site.outline_mm[voxels]) < 4.0


def test_one_cord_through_the_foramen_is_split_into_three_leaks(worn_site: Site) -> None:
    found, voxels = leaked(
        worn_site, LeakSpec(LeakType.FORAMINAL, 0.4, Side.RIGHT, LeakShape.SPANNING, above=False)
    )
    assert {f.type for f in found} == {LeakType.EPIDURAL, LeakType.FORAMINAL, LeakType.PARAVERTEBRAL}
    assert sum(f.volume_ml for f in found) == pytest.approx(0.4, rel=0.08)
    assert ndimage.label(voxels, structure=np.ones((3, 3, 3)))[1] == 1


def test_cement_that_breaks_into_the_neighbour_stays_one_diskal_leak(worn_site: Site) -> None:
    found, voxels = leaked(
        worn_site, LeakSpec(LeakType.DISKAL, 0.7, Side.LEFT, LeakShape.INTO_NEIGHBOUR, above=False)
    )
    assert found[0].between == ("L2", "L3")
    assert (voxels & (worn_site.vertebrae == 22)).any()


def test_dilute_leaks_are_darker_than_their_deposit(worn_site: Site) -> None:
    leak = LeakSpec(LeakType.DISKAL, 0.3, Side.LEFT, LeakShape.SPREADING, above=False, opacity_hu=600.0)
    treatment = Treatment(Level.L2, None, CementSpec(3.0, opacity_hu=2500.0), (leak,))
    injected = inject_site(worn_site, treatment, np.zeros(worn_site.own.shape, dtype=np.bool_), seed=3)
    outside = injected.voxels & ~worn_site.own
    assert injected.opacity[outside].mean() == pytest.approx(600.0, rel=0.05)


def test_foramina_end_where_pedicles_begin(worn_site: Site) -> None:
    foramina = (worn_site.by_contract == Compartment.FORAMEN_LEFT) | (
        worn_site.by_contract == Compartment.FORAMEN_RIGHT
    )
    m = worn_site.measures
    beside = np.abs(worn_site.at[2] - m.pedicle_superior_mm) < 5.0
    assert not (foramina & beside).any()
    assert (foramina & (worn_site.at[2] < -0.4 * m.height_mm)).any()


def test_a_missing_foramen_is_refused(worn_site: Site) -> None:
    nowhere = replace(worn_site, compartments=np.zeros_like(worn_site.compartments))
    with pytest.raises(ValueError, match="not in view"):
        leaked(nowhere, LeakSpec(LeakType.FORAMINAL, 0.4, Side.RIGHT, LeakShape.SPANNING))
