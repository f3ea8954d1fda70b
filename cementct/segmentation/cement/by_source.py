"""The cement of each source, measured in a block of its own and put together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.distances import distance_outside
from cementct.core.grid import Box
from cementct.core.morphology import bounds_of
from cementct.core.threads import each
from cementct.segmentation.cement.attribution import Attribution
from cementct.segmentation.cement.beside_metal import carry_to_metal, metal_voxels
from cementct.segmentation.cement.measure import measure_shares
from cementct.segmentation.cement.measured import Measured, Piece
from cementct.segmentation.cement.scene import Scene
from cementct.segmentation.cement.surroundings import Surroundings
from cementct.segmentation.model import ForeignBody

# Each vertebra's cement is measured in a block with this margin: the reach of blur and of its background.
MEASURING_MARGIN_MM = 9.0
# Bone's texture and cortex matter to a share within this distance of bone.
BONE_MARGIN_MM = 1.0

SourceNumbers = np.ndarray[tuple[int, ...], np.dtype[np.uint16]]


@dataclass(frozen=True)
class MeasuredTogether:
    """Shares, outline and pieces of all vertebrae together.

    Attributes
    ----------
    share, region
        Of each voxel, and the half-height outline; shape of the scene.
    pieces
        Number of the source, what was measured, and its block on the scene's grid.
    """

    share: Float32Array
    region: BoolArray
    pieces: tuple[tuple[int, Piece, Box], ...]


def measure_by_source(
    scene: Scene,
    around: Surroundings,
    rough: BoolArray,
    first: Attribution,
    *,
    metal: BoolArray,
    doubt_hu: Float32Array | None,
) -> MeasuredTogether:
    """Measure the cement of each source in a block of its own, with its own plateau.

    Parameters
    ----------
    scene, around
        The block of CT and its anatomy.
    rough
        Cement, generously outlined.
    first
        Its sources.
    metal
        Metal with its blur.
    doubt_hu
        By how much bone may be brighter than expected; nowhere, if not given.
    """
    share = np.zeros(rough.shape, dtype=np.float32)
    region = np.zeros(rough.shape, dtype=np.bool_)
    pieces: list[tuple[int, Piece, Box]] = []

    def measured(number: int) -> tuple[Measured, Box] | None:
        bounds = bounds_of(rough & (first.owner == number))
        if bounds is None:
            return None
        box = scene.grid.expand(Box.of(bounds), MEASURING_MARGIN_MM)
        window = box.slices
        own = rough[window] & (first.owner[window] == number)
        other = rough[window] & ~own
        found = measure_shares(
            scene.crop(box),
            own,
            around.expected_hu[window],
            in_bone=around.bone_depth_mm[window] > -BONE_MARGIN_MM,
            excluded=metal[window],
            other_cement=other,
            known=around.known[window],
            doubt_hu=None if doubt_hu is None else doubt_hu[window],
        )
        return _without(found, scene.spacing_mm, own, other), box

    for number, result in zip(first.treated, each(measured, first.treated), strict=True):
        if result is None:
            continue
        found, box = result
        share[box.slices] = np.maximum(share[box.slices], found.share)
        region[box.slices] |= found.region
        pieces += [(number, piece, box) for piece in found.pieces]
    return MeasuredTogether(share, region, tuple(pieces))


def _without(
    found: Measured, spacing_mm: tuple[float, float, float], own: BoolArray, other: BoolArray
) -> Measured:
    """Leave to other sources the voxels that lie nearer to their cement."""
    if not other.any():
        return found
    nearer = distance_outside(own, spacing_mm) <= distance_outside(other, spacing_mm)
    return Measured(
        np.where(nearer, found.share, 0.0).astype(np.float32), found.region & nearer, found.pieces
    )


def extended_sources(scene: Scene, first: Attribution, share: Float32Array) -> SourceNumbers:
    """Give every voxel with a share the source of the nearest outlined cement."""
    if len(first.treated) == 1:
        return np.where(share > 0, first.treated[0], 0).astype(np.uint16)
    found = np.zeros(share.shape, dtype=np.uint16)
    window = bounds_of((share > 0) | (first.owner > 0))
    if window is None:
        return found
    gaps = np.stack([distance_outside(first.owner[window] == n, scene.spacing_mm) for n in first.treated])
    nearest = np.asarray(first.treated, dtype=np.uint16)[np.argmin(gaps, axis=0)]
    found[window] = np.where(share[window] > 0, nearest, 0)
    return found


def up_to_metal(
    scene: Scene, total: MeasuredTogether, foreign: tuple[ForeignBody, ...], blurred: BoolArray
) -> MeasuredTogether:
    """Return shares and outline carried through metal's blur up to the metal itself."""
    if not foreign:
        return total
    metal = metal_voxels(scene, foreign)
    share = carry_to_metal(total.share, scene, metal=metal, blurred=blurred)
    region = carry_to_metal(total.region.astype(np.float32), scene, metal=metal, blurred=blurred) > 0
    return MeasuredTogether(share, np.asarray(region), total.pieces)
