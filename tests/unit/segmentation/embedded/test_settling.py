"""Surfaces of a body are moved to where its cortex ends."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from cementct.core.arrays import FloatArray
from cementct.segmentation.vertebrae.embedded.settling import (
    ALONG_MM,
    CORTEX_OVER_CEMENT_MM,
    FARTHEST_OUT_MM,
    _bend_of,
    _flush_mm,
    _gaps_mm,
    _terms,
)

MARROW_HU, CORTEX_HU, SOFT_HU = 150.0, 900.0, 40.0
FINE_MM = 0.05


def profile(surface_mm: float, cortex_mm: float = 1.5, cortex_hu: float = CORTEX_HU) -> FloatArray:
    """Return intensities along a normal through a cortex that ends at a place, blurred as a scanner does."""
    place = np.arange(ALONG_MM[0] - 4, ALONG_MM[-1] + 4, FINE_MM)
    hu = np.where(place > surface_mm, SOFT_HU, MARROW_HU)
    hu[(place <= surface_mm) & (place > surface_mm - cortex_mm)] = cortex_hu
    hu = ndimage.gaussian_filter1d(hu, 0.5 / FINE_MM, mode="nearest")
    return np.interp(ALONG_MM, place, hu)


@pytest.mark.parametrize("surface_mm", [-2.0, -0.7, 0.0, 1.3])
def test_half_way_down_from_the_cortex_lies_its_surface(surface_mm: float) -> None:
    assert _gaps_mm(profile(surface_mm)[None])[0] == pytest.approx(surface_mm, abs=0.15)


def test_brighter_cortex_is_found_in_the_same_place() -> None:
    gaps = _gaps_mm(np.stack([profile(0.5, cortex_hu=hu) for hu in (400.0, 650.0, 900.0)]))
    assert np.ptp(gaps) < 0.1


def test_cement_on_the_wall_is_no_cortex() -> None:
    assert np.isnan(_gaps_mm(profile(0.0, cortex_mm=3.0, cortex_hu=2500.0)[None])).all()


def test_without_an_edge_or_too_far_out_nothing_is_found() -> None:
    flat = np.full(len(ALONG_MM), SOFT_HU)
    assert np.isnan(_gaps_mm(np.stack([flat, profile(FARTHEST_OUT_MM + 2.0)]))).all()


@pytest.mark.parametrize("surface_mm", [-3.0, -1.5, -0.4])
def test_cement_flush_on_a_surface_says_where_it_is(surface_mm: float) -> None:
    flush = _flush_mm(profile(surface_mm, cortex_mm=6.0, cortex_hu=2600.0)[None])[0]
    assert flush == pytest.approx(surface_mm + CORTEX_OVER_CEMENT_MM, abs=0.4)


def test_cement_beyond_the_surface_or_under_cortex_says_nothing_of_it() -> None:
    leaked = profile(1.5, cortex_mm=6.0, cortex_hu=2600.0)
    under_cortex = np.where(ALONG_MM < -3.0, 2600.0, profile(0.0))
    assert np.isnan(_flush_mm(np.stack([leaked, under_cortex]))).all()


def test_an_endplate_is_tilted_and_dished_as_most_places_say() -> None:
    left, back = (a.ravel() for a in np.meshgrid(np.arange(-9.0, 9.1, 1.5), np.arange(-6.0, 6.1, 1.5)))
    terms, true = _terms(left, back), np.array([-2.0, 0.6, -0.3, 1.8])
    off = terms @ true + np.random.default_rng(1).normal(0, 0.1, len(terms))
    off[::6] = 2.5
    assert _terms(left, back) @ _bend_of(terms, off) == pytest.approx(terms @ true, abs=0.35)
