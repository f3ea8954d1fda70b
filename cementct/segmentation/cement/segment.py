"""Find, measure and attribute all cement in a volume: the order of the steps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cementct.anatomy.model import Spine
from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.children import give_back_memory
from cementct.core.distances import Closeness, within
from cementct.core.grid import Box
from cementct.core.image import Volume
from cementct.core.threads import beside
from cementct.segmentation.before import EarlierScan
from cementct.segmentation.cement import bone_edges, learned_bone, other_bone
from cementct.segmentation.cement.attribution import Attribution, attribute
from cementct.segmentation.cement.beside_metal import blurred_metal, metal_voxels
from cementct.segmentation.cement.blocks import block_of, with_streaks, work_box
from cementct.segmentation.cement.bone_edges import brightest_cortex_hu
from cementct.segmentation.cement.by_source import (
    extended_sources,
    measure_by_source,
    up_to_metal,
)
from cementct.segmentation.cement.candidates import find_candidates
from cementct.segmentation.cement.deposits import describe_deposits
from cementct.segmentation.cement.doubts import raise_doubts, with_faint_cement, with_old_cement
from cementct.segmentation.cement.dull_bone import without_dull_bone
from cementct.segmentation.cement.exclusion import choose_cement
from cementct.segmentation.cement.explained import brighter_than_before, doubt_of_bone
from cementct.segmentation.cement.learned_bone import learn_bone
from cementct.segmentation.cement.other_bone import OtherBone, find_other_bone
from cementct.segmentation.cement.rims import without_rims
from cementct.segmentation.cement.scene import Scene, measure_noise, view_scene
from cementct.segmentation.cement.screening import suspicious_vertebrae
from cementct.segmentation.cement.seeds import Seeds, find_old_cement, find_seeds
from cementct.segmentation.cement.streaks import find_streaks, streaks_of_metal
from cementct.segmentation.cement.surroundings import Surroundings, describe_surroundings
from cementct.segmentation.metal import find_metal
from cementct.segmentation.model import Cement, ForeignBody

# Cement this near to metal touches it.
TOUCHING_MM = 1.5
# Wherever bone's looks are learned, how near cement and metal lie is asked up to this distance.
LEARNED_FROM_MM = max(part.CLEAR_OF_DENSE_MM for part in (bone_edges, learned_bone, other_bone))


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
    suspicious = suspicious_vertebrae(volume, spine, earlier)
    if not suspicious:
        return _no_cement(volume, spine)
    scene = view_scene(volume, work_box(spine, suspicious))
    around, foreign = beside(
        lambda: describe_surroundings(scene, spine, earlier),
        lambda: find_metal(scene.hu, scene.grid, scene.box),
    )
    metal = blurred_metal(scene, metal_voxels(scene, foreign))
    seeds = without_rims(scene, around, find_seeds(scene, around, excluded=metal))
    old = find_old_cement(scene, around, excluded=metal | _metal_before(scene, around), new=seeds)
    if not seeds.treated:
        return _no_cement(volume, spine, foreign=foreign, old=old)
    cement = _measure_all(scene, spine, around, seeds, foreign=foreign, metal=metal)
    faint = () if earlier is not None else tuple(n for n in seeds.faint if (cement.owner == n).any())
    return replace(cement, flags=with_faint_cement(with_old_cement(cement.flags, old), faint))


def _measure_all(
    scene: Scene,
    spine: Spine,
    bare: Surroundings,
    seeds: Seeds,
    *,
    foreign: tuple[ForeignBody, ...],
    metal: BoolArray,
) -> Cement:
    """Outline, attribute and measure everything that belongs to the seeds."""
    bright_hu = seeds.bright_hu
    other, around, cortex_hu = _learned(scene, bare, seeds, metal=metal)
    candidates = find_candidates(
        scene, around, seeds=seeds.mask, excluded=metal, other=other, cortex_hu=cortex_hu
    )
    # Never does a study hold more than now.
    del other
    give_back_memory()
    vertebrae = tuple(v for v in spine.vertebrae if v.number in seeds.treated)
    rough = choose_cement(scene, around, candidates, seeds=seeds.mask, treated=vertebrae, bright_hu=bright_hu)
    del candidates  # a third of the memory at hand
    # All that follows looks at the cement and what lies near it, a small part of what was searched.
    near = block_of(scene, rough | metal)
    close = _Close(scene.crop(near), around.crop(near), seeds.mask[near.slices], metal[near.slices])
    found = rough[near.slices]
    found &= ~streaks_of_metal(close.scene, close.around, found, seeds=close.seeds, metal=close.metal)
    first = attribute(close.scene, spine, close.around, found.astype(np.float32), treated=seeds.treated)
    # Only now: a leak's way back to its source may lead along that bone.
    found[...] = without_dull_bone(close.scene, close.around, found, seeds=close.seeds, treated=seeds.treated)
    doubt_hu = doubt_of_bone(scene, around, dense=rough | metal)
    cement, streaks = beside(
        lambda: _measured(
            close, spine, found, first, foreign, None if doubt_hu is None else doubt_hu[near.slices]
        ),
        lambda: find_streaks(scene, around, cement=rough, metal=metal),
    )
    return with_streaks(cement, scene.box, streaks)


def _learned(
    scene: Scene, bare: Surroundings, seeds: Seeds, *, metal: BoolArray
) -> tuple[OtherBone, Surroundings, float]:
    """Return other bone, the surroundings with what bone looks like, and how bright cortex is at the most."""
    to_dense = Closeness(seeds.mask | metal, LEARNED_FROM_MM, scene.spacing_mm)
    bright_hu = seeds.bright_hu
    # Other bone is told by depths alone, not by what bone is learned to look like.
    other, (around, cortex_hu) = beside(
        lambda: find_other_bone(
            scene, bare, seeds=seeds.mask, excluded=metal, to_dense=to_dense, bright_hu=bright_hu
        ),
        lambda: (
            learn_bone(scene, bare, to_dense=to_dense),
            brightest_cortex_hu(scene, bare, to_dense=to_dense, bright_hu=bright_hu),
        ),
    )
    return other, around, cortex_hu


@dataclass(frozen=True)
class _Close:
    """The part of a scene that holds cement and metal, with a margin.

    Attributes
    ----------
    scene, around
        The block of CT and its anatomy.
    seeds
        Cement beyond doubt.
    metal
        Metal with its blur.
    """

    scene: Scene
    around: Surroundings
    seeds: BoolArray
    metal: BoolArray


def _measured(
    close: _Close,
    spine: Spine,
    rough: BoolArray,
    first: Attribution,
    foreign: tuple[ForeignBody, ...],
    doubt_hu: Float32Array | None,
) -> Cement:
    """Return the shares of what was outlined and attributed, and what is known of its deposits."""
    scene, around, metal = close.scene, close.around, close.metal
    total = measure_by_source(scene, around, rough, first, metal=metal, doubt_hu=doubt_hu)
    total = up_to_metal(scene, total, foreign, metal)
    source = extended_sources(scene, first, total.share)
    deposits, properties = describe_deposits(
        scene, around, share=total.share, owner=source, pieces=total.pieces, metal=metal, attribution=first
    )
    foreign = tuple(_touching(scene, body, total.share > 0) for body in foreign)
    return Cement(
        box=scene.box,
        fraction=total.share,
        region=total.region,
        deposits=deposits,
        owner=source,
        properties=properties,
        foreign=foreign,
        streaks=np.zeros(scene.hu.shape, dtype=np.bool_),
        noise_hu=scene.noise_hu,
        flags=raise_doubts(spine, properties, foreign=foreign, attribution=first),
        known_share={
            n: float(np.mean(around.known[source == n])) for n in first.treated if (source == n).any()
        },
        new=brighter_than_before(scene, around),
    )


def _metal_before(scene: Scene, around: Surroundings) -> BoolArray:
    """Return the metal that an earlier scan shows, with its blur; shape of the scene."""
    if not around.known.any():
        return np.zeros(scene.hu.shape, dtype=np.bool_)
    hu = np.where(around.known, around.expected_hu, -1000.0).astype(np.float32)
    return blurred_metal(scene, metal_voxels(scene, find_metal(hu, scene.grid, scene.box)))


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
