"""What a patient's own sound marrow looks like, from the vertebrae that are not treated."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Spine, Vertebra
from cementct.core.arrays import BoolArray, FloatArray
from cementct.core.image import Volume
from cementct.core.threads import each
from cementct.segmentation.lesion.bone import Bone, prepare_bone
from cementct.segmentation.lesion.smoothing import smooth_within

# Trabecular pattern is averaged over this standard deviation before marrow is compared.
TEXTURE_SCALE_MM = 1.5
# Fewer voxels do not tell what marrow looks like.
FEWEST_VALUES = 200
# The nearest vertebrae speak for a level; marrow changes along the spine.
NEIGHBOURS_USED = 4
# Where no other vertebra is in view: middle of what is seen in adults (60 osteoporotic to 250 dense).
USUAL_MARROW_HU = 130.0
# Spread of smoothed marrow within a sound body, where none is in view.
USUAL_SPREAD_HU = 25.0
# A body's own sound part replaces the neighbours' marrow where it is at least this much of the interior.
OWN_SOUND_SHARE = 0.12
# What differs from the neighbours' marrow by no more than this share of it may be sound.
OWN_RANGE = 0.35
# And by no more than this at the least.
OWN_RANGE_LEAST_HU = 30.0

# Usual intensity of a lytic metastasis: soft tissue, 30 to 70 HU.
LYTIC_HU = 50.0
# Fineness of the search for the level of a vertebra's own marrow.
LEVEL_STEP_HU = 2.0
# Marrow and what is left of noise spread no less, once smoothed.
LEAST_SPREAD_HU = 10.0
# Tumour has no trabeculae: only noise, and the blur of its border, spread its smoothed intensities.
TUMOUR_SPREAD_HU = 10.0
# So many independent patches of tissue a vertebra is worth.
INDEPENDENT_VALUES = 40
# Share of tumour with which the search for it begins.
FIRST_SHARE = 0.3
# Likelihood of a value that is neither tumour nor marrow: cortex, sclerosis, gas.
OUTLIERS = 2e-4
# After so many the share of tumour has settled.
ROUNDS = 6
# More values tell no more.
MOST_VALUES = 4000


@dataclass(frozen=True)
class NormalMarrow:
    """Sound marrow of one patient near one level.

    Attributes
    ----------
    mean_hu
        Its intensity.
    spread_hu
        Standard deviation of intensities smoothed at `TEXTURE_SCALE_MM` within sound bodies.
    measured
        Whether it was measured in other vertebrae; else it is the usual value.
    """

    mean_hu: float
    spread_hu: float
    measured: bool


class MarrowOf:
    """The marrow of the vertebrae of a scan, each looked at once however many levels it speaks for.

    Parameters
    ----------
    volume
        The scan.
    """

    def __init__(self, volume: Volume) -> None:
        self.volume = volume
        self._found: dict[int, tuple[float, float] | None] = {}

    def look_at(self, vertebra: Vertebra) -> tuple[float, float] | None:
        """Return middle and spread of a vertebra's smoothed intensities; None where they are too few."""
        if vertebra.number not in self._found:
            values = marrow_values(self.volume, vertebra)
            middle = float(np.median(values)) if values.size >= FEWEST_VALUES else None
            self._found[vertebra.number] = (
                None if middle is None else (middle, 1.4826 * float(np.median(np.abs(values - middle))))
            )
        return self._found[vertebra.number]


def measure_normal_marrow(
    marrow: MarrowOf, spine: Spine, near: Vertebra, *, affected: Collection[int] = ()
) -> NormalMarrow:
    """Return the sound marrow near a level: the median of the nearest vertebrae that are not affected.

    Parameters
    ----------
    marrow, spine
        What is seen of a scan's marrow, and its vertebrae.
    near
        The vertebra that it is wanted for; not looked at itself.
    affected
        Numbers of vertebrae that are not to be taken for sound.
    """
    nearest = sound_neighbours(spine, near, affected=affected)[:NEIGHBOURS_USED]
    seen = [found for found in each(marrow.look_at, nearest) if found is not None]
    if not seen:
        return NormalMarrow(USUAL_MARROW_HU, USUAL_SPREAD_HU, measured=False)
    means, spreads = zip(*seen, strict=True)
    return NormalMarrow(float(np.median(means)), float(np.median(spreads)), measured=True)


