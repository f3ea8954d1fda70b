"""Which vertebra each piece of cement came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Compartment, Spine, Vertebra
from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.morphology import bounds_of
from cementct.segmentation.cement.fields import Nearness
from cementct.segmentation.cement.loose_pieces import LoosePiece, with_loose_pieces
from cementct.segmentation.cement.opacity import Opacity, opacity_of
from cementct.segmentation.cement.scene import Scene
from cementct.segmentation.cement.surroundings import Surroundings

# Cement in a neighbour's body flowed there if it is at most this share of the source's, …
FLOWED_SHARE = 0.30
# … at most this much, …
FLOWED_ML = 1.2
# … keeps to the endplate that faces the source (mean distance, as a share of the body's height), …
FLOWED_DEPTH = 0.45
# … and is joined to the source through the disc, or lies at most this far from cement in it.
JOINED_WITHIN_MM = 2.0
# Cement this deep in the bone of a vertebra came from it; a cord along the wall shares voxels with the bone,
# and labels are wrong by as much. A source without any so deep counts with all of its cement in bone.
SOURCE_DEPTH_MM = 2.0
# Where cement of two sources meets, a way through no intensity counts as so many times longer than one
# through full cement, the source's plateau. Two deposits that only touch are parted there: between them blur
# leaves a waist of about half the plateau. The power keeps a narrow way through an endplate, which blur
# lowers by a fifth or so, from counting as a waist. No cement flows on brighter than it is: a way through
# what is too bright for the source counts as one through none.
FAINT_WAY = 60.0
FAINT_POWER = 3
# So much of a leak has to be too bright before it is taken from the source that it touches.
LEAST_TOO_BRIGHT_ML = 0.02
# Beside a vertebra with so many times as much cement, one with less in its bone than this, or with less than
# this share of it deep in its bone, was reached, not treated: what lies at the surface is a neighbour's leak
# against it, or in a disc where labels are wrong. More than `FLOWED_ML` in its bone is neither: hardly
# anything of a low body lies deep where slices are thick.
MUCH_MORE = 4.0
LEAST_TREATED_ML, LEAST_DEEP_SHARE = 0.08, 0.25


@dataclass(frozen=True)
class Attribution:
    """The source of every voxel's cement.

    Attributes
    ----------
    owner
        Number (label map) of the vertebra, 0 outside; shape of the scene.
    treated
        Numbers of the vertebrae that cement came from.
    shared
        Numbers of treated vertebrae whose cement meets that of another one.
    loose
        Pieces that touch no source and may have come from several.
    """

    owner: np.ndarray[tuple[int, ...], np.dtype[np.uint16]]
    treated: tuple[int, ...]
    shared: tuple[int, ...]
    loose: tuple[LoosePiece, ...] = ()


def attribute(
    scene: Scene, spine: Spine, around: Surroundings, share: Float32Array, *, treated: tuple[int, ...]
) -> Attribution:
    """Return the vertebra each voxel's cement came from.

    Along connected cement the way is followed back to the bodies and pedicles it can have come from; pieces
    apart go to the vertebra whose cement is nearest.
    """
    import cc3d

    support = share > 0
    in_bone = around.is_in(Compartment.BODY, Compartment.PEDICLE_LEFT, Compartment.PEDICLE_RIGHT)
    sources = _sources(scene, spine, around, share, in_bone=in_bone, treated=treated)
    markers = _markers(around, support & in_bone, sources)
    if not markers.any():
        return Attribution(np.zeros(support.shape, dtype=np.uint16), (), ())
    labels = cc3d.connected_components(support, connectivity=26)
    opacities = {n: opacity_of(scene.hu[markers == n]) for n in sources if (markers == n).any()}
    flooded = _flooded(scene, support, markers, labels, opacities)
    _cut_off_what_is_too_bright(scene, flooded, labels, support & ~in_bone, opacities)
    by_number = {v.number: v for v in spine.vertebrae}
    owner, loose = with_loose_pieces(scene, flooded, labels, [by_number[n] for n in sources], opacities)
    return Attribution(owner.astype(np.uint16), sources, _meeting(owner, labels), loose)


def _markers(around: Surroundings, cement_in_bone: BoolArray, sources: tuple[int, ...]) -> np.ndarray:
    """Return the number of the source in the cement that lies deep in its bone."""
    markers = np.zeros(cement_in_bone.shape, dtype=np.int32)
    deep = around.bone_depth_mm > SOURCE_DEPTH_MM
    for number in sources:
        own = cement_in_bone & (around.owner == number)
        markers[own & deep if (own & deep).any() else own] = number
    return markers


def _cut_off_what_is_too_bright(
    scene: Scene,
    flooded: np.ndarray,
    labels: np.ndarray,
    outside_bone: BoolArray,
    opacities: Mapping[int, Opacity],
) -> None:
    """Take from its source, in place, what lies outside bone and is brighter than the source's own cement.

    It came from elsewhere and only touches it. `labels` gets numbers of their own for such pieces.
    """
    import cc3d

    if len(opacities) < 2:
        return
    bounds = bounds_of(outside_bone & (flooded > 0))
    if bounds is None:
        return
    hu, owner = scene.hu[bounds], flooded[bounds]
    parts = cc3d.connected_components(np.where(outside_bone[bounds], owner, 0), connectivity=26)
    for number, opacity in opacities.items():
        bright = (owner == number) & (hu > opacity.brightest_hu) & (parts > 0)
        found, counts = np.unique(parts[bright], return_counts=True)
        for part in found[counts * scene.voxel_ml >= LEAST_TOO_BRIGHT_ML]:
            cut = parts == part
            if opacity_of(hu[cut]).fits_from(opacity):
                continue
            owner[cut] = 0
            labels[bounds][cut] = labels.max() + 1


def _flooded(
    scene: Scene,
    support: BoolArray,
    markers: np.ndarray,
    labels: np.ndarray,
    opacities: Mapping[int, Opacity],
) -> np.ndarray:
    """Return the source with the shortest way along the cement, and 0 where a piece holds none.

    Cement of two sources that meets is divided half way between their bones, unless it thins out elsewhere:
    the way is the longer the fainter the cement on it is.
    """
    numbers = np.unique(markers[markers > 0])
    flooded = np.zeros(support.shape, dtype=np.int32)
    for number in np.unique(labels[markers > 0]):
        piece = labels == number
        inside = numbers[np.isin(numbers, markers[piece])]
        flooded[piece] = inside[0]
        if inside.size > 1:
            index = np.argwhere(piece)
            window = scene.grid.box_around(index, max(scene.spacing_mm)).slices
            here = piece[window]
            own = {int(n): opacities[int(n)] for n in inside}
            nearest = _nearest_along(scene.hu[window], markers[window], here, scene.spacing_mm, own)
            flooded[window][here] = nearest[here]
    return flooded


def _nearest_along(
    hu: Float32Array,
    markers: np.ndarray,
    piece: BoolArray,
    spacing_mm: tuple[float, float, float],
    opacities: Mapping[int, Opacity],
) -> np.ndarray:
    """Return which of the marked sources is nearest along a piece of cement, by the way and its faintness."""
    from skimage.graph import MCP_Geometric

    ways = []
    for number, opacity in opacities.items():
        missing = 1.0 - np.clip(hu / max(opacity.plateau_hu, 1.0), 0.0, 1.0)
        missing[hu > opacity.brightest_hu] = 1.0
        cost = np.where(piece, 1.0 + FAINT_WAY * missing**FAINT_POWER, -1.0)
        starts = np.argwhere(piece & (markers == number))
        ways.append(MCP_Geometric(cost, sampling=spacing_mm).find_costs(starts)[0])
    nearest: np.ndarray = np.asarray(list(opacities), dtype=np.int32)[np.argmin(np.stack(ways), axis=0)]
    return nearest


def _sources(
    scene: Scene,
    spine: Spine,
    around: Surroundings,
    share: Float32Array,
    *,
    in_bone: BoolArray,
    treated: tuple[int, ...],
) -> tuple[int, ...]:
    """Return the treated vertebrae that hold cement of their own, not only what came through a disc."""
    deep = in_bone & (around.bone_depth_mm > SOURCE_DEPTH_MM)
    volume = {n: _volume_ml(scene, share, in_bone & (around.owner == n)) for n in treated}
    volume_deep = {n: _volume_ml(scene, share, deep & (around.owner == n)) for n in treated}
    by_number = {v.number: v for v in spine.vertebrae}
    kept = []
    for number in treated:
        vertebra = by_number[number]
        beside_much = any(volume[n] > MUCH_MORE * volume[number] for n in treated)
        shallow = volume_deep[number] < max(LEAST_TREATED_ML, LEAST_DEEP_SHARE * volume[number])
        shallow = shallow and volume[number] <= FLOWED_ML
        reached = shallow and beside_much
        for other in treated:
            neighbour = by_number[other]
            if abs(neighbour.position - vertebra.position) != 1:
                continue
            if volume[number] > min(FLOWED_SHARE * volume[other], FLOWED_ML):
                continue
            reached = reached or _flowed_from(scene, around, share > 0, into=vertebra, source=neighbour)
        if not reached:
            kept.append(number)
    return tuple(kept) if kept else treated


def _volume_ml(scene: Scene, share: Float32Array, where: BoolArray) -> float:
    """Return the volume of the cement in some voxels."""
    return float(share[where].sum(dtype=np.float64)) * scene.voxel_ml


def _flowed_from(
    scene: Scene, around: Surroundings, support: BoolArray, *, into: Vertebra, source: Vertebra
) -> bool:
    """Tell whether the cement in a body came through the disc from the neighbour it faces."""
    mine = support & (around.owner == into.number) & around.is_in(Compartment.BODY)
    if not mine.any():
        return True
    toward = 1.0 if source.position < into.position else -1.0
    height = into.frame.to_local(scene.grid.to_lps(np.argwhere(mine)))[:, 2]
    from_endplate = 0.5 * into.height_mm - toward * float(height.mean())
    if from_endplate > FLOWED_DEPTH * into.height_mm:
        return False
    place = min(into.position, source.position) + 1
    disc = support & around.is_in(Compartment.DISC) & (around.place == place)
    return Nearness(disc, scene.spacing_mm).gap_mm(np.argwhere(mine)) <= JOINED_WITHIN_MM


def _meeting(owner: np.ndarray, labels: np.ndarray) -> tuple[int, ...]:
    """Return the vertebrae whose cement is joined to that of another."""
    meeting: set[int] = set()
    pairs = np.unique(np.stack([labels[owner > 0], owner[owner > 0]]), axis=1)
    for number in np.unique(pairs[0]):
        owners = pairs[1][pairs[0] == number]
        if owners.size > 1:
            meeting |= {int(n) for n in owners}
    return tuple(sorted(meeting))
