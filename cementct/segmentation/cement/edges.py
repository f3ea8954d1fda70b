"""Edges of a dense deposit: how sharp the image is, and what plateau a clipped deposit hides.

Across an edge that a scanner blurs, the intensities of two neighbouring voxels are tied to each other by the
plateau and the kernel alone, wherever the edge lies between them. Pairs of unclipped voxels on the flank of a
deposit therefore tell both, without interpolation, though the plateau itself is cut off. Kernels are
Gaussians with or without the overshoot of edge enhancement: what a sharp kernel adds to the upper flank would
otherwise be taken for a higher plateau.
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
LARGEST_NUMBER_OF_PAIRS = 900
FEWEST_PAIRS = 40
# Pairs below this share of the visible rise are lost in the background's own texture and in cortex beside it.
LOWEST_SHARE = 0.22
# No cement is denser: 30 % BaSO4 or 45 % ZrO2 at 60 keV. [clinical.md, calc]
DENSEST_CEMENT_HU = 7000.0
# A plateau of more than twice the clip would have its half height, and with it its border, out of sight: a
# little below that the search for it ends, whatever the edges say.
MOST_OVER_CLIP = 1.9
# In-plane sharpness of body CT kernels as a Gaussian's standard deviation: bounds and steps of the search.
SIGMAS_MM = np.geomspace(0.24, 1.0, 16)
# What to expect before looking: a usual body kernel, give or take (relative standard deviation).
USUAL_SIGMA_MM, SIGMA_SPREAD = 0.47, 0.35
# Candidate plateaus of a clipped deposit, as a geometric series.
PLATEAUS = 18
# A clipped plateau that the edges leave open is about this high, give or take (relative standard deviation):
# cements that reach the clip lie between it and about 5000 HU. [clinical.md, calc: by hardened mass]
USUAL_PLATEAU_HU, PLATEAU_SPREAD = 3800.0, 0.22
# Where a border is rough or slanted the image shows it wider than the kernel: by these factors, and so many
# borders by each of them, for smooth, for rough, and for very rough deposits.
WIDENED = (1.0, 1.2, 1.5, 2.0)
HOW_MANY = ((0.88, 0.07, 0.03, 0.02), (0.50, 0.25, 0.15, 0.10), (0.25, 0.25, 0.25, 0.25))
# So many pairs are another structure altogether.
STRAY = 0.02
# Edge-enhancing kernels take a share of a second Gaussian, wider by this factor, away from the first: shares
# tried. 0.25 overshoots an edge by 5 %, which is about what bone kernels do.
SECOND_WIDTH = 1.8
OVERSHOOTS = (0.0, 0.25)
# Reach and number of the nodes at which an edge's profile is tabulated, in standard deviations.
PROFILE_REACH, PROFILE_NODES = 4.5, 181
# Errors of direction, curvature and background, as a share of the intensity.
MODEL_ERROR = 0.04
# Pairs share voxels and noise; so many of them count as one independent observation.
PAIRS_PER_OBSERVATION = 6.0
# However many pairs there are, the model's own errors leave no more than so many observations.
MOST_OBSERVATIONS = 60.0


@dataclass(frozen=True)
class EdgeFit:
    """What the edges of one deposit say.

    Attributes
    ----------
    plateau_hu, plateau_sd_hu
        The intensity the deposit's inside has, or would have without the clip.
    sigma_mm
        In-plane sharpness: standard deviation of the kernel that blurs the edge.
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

    `top_hu` is the excess from which on the inner one is cut off; `represented` counts the pairs that these
    were drawn from.
    """

    outer_hu: FloatArray
    inner_hu: FloatArray
    step_mm: FloatArray
    top_hu: FloatArray
    represented: int


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
        None where too few clean edges are in view, or nothing rises over its background.
    """
    pairs = _collect_pairs(scene, outline, background_hu, plateau_hu)
    if pairs is None:
        return None
    background = float(np.median(background_hu[outline])) if outline.any() else 0.0
    rise = plateau_hu - background
    if rise <= 0:
        return None
    rises = np.array([rise])
    if clipped:
        densest = min(DENSEST_CEMENT_HU, MOST_OVER_CLIP * plateau_hu)
        rises = np.geomspace(rise, densest - background, PLATEAUS)
    profiles = [edge_profile(share) for share in OVERSHOOTS]
    cost = np.array(
        [
            [[_misfit(pairs, r, s, profile, scene.noise_hu) for profile in profiles] for s in SIGMAS_MM]
            for r in rises
        ]
    )
    cost *= min(pairs.represented / PAIRS_PER_OBSERVATION, MOST_OBSERVATIONS)
    cost += 0.5 * (np.log(SIGMAS_MM / USUAL_SIGMA_MM) / SIGMA_SPREAD)[None, :, None, None] ** 2
    expected = np.log((rises + background) / USUAL_PLATEAU_HU) / PLATEAU_SPREAD
    cost += 0.5 * expected[:, None, None, None] ** 2
    weight = np.exp(-(cost - cost.min()))
    weight /= weight.sum()
    by_rise, by_kernel = weight.sum(axis=(1, 2, 3)), weight.sum(axis=(0, 3))
    mean = float(np.exp((by_rise * np.log(rises)).sum()))
    sd = float(np.sqrt((by_rise * (rises - mean) ** 2).sum()))
    # Overshoot takes from the variance of a kernel what its second Gaussian holds.
    left = np.sqrt(1.0 - np.asarray(OVERSHOOTS) * (SECOND_WIDTH**2 - 1.0))
    sigma = float(np.exp((by_kernel * np.log(SIGMAS_MM[:, None] * left)).sum()))
    return EdgeFit(background + mean, sd, sigma, pairs.represented)


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
    # Where the background is as bright as the plateau no flank is seen.
    lowest = np.maximum(LOWEST_SHARE * (plateau_hu - background_hu), 0.0)
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
    return _Pairs(outer_hu, inner_hu, step_mm, top_hu, pairs.shape[1])


