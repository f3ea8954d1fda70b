"""Cortex along the normals of a surface: where it ends, and what is only like it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from cementct.core.arrays import FloatArray, as_floats
from cementct.segmentation.vertebrae.embedded.cortex_profiles import (
    ALONG_MM,
    CORTEX_OVER_CEMENT_MM,
    FARTHEST_OUT_MM,
    THICKER_BY_MM,
    UsualCortex,
    find_cortex,
    flush_mm,
)

MARROW_HU, CORTEX_HU, SOFT_HU, GAS_HU = 150.0, 600.0, 40.0, -900.0
FINE_MM = 0.05


def profile(
    surface_mm: float, cortex_mm: float = 1.0, cortex_hu: float = CORTEX_HU, *, on_it_hu: float | None = None
) -> FloatArray:
    """Return intensities along a normal through a cortex that ends at a place, blurred as a scanner does.

    On it lies, if wanted, a layer 2.5 mm thick.
    """
    place = np.arange(ALONG_MM[0] - 4, ALONG_MM[-1] + 4, FINE_MM)
    hu = np.where(place > surface_mm, SOFT_HU, MARROW_HU)
    hu[(place <= surface_mm) & (place > surface_mm - cortex_mm)] = cortex_hu
    if on_it_hu is not None:
        hu[(place > surface_mm) & (place <= surface_mm + 2.5)] = on_it_hu
    hu = ndimage.gaussian_filter1d(hu, 0.5 / FINE_MM, mode="nearest")
    return as_floats(np.interp(ALONG_MM, place, hu))


def usual(count: int = 40) -> UsualCortex:
    """Return what cortex is like in a scan of three bodies."""
    return UsualCortex.of([find_cortex(np.tile(profile(0.0), (count, 1)))] * 3)


@pytest.mark.parametrize("surface_mm", [-2.0, -0.7, 0.0, 1.3])
def test_half_way_down_from_the_cortex_lies_its_surface(surface_mm: float) -> None:
    found = find_cortex(profile(surface_mm)[None])
    assert found.gap_mm[0] == pytest.approx(surface_mm, abs=0.2)
    assert found.width_mm[0] == pytest.approx(1.4, abs=0.3)


def test_brighter_cortex_is_found_in_the_same_place() -> None:
    gaps = find_cortex(np.stack([profile(0.5, 1.5, hu) for hu in (400.0, 650.0, 900.0)])).gap_mm
    assert np.ptp(gaps) < 0.1


def test_cement_on_the_wall_is_no_cortex() -> None:
    assert not find_cortex(profile(0.0, cortex_mm=3.0, cortex_hu=2500.0)[None]).is_seen.any()


def test_without_an_edge_or_too_far_out_nothing_is_found() -> None:
    flat = np.full(len(ALONG_MM), SOFT_HU)
    assert not find_cortex(np.stack([flat, profile(FARTHEST_OUT_MM + 2.0)])).is_seen.any()


def test_the_edge_of_gas_in_a_disc_is_no_cortex() -> None:
    disc = np.where(ALONG_MM < 0.0, 110.0, GAS_HU)
    beyond = np.where(ALONG_MM < 1.5, profile(-1.5), GAS_HU)
    found = find_cortex(np.stack([disc, beyond]))
    assert found.is_seen.tolist() == [False, True]
    assert found.gap_mm[1] == pytest.approx(-1.5, abs=0.3)


@pytest.mark.parametrize("on_it_hu", [480.0, 600.0, 900.0])
def test_a_dilute_leak_on_the_bone_is_no_plain_cortex(on_it_hu: float) -> None:
    leaked, plain = find_cortex(np.stack([profile(-1.0, on_it_hu=on_it_hu), profile(-1.0)])).is_plain(usual())
    assert plain
    assert not leaked


def test_many_bodies_with_leaks_do_not_hide_what_cortex_is_like() -> None:
    sound = find_cortex(np.tile(profile(0.0), (40, 1)))
    leaked = find_cortex(np.tile(profile(0.0, on_it_hu=900.0), (40, 1)))
    scan = UsualCortex.of([leaked, leaked, sound, leaked, sound])
    assert scan.brightest_hu < 900.0
    assert scan.thickest_mm == pytest.approx(1.4 + THICKER_BY_MM, abs=0.4)


def test_too_few_places_do_not_say_what_cortex_is_like() -> None:
    assert usual(count=5) == UsualCortex()


@pytest.mark.parametrize("surface_mm", [-3.0, -1.5, -0.4])
def test_cement_flush_on_a_surface_says_where_it_is(surface_mm: float) -> None:
    flush = flush_mm(profile(surface_mm, cortex_mm=6.0, cortex_hu=2600.0)[None])[0]
    assert flush == pytest.approx(surface_mm + CORTEX_OVER_CEMENT_MM, abs=0.4)


def test_cement_beyond_the_surface_or_under_cortex_says_nothing_of_it() -> None:
    leaked = profile(1.5, cortex_mm=6.0, cortex_hu=2600.0)
    under_cortex = np.where(ALONG_MM < -3.0, 2600.0, profile(0.0))
    assert np.isnan(flush_mm(np.stack([leaked, under_cortex]))).all()
