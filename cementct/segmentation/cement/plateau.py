"""The intensity of pure cement in a deposit, also where it is clipped or too thin to show it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray
from cementct.segmentation.cement.edges import DENSEST_CEMENT_HU, fit_edges
from cementct.segmentation.cement.fields import mean_over
from cementct.segmentation.cement.scene import Scene

# Over this distance the plateau of one deposit may vary: pure cement here, interdigitated there.
PLATEAU_SIGMA_MM = 2.5
# A core of fewer voxels does not show the plateau reliably.
FEWEST_CORE_VOXELS = 6
# Voxels of a core share noise and texture; so many count as one independent observation.
VOXELS_PER_OBSERVATION = 10.0
# Medians this near the clip are clipped; local means this near it hide a plateau beyond.
CLIP_SLACK_HU = 3.0
HIDDEN_FROM_CLIP_HU = 150.0
# A clipped plateau whose edges say nothing is taken as this multiple of the clip, give or take 30 %.
UNSEEN_PLATEAU = 1.35
# How far the cement of a leak may differ in opacity from that of its source, as a relative sd.
SAME_MIX_SD = 0.30
# Candidate plateaus of thin deposits, as a geometric series.
CANDIDATES = 36
# Relative error of the assumed image sharpness, which blurs what can be learned of thin deposits.
SHARPNESS_SD = 0.10


@dataclass(frozen=True)
class Plateau:
    """The intensity of pure cement.

    Attributes
    ----------
    hu
        Shape of the scene, or one number for all of it.
    sd
        Relative standard deviation of its rise over the background.
    clipped
        Whether the number range hides it.
    sigma_mm
        In-plane sharpness measured on its edges, or None.
    """

    hu: Float32Array
    sd: float
    clipped: bool
    sigma_mm: float | None = None


def plateau_of_bulk(
    scene: Scene, outline: BoolArray, core: BoolArray, background_hu: Float32Array
) -> Plateau | None:
    """Return the plateau of a deposit thick enough to show it; None where it has no core.

    Parameters
    ----------
    scene
        The block of CT.
    outline
        The deposit, generously outlined.
    core
        Its inside, out of reach of blur.
    background_hu
        Intensity to expect without it.
    """
    if np.count_nonzero(core) < FEWEST_CORE_VOXELS:
        return None
    local, _ = mean_over(scene.hu, core, PLATEAU_SIGMA_MM, scene.spacing_mm)
    inside_hu = float(np.median(scene.hu[core]))
    rise_hu = max(inside_hu - float(np.median(background_hu[core])), 100.0)
    # A little slack: noise on a clipped plateau pulls its voxels below the clip.
    clipped = scene.clip_hu is not None and inside_hu >= scene.clip_hu - CLIP_SLACK_HU
    half = outline & (scene.hu > background_hu + 0.5 * rise_hu)
    fit = fit_edges(scene, half, background_hu, plateau_hu=inside_hu, clipped=clipped)
    sigma = fit.sigma_mm if fit is not None else None
    if not clipped or scene.clip_hu is None:
        effective = max(np.count_nonzero(core) / VOXELS_PER_OBSERVATION, 1.0)
        spread = float(scene.hu[core].std()) / np.sqrt(effective)
        return Plateau(local, spread / rise_hu, clipped=False, sigma_mm=sigma)
    hidden = local > scene.clip_hu - HIDDEN_FROM_CLIP_HU
    plateau_hu = fit.plateau_hu if fit is not None else UNSEEN_PLATEAU * scene.clip_hu
    sd = float(np.clip(fit.plateau_sd_hu / fit.plateau_hu, 0.03, 0.4)) if fit is not None else 0.3
    lifted = np.where(hidden, max(plateau_hu, scene.clip_hu), local).astype(np.float32)
    return Plateau(lifted, sd, clipped=True, sigma_mm=sigma)


def plateau_of_thin(
    excess: Float32Array,
    near: BoolArray,
    *,
    sigma_voxels: tuple[float, float, float],
    noise_hu: float,
    prior_rise_hu: float | None,
    clip_excess_hu: float | None,
) -> tuple[float, float]:
    """Return the rise of a thin deposit over its surroundings, and the relative sd of that.

    For each candidate rise the mass of the deposit fixes its volume; its brightest sub-voxels up to that
    volume are blurred as the scanner would, and compared with the image. A candidate too faint makes the
    deposit too wide, one too bright makes it too narrow and its middle too bright. Where the deposit is much
    thinner than the image is sharp, the image no longer decides, and the source's opacity (`prior_rise_hu`)
    does.

    Parameters
    ----------
    excess
        Intensity over background, shape (z, y, x) of a small block around the deposit.
    near
        Where the deposit and its blur lie.
    sigma_voxels
        Sharpness of the image in voxels along z, y, x.
    noise_hu
        Standard deviation of the noise.
    prior_rise_hu
        Rise of the source's cement, or None where unknown.
    clip_excess_hu
        Excess at which the number range ends, or None.
    """
    mass = float(np.where(near, excess, 0.0).sum(dtype=np.float64))
    peak = float(np.sort(excess[near])[-max(2, int(0.02 * np.count_nonzero(near))) :].mean())
    lowest = max(peak * 0.95, 60.0)
    rises = np.geomspace(lowest, max(1.3 * DENSEST_CEMENT_HU, 2.0 * lowest), CANDIDATES)
    misfit = np.array(
        [
            _misfit(excess, near, mass / rise, float(rise), sigma_voxels, clip_excess_hu=clip_excess_hu)
            for rise in rises
        ]
    )
    # Neighbouring voxels share noise; the floor stands for errors of sharpness and background.
    variance = noise_hu**2 * 3.0 + (0.04 * peak) ** 2
    penalty = 0.5 * misfit / variance
    if prior_rise_hu is not None:
        penalty = penalty + 0.5 * (np.log(rises / prior_rise_hu) / SAME_MIX_SD) ** 2
    else:
        # Without a source: cement a leak is made of is seldom fainter than 500 or denser than 4000 HU.
        penalty = penalty + 0.5 * (np.log(rises / 1800.0) / 0.7) ** 2
    weight = np.exp(-(penalty - penalty.min()))
    weight /= weight.sum()
    mean_log = float((weight * np.log(rises)).sum())
    sd = float(np.sqrt((weight * (np.log(rises) - mean_log) ** 2).sum()))
    return float(np.exp(mean_log)), float(np.hypot(sd, 0.03))


def _misfit(
    excess: Float32Array,
    near: BoolArray,
    volume_voxels: float,
    rise_hu: float,
    sigma_voxels: tuple[float, float, float],
    *,
    clip_excess_hu: float | None,
) -> float:
    """Return the summed squared difference between the image and that of the brightest `volume_voxels`."""
    from scipy import ndimage

    region = _brightest(excess, near, volume_voxels)
    image = rise_hu * ndimage.gaussian_filter(region, sigma_voxels, mode="constant", truncate=3.5)
    if clip_excess_hu is not None:
        image = np.minimum(image, clip_excess_hu)
    # Less sharp a comparison than the voxels allow: place within the voxel is not known.
    difference = np.where(near, image - excess, 0.0)
    return float((difference.astype(np.float64) ** 2).sum())


def _brightest(excess: Float32Array, near: BoolArray, volume_voxels: float) -> Float32Array:
    """Return a soft region of the given volume around the brightest voxels: shares, not a hard edge."""
    values: FloatArray = np.asarray(excess[near], dtype=np.float64)
    low, high = 0.0, float(values.max())
    width = 0.15 * high
    for _ in range(18):
        level = 0.5 * (low + high)
        if float(np.clip(0.5 + (values - level) / (2 * width), 0.0, 1.0).sum()) > volume_voxels:
            low = level
        else:
            high = level
    share = np.clip(0.5 + (excess - 0.5 * (low + high)) / (2 * width), 0.0, 1.0)
    return np.where(near, share, 0.0).astype(np.float32)
