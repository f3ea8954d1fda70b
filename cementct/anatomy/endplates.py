"""The endplates: upper and lower faces of the body within their rims."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cementct.anatomy.fields import crop_field, fit_surface, largest_patch, smooth_field
from cementct.anatomy.model import HeightField
from cementct.anatomy.sampling import Block, first_surface
from cementct.core.arrays import BoolArray, FloatArray

# The rim is where the face turns down the side: a place at the edge of the face that lies this far under the
# plane of the face belongs to the side, mm.
RIM_DROP_MM = 3.5
# Robust scale of the plane of a face: concavity and osteophytes lie off it, mm.
FACE_SCALE_MM = 1.5


def find_endplates(body: Block, *, voxel_mm: float) -> tuple[HeightField, HeightField]:
    """Return the superior and the inferior endplate of a body.

    Parameters
    ----------
    body
        The body alone, in its frame.
    voxel_mm
        Largest spacing of the mask it was sampled from; steps of that size are smoothed.
    """
    from_above = first_surface(body.bone[:, :, ::-1], body.superior_mm[::-1])
    from_below = first_surface(body.bone, body.superior_mm)
    sigma = 0.35 * voxel_mm / body.step_mm
    return _face(body, from_above, 1.0, sigma), _face(body, from_below, -1.0, sigma)


def _face(body: Block, heights: FloatArray, outward: float, sigma: float) -> HeightField:
    first, second = np.meshgrid(body.left_mm, body.posterior_mm, indexing="ij")
    plane = fit_surface(first, second, heights, curved=False, scale_mm=FACE_SCALE_MM)
    below = outward * (plane[0] + plane[1] * first + plane[2] * second - heights)
    known = np.isfinite(heights)
    side = known & (below > RIM_DROP_MM)
    outside = np.pad(~known, 1, constant_values=True)
    reached = _connected_to(np.pad(side, 1), outside)[1:-1, 1:-1]
    inside = largest_patch(known & ~reached)
    smooth = smooth_field(np.where(inside, heights, np.nan), sigma)
    return crop_field(body.left_mm, body.posterior_mm, smooth)


def _connected_to(mask: BoolArray, seed: BoolArray) -> BoolArray:
    grown = ndimage.binary_propagation(seed, mask=mask | seed)
    return np.asarray(grown & mask)


def face_normal(field: HeightField) -> FloatArray | None:
    """Return the upward normal (left, posterior, superior) of a face; None where it is too small to tell."""
    known = np.isfinite(field.height_mm)
    if np.count_nonzero(known) < 40:
        return None
    first, second = np.meshgrid(field.first_mm, field.second_mm, indexing="ij")
    plane = fit_surface(first, second, field.height_mm, curved=False, scale_mm=FACE_SCALE_MM)
    normal = np.array([-plane[1], -plane[2], 1.0])
    return np.asarray(normal / np.linalg.norm(normal))
