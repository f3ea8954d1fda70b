"""Edges of a dense deposit: how sharp the image is, and what plateau a clipped deposit hides.

Across an edge that a Gaussian blurs, the intensities of two neighbouring voxels are tied to each other by
the plateau and the sharpness alone, wherever the edge lies between them. Pairs of unclipped voxels on the
flank of a deposit therefore tell both, without interpolation, though the plateau itself is cut off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray
from cementct.segmentation.cement.scene import Scene

# Edges whose normal leaves the plane by more than this cosine mix in the coarser slice profile.
LARGEST_THROUGH_COSINE = 0.35
# Neighbours along an axis that the normal hardly follows say little about the edge.
SMALLEST_AXIS_COSINE = 0.6
LARGEST_NUMBER_OF_PAIRS = 4000
FEWEST_PAIRS = 40
# Pairs below this share of the visible rise are lost in the background's own texture.
LOWEST_SHARE = 0.10
# No cement is denser: 30 % BaSO4 or 45 % ZrO2 at 60 keV. [clinical.md, calc]
DENSEST_CEMENT_HU = 7000.0
# A plateau of more than twice the clip would have its half height, and with it its border, out of sight: a
# little below that the search for it ends, whatever the edges say.
MOST_OVER_CLIP = 1.9
# In-plane sharpness of body CT kernels as a Gaussian's standard deviation: bounds and steps of the search.
SIGMAS_MM = np.geomspace(0.22, 1.3, 30)
# Errors of direction, curvature and background, as a share of the intensity.
MODEL_ERROR = 0.04
# Pairs share voxels and noise; so many of them count as one independent observation.
PAIRS_PER_OBSERVATION = 6.0


@dataclass(frozen=True)
class EdgeFit:
    """What the edges of one deposit say.

    Attributes
    ----------
    plateau_hu, plateau_sd_hu
        The intensity the deposit's inside has, or would have without the clip.
    sigma_mm
        In-plane sharpness: standard deviation of the Gaussian that blurs the edge.
    pairs
        Number of pairs of voxels it rests on.
    """

    plateau_hu: float
    plateau_sd_hu: float
    sigma_mm: float
    pairs: int


@dataclass(frozen=True)
class _Pairs:
    """Neighbouring voxels on a flank: excess of the outer and the inner one, and their distance in depth.

    `top_hu` is the excess from which on the inner one is cut off.
    """

    outer_hu: FloatArray
    inner_hu: FloatArray
    step_mm: FloatArray
    top_hu: FloatArray


def fit_edges(
    scene: Scene, outline: BoolArray, background_hu: Float32Array, *, plateau_hu: float, clipped: bool
) -> EdgeFit | None:
    """Fit plateau and sharpness to the flanks of a deposit.

    Parameters
    ----------
    scene
        The block of CT.
    outline
        The deposit, roughly at half height; shape of the scene.
    background_hu
        Intensity to expect without it, shape of the scene.
    plateau_hu
        Its inside, which may be the clip.
    clipped
        Whether the plateau is cut off and has to be found as well.

    Returns
    -------
    EdgeFit or None
        None where too few clean edges are in view.
    """
    pairs = _collect_pairs(scene, outline, background_hu, plateau_hu)
    if pairs is None:
        return None
    background = float(np.median(background_hu[outline])) if outline.any() else 0.0
    rise = plateau_hu - background
    rises = np.array([rise])
    if clipped:
        densest = min(DENSEST_CEMENT_HU, MOST_OVER_CLIP * plateau_hu)
        rises = np.geomspace(rise, densest - background, 28)
    cost = np.array([[_misfit(pairs, r, s, scene.noise_hu) for s in SIGMAS_MM] for r in rises])
    weight = np.exp(-(cost - cost.min()) * len(pairs.step_mm) / PAIRS_PER_OBSERVATION)
    weight /= weight.sum()
    mean = float((weight.sum(axis=1) * rises).sum())
    sd = float(np.sqrt((weight.sum(axis=1) * (rises - mean) ** 2).sum()))
    sigma = float(np.exp((weight.sum(axis=0) * np.log(SIGMAS_MM)).sum()))
    return EdgeFit(background + mean, sd, sigma, len(pairs.step_mm))


def _collect_pairs(
    scene: Scene, outline: BoolArray, background_hu: Float32Array, plateau_hu: float
) -> _Pairs | None:
    """Return pairs of in-plane neighbours across the flank of `outline` that the clip leaves whole."""
    from scipy import ndimage

    flank = ndimage.binary_dilation(outline, iterations=2) & ~ndimage.binary_erosion(outline, iterations=2)
    smooth = ndimage.gaussian_filter(scene.hu, [0.8 / s for s in scene.spacing_mm])
    slope = [np.gradient(smooth, s, axis=axis) for axis, s in enumerate(scene.spacing_mm)]
    length = np.sqrt(slope[0] ** 2 + slope[1] ** 2 + slope[2] ** 2) + 1e-6
    level = np.abs(slope[0]) < LARGEST_THROUGH_COSINE * length
    excess = scene.hu - background_hu
    top = (scene.clip_hu if scene.clip_hu is not None else np.inf) - background_hu - 3.0 * scene.noise_hu
    lowest = LOWEST_SHARE * (plateau_hu - background_hu)
    found: list[FloatArray] = []
    for axis in (1, 2):
        here = [slice(None)] * 3
        there = [slice(None)] * 3
        here[axis], there[axis] = slice(None, -1), slice(1, None)
        a, b = tuple(here), tuple(there)
        cosine = np.abs(slope[axis] / length)
        cosine = 0.5 * (cosine[a] + cosine[b])
        good = flank[a] & flank[b] & level[a] & level[b] & (cosine > SMALLEST_AXIS_COSINE)
        outer, inner = np.minimum(excess[a], excess[b]), np.maximum(excess[a], excess[b])
        good &= (outer > lowest[a]) & (outer < top[a])
        step = cosine * scene.spacing_mm[axis]
        ceiling = np.broadcast_to(top[a], step.shape)
        found.append(np.stack([outer[good], inner[good], step[good], ceiling[good]]).astype(np.float64))
    pairs = np.concatenate(found, axis=1)
    if pairs.shape[1] < FEWEST_PAIRS:
        return None
    every = max(1, pairs.shape[1] // LARGEST_NUMBER_OF_PAIRS)
    outer_hu, inner_hu, step_mm, top_hu = pairs[:, ::every]
    return _Pairs(outer_hu, inner_hu, step_mm, top_hu)


def _misfit(pairs: _Pairs, rise_hu: float, sigma_mm: float, noise_hu: float) -> float:
    """Return the mean negative log likelihood of the inner voxels as told from the outer ones."""
    from scipy.special import ndtr, ndtri

    z_outer = ndtri(np.clip(pairs.outer_hu / rise_hu, 1e-3, 1 - 1e-3))
    z_inner = z_outer + pairs.step_mm / sigma_mm
    expected = rise_hu * ndtr(z_inner)
    # How an error of the outer voxel is magnified on its way to the inner one.
    magnified = np.clip(np.exp(0.5 * (z_outer**2 - z_inner**2)), 0.0, 20.0)
    seen = np.minimum(pairs.inner_hu, pairs.top_hu)
    spread = np.sqrt((noise_hu**2 + (MODEL_ERROR * seen) ** 2) * (1.0 + magnified**2))
    # Half a square where it fits, a logarithm where it does not: texture and corners must not decide.
    inside = np.log1p(0.5 * ((pairs.inner_hu - expected) / spread) ** 2) + np.log(spread)
    beyond = -np.log(ndtr((expected - pairs.top_hu) / spread) + 0.02) + np.log(0.3 * pairs.top_hu)
    return float(np.mean(np.where(pairs.inner_hu < pairs.top_hu, inside, beyond)))
