"""Surfaces of a body are moved to where its cortex ends."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from cementct.core.arrays import FloatArray
from cementct.segmentation.vertebrae.embedded.settling import ALONG_MM, FARTHEST_OUT_MM, _gaps_mm

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
