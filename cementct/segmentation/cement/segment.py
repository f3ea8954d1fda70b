"""Find, measure and attribute all cement in a volume: the order of the steps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cementct.anatomy.model import Spine
from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.distances import distance_outside, within
from cementct.core.grid import Box
from cementct.core.image import Volume
from cementct.core.morphology import bounds_of
from cementct.core.threads import beside, each
from cementct.segmentation.cement.attribution import Attribution, attribute
from cementct.segmentation.cement.beside_metal import blurred_metal, carry_to_metal, metal_voxels
from cementct.segmentation.cement.candidates import find_candidates
from cementct.segmentation.cement.deposits import describe_deposits
from cementct.segmentation.cement.doubts import raise_doubts, with_faint_cement, with_old_cement
from cementct.segmentation.cement.dull_bone import without_dull_bone
from cementct.segmentation.cement.exclusion import choose_cement
from cementct.segmentation.cement.explained import brightest_without_cement
from cementct.segmentation.cement.measure import Measured, Piece, measure_shares
from cementct.segmentation.cement.rims import without_rims
from cementct.segmentation.cement.scene import Scene, measure_noise, view_scene
from cementct.segmentation.cement.screening import suspicious_vertebrae
from cementct.segmentation.cement.seeds import Seeds, find_old_cement, find_seeds
from cementct.segmentation.cement.streaks import find_streaks, streaks_of_metal
from cementct.segmentation.cement.surroundings import Surroundings, describe_surroundings, learn_bone
from cementct.segmentation.metal import find_metal
from cementct.segmentation.model import Cement, EarlierScan, ForeignBody

# Leaks are looked for this far around the treated vertebrae and their neighbours: behind them runs the access
# track, before and beside them veins, whose farther branches are searched for remote deposits.
MARGIN_MM = 25.0
MARGIN_BEHIND_MM = 40.0
# Vertebrae above and below a treated one that are looked at as well: cement in canal and veins travels.
NEIGHBOURS = 2
# Each vertebra's cement is measured in a block with this margin: the reach of blur and of its background.
MEASURING_MARGIN_MM = 9.0
# Cement this near to metal touches it.
TOUCHING_MM = 1.5
# Bone's texture and cortex matter to a share within this distance of bone.
BONE_MARGIN_MM = 1.0


def segment_cement(volume: Volume, spine: Spine, *, earlier: EarlierScan | None = None) -> Cement:
    """Find all cement near the spine, its share of every voxel, and the vertebra it came from.

    Parameters
    ----------
    volume
        The post-injection volume, in canonical order.
    spine
        Its vertebrae and compartments, on the same grid.
    earlier
        The scan before injection, carried onto this grid; cement that it shows already counts nowhere.

    Returns
    -------
    Cement
        Arrays cover the smallest block with all cement and streaks; with no cement they are empty of it.
    """
    suspicious = suspicious_vertebrae(volume, spine)
    if not suspicious:
        return _no_cement(volume, spine)
    scene = view_scene(volume, _work_box(spine, suspicious))
    around, foreign = beside(
        lambda: describe_surroundings(scene, spine, earlier),
        lambda: find_metal(scene.hu, scene.grid, scene.box),
    )
    metal = blurred_metal(scene, metal_voxels(scene, foreign))
    seeds = without_rims(scene, around, find_seeds(scene, around, excluded=metal))
    old = find_old_cement(scene, around, excluded=metal | _metal_before(scene, around), new=seeds)
    if not seeds.treated:
        return _no_cement(volume, spine, foreign=foreign, old=old)
    around = learn_bone(scene, around, dense=seeds.mask | metal)
    cement = _measure_all(scene, spine, around, seeds, foreign=foreign, metal=metal)
    faint = () if earlier is not None else tuple(n for n in seeds.faint if (cement.owner == n).any())
    return _trimmed(replace(cement, flags=with_faint_cement(with_old_cement(cement.flags, old), faint)))


@dataclass(frozen=True)
class _Sum:
    """Shares, outline and pieces of all vertebrae together."""

    share: Float32Array
    region: BoolArray
    pieces: tuple[tuple[int, Piece, Box], ...]


def _measure_all(
    scene: Scene,
    spine: Spine,
    around: Surroundings,
    seeds: Seeds,
    *,
    foreign: tuple[ForeignBody, ...],
    metal: BoolArray,
) -> Cement:
    """Outline, attribute and measure everything that belongs to the seeds."""
    candidates = find_candidates(scene, around, seeds=seeds.mask, excluded=metal, bright_hu=seeds.bright_hu)
    vertebrae = tuple(v for v in spine.vertebrae if v.number in seeds.treated)
    rough = choose_cement(
        scene, around, candidates, seeds=seeds.mask, treated=vertebrae, bright_hu=seeds.bright_hu
    )
    del candidates  # a third of the memory at hand
    rough &= ~streaks_of_metal(scene, around, rough, seeds=seeds.mask, metal=metal)
    first = attribute(scene, spine, around, rough.astype(np.float32), treated=seeds.treated)
    # Only now: a leak's way back to its source may lead along that bone.
    rough = without_dull_bone(scene, around, rough, seeds=seeds.mask, treated=seeds.treated)
    total = _up_to_metal(scene, _measure_by_source(scene, around, rough, first, metal=metal), foreign, metal)
    source = _extended(scene, first, total.share)
    streaks = find_streaks(scene, around, cement=rough, metal=metal)
    deposits, properties = describe_deposits(
        scene, around, share=total.share, owner=source, pieces=total.pieces, metal=metal, shared=first.shared
    )
    foreign = tuple(_touching(scene, body, total.share > 0) for body in foreign)
    flags = raise_doubts(spine, properties, foreign=foreign, attribution=first)
    return Cement(
        box=scene.box,
        fraction=total.share,
        region=total.region,
        deposits=deposits,
        owner=source,
        properties=properties,
        foreign=foreign,
        streaks=streaks,
        noise_hu=scene.noise_hu,
        flags=flags,
        known_share={
            n: float(np.mean(around.known[source == n])) for n in first.treated if (source == n).any()
        },
    )


def _measure_by_source(
    scene: Scene, around: Surroundings, rough: BoolArray, first: Attribution, *, metal: BoolArray
) -> _Sum:
    """Measure the cement of each source in a block of its own, with its own plateau."""
    share = np.zeros(rough.shape, dtype=np.float32)
    region = np.zeros(rough.shape, dtype=np.bool_)
    pieces: list[tuple[int, Piece, Box]] = []
    in_bone = around.bone_depth_mm > -BONE_MARGIN_MM
    brightest = brightest_without_cement(scene, around, dense=rough | metal)
    doubt_hu = np.maximum(brightest - around.expected_hu, 0.0).astype(np.float32)

    def measured(number: int) -> tuple[Measured, Box] | None:
        index = np.argwhere(rough & (first.owner == number))
        if not index.size:
            return None
        box = scene.grid.box_around(index, MEASURING_MARGIN_MM)
        window = box.slices
        own = rough[window] & (first.owner[window] == number)
        other = rough[window] & ~own
        found = measure_shares(
            scene.crop(box),
            own,
            around.expected_hu[window],
            in_bone=in_bone[window],
            excluded=metal[window],
            other_cement=other,
            known=around.known[window],
            doubt_hu=doubt_hu[window],
        )
        return _without(found, scene.spacing_mm, own, other), box

    for number, result in zip(first.treated, each(measured, first.treated), strict=True):
        if result is None:
            continue
        found, box = result
        share[box.slices] = np.maximum(share[box.slices], found.share)
        region[box.slices] |= found.region
        pieces += [(number, piece, box) for piece in found.pieces]
    return _Sum(share, region, tuple(pieces))


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


def _extended(
    scene: Scene, first: Attribution, share: Float32Array
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    """Give every voxel with a share the source of the nearest outlined cement."""
    if len(first.treated) == 1:
        return np.where(share > 0, first.treated[0], 0).astype(np.uint16)
    found = np.zeros(share.shape, dtype=np.uint16)
    index = np.argwhere(share > 0)
    if len(index) == 0:
        return found
    box = scene.grid.box_around(index, MEASURING_MARGIN_MM)
    window = box.slices
    gaps = np.stack([distance_outside(first.owner[window] == n, scene.spacing_mm) for n in first.treated])
    nearest = np.asarray(first.treated, dtype=np.uint16)[np.argmin(gaps, axis=0)]
    found[window] = np.where(share[window] > 0, nearest, 0)
    return found


def _trimmed(cement: Cement) -> Cement:
    """Return the same cement in the smallest block that holds all of it and its streaks."""
    window = bounds_of((cement.fraction > 0) | cement.region | (cement.owner > 0) | cement.streaks)
    if window is None:
        return cement
    return replace(
        cement,
        box=Box.of(window).placed_in(cement.box),
        fraction=cement.fraction[window].copy(),
        region=cement.region[window].copy(),
        deposits=cement.deposits[window].copy(),
        owner=cement.owner[window].copy(),
        streaks=cement.streaks[window].copy(),
    )


def _metal_before(scene: Scene, around: Surroundings) -> BoolArray:
    """Return the metal that an earlier scan shows, with its blur; shape of the scene."""
    if not around.known.any():
        return np.zeros(scene.hu.shape, dtype=np.bool_)
    hu = np.where(around.known, around.expected_hu, -1000.0).astype(np.float32)
    return blurred_metal(scene, metal_voxels(scene, find_metal(hu, scene.grid, scene.box)))


def _up_to_metal(scene: Scene, total: _Sum, foreign: tuple[ForeignBody, ...], blurred: BoolArray) -> _Sum:
    """Return shares and outline carried through metal's blur up to the metal itself."""
    if not foreign:
        return total
    metal = metal_voxels(scene, foreign)
    share = carry_to_metal(total.share, scene, metal=metal, blurred=blurred)
    region = carry_to_metal(total.region.astype(np.float32), scene, metal=metal, blurred=blurred) > 0
    return _Sum(share, np.asarray(region), total.pieces)


