"""Cement that reaches a surface or fills a part of the vertebra without leaving it."""

from __future__ import annotations

import numpy as np
import pytest

from cementct.core.findings import LeakType, Side
from cementct.core.levels import Level
from cementct.testing.judging import judge_leaks, leak_types, wall_distance_mm
from cementct.testing.site import Site
from cementct.testing.spec import CementSpec, LeakShape, LeakSpec, LesionSpec, Place, Reach, Treatment
from cementct.testing.treating import Injected, inject_site, judge_treated
from cementct.testing.truth import LeakTruth, VertebraTruth

NAMES = {20: "L1", 21: "L2", 22: "L3", 23: "L4"}


def inject(site: Site, cement: CementSpec, *leaks: LeakSpec) -> tuple[Injected, VertebraTruth]:
    """Put cement into the worn vertebra and judge it."""
    treatment = Treatment(Level.L2, None, cement, leaks)
    injected = inject_site(site, treatment, np.zeros(site.own.shape, dtype=np.bool_), seed=3)
    types = leak_types(site, injected.voxels, injected.track)
    return injected, judge_treated(site, treatment, injected, judge_leaks(site, types, NAMES, list(NAMES)))


def listed(truth: VertebraTruth) -> dict[LeakType, LeakTruth]:
    return {leak.type: leak for leak in truth.leaks if leak.volume_ml > 0.005}


@pytest.mark.parametrize("place", list(Place))
def test_cement_that_reaches_a_place_in_the_bone_is_no_leak(worn_site: Site, place: Place) -> None:
    side = Side.LEFT if place in {Place.PEDICLE, Place.PEDICLE_TRACK} else Side.MIDLINE
    reach = Reach(place, side, gap_mm=0.6 if place is Place.PEDICLE else 0.0)
    injected, truth = inject(worn_site, CementSpec(3.5, reaches=(reach,)))
    assert truth.leaks == ()
    assert not (injected.voxels & ~worn_site.own).any()
    assert truth.cement_volume_ml == pytest.approx(3.5, rel=0.05)


def test_cement_flush_with_the_posterior_wall_touches_it_over_the_wanted_area(worn_site: Site) -> None:
    reach = Reach(Place.POSTERIOR_WALL, Side.LEFT, area_mm2=60.0)
    injected, truth = inject(worn_site, CementSpec(3.5, reaches=(reach,)))
    assert truth.posterior_wall_distance_mm == 0.0
    spacing = worn_site.grid.spacing_mm
    at_wall = injected.voxels & (worn_site.body_depth_mm > -1.0) & (worn_site.at[1] > 0)
    area = at_wall.any(axis=1).sum() * spacing[0] * spacing[2]
    assert area == pytest.approx(60.0, rel=0.3)


def test_cement_against_the_cortex_leaves_the_cortex(worn_site: Site) -> None:
    reach = Reach(Place.POSTERIOR_WALL, Side.LEFT, area_mm2=60.0, gap_mm=1.5)
    injected, _ = inject(worn_site, CementSpec(3.5, reaches=(reach,)))
    assert wall_distance_mm(worn_site, injected.voxels) == pytest.approx(1.5, abs=0.5)


def test_a_filled_pedicle_holds_its_cement(worn_site: Site) -> None:
    reach = Reach(Place.PEDICLE, Side.RIGHT, gap_mm=0.6)
    _, truth = inject(worn_site, CementSpec(4.0, reaches=(reach,)))
    assert truth.cement_in_pedicle_ml is not None
    assert truth.cement_in_pedicle_ml > 0.5


def test_cement_in_the_basivertebral_foramen_is_in_the_body_and_reaches_the_wall(
    worn_site: Site,
) -> None:
    _, truth = inject(worn_site, CementSpec(3.5, reaches=(Reach(Place.BASIVERTEBRAL_FORAMEN),)))
    assert truth.cement_in_body_ml == pytest.approx(3.5, rel=0.05)
    assert truth.posterior_wall_distance_mm == 0.0


def test_cement_in_a_schmorl_node_is_a_diskal_leak(worn_site: Site) -> None:
    node = LeakSpec(LeakType.DISKAL, 0.1, shape=LeakShape.NODE)
    _, truth = inject(worn_site, CementSpec(3.0), node)
    leak = listed(truth)[LeakType.DISKAL]
    assert leak.volume_ml == pytest.approx(0.1, rel=0.1)
    assert leak.between == ("L1", "L2")


def test_a_frayed_rim_has_more_surface_at_the_same_volume(worn_site: Site) -> None:
    def surface(cement: CementSpec) -> int:
        voxels = inject(worn_site, cement)[0].voxels
        return sum(int(np.count_nonzero(np.diff(voxels, axis=axis))) for axis in range(3))

    assert surface(CementSpec(3.0, fray_mm=3.0)) > 1.2 * surface(CementSpec(3.0))


def test_uneven_cement_varies_in_intensity(worn_site: Site) -> None:
    injected, _ = inject(worn_site, CementSpec(3.0, opacity_hu=2000.0, unevenness=0.2))
    assert injected.opacity[injected.voxels].std() > 200


def test_lesions_default_to_none_of_these() -> None:
    assert CementSpec().reaches == ()
    assert LesionSpec().gas is False
