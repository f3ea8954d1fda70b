"""How much of a lesion cement fills, with its interval and the probability of each category.

The rate is the volume common to cement and lesion over the lesion's. Both are shares of voxels. Where the
borders of both cross one voxel, what they have in common depends on how they lie: borders that face the same
way overlap as far as the smaller share goes, opposite ones least, crossing ones as the product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import Float32Array, FloatArray
from cementct.core.findings import FillingCategory, Interval, LesionSource
from cementct.core.grid import Box, Grid
from cementct.core.morphology import bounds_of
from cementct.metrics.filling_shares import overlap, sharpened
from cementct.segmentation.model import Cement, Lesion, Registration

# Chen et al., AJNR 2022 (A7415), Table 2; the lower bound belongs to the category.
CATEGORY_BORDERS = {
    FillingCategory.UNDER_50: (0.0, 0.5),
    FillingCategory.FROM_50: (0.5, 0.75),
    FillingCategory.FROM_75: (0.75, 0.9),
    FillingCategory.COMPLETE: (0.9, 1.0),
}
# Standard deviation of the place of cement's border as a whole, on slices of 1 mm or less.
CEMENT_BORDER_SD_MM = 0.10
# Added for each millimetre of slice distance.
CEMENT_BORDER_PER_SLICE = 0.05
# A registration is not believed to be better than this.
LEAST_SHIFT_SD_MM = 0.1
# Where its residual is not known.
USUAL_SHIFT_SD_MM = 0.4
# Standard deviation of a rate from what a lesion's outline lacks or has in excess, and what a millimetre of
# slice distance adds: on phantoms and implants in real CT rates are off by 3 points at 1 mm and by 6 at 3 mm.
OUTLINE_SD, OUTLINE_SD_PER_MM = 0.01, 0.015
# Standard deviation of a rate whose lesion was guessed from the post-injection scan alone: what part of the
# cement lies in sound marrow is seen only at its edges (26 vertebrae of phantoms and implants: 11 points).
POST_ONLY_SD = 0.11
# Of the cement that reads as inside a guessed lesion so much is: some went into sound marrow, and no rest
# shows where that begins. Chosen on 288 vertebrae of tuning phantoms: 176 with label file, 112 embedded.
CEMENT_IN_LESION = 0.8
# What is expected of a rate before looking, and its standard deviation. Readers found 25 % of lesions filled
# to 50–75 %, 38 % to 75–90 % and 37 % wholly (Chen et al., AJNR 2022, Table 2), 81 % in the mean, and readers
# overestimate (CVIR 2020;43:445); phantoms from 0.35 to 1 have 69 %.
USUAL_RATE, USUAL_RATE_SD = 0.70, 0.17
# Borders are moved by this much to see how the rate follows.
PROBE_MM = 0.3
# Cement is looked at this far around a lesion, and no farther than that around the block it was given in.
MARGIN_MM, MARGIN_VOXELS = 2.0, 3.0
# Of all outcomes that an interval is to hold.
INTERVAL_SHARE = 0.9
# No rate is known better than this.
LEAST_SD = 0.004


@dataclass(frozen=True)
class Filling:
    """The filling rate of one lesion.

    Attributes
    ----------
    rate
        Share of the lesion that cement takes, 0 to 1.
    ci90
        90 % interval.
    sd
        Standard deviation before the rate is held within 0 and 1.
    category
        Of the rate.
    probability
        Of each category that has at least one per cent.
    """

    rate: float
    ci90: Interval
    sd: float
    category: FillingCategory
    probability: dict[FillingCategory, float]


def measure_filling(
    cement: Cement, lesion: Lesion, *, number: int, grid: Grid, registration: Registration | None = None
) -> Filling | None:
    """Return how much of a vertebra's lesion its cement fills, or None where there is no lesion.

    Parameters
    ----------
    cement
        All cement of the post-injection scan.
    lesion
        The lesion on the grid of that scan.
    number
        Number of the vertebra; only cement that came from it counts.
    grid
        Grid of the post-injection scan.
    registration
        Through which the lesion was carried over, where it was.
    """
    total = float(lesion.fraction.sum())
    if lesion.source is LesionSource.NONE or total <= 0:
        return None
    # Nothing counts but what lies in the lesion, or would if its border were a little farther out.
    lies = bounds_of(lesion.fraction > 0)
    own = lesion.box if lies is None else Box.of(lies).placed_in(lesion.box)
    margin_mm = MARGIN_MM + MARGIN_VOXELS * max(grid.spacing_mm)
    box = grid.expand(own, margin_mm).intersection(grid.expand(lesion.box, MARGIN_MM))
    block = grid.crop(box)
    holes, filled = _in_box(lesion.fraction, lesion.box, box), _own_cement(cement, number, box)
    if lesion.source is not LesionSource.POST:
        # Carrying a lesion over blurs its border; a blurred rim outside the cement would read as unfilled.
        holes, filled = sharpened(holes), sharpened(filled)
    rate = _rate(filled, holes, block)
    if lesion.source is LesionSource.POST:
        rate = rate_of_guess(rate, lesion.told_apart)
    sd = _standard_deviation(filled, holes, block, lesion=lesion, registration=registration)
    return filling_of_rate(rate, sd)


def filling_of_rate(rate: float, sd: float) -> Filling:
    """Return interval, category and probabilities of a rate with a normal error, held within 0 and 1."""
    sd = max(sd, LEAST_SD)
    below, above = _normal_cdf((0.0 - rate) / sd), _normal_cdf((1.0 - rate) / sd)
    held = max(above - below, 1e-9)
    probability = {
        category: (_normal_cdf((upper - rate) / sd) - _normal_cdf((lower - rate) / sd)) / held
        for category, (lower, upper) in CATEGORY_BORDERS.items()
    }
    return Filling(
        rate=rate,
        ci90=_most_probable_interval(rate, sd),
        sd=sd,
        category=category_of(rate),
        probability={category: share for category, share in probability.items() if share >= 0.01},
    )


def rate_of_guess(rate: float, told_apart: float) -> float:
    """Return what rate is to be expected where the lesion was guessed from the post-injection scan alone.

    Parameters
    ----------
    rate
        Share that cement takes of the lesion as it was guessed.
    told_apart
        How well lesion and sound marrow are told apart, 0 to 1; less, and the rate is nearer the usual one.
    """
    inside = CEMENT_IN_LESION * rate
    seen = inside / (inside + 1.0 - rate)
    return told_apart * seen + (1.0 - told_apart) * USUAL_RATE


def category_of(rate: float) -> FillingCategory:
    """Return the category of a filling rate; the lower bound belongs to the category."""
    for category in (FillingCategory.COMPLETE, FillingCategory.FROM_75, FillingCategory.FROM_50):
        if rate >= CATEGORY_BORDERS[category][0]:
            return category
    return FillingCategory.UNDER_50


def _rate(filled: Float32Array, holes: Float32Array, grid: Grid) -> float:
    total = float(holes.sum())
    if total <= 0:
        return 0.0
    return float(np.clip(float(overlap(filled, holes, grid).sum()) / total, 0.0, 1.0))


def _standard_deviation(
    filled: Float32Array,
    holes: Float32Array,
    grid: Grid,
    *,
    lesion: Lesion,
    registration: Registration | None,
) -> float:
    """Return how far the rate moves when borders and place move by their own standard deviations."""
    slice_mm = grid.spacing_mm[0]
    cement_sd = CEMENT_BORDER_SD_MM + CEMENT_BORDER_PER_SLICE * slice_mm
    surface_mm2 = float(_steepness(holes, grid).sum()) * grid.voxel_mm3
    lesion_sd = 1000.0 * lesion.volume_sd_ml / max(surface_mm2, 1.0)
    probes = [
        (cement_sd, _moved(filled, grid, PROBE_MM), holes, _moved(filled, grid, -PROBE_MM), holes),
        (lesion_sd, filled, _moved(holes, grid, PROBE_MM), filled, _moved(holes, grid, -PROBE_MM)),
    ]
    variance = 0.0
    for sd_mm, more, more_holes, less, less_holes in probes:
        slope = (_rate(more, more_holes, grid) - _rate(less, less_holes, grid)) / (2 * PROBE_MM)
        variance += (slope * sd_mm) ** 2
    if lesion.source is LesionSource.PRE:
        variance += _shift_variance(filled, holes, grid, _shift_sd_mm(registration))
        variance += (OUTLINE_SD + OUTLINE_SD_PER_MM * slice_mm) ** 2
    if lesion.source is LesionSource.POST:
        variance = lesion.told_apart * (variance + POST_ONLY_SD**2)
        variance += (1.0 - lesion.told_apart) * USUAL_RATE_SD**2
    return float(np.sqrt(variance))


def _shift_sd_mm(registration: Registration | None) -> float:
    if registration is None or registration.residual_mm is None:
        return USUAL_SHIFT_SD_MM
    return max(LEAST_SHIFT_SD_MM, registration.residual_mm)


def _shift_variance(filled: Float32Array, holes: Float32Array, grid: Grid, sd_mm: float) -> float:
    from scipy import ndimage

    middle = _rate(filled, holes, grid)
    variance = 0.0
    for axis in range(3):
        step = [0.0, 0.0, 0.0]
        step[axis] = sd_mm / grid.spacing_mm[axis]
        for sign in (-1.0, 1.0):
            moved = ndimage.shift(holes, [sign * s for s in step], order=1, mode="constant")
            variance += (_rate(filled, moved, grid) - middle) ** 2 / 2
    return variance


def _moved(share: Float32Array, grid: Grid, outward_mm: float) -> Float32Array:
    """Return shares whose border was moved outwards."""
    return np.clip(share + outward_mm * _steepness(share, grid), 0.0, 1.0).astype(np.float32)


def _steepness(share: Float32Array, grid: Grid) -> FloatArray:
    slopes = np.gradient(share, *grid.spacing_mm)
    return np.asarray(np.sqrt(sum(slope**2 for slope in slopes)), dtype=np.float64)


def _own_cement(cement: Cement, number: int, box: Box) -> Float32Array:
    own = np.where(cement.owner == number, cement.fraction, np.float32(0)).astype(np.float32)
    return _in_box(own, cement.box, box)


def _in_box(share: Float32Array, of: Box, box: Box) -> Float32Array:
    out = np.zeros(box.shape, dtype=np.float32)
    common = of.intersection(box)
    if not common.is_empty:
        out[common.within(box)] = share[common.within(of)]
    return out


def _normal_cdf(z: float) -> float:
    from math import erf, sqrt

    return 0.5 * (1.0 + erf(z / sqrt(2.0)))


def _most_probable_interval(rate: float, sd: float) -> Interval:
    """Return the shortest interval that holds 90 % of a normal distribution held within 0 and 1.

    It lies around the rate and ends where rates end: a lesion that reads nearly full may well be full.
    """
    held = _normal_cdf((1.0 - rate) / sd) - _normal_cdf((0.0 - rate) / sd)
    low, high = 0.0, 1.0
    for _ in range(50):
        reach = (low + high) / 2
        ends = max(0.0, rate - reach), min(1.0, rate + reach)
        inside = _normal_cdf((ends[1] - rate) / sd) - _normal_cdf((ends[0] - rate) / sd)
        if inside < INTERVAL_SHARE * held:
            low = reach
        else:
            high = reach
    return max(0.0, rate - high), min(1.0, rate + high)
