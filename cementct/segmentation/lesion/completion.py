"""The border of a lesion continued through what hides it: the quadric that parts lesion from sound bone best.

A lesion grows round. Where cement hides its border, the ellipsoid-like surface is taken that separates what
is seen of it from what is seen of sound bone: logistic regression on second-order terms of the place.
"""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray
from cementct.core.grid import Grid
from cementct.segmentation.lesion.smoothing import grown

# Bone further than this from lesion and hidden parts says nothing about the border.
REACH_MM = 15.0
# Cement is injected into the lesion: so much of it lies there where nothing else is known.
HIDDEN_LESION_SHARE = 0.65
# How much that says, compared with tissue that is seen.
HIDDEN_WEIGHT = 0.3
# Places are measured in this length.
LENGTH_MM = 10.0
# Volume of tissue that counts as one independent observation.
PATCH_MM3 = 20.0
# Holds coefficients that nothing seen decides.
RIDGE = 0.1
# More sharpen nothing.
MOST_POINTS = 15_000
# Newton's steps, and the step that ends them.
ROUNDS, SETTLED = 25, 1e-3


def continue_border(
    lesion: Float32Array, *, weight: Float32Array, hidden: BoolArray, within: BoolArray, grid: Grid
) -> Float32Array:
    """Return the probability of each voxel to lie on the lesion's side of its continued border.

    Parameters
    ----------
    lesion
        Share of each voxel that is lesion, as far as it is seen.
    weight
        How far each voxel is seen, 0 to 1.
    hidden
        Cement.
    within
        The bone.
    grid
        Where the voxels lie.
    """
    out = np.zeros(lesion.shape, dtype=np.float32)
    subject = within & (hidden | ((lesion > 0.5) & (weight > 0)))
    if not subject.any():
        return out
    near = grown(subject, REACH_MM, grid) & within
    index = np.argwhere(near)
    middle = np.argwhere(subject).mean(axis=0)
    terms = _second_order_terms((index - middle) * np.asarray(grid.spacing_mm) / LENGTH_MM)
    label = np.where(hidden, np.float32(HIDDEN_LESION_SHARE), lesion)[near].astype(np.float64)
    say = np.where(hidden, np.float32(HIDDEN_WEIGHT), weight)[near].astype(np.float64)
    chosen = np.flatnonzero(say > 0.05)
    if chosen.size == 0:
        return out
    step = max(1, chosen.size // MOST_POINTS)
    chosen = chosen[::step]
    say *= step * grid.voxel_mm3 / PATCH_MM3
    coefficients = _logistic_regression(terms[chosen], label[chosen], say[chosen])
    out[near] = _logistic(terms @ coefficients)
    return out


def _second_order_terms(place: FloatArray) -> FloatArray:
    x, y, z = place.T
    return np.stack([np.ones(len(place)), x, y, z, x * x, y * y, z * z, x * y, x * z, y * z], axis=1)


def _logistic_regression(terms: FloatArray, label: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the coefficients of greatest posterior probability, by Newton's method."""
    ridge = np.full(terms.shape[1], RIDGE)
    ridge[0] = 0.01 * RIDGE
    coefficients = np.zeros(terms.shape[1])
    for _ in range(ROUNDS):
        probability = _logistic(terms @ coefficients)
        slope = terms.T @ (weight * (probability - label)) + ridge * coefficients
        bend = (terms * (weight * probability * (1 - probability))[:, None]).T @ terms + np.diag(ridge)
        step = np.linalg.solve(bend, slope)
        coefficients = coefficients - step
        if float(np.abs(step).max()) < SETTLED:
            break
    return coefficients


def _logistic(value: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-np.clip(value, -30, 30))), dtype=np.float64)
