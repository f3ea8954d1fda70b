"""The opacity of cement too thin to show its plateau, and with it its volume.

The mass of a thin deposit, its summed excess over the surroundings, says its volume times its opacity. Which
of the two is large shows in its shape alone, as far as the image resolves it; where it does not, the cement
of the source says what to expect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray
from cementct.core.grid import Triple
from cementct.segmentation.cement.edges import DENSEST_CEMENT_HU

# Leaked cement is mostly as opaque as that of its source, give or take (relative standard deviation); …
SAME_MIX_SD = 0.12
# … one leak in a few is thinned by blood or marrow: to this share of the source's opacity, give or take.
DILUTED_SHARE, DILUTED_TO, DILUTED_SD = 0.25, 0.45, 0.45
# Without a source: cement a leak is made of is seldom fainter than 500 or denser than 4000 HU.
UNKNOWN_HU, UNKNOWN_SD = 1800.0, 0.7
# Candidate opacities, as a geometric series.
CANDIDATES = 24
# Voxels within one width of the blur share noise and errors of the model; however many there are, they tell
# no more than so many independent observations.
MOST_OBSERVATIONS = 12.0
# Errors of sharpness and background as a share of the peak, and the variance of noise that neighbours share.
MODEL_ERROR = 0.05
SHARED_NOISE = 3.0
# Voxels are divided until their parts are this thin, in millimetres: a cord may fill less than a voxel.
FINEST_MM = (0.7, 0.5, 0.5)
# Deposits of more parts than this are divided along z only: they are large against their voxels.
MOST_PARTS = 400_000
# Softness of the outline that is compared, as a share of the peak: the place within a voxel is not known.
SOFTNESS = 0.15
# What no comparison of shapes knows, as a relative standard deviation.
LEAST_SD = 0.03


@dataclass(frozen=True)
class ThinOpacity:
    """How opaque a thin deposit is.

    Attributes
    ----------
    rise_hu
        Of pure cement over its surroundings.
    sd
        Relative standard deviation of that.
    volume_voxels
        The volume that follows from its mass, what the clip cuts off included.
    """

    rise_hu: float
    sd: float
    volume_voxels: float


@dataclass(frozen=True)
class ThinImage:
    """The image of a thin deposit.

    Attributes
    ----------
    excess_hu
        Intensity over background, shape (z, y, x) of a small block around the deposit.
    near
        Where the deposit and its blur lie.
    sigma_voxels
        Sharpness of the image in voxels along z, y, x.
    spacing_mm
        Distance of the voxels along z, y, x.
    noise_hu
        Standard deviation of the noise.
    clip_excess_hu
        Excess at which the number range ends, or None.
    """

    excess_hu: Float32Array
    near: BoolArray
    sigma_voxels: Triple
    spacing_mm: Triple
    noise_hu: float
    clip_excess_hu: float | None


def opacity_of_thin(image: ThinImage, *, source_rise_hu: float | None) -> ThinOpacity:
    """Return how opaque a thin deposit is, and its volume.

    For each candidate opacity the mass of the deposit fixes its volume; its brightest places up to that
    volume are blurred as the scanner would, and compared with the image. A candidate too faint makes the
    deposit too wide, one too bright makes it too narrow and its middle too bright. Where the deposit is much
    thinner than the image is sharp, all candidates look alike, and the source's opacity decides.

    Parameters
    ----------
    image
        The deposit.
    source_rise_hu
        Rise of the source's cement over its surroundings, or None where unknown.
    """
    values = image.excess_hu[image.near]
    mass = float(values.sum(dtype=np.float64))
    peak = float(np.sort(values)[-max(2, int(0.02 * values.size)) :].mean())
    lowest = max(peak * 0.95, 60.0)
    rises = np.geomspace(lowest, max(1.2 * DENSEST_CEMENT_HU, 2.0 * lowest), CANDIDATES)
    divided = _divide(image)
    fitted = [_fit(image, divided, mass, float(rise)) for rise in rises]
    misfit = np.array([m for m, _ in fitted])
    lost = np.array([v for _, v in fitted]) / (mass / rises)
    variance = SHARED_NOISE * image.noise_hu**2 + (MODEL_ERROR * peak) ** 2
    variance = max(variance, float(misfit.min()) / values.size)
    shared = float(np.prod([max(1.0, 2.35 * s) for s in image.sigma_voxels]))
    observations = min(values.size / shared, MOST_OBSERVATIONS)
    # Errors of the model are alike all over the deposit: a logarithm, as where their size is not known.
    penalty = 0.5 * observations * np.log1p(misfit / (variance * values.size))
    penalty -= np.log(_expected(rises, source_rise_hu))
    weight = np.exp(-(penalty - penalty.min()))
    weight /= weight.sum()
    logs = np.log(rises)
    middle = float(np.interp(0.5, np.cumsum(weight) - 0.5 * weight, logs))
    sd = float(np.sqrt((weight * (logs - middle) ** 2).sum()))
    rise = float(np.exp(middle))
    volume = mass / rise * float(np.interp(middle, logs, lost))
    return ThinOpacity(rise, float(np.hypot(sd, LEAST_SD)), max(volume, 0.0))


def _expected(rises: FloatArray, source_rise_hu: float | None) -> FloatArray:
    """Return how often each of the candidates occurs, up to a factor."""
    if source_rise_hu is None:
        return np.asarray(np.exp(-0.5 * (np.log(rises / UNKNOWN_HU) / UNKNOWN_SD) ** 2) + 1e-9)
    ratio = np.log(rises / source_rise_hu)
    same = np.exp(-0.5 * (ratio / SAME_MIX_SD) ** 2) / SAME_MIX_SD
    diluted = np.exp(-0.5 * ((ratio - np.log(DILUTED_TO)) / DILUTED_SD) ** 2) / DILUTED_SD
    return np.asarray((1 - DILUTED_SHARE) * same + DILUTED_SHARE * diluted + 1e-9, dtype=np.float64)


@dataclass(frozen=True)
class _Divided:
    """The excess between the voxels' centres.

    Attributes
    ----------
    excess_hu
        On the parts.
    parts
        Odd numbers of parts a voxel along z, y, x, so that each centre is that of a part.
    """

    excess_hu: Float32Array
    parts: tuple[int, int, int]

    @property
    def centres(self) -> tuple[slice, slice, slice]:
        """The parts in the middle of the voxels."""
        z, y, x = (slice(n // 2, None, n) for n in self.parts)
        return z, y, x


def _divide(image: ThinImage) -> _Divided:
    from scipy import ndimage

    z, y, x = (
        max(1, round(s / finest)) // 2 * 2 + 1 for s, finest in zip(image.spacing_mm, FINEST_MM, strict=True)
    )
    excess = np.where(image.near, image.excess_hu, 0.0).astype(np.float32)
    parts = (z, y, x) if excess.size * z * y * x <= MOST_PARTS else (z, 1, 1)
    fine = excess
    if max(parts) > 1:
        fine = ndimage.zoom(excess, parts, order=3, mode="nearest", grid_mode=True)
    return _Divided(np.asarray(fine, dtype=np.float32), parts)


def _fit(image: ThinImage, divided: _Divided, mass: float, rise_hu: float) -> tuple[float, float]:
    """Return the summed squared difference to the image of the brightest parts, and their volume (voxels)."""
    from scipy import ndimage

    sigma = [s * n for s, n in zip(image.sigma_voxels, divided.parts, strict=True)]
    top = np.inf if image.clip_excess_hu is None else image.clip_excess_hu
    volume = max(mass / rise_hu, 0.05)
    shown = np.zeros_like(image.excess_hu)
    for _ in range(1 if np.isinf(top) else 2):
        region = _brightest(divided.excess_hu, volume * float(np.prod(divided.parts)))
        blurred = rise_hu * ndimage.gaussian_filter(region, sigma, mode="constant", truncate=3.0)
        seen = blurred[divided.centres]
        shown = np.minimum(seen, top)
        volume *= float(np.clip(seen.sum() / max(float(shown.sum()), 1e-3), 1.0, 1.5))
    difference = np.where(image.near, shown - image.excess_hu, 0.0)
    return float((difference.astype(np.float64) ** 2).sum()), volume


def _brightest(excess: Float32Array, volume_voxels: float) -> Float32Array:
    """Return a soft region of the given volume around the brightest voxels: shares, not a hard edge."""
    values: FloatArray = np.asarray(excess[excess > 0], dtype=np.float64)
    if values.size == 0:
        return np.zeros_like(excess)
    low, high = 0.0, float(values.max())
    width = SOFTNESS * high
    for _ in range(16):
        level = 0.5 * (low + high)
        if float(np.clip(0.5 + (values - level) / (2 * width), 0.0, 1.0).sum()) > volume_voxels:
            low = level
        else:
            high = level
    share = np.clip(0.5 + (excess - 0.5 * (low + high)) / (2 * width), 0.0, 1.0)
    return np.where(excess > 0, share, 0.0).astype(np.float32)
