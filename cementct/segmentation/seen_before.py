"""What the scan before injection shows near a place beyond the reach of single vertebrae's movements."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import FloatArray
from cementct.core.distances import within
from cementct.core.image import NOT_MEASURED_BELOW_HU, Volume
from cementct.segmentation.model import Registration

# Vessels and ligaments move against the spine by up to about so much when a patient is laid down anew.
SOFT_TISSUE_MOVES_MM = 6.0
# So much of a place has to be in view for what is known of it.
SEEN_SHARE = 0.7


@dataclass(frozen=True)
class SeenBefore:
    """Answers how bright the surroundings of a place were before injection.

    Attributes
    ----------
    volume
        The scan before injection.
    centres_lps_mm, registrations
        Centres of the vertebrae after injection, shape (n, 3), and how each of them moved.
    """

    volume: Volume
    centres_lps_mm: FloatArray
    registrations: tuple[Registration, ...]

    def brightest_near(self, points_lps_mm: FloatArray) -> float | None:
        """Return the highest intensity within `SOFT_TISSUE_MOVES_MM` of some places, in HU.

        Parameters
        ----------
        points_lps_mm
            Places in the scan after injection, shape (n, 3), which move as the nearest vertebra does.

        Returns
        -------
        float or None
            None where the scan before injection shows less than `SEEN_SHARE` of these places.
        """
        grid = self.volume.grid
        far_mm = np.linalg.norm(self.centres_lps_mm - points_lps_mm.mean(axis=0), axis=1)
        nearest = self.registrations[int(np.argmin(far_mm))]
        index = grid.to_index(nearest.to_pre(points_lps_mm))
        # What lay half as far from the edge of that scan as things move may have lain beyond it.
        margin = 0.5 * SOFT_TISSUE_MOVES_MM / np.asarray(grid.spacing_mm)
        shown = np.all((index >= margin) & (index <= np.asarray(grid.shape) - 1 - margin), axis=1)
        if np.mean(shown) < SEEN_SHARE:
            return None
        index = index[shown]
        box = grid.box_around(index, SOFT_TISSUE_MOVES_MM)
        places = np.zeros(box.shape, dtype=np.bool_)
        inside = np.clip(np.round(index).astype(int) - box.start, 0, np.asarray(box.shape) - 1)
        places[tuple(inside.T)] = True
        hu = self.volume.hu[box.slices][within(places, SOFT_TISSUE_MOVES_MM, grid.spacing_mm)]
        measured = hu > NOT_MEASURED_BELOW_HU
        return float(hu.max()) if np.mean(measured) >= SEEN_SHARE else None
