"""What came to lie at an endplate between two scans, over a large part of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cementct.anatomy.model import Vertebra
from cementct.core.arrays import BoolArray, FloatArray

# An end of a body begins so far from its middle, as a share of its height.
END_FROM = 0.3
# A body that was raised, or whose end a lesion had hidden, gains so much of the rectangle around an endplate:
# on tuning phantoms raised ends covered 0.6 to 0.8, leaks that an engine took for body up to 0.4, a wedge
# raised at its front alone 0.2.
LARGE_SHARE = 0.5
# Areas are counted in cells of this width, larger than voxels are.
AREA_CELL_MM = 1.5


def large_ends(places_lps_mm: FloatArray, vertebra: Vertebra) -> Iterator[tuple[BoolArray, float]]:
    """Yield the places at an endplate, upper and lower, that cover a large part of it.

    Parameters
    ----------
    places_lps_mm
        Centres of voxels, LPS, shape (n, 3).
    vertebra
        Whose endplates.

    Yields
    ------
    tuple
        Which of the places, shape (n,), and the area in mm² that they cover.
    """
    local = vertebra.frame.to_local(places_lps_mm)
    for up in (local[:, 2], -local[:, 2]):
        end = up > END_FROM * vertebra.height_mm
        area_mm2 = _area_mm2(local[end, :2])
        if end.any() and area_mm2 >= LARGE_SHARE * vertebra.width_mm * vertebra.depth_mm:
            yield end, area_mm2


def _area_mm2(places_mm: FloatArray) -> float:
    """Return the area that some places in a plane cover, in mm²; shape (n, 2), in mm."""
    return len(np.unique(np.floor(places_mm / AREA_CELL_MM), axis=0)) * AREA_CELL_MM**2
