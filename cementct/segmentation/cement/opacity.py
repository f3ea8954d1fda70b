"""How opaque cement is: what tells whether a leak can have come from a source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import Float32Array

# A plateau is the upper quartile of a deposit's intensities, its brightest parts are the 95th percentile.
# What flowed out of it is no brighter than that by more than the third, as a ratio: noise, overshoot, and
# what blur takes from a small deposit in thick slices.
PLATEAU_PERCENTILE, BRIGHTEST_PERCENTILE, BRIGHTER_BY = 75.0, 95.0, 1.2
# A piece whose plateau is at least this share of its brightest parts is wide enough to show how opaque its
# cement is; blur leaves none in a thin cord.
WIDE_FROM = 0.8
# Two deposits whose brightest parts differ by less than this share are of the same cement.
ALIKE_WITHIN = 0.12


@dataclass(frozen=True)
class Opacity:
    """How opaque a deposit or a piece of it is.

    Attributes
    ----------
    plateau_hu
        What most of it reaches, in HU.
    bright_hu
        What its brightest parts reach, in HU.
    """

    plateau_hu: float
    bright_hu: float

    @property
    def brightest_hu(self) -> float:
        """Intensity that nothing of this cement exceeds, in HU."""
        return BRIGHTER_BY * self.bright_hu

    def fits_from(self, source: Opacity) -> bool:
        """Tell whether it is no brighter than a source: on its way cement thins out or stays as it is."""
        return self.bright_hu <= source.brightest_hu

    def is_alike(self, source: Opacity) -> bool:
        """Tell whether it is as opaque as a source; a piece without a plateau does not show that."""
        wide = self.plateau_hu >= WIDE_FROM * self.bright_hu
        return wide and abs(self.bright_hu - source.bright_hu) <= ALIKE_WITHIN * source.bright_hu


def opacity_of(hu: Float32Array) -> Opacity:
    """Return how opaque cement with these intensities is, in HU, shape (n,)."""
    plateau, bright = np.percentile(hu, (PLATEAU_PERCENTILE, BRIGHTEST_PERCENTILE))
    return Opacity(float(plateau), float(bright))
