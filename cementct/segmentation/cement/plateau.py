"""The intensity of pure cement in a deposit that is thick enough to show it, also where it is clipped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array
from cementct.segmentation.cement.edges import fit_edges
from cementct.segmentation.cement.fields import mean_over
from cementct.segmentation.cement.scene import Scene
from cementct.segmentation.number_range import CLIP_SLACK_HU

# Over this distance the plateau of one deposit may vary: pure cement here, interdigitated there.
PLATEAU_SIGMA_MM = 2.5
# A core of fewer voxels does not show the plateau reliably.
FEWEST_CORE_VOXELS = 6
# Voxels of a core share noise and texture; so many count as one independent observation.
VOXELS_PER_OBSERVATION = 10.0
# Local means this near the clip hide a plateau beyond.
HIDDEN_FROM_CLIP_HU = 150.0
# A clipped plateau whose edges say nothing is taken as this multiple of the clip, give or take (relative sd).
UNSEEN_PLATEAU, UNSEEN_SD = 1.25, 0.2


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
    sd = float(np.clip(fit.plateau_sd_hu / fit.plateau_hu, 0.03, 0.4)) if fit is not None else UNSEEN_SD
    lifted = np.where(hidden, max(plateau_hu, scene.clip_hu), local).astype(np.float32)
    return Plateau(lifted, sd, clipped=True, sigma_mm=sigma)