@dataclass(frozen=True)
class EdgeProfile:
    """The image of a straight edge of height 1, by place in standard deviations of the kernel.

    Attributes
    ----------
    place, height
        The nodes; negative places lie outside.
    first, last
        Nodes between which it rises all the way: there height tells place.
    """

    place: FloatArray
    height: FloatArray
    first: int
    last: int

    def place_of(self, height: FloatArray) -> FloatArray:
        """Return where a height stands on the flank."""
        flank = slice(self.first, self.last + 1)
        return np.asarray(np.interp(height, self.height[flank], self.place[flank]), dtype=np.float64)

    def height_at(self, place: FloatArray) -> FloatArray:
        """Return the height at a place."""
        return np.asarray(np.interp(place, self.place, self.height), dtype=np.float64)

    def slope_at(self, place: FloatArray) -> FloatArray:
        """Return the change of height with place."""
        slope = np.gradient(self.height, self.place)
        return np.asarray(np.interp(place, self.place, slope), dtype=np.float64)


def edge_profile(overshoot: float) -> EdgeProfile:
    """Return the profile of a kernel that takes the share `overshoot` of a wider Gaussian away."""
    from scipy.special import ndtr

    place = np.linspace(-PROFILE_REACH, PROFILE_REACH, PROFILE_NODES)
    height = (1.0 + overshoot) * ndtr(place) - overshoot * ndtr(place / SECOND_WIDTH)
    return EdgeProfile(place, height, int(np.argmin(height)), int(np.argmax(height)))


def _misfit(
    pairs: _Pairs, rise_hu: float, sigma_mm: float, profile: EdgeProfile, noise_hu: float
) -> FloatArray:
    """Return the mean negative log likelihood of the inner voxels as told from the outer, for `HOW_MANY`."""
    from scipy.special import ndtr

    outer = profile.place_of(np.clip(pairs.outer_hu / rise_hu, 1e-3, 1 - 1e-3))
    slope = np.maximum(np.abs(profile.slope_at(outer)), 1e-3)
    seen = np.minimum(pairs.inner_hu, pairs.top_hu)
    noise = noise_hu**2 + (MODEL_ERROR * seen) ** 2
    by_width = np.empty((len(WIDENED), seen.size))
    for likelihood, factor in zip(by_width, WIDENED, strict=True):
        inner = outer + pairs.step_mm / (factor * sigma_mm)
        expected = rise_hu * profile.height_at(inner)
        # How an error of the outer voxel is magnified on its way to the inner one.
        magnified = np.minimum(np.abs(profile.slope_at(inner)) / slope, 20.0)
        spread = np.sqrt(noise * (1.0 + magnified**2))
        inside = np.exp(-0.5 * ((pairs.inner_hu - expected) / spread) ** 2) / (2.507 * spread)
        beyond = ndtr((expected - pairs.top_hu) / spread) / (0.3 * pairs.top_hu)
        likelihood[:] = np.where(pairs.inner_hu < pairs.top_hu, inside, beyond)
    mixed = (1 - STRAY) * np.asarray(HOW_MANY) @ by_width + STRAY / np.clip(pairs.top_hu, 500.0, 4000.0)
    return np.asarray(-np.log(mixed).mean(axis=1), dtype=np.float64)
