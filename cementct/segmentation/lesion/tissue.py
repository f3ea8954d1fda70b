"""Intensities of tumour and marrow beside cement, which brightens or darkens both alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import FloatArray
from cementct.segmentation.lesion.lytic import TUMOUR_HU
from cementct.segmentation.lesion.marrow import (
    INDEPENDENT_VALUES,
    MOST_VALUES,
    NormalMarrow,
    mixture_likelihood,
)

# Beams hardened by dense cement shift a whole vertebra by so much.
OFFSETS_HU = (-40.0, 90.0)
STEP_HU = 5.0
# What is expected of the offset before looking.
USUAL_OFFSET_HU, OFFSET_SPREAD_HU = 5.0, 12.0
# Smoothed marrow spreads no less.
LEAST_SPREAD_HU = 15.0
# And by so much more than in a sound body: streaks and what is left of the cement's glow.
SPREAD_BESIDE_CEMENT = 1.3
# Fewer tell nothing.
LEAST_VALUES = 100


@dataclass(frozen=True)
class Tissue:
    """Intensities of both tissues in one vertebra."""

    tumour_hu: float
    marrow_hu: float


def measure_tissue(values_hu: FloatArray, normal: NormalMarrow) -> Tissue:
    """Return the intensities of tumour and marrow that smoothed values of a vertebra agree with best.

    Both keep the distance that they have elsewhere in the patient; what they share is an offset.

    Parameters
    ----------
    values_hu
        Lightly smoothed intensities of the interior that cement leaves readable.
    normal
        The patient's sound marrow.
    """
    if values_hu.size < LEAST_VALUES:
        return Tissue(TUMOUR_HU, normal.mean_hu)
    values = values_hu[:: max(1, values_hu.size // MOST_VALUES)]
    spread = SPREAD_BESIDE_CEMENT * max(normal.spread_hu, LEAST_SPREAD_HU)
    offsets = np.arange(OFFSETS_HU[0], OFFSETS_HU[1] + STEP_HU / 2, STEP_HU)
    scores = [_score(values - offset, normal.mean_hu, spread, float(offset)) for offset in offsets]
    offset = float(offsets[int(np.argmax(scores))])
    return Tissue(TUMOUR_HU + offset, normal.mean_hu + offset)


def _score(values: FloatArray, marrow_hu: float, spread: float, offset: float) -> float:
    """Return the logarithm of an offset's posterior probability, but for a constant."""
    likelihood, share = mixture_likelihood(values, (TUMOUR_HU, marrow_hu), (spread, spread))
    expected = -0.5 * ((offset - USUAL_OFFSET_HU) / OFFSET_SPREAD_HU) ** 2
    # Mostly marrow is left: a beta distribution of the tumour's share with its mean at 0.33.
    prior = 0.5 * float(np.log(share)) + 2.0 * float(np.log(1 - share))
    return INDEPENDENT_VALUES * likelihood + expected + prior
