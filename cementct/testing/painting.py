"""Solids painted into a drawn patient by their signed distance in a vertebra's frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array
from cementct.testing.bone import Anatomy
from cementct.testing.column import PlacedVertebra, local_coordinates
from cementct.testing.shapes import Coordinates, coverage

Extent = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Solid:
    """A thing to be painted.

    Attributes
    ----------
    extent
        Block of local coordinates (left, posterior, superior; first and last) that holds it.
    distance
        Its signed distance at local coordinates.
    hu
        Its intensity.
    is_metal
        Whether cement cannot go there.
    outside_bone
        Whether it gives way to bone.
    """

    extent: Extent
    distance: Callable[[Coordinates], Float32Array]
    hu: float
    is_metal: bool = False
    outside_bone: bool = False


def paint_solid(anatomy: Anatomy, vertebra: PlacedVertebra, solid: Solid, metal: BoolArray) -> None:
    """Blend a solid into `anatomy.hu`, and mark it in `metal` where it is metal."""
    fine = anatomy.lattices.fine
    corners = np.array(np.meshgrid(*solid.extent)).reshape(3, -1).T
    box = fine.box_around(fine.to_index(vertebra.frame.to_lps(corners)), 2.0)
    if box.is_empty:
        return
    distance = solid.distance(local_coordinates(fine.crop(box), vertebra.frame))
    share = coverage(distance, float(np.mean(fine.spacing_mm)))
    if solid.outside_bone:
        share[anatomy.vertebrae[box.slices] > 0] = 0.0
    hu = anatomy.hu[box.slices]
    hu[...] = hu * (1 - share) + np.float32(solid.hu) * share
    if solid.is_metal:
        metal[box.slices] |= share >= 0.5
