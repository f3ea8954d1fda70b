"""Things in a simulated patient that are not cement."""

from __future__ import annotations

import numpy as np
import pytest

from cementct.core.findings import Side
from cementct.core.levels import Level
from cementct.testing.bone import Anatomy, draw_anatomy
from cementct.testing.column import build_column
from cementct.testing.foreign import IN_BOTH_SCANS, draw_foreign, draw_gas_cleft
from cementct.testing.phantom import scan_grid
from cementct.testing.sampling import Lattices
from cementct.testing.site import Site
from cementct.testing.spec import CaseSpec, ForeignObject, ForeignSpec, Scanner

METAL = (
    ForeignObject.CLIPS,
    ForeignObject.AORTIC_STENT,
    ForeignObject.CAVA_FILTER,
    ForeignObject.VERTEBRAL_STENT,
    ForeignObject.DISC_CAGE,
)
DENSE = (
    ForeignObject.COARSE_CALCIFICATION,
    ForeignObject.DISC_CALCIFICATION,
    ForeignObject.RIB_CALLUS,
    ForeignObject.OSSIFIED_LIGAMENT,
    ForeignObject.URETER_CONTRAST,
)
SPEC = CaseSpec(
    fov_mm=(40.0, 110.0, 90.0),
    fov_centre_mm=(0.0, -8.0, 0.0),
    scanner=Scanner(pixel_mm=0.65, slice_spacing_mm=0.65, slice_thickness_mm=0.65),
)


@pytest.fixture(scope="module")
def anatomy() -> Anatomy:
    column = build_column(SPEC)
    return draw_anatomy(SPEC, column, Lattices.of(scan_grid(SPEC, SPEC.scanner)), {})


def drawn(anatomy: Anatomy, kind: ForeignObject) -> tuple[np.ndarray, np.ndarray]:
    """Return what a thing changes, and where it is metal; the anatomy stays as it was."""
    before = anatomy.hu.copy()
    spec = CaseSpec(foreign=(ForeignSpec(kind, Level.L2, Side.RIGHT),))
    metal = draw_foreign(spec, anatomy, after_injection=True)
    change = anatomy.hu - before
    anatomy.hu[:] = before
    return change, metal


@pytest.mark.parametrize("kind", METAL)
def test_metal_is_far_brighter_than_cement_and_takes_its_place(anatomy: Anatomy, kind: ForeignObject) -> None:
    change, metal = drawn(anatomy, kind)
    assert change.max() > 4000
    assert metal.any()


@pytest.mark.parametrize("kind", DENSE)
def test_dense_things_are_no_metal(anatomy: Anatomy, kind: ForeignObject) -> None:
    change, metal = drawn(anatomy, kind)
    assert change.max() > 300
    assert anatomy.hu[change > 300].max() < 3000
    assert not metal.any()


def test_everything_but_needles_and_gas_is_there_before_the_injection_as_well() -> None:
    later = {ForeignObject.NEEDLE, ForeignObject.NEEDLE_WITH_CEMENT, ForeignObject.GAS}
    assert set(ForeignObject) - IN_BOTH_SCANS == later


def test_gas_lies_on_the_front_of_the_cement_within_the_body(worn_site: Site) -> None:
    hu = np.zeros(worn_site.own.shape, dtype=np.float32)
    cement = worn_site.own_body & (worn_site.body_depth_mm < -7.0)
    draw_gas_cleft(hu, worn_site, np.asarray(cement))
    gas = hu < -500
    assert gas.any()
    assert not (gas & (cement | ~worn_site.own_body)).any()
    assert worn_site.at[1][gas].mean() < worn_site.at[1][cement].mean()