def sound_neighbours(spine: Spine, near: Vertebra, *, affected: Collection[int] = ()) -> list[Vertebra]:
    """Return the vertebrae that are not affected, the nearest first; those cut only where none is whole."""
    others = [v for v in spine.vertebrae if v.number != near.number and v.number not in affected]
    whole = [v for v in others if v.complete] or others
    return sorted(whole, key=lambda v: abs(v.position - near.position))


def marrow_values(volume: Volume, vertebra: Vertebra) -> FloatArray:
    """Return smoothed intensities of a body's interior, the basivertebral vein left out."""
    bone = prepare_bone(volume, vertebra)
    inside = bone.interior & bone.body & ~bone.vein
    smooth = smooth_within(bone.hu, inside, bone.grid, TEXTURE_SCALE_MM)
    return np.asarray(smooth[inside], dtype=np.float64)


def own_marrow_hu(bone: Bone, normal: NormalMarrow, *, without: BoolArray | None = None) -> float:
    """Return the sound marrow of a vertebra that holds a lesion, from its own sound part where it has one.

    What is as dark as a lytic lesion is not counted, so that a large lesion in thin marrow does not pass
    for that marrow.

    Parameters
    ----------
    bone
        The vertebra.
    normal
        Sound marrow of its neighbours.
    without
        Where the lesion is, as far as that is known.
    """
    inside = bone.interior & bone.body & ~bone.vein
    smooth = smooth_within(bone.hu, inside, bone.grid, TEXTURE_SCALE_MM)
    sound = inside if without is None else inside & ~without
    values = np.asarray(smooth[sound], dtype=np.float64)
    reach = max(OWN_RANGE_LEAST_HU, OWN_RANGE * normal.mean_hu)
    near = values[np.abs(values - normal.mean_hu) < 2 * reach]
    least = max(OWN_SOUND_SHARE * np.count_nonzero(inside), 1)
    if near.size < least:
        return normal.mean_hu
    levels = np.arange(normal.mean_hu - reach, normal.mean_hu + reach + 0.5, LEVEL_STEP_HU)
    spread = max(normal.spread_hu, LEAST_SPREAD_HU)
    spreads = (min(spread, TUMOUR_SPREAD_HU), spread)
    sampled = near[:: max(1, near.size // MOST_VALUES)]
    fits = [mixture_likelihood(sampled, (LYTIC_HU, float(level)), spreads) for level in levels]
    shares = [share for _, share in fits]
    expected = -0.5 * ((levels - normal.mean_hu) / (0.5 * reach)) ** 2
    best = int(np.argmax(INDEPENDENT_VALUES * np.asarray([fit for fit, _ in fits]) + expected))
    return float(levels[best]) if (1 - shares[best]) * near.size >= least else normal.mean_hu


def mixture_likelihood(
    values_hu: FloatArray, levels_hu: tuple[float, float], spreads_hu: tuple[float, float]
) -> tuple[float, float]:
    """Return how well two tissues explain intensities, and the share of the first.

    Parameters
    ----------
    values_hu
        Smoothed intensities.
    levels_hu
        Of both tissues.
    spreads_hu
        Standard deviation within each.

    Returns
    -------
    tuple
        Mean logarithm of the likelihood at the best share, and that share.
    """
    first, second = (
        np.exp(-0.5 * ((values_hu - level) / spread) ** 2) / spread
        for level, spread in zip(levels_hu, spreads_hu, strict=True)
    )
    share = FIRST_SHARE
    both = (1 - share) * second + share * first + OUTLIERS
    for _ in range(ROUNDS):
        share = float(np.clip(np.mean(share * first / both), 0.02, 0.98))
        both = (1 - share) * second + share * first + OUTLIERS
    return float(np.mean(np.log(both))), share
