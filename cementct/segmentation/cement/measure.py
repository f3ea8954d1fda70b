"""How much cement: the share of every voxel, and the uncertainty of the sum, for pieces already found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.distances import distance_outside
from cementct.segmentation.cement.background import background_around
from cementct.segmentation.cement.measured import Measured, Piece
from cementct.segmentation.cement.partial_volume import (
    BULK_REACH_WIDTHS,
    EDGE_REACH_WIDTHS,
    BulkShare,
    Levels,
    bulk_share,
    core_of,
    correct_for_curvature,
    rescaled,
)
from cementct.segmentation.cement.plateau import FEWEST_CORE_VOXELS, plateau_of_bulk
from cementct.segmentation.cement.scene import Resolution, Scene
from cementct.segmentation.cement.sharpness import blur_beyond_voxels, measured_resolution
from cementct.segmentation.cement.thin_pieces import Source, find_thin_pieces, measure_thin
from cementct.segmentation.cement.uncertainty import Ground, sd_of_bulk_ml

# Bulk is drawn where it fills this share of a voxel.
DRAWN_SHARE = 0.5
# No trace of a deposit's blur is left this far (in FWHM) outside its half-height outline.
BLUR_REACH_WIDTHS = 1.5
# Cement outside bone that rises by less than this share of what it does in bone was thinned by blood.
THINNED_SHARE = 0.6


def measure_shares(  # noqa: PLR0913 -- a volume is measured from all that is known of its place
    scene: Scene,
    rough: BoolArray,
    expected_hu: Float32Array,
    *,
    in_bone: BoolArray,
    excluded: BoolArray,
    other_cement: BoolArray | None = None,
    known: BoolArray | None = None,
    doubt_hu: Float32Array | None = None,
) -> Measured:
    """Return the share of cement in each voxel of and around `rough`.

    Parameters
    ----------
    scene
        The block of CT; only this block is looked at.
    rough
        Cement, generously outlined (everything clearly above its surroundings).
    expected_hu
        Intensity to expect without cement.
    in_bone
        Where bone, and with it texture and cortex, surrounds the cement.
    excluded
        Metal: it takes no share.
    other_cement
        Cement that is measured apart from this; nothing is learned from it.
    known
        Where an earlier scan says what to expect; nowhere, if not given.
    doubt_hu
        By how much bone may be brighter than expected there; nothing, if not given.
    """
    doubt = np.zeros(rough.shape, dtype=np.float32) if doubt_hu is None else doubt_hu
    ground = Ground(in_bone, np.zeros_like(in_bone) if known is None else known, excluded)
    dense = rough if other_cement is None else rough | other_cement
    background = background_around(scene, expected_hu, dense=dense, excluded=excluded)
    share = np.zeros(rough.shape, dtype=np.float32)
    region = np.zeros(rough.shape, dtype=np.bool_)
    pieces: list[Piece] = []
    source = Source(None, scene.resolution)
    taken = np.zeros(rough.shape, dtype=np.bool_)
    for core in _parted_by_opacity(scene, core_of(scene, rough & ~excluded), background, ground.in_bone):
        bulk = _measure_bulk(
            scene, rough & ~taken, background, core=core & ~taken, ground=ground, doubt_hu=doubt, taken=taken
        )
        if bulk is None:
            continue
        bulk_share, piece, sharpness = bulk
        share = np.maximum(share, bulk_share)
        region |= bulk_share >= DRAWN_SHARE
        if not pieces:
            source = Source(piece.plateau_hu - piece.background_hu, sharpness)
        pieces.append(piece)
        taken |= piece.mask
    for mask, box in find_thin_pieces(rough & ~excluded, taken):
        near = distance_outside(mask, scene.in_widths[0:3])
        edge = (near <= EDGE_REACH_WIDTHS) & ~taken[box.slices] & ~excluded[box.slices]
        if not edge.any():
            continue  # a neighbour's blur reaches over all of it
        piece_share, drawn, piece = measure_thin(
            scene.crop(box),
            background[box.slices],
            mask=mask,
            near=edge,
            in_bone=in_bone[box.slices],
            source=source,
        )
        full = np.zeros(rough.shape, dtype=np.bool_)
        full[box.slices] = edge
        pieces.append(replace(piece, mask=full))
        share[box.slices] = np.where(edge, np.maximum(share[box.slices], piece_share), share[box.slices])
        region[box.slices] |= drawn
        taken = taken | full
    return Measured(share, region & ~excluded, tuple(pieces))


def _parted_by_opacity(
    scene: Scene, core: BoolArray, background: Float32Array, in_bone: BoolArray
) -> tuple[BoolArray, ...]:
    """Return the core, and apart from it what outside bone is thinned so much that its plateau is another."""
    outside = core & ~in_bone
    if not outside.any() or not (core & in_bone).any():
        return (core,)
    rise = scene.hu - background
    thinned = outside & (rise < THINNED_SHARE * float(np.median(rise[core & in_bone])))
    return core & ~thinned, thinned


def _measure_bulk(
    scene: Scene,
    rough: BoolArray,
    background: Float32Array,
    *,
    core: BoolArray,
    ground: Ground,
    doubt_hu: Float32Array,
    taken: BoolArray,
) -> tuple[Float32Array, Piece, Resolution] | None:
    """Return shares, piece and sharpness of everything thick enough to show its plateau, not yet taken."""
    if np.count_nonzero(core) < FEWEST_CORE_VOXELS:
        return None
    plateau = plateau_of_bulk(scene, rough, core, background)
    if plateau is None:
        return None
    levels = Levels(np.maximum(plateau.hu, background + 50.0), background)
    reach = distance_outside(core, scene.in_widths) <= BULK_REACH_WIDTHS
    half = rough & reach & (scene.hu > 0.5 * (levels.plateau_hu + levels.background_hu)) & ~ground.excluded
    half |= core
    to_outline = distance_outside(half, scene.in_widths)
    steep = bulk_share(
        scene, levels, to_outline=to_outline, core=core, in_bone=ground.in_bone, doubt_hu=doubt_hu
    )
    # Thinned cement outside bone, farther from this outline than its blur reaches, is a piece by itself.
    blurred = to_outline <= BLUR_REACH_WIDTHS
    mask = reach & (ground.in_bone | blurred | ~rough) & ~ground.excluded & ~taken
    share = np.where(mask, steep.share, 0.0).astype(np.float32)
    resolution = measured_resolution(scene, plateau.sigma_mm)
    factor = correct_for_curvature(
        BulkShare(share, steep.ramp_half), sigma_voxels=blur_beyond_voxels(scene, resolution)
    )
    share = rescaled(share, float(share.sum(dtype=np.float64)) * factor)
    volume = float(share.sum(dtype=np.float64)) * scene.voxel_ml
    plateau_hu = float(np.median(levels.plateau_hu[core]))
    background_hu = float(np.median(background[half])) if half.any() else 0.0
    sd = sd_of_bulk_ml(
        replace(scene, resolution=resolution),
        share,
        ground,
        rise_sd=plateau.sd,
        rise_hu=plateau_hu - background_hu,
        clipped=plateau.clipped,
    )
    return share, Piece(mask, plateau_hu, background_hu, volume, sd, plateau.clipped, thin=False), resolution
