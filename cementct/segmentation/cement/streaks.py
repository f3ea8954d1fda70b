"""Streaks: where beam hardening and metal make the image unreadable, and deposits that may be streaks."""

from __future__ import annotations

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray, Float32Array, FloatArray
from cementct.core.distances import distance_outside, within
from cementct.core.morphology import bounds_of
from cementct.segmentation.cement.scene import Scene
from cementct.segmentation.cement.surroundings import Surroundings

CompartmentNumbers = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

# Dense enough to throw streaks.
STREAK_SOURCE_HU = 2200.0
# Streaks disturb the plane of their source only, this far from it.
REACH_MM = 45.0
# Soft tissue this dark or this bright next to dense objects is disturbed, as is texture so much rougher than
# noise elsewhere.
DARK_HU = -220.0
BRIGHT_HU = 160.0
ROUGHER_THAN_NOISE = 3.5
ROUGHEST_CALM_HU = 75.0
WINDOW_MM = 4.0
# The blur of cement and bone is no streak: so far from either (mm).
CLEAR_OF_DENSE_MM = 2.5

# Beside metal, what is fainter than this and no farther away is its streak or its blur.
STREAK_UP_TO_HU = 1100.0
TOUCHES_METAL_MM = 3.0

# A deposit that may be a streak is fainter than these, in HU over its surroundings and as a share of the
# source's rise, …
FAINT_RISE_HU = 420.0
FAINT_SHARE = 0.30
# … its long axis in the plane points at a dense object within this distance of the line, …
LINE_MM = 3.0
# … and it is longer than wide by this factor.
STREAK_ELONGATION = 1.8


def find_streaks(scene: Scene, around: Surroundings, *, cement: BoolArray, metal: BoolArray) -> BoolArray:
    """Return where streaks make thin deposits unreadable; shape of the scene."""
    from scipy import ndimage

    dense = ((scene.hu > STREAK_SOURCE_HU) & cement) | metal
    unreadable = np.zeros(scene.hu.shape, dtype=np.bool_)
    slices = np.flatnonzero(dense.any(axis=(1, 2)))
    if slices.size == 0:
        return unreadable
    calm = tuple(max(1, round(WINDOW_MM / s)) for s in scene.spacing_mm[1:])
    limit = max(ROUGHER_THAN_NOISE * scene.noise_hu, ROUGHEST_CALM_HU)
    for z in slices:
        # Streaks are judged where it matters: canal, foramina and discs; air and bowel lie outside them.
        candidate = _judged(around.compartment[z])
        candidate &= (around.bone_depth_mm[z] < -CLEAR_OF_DENSE_MM) & ~cement[z]
        bounds = bounds_of((candidate | dense[z] | cement[z])[None], (0, *calm))
        if bounds is None or not candidate.any():
            continue
        _, y, x = bounds
        here = (int(z), y, x)
        plane: Float32Array = np.asarray(scene.hu[here])
        candidate = candidate[y, x]
        gap = distance_outside(dense[here] | cement[here], scene.spacing_mm[1:])
        candidate &= (gap > CLEAR_OF_DENSE_MM) & (gap < REACH_MM)
        weight = ndimage.uniform_filter(candidate.astype(np.float32), calm)
        mean = ndimage.uniform_filter(np.where(candidate, plane, 0.0), calm) / np.maximum(weight, 1e-3)
        square = ndimage.uniform_filter(np.where(candidate, plane**2, 0.0), calm) / np.maximum(weight, 1e-3)
        rough = np.sqrt(np.maximum(square - mean**2, 0.0)) > limit
        disturbed = candidate & (rough | (mean < DARK_HU) | (mean > BRIGHT_HU))
        unreadable[here] = ndimage.binary_opening(disturbed, iterations=1)
    return unreadable


def streaks_of_metal(
    scene: Scene, around: Surroundings, pieces: BoolArray, *, seeds: BoolArray, metal: BoolArray
) -> BoolArray:
    """Return the pieces of cement that are bright streaks of metal instead; shape of the scene.

    Outside bone, canal and foramina, what is faint, touches metal and is apart from cement beyond doubt is a
    streak or the blur of that metal.

    Parameters
    ----------
    scene, around
        The block of CT and its anatomy.
    pieces
        What was taken for cement, seeds included.
    seeds
        Cement beyond doubt.
    metal
        Metal with its blur.
    """
    import cc3d

    if not metal.any():
        return np.zeros(pieces.shape, dtype=np.bool_)
    labels = np.asarray(cc3d.connected_components(pieces, connectivity=26))
    count = int(labels.max())
    touching = np.unique(labels[within(metal, TOUCHES_METAL_MM, scene.spacing_mm)])
    spared = np.unique(labels[seeds])
    found = np.zeros(count + 1, dtype=np.bool_)
    neural = _judged(around.compartment)
    for number in touching[(touching > 0) & ~np.isin(touching, spared)]:
        where = labels == number
        outside = float(np.mean((around.bone_depth_mm[where] < 0) & ~neural[where]))
        found[number] = outside > 0.5 and float(np.percentile(scene.hu[where], 95)) < STREAK_UP_TO_HU
    return np.asarray(found[labels])


_JUDGED = [
    int(Compartment.CANAL),
    int(Compartment.FORAMEN_LEFT),
    int(Compartment.FORAMEN_RIGHT),
    int(Compartment.DISC),
]


def _judged(compartment: CompartmentNumbers) -> BoolArray:
    """Return where streaks matter."""
    found: BoolArray = np.asarray(compartment == _JUDGED[0])
    for kind in _JUDGED[1:]:
        found |= compartment == kind
    return found


def is_streak_like(
    scene: Scene, piece: BoolArray, dense: BoolArray, *, rise_hu: float, source_rise_hu: float
) -> bool:
    """Tell whether a faint piece lies in line with a dense object in its own slices.

    Parameters
    ----------
    scene
        The block of CT.
    piece
        The deposit, shape of the scene.
    dense
        Cement or metal that throws streaks, the piece left out.
    rise_hu
        Brightness of the piece over its surroundings.
    source_rise_hu
        The same of the cement it would have come from.
    """
    if rise_hu > max(FAINT_RISE_HU, FAINT_SHARE * source_rise_hu):
        return False
    index = np.argwhere(piece)
    slices = np.unique(index[:, 0])
    source = np.argwhere(dense[slices])
    if len(source) == 0 or len(index) < 4:
        return False
    step = np.asarray(scene.spacing_mm[1:])
    points: FloatArray = index[:, 1:] * step
    centre = points.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov((points - centre).T) + 1e-6 * np.eye(2))
    if np.sqrt(values[1] / max(values[0], 1e-6)) < STREAK_ELONGATION:
        return False
    axis = vectors[:, 1]
    offset = source[:, 1:] * step - centre
    along = offset @ axis
    across = np.abs(offset[:, 0] * axis[1] - offset[:, 1] * axis[0])
    in_line = (across < LINE_MM) & (np.abs(along) < REACH_MM)
    return bool(in_line.any())
