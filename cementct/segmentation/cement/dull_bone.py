"""Dense bone that hangs on cement in a body: a lesion's rim, sclerosis under an endplate, compressed bone."""

from __future__ import annotations

import math

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray
from cementct.core.distances import distance_outside
from cementct.core.grid import Box
from cementct.core.morphology import bounds_of, dilate_box
from cementct.segmentation.cement.partial_volume import EDGE_REACH_WIDTHS
from cementct.segmentation.cement.scene import Scene
from cementct.segmentation.cement.surroundings import Surroundings

# Cement of one mix is as opaque throughout. What lies out of reach of the blur of brighter cement and rises
# by less than this share of the seeds' rise is bone that stands out as well.
DULL_SHARE = 0.6
# So far around a body brighter cement is looked for, mm: more than its blur reaches.
MARGIN_MM = 4.0
# Looked at in an image smoothed in the plane by so much.
SMOOTH_MM = 0.5


def without_dull_bone(
    scene: Scene, around: Surroundings, rough: BoolArray, *, seeds: BoolArray, treated: tuple[int, ...]
) -> BoolArray:
    """Return cement without the dense bone of bodies that hangs on it.

    Where an earlier scan is known bone is told by that, and nothing is taken away.

    Parameters
    ----------
    scene, around
        The block of CT and its anatomy.
    rough
        Cement, generously outlined.
    seeds
        Cement beyond doubt.
    treated
        Numbers of the treated vertebrae.
    """
    kept = rough.copy()
    bodies = around.is_in(Compartment.BODY)
    window = bounds_of((rough | seeds) & bodies, [math.ceil(MARGIN_MM / s) for s in scene.spacing_mm])
    if window is None:
        return kept
    box = Box.of(window)
    scene, around, bodies = scene.crop(box), around.crop(box), bodies[window]
    rises = _rises_hu(scene, around, seeds[window] & bodies, treated)
    if not rises:
        return kept
    lowest_hu = min(rises.values())
    for number in np.unique(around.owner[rough[window] & bodies]).tolist():
        body = bodies & (around.owner == number)
        least_hu = DULL_SHARE * rises.get(number, lowest_hu)
        kept[window] &= ~_dull(scene, around, rough[window], body, least_hu)
    return kept


def _rises_hu(
    scene: Scene, around: Surroundings, seeds: BoolArray, treated: tuple[int, ...]
) -> dict[int, float]:
    """Return how far the seeds of each treated vertebra rise over the bone around them."""
    found = {}
    for number in treated:
        own = seeds & (around.owner == number)
        if own.any():
            found[number] = float(np.median(scene.hu[own] - around.expected_hu[own]))
    return found


def _dull(
    scene: Scene, around: Surroundings, rough: BoolArray, body: BoolArray, least_hu: float
) -> BoolArray:
    """Return what of a body's cement is fainter than cement and not blurred from what is not."""
    from scipy import ndimage

    found = np.zeros_like(rough)
    window = bounds_of(rough & body, [math.ceil(MARGIN_MM / s) for s in scene.spacing_mm])
    if window is None:
        return found
    sigma = [0.0, *(SMOOTH_MM / s for s in scene.spacing_mm[1:])]
    excess = ndimage.gaussian_filter(scene.hu[window], sigma) - around.expected_hu[window]
    bright = rough[window] & (excess >= least_hu)
    blurred = distance_outside(bright, scene.in_widths) <= EDGE_REACH_WIDTHS
    blurred |= dilate_box(bright, (3, 3, 3))
    found[window] = rough[window] & body[window] & ~around.known[window] & ~blurred
    return found
