"""One small simulated case with all five leaks, shared by the tests of the phantom."""

from __future__ import annotations

import pytest

from cementct.core.findings import LeakType, Side
from cementct.core.levels import Level
from cementct.testing.phantom import PhantomCase, make_case
from cementct.testing.spec import CaseSpec, CementSpec, LeakSpec, LesionSpec, Scanner, Treatment

LEAKS = (
    LeakSpec(LeakType.EPIDURAL, 0.10, Side.LEFT, levels=0.7),
    LeakSpec(LeakType.DISKAL, 0.25, Side.RIGHT, above=True),
    LeakSpec(LeakType.FORAMINAL, 0.06, Side.RIGHT, above=False),
    LeakSpec(LeakType.PARAVERTEBRAL, 0.15, Side.RIGHT),
    LeakSpec(LeakType.ACCESS_TRACK, 0.08, Side.LEFT),
)


@pytest.fixture(scope="session")
def small_spec() -> CaseSpec:
    """L2 alone, with lesion, cement and one leak of each type."""
    scanner = Scanner(pixel_mm=0.9, slice_spacing_mm=1.2, slice_thickness_mm=1.2, noise_hu=10.0)
    return CaseSpec(
        seed=5,
        focus=Level.L2,
        fov_mm=(58.0, 92.0, 80.0),
        fov_centre_mm=(0.0, 18.0, 0.0),
        treatments=(Treatment(Level.L2, LesionSpec(4.0), CementSpec(4.5, filling=0.8), LEAKS),),
        scanner=scanner,
    )


@pytest.fixture(scope="session")
def small_case(small_spec: CaseSpec) -> PhantomCase:
    return make_case(small_spec)
