"""One small simulated case with all five leaks, and one worn vertebra, shared by the tests of the phantom."""

from __future__ import annotations

import pytest

from cementct.core.findings import LeakType, Side
from cementct.core.levels import Level
from cementct.testing.bone import draw_anatomy
from cementct.testing.column import build_column
from cementct.testing.phantom import PhantomCase, make_case, scan_grid
from cementct.testing.sampling import Lattices
from cementct.testing.site import Site
from cementct.testing.spec import CaseSpec, CementSpec, LeakSpec, LesionSpec, Scanner, Treatment, Wear
from cementct.testing.surroundings import site_of

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


@pytest.fixture(scope="session")
def worn_site() -> Site:
    """L2 with a Schmorl node above and an open basivertebral foramen, drawn and not scanned."""
    spec = CaseSpec(
        seed=5,
        fov_mm=(70.0, 84.0, 78.0),
        fov_centre_mm=(0.0, 12.0, 0.0),
        worn=((Level.L2, Wear(schmorl_above_mm=6.0, basivertebral_mm=7.0)),),
        scanner=Scanner(pixel_mm=0.6, slice_spacing_mm=0.6, slice_thickness_mm=0.6),
    )
    column = build_column(spec)
    anatomy = draw_anatomy(spec, column, Lattices.of(scan_grid(spec, spec.scanner)), {})
    return site_of(spec, anatomy, Level.L2)
