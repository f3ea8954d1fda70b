"""Cement that the user drew: taken as it is, and divided among the vertebrae like cement that was found."""

from __future__ import annotations

import numpy as np

from cementct.anatomy.model import Spine
from cementct.core.arrays import BoolArray
from cementct.core.distances import distance_outside
from cementct.core.grid import Box
from cementct.core.image import LabelMap, Region, Volume
from cementct.segmentation.cement.attribution import Attribution, attribute
from cementct.segmentation.cement.deposits import describe_deposits
from cementct.segmentation.cement.doubts import raise_doubts
from cementct.segmentation.cement.measured import Piece
from cementct.segmentation.cement.scene import Scene, view_scene
from cementct.segmentation.cement.streaks import find_streaks
from cementct.segmentation.cement.surroundings import describe_surroundings
from cementct.segmentation.model import Cement

# Around the mask this much is looked at: the reach of streaks and of the background.
MARGIN_MM = 15.0
# Where a reader draws a border, against where it lies; the standard deviation between readers.
BORDER_SD_MM = 0.3
# The surroundings of a piece are looked at between these distances from it.
RING_MM = (1.5, 4.0)


def cement_from_mask(volume: Volume, spine: Spine, drawn: LabelMap) -> Cement:
    """Return drawn cement with its sources.

    Parameters
    ----------
    volume
        The post-injection volume.
    spine
        Its vertebrae.
    drawn
        On the volume's grid. Where every number in it is that of a vertebra in view, it names the source;
        else any number but 0 is cement, and sources are found by following it back to the bone.
    """
    mask = np.asarray(drawn.labels > 0)
    region = Region.of(mask)
    box = spine.compartments.box
    if not region.is_empty:
        box = volume.grid.expand(region.box, MARGIN_MM).union(box)
    if box.is_empty:
        box = Box((0, 0, 0), (1, 1, 1))
    scene = view_scene(volume, box)
    inside = np.asarray(mask[box.slices])
    share = inside.astype(np.float32)
    around = describe_surroundings(scene, spine, None)
    numbers = {v.number for v in spine.vertebrae}
    if numbers and set(drawn.numbers()) <= numbers:
        owner = np.asarray(drawn.labels[box.slices], dtype=np.uint16)
        sources = Attribution(owner, tuple(drawn.numbers()), ())
    else:
        bearing = tuple(v.number for v in spine.vertebrae if (inside & (around.owner == v.number)).any())
        sources = attribute(scene, spine, around, share, treated=bearing)
    nothing = np.zeros(box.shape, dtype=np.bool_)
    pieces = tuple(
        (number, _piece(scene, inside & (sources.owner == number)), Box((0, 0, 0), box.shape))
        for number in sources.treated
    )
    deposits, properties = describe_deposits(
        scene,
        around,
        share=share,
        owner=np.asarray(sources.owner, dtype=np.uint16),
        pieces=pieces,
        metal=nothing,
        attribution=sources,
    )
    return Cement(
        box=box,
        fraction=share,
        region=inside,
        deposits=deposits,
        owner=np.asarray(sources.owner, dtype=np.uint16),
        properties=properties,
        foreign=(),
        streaks=find_streaks(scene, around, cement=inside, metal=nothing),
        noise_hu=scene.noise_hu,
        flags=raise_doubts(spine, properties, foreign=(), attribution=sources),
        drawn=True,
    )


def _piece(scene: Scene, mask: BoolArray) -> Piece:
    """Return what is known of one source's drawn cement."""
    outside = distance_outside(mask, scene.spacing_mm)
    ring = (outside > RING_MM[0]) & (outside <= RING_MM[1])
    surface_mm2 = _surface_mm2(mask, scene)
    clipped = scene.clip_hu is not None and bool((scene.hu[mask] >= scene.clip_hu).any())
    return Piece(
        mask=mask,
        plateau_hu=float(np.percentile(scene.hu[mask], 75)) if mask.any() else 0.0,
        background_hu=float(np.median(scene.hu[ring])) if ring.any() else 0.0,
        volume_ml=float(np.count_nonzero(mask)) * scene.voxel_ml,
        sd_ml=surface_mm2 * BORDER_SD_MM / 1000.0,
        clipped=clipped,
        thin=False,
    )


def _surface_mm2(mask: BoolArray, scene: Scene) -> float:
    slopes = np.gradient(mask.astype(np.float32), *scene.spacing_mm)
    return float(np.sqrt(sum(slope**2 for slope in slopes)).sum()) * scene.grid.voxel_mm3
