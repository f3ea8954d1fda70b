"""How much cement: the share of every voxel, and the uncertainty of the sum, for pieces already found."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.distances import distance_outside
from cementct.core.grid import Box
from cementct.segmentation.cement.background import background_around
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
from cementct.segmentation.cement.thin import ThinImage, opacity_of_thin
from cementct.segmentation.cement.uncertainty import Ground, sd_of_bulk_ml, sd_of_thin_ml

# A thin piece is drawn in label maps where it exceeds this share of its own local peak.
HALF_HEIGHT = 0.5
# Excess under this many standard deviations of noise is not drawn.
DRAWN_SIGMAS = 3.0
# So far (in FWHM) around a voxel its local peak is looked for.
PEAK_REACH_WIDTHS = 1.0
# Thin remainders of fewer voxels at the rim of bulk are the bulk's own edge.
FEWEST_THIN_VOXELS = 2


@dataclass(frozen=True)
class Piece:
    """One stretch of cement that was measured with one method.

    Attributes
    ----------
    mask
        Voxels that may hold a share of it, shape of the scene.
    plateau_hu, background_hu
        Mean intensities of pure cement and of the surroundings.
    volume_ml, sd_ml
        Its volume, and the standard deviation of that.
    clipped
        Whether the number range hides the plateau.
    thin
        Whether it is too thin to show its plateau.
    """

    mask: BoolArray
    plateau_hu: float
    background_hu: float
    volume_ml: float
    sd_ml: float
    clipped: bool
    thin: bool


@dataclass(frozen=True)
class Measured:
    """Shares of all voxels of a scene, and the pieces they come from.

    Attributes
    ----------
    share
        0 to 1, shape of the scene.
    region
        The half-height outline.
    pieces
        What was measured, piece by piece.
    """

    share: Float32Array
    region: BoolArray
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class _Source:
    """What thick cement says about the thin cement that came from it.

    Attributes
    ----------
    rise_hu
        Its opacity over its surroundings, or None where there is no thick cement.
    resolution
        How sharp its edges are.
    """

    rise_hu: float | None
    resolution: Resolution


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
    core = core_of(scene, rough & ~excluded)
    bulk = _measure_bulk(scene, rough, background, core=core, ground=ground, doubt_hu=doubt)
    share = np.zeros(rough.shape, dtype=np.float32)
    region = np.zeros(rough.shape, dtype=np.bool_)
    pieces: list[Piece] = []
    source = _Source(None, scene.resolution)
    taken = np.zeros(rough.shape, dtype=np.bool_)
    if bulk is not None:
        share, piece, sharpness = bulk
        region = share >= HALF_HEIGHT
        pieces.append(piece)
        source = _Source(piece.plateau_hu - piece.background_hu, sharpness)
        taken = piece.mask
    for mask, box in _thin_pieces(rough & ~excluded, taken):
        near = distance_outside(mask, scene.in_widths[0:3])
        edge = (near <= EDGE_REACH_WIDTHS) & ~taken[box.slices] & ~excluded[box.slices]
        if not edge.any():
            continue  # a neighbour's blur reaches over all of it
        piece_share, drawn, piece = _measure_thin(
            scene.crop(box),
            background[box.slices],
            mask=mask,
            near=edge,
            in_bone=in_bone[box.slices],
            source=source,
        )
        full = np.zeros(rough.shape, dtype=np.bool_)
        full[box.slices] = edge
        pieces.append(
            Piece(
                full,
                piece.plateau_hu,
                piece.background_hu,
                piece.volume_ml,
                piece.sd_ml,
                piece.clipped,
                thin=True,
            )
        )
        share[box.slices] = np.where(edge, np.maximum(share[box.slices], piece_share), share[box.slices])
        region[box.slices] |= drawn
        taken = taken | full
    return Measured(share, region & ~excluded, tuple(pieces))


def _measure_bulk(
    scene: Scene,
    rough: BoolArray,
    background: Float32Array,
    *,
    core: BoolArray,
    ground: Ground,
    doubt_hu: Float32Array,
) -> tuple[Float32Array, Piece, Resolution] | None:
    """Return shares, piece and sharpness of everything thick enough to show its plateau."""
    if np.count_nonzero(core) < FEWEST_CORE_VOXELS:
        return None
    plateau = plateau_of_bulk(scene, rough, core, background)
    if plateau is None:
        return None
    levels = Levels(np.maximum(plateau.hu, background + 50.0), background)
    reach = distance_outside(core, scene.in_widths) <= BULK_REACH_WIDTHS
    half = rough & reach & (scene.hu > 0.5 * (levels.plateau_hu + levels.background_hu)) & ~ground.excluded
    half |= core
    steep = bulk_share(scene, levels, outline=half, core=core, in_bone=ground.in_bone, doubt_hu=doubt_hu)
    mask = reach & ~ground.excluded
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


def _block_of(mask: BoolArray) -> tuple[slice, slice, slice]:
    """Return the block that holds a mask; everything where that is empty."""
    from scipy import ndimage

    found = ndimage.find_objects(mask.astype(np.uint8))
    z, y, x = found[0] if found else (slice(None), slice(None), slice(None))
    return z, y, x


def _thin_pieces(rough: BoolArray, taken: BoolArray) -> list[tuple[BoolArray, Box]]:
    """Return what bulk has not taken, piece by piece, each with the block (with a margin) it lies in."""
    import cc3d

    labels, count = cc3d.connected_components(rough & ~taken, connectivity=26, return_N=True)
    if count == 0:
        return []
    statistics = cc3d.statistics(labels)
    found = []
    for number in range(1, count + 1):
        if statistics["voxel_counts"][number] < FEWEST_THIN_VOXELS and taken.any():
            continue
        block = statistics["bounding_boxes"][number]
        start = tuple(max(s.start - 8, 0) for s in block)
        stop = tuple(min(s.stop + 8, n) for s, n in zip(block, rough.shape, strict=True))
        box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
        found.append((np.asarray(labels[box.slices] == number), box))
    return found


def _measure_thin(
    scene: Scene,
    background: Float32Array,
    *,
    mask: BoolArray,
    near: BoolArray,
    in_bone: BoolArray,
    source: _Source,
) -> tuple[Float32Array, BoolArray, Piece]:
    """Return shares, outline and the piece for cement that never reaches its plateau."""
    from scipy import ndimage

    excess = (scene.hu - background).astype(np.float32)
    z, y, x = (s / d for s, d in zip(source.resolution.sigma_mm, scene.spacing_mm, strict=True))
    background_hu = float(np.median(background[near])) if near.any() else float(np.median(background))
    block = _block_of(near)
    opacity = opacity_of_thin(
        ThinImage(
            excess[block],
            near[block],
            sigma_voxels=(z, y, x),
            spacing_mm=scene.spacing_mm,
            noise_hu=scene.noise_hu,
            clip_excess_hu=None if scene.clip_hu is None else scene.clip_hu - background_hu,
        ),
        source_rise_hu=source.rise_hu,
    )
    rise, rise_sd, target = opacity.rise_hu, opacity.sd, opacity.volume_voxels
    raw = np.where(near, excess / rise, 0.0)
    share = rescaled(np.clip(raw, 0.0, 1.0).astype(np.float32), target)
    size = tuple(2 * max(1, round(PEAK_REACH_WIDTHS / w)) + 1 for w in scene.in_widths)
    peak = ndimage.maximum_filter(np.where(mask, excess, 0.0), size=size)
    drawn = near & (excess >= HALF_HEIGHT * peak) & (excess > DRAWN_SIGMAS * scene.noise_hu) & (peak > 0)
    volume = float(share.sum(dtype=np.float64)) * scene.voxel_ml
    clipped = scene.clip_hu is not None and bool((scene.hu[mask] >= scene.clip_hu).any())
    sd = sd_of_thin_ml(scene, volume, near=near, in_bone=in_bone, rise_hu=rise, rise_sd=rise_sd)
    return share, drawn, Piece(near, background_hu + rise, background_hu, volume, sd, clipped, thin=True)