def _touching(scene: Scene, body: ForeignBody, cement: BoolArray) -> ForeignBody:
    """Return the foreign body with the note whether cement lies against it."""
    metal = blurred_metal(scene, body.region.in_box(scene.box))
    near = within(metal, TOUCHING_MM, scene.spacing_mm)
    return ForeignBody(
        body.kind,
        body.region,
        body.tip_lps_mm,
        body.direction_lps,
        touches_cement=bool((near & cement).any()),
    )


def _work_box(spine: Spine, numbers: tuple[int, ...]) -> Box:
    """Return the block around some vertebrae and their neighbours in which cement is looked for."""
    positions = {v.position for v in spine.vertebrae if v.number in numbers}
    near = [v for v in spine.vertebrae if min(abs(v.position - p) for p in positions) <= NEIGHBOURS]
    box = near[0].whole.box
    for vertebra in near[1:]:
        box = box.union(vertebra.whole.box)
    around = spine.grid.expand(box, MARGIN_MM)
    behind = spine.grid.expand(box, MARGIN_BEHIND_MM)
    (z, y, x), (z_end, _, x_end) = around.start, around.stop
    return Box((z, y, x), (z_end, behind.stop[1], x_end))


def _no_cement(
    volume: Volume, spine: Spine, *, foreign: tuple[ForeignBody, ...] = (), old: tuple[int, ...] = ()
) -> Cement:
    """Return the result for a volume without cement; its arrays cover the compartments."""
    box = spine.compartments.box
    if box.is_empty:
        box = Box((0, 0, 0), (1, 1, 1))
    shape = box.shape
    noise = measure_noise(np.asarray(volume.hu[box.slices], dtype=np.float32))
    return Cement(
        box=box,
        fraction=np.zeros(shape, dtype=np.float32),
        region=np.zeros(shape, dtype=np.bool_),
        deposits=np.zeros(shape, dtype=np.uint16),
        owner=np.zeros(shape, dtype=np.uint16),
        properties=(),
        foreign=foreign,
        streaks=np.zeros(shape, dtype=np.bool_),
        noise_hu=noise,
        flags=with_old_cement({}, old),
    )
