"""The connected pieces of cement, numbered and described."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray, Float32Array, IntArray
from cementct.core.grid import Box
from cementct.core.morphology import dilate_faces
from cementct.segmentation.cement.attribution import Attribution
from cementct.segmentation.cement.fields import Nearness
from cementct.segmentation.cement.measured import Piece
from cementct.segmentation.cement.scene import Scene
from cementct.segmentation.cement.streaks import STREAK_SOURCE_HU, is_streak_like
from cementct.segmentation.cement.surroundings import Surroundings
from cementct.segmentation.model import Deposit

# A slice shows a deposit where it holds at least this much of it, as a share of the fullest voxel.
SEEN_SHARE = 0.15
# A faint piece outside canal and foramina this far from any other cement may be a calcified vessel or callus;
# in a disc, this far from cement in bone, chalk: cement comes there through an endplate, and of 22 diskal
# leaks of tuning cases 1 lay so far.
LOOSE_FROM_MM, LOOSE_IN_DISC_FROM_MM = 8.0, 3.0
IN_DISC_SHARE = 0.5
# A clip (5 to 11 mm long, and its blur) is so bright that the number range of the scan cuts it off; no such
# piece of cement of tuning cases lay so far from cement in bone.
LONGEST_CLIP_MM, LOOSE_CLIP_FROM_MM = 14.0, 4.0
# Fainter than this a piece is no brighter than calcified tissue.
CALCIFICATION_UP_TO_HU = 1500.0
# A deposit is a loose piece if that was outlined as so much of its voxels; blur adds a rim to both.
LOOSE_SHARE = 0.25
# What rises by so much over all that lay near it before injection has not calcified since.
NEW_RISE_HU = 150.0
# Cement of two vertebrae that meets within a deposit leaves its division open if each has so much of it.
SHARED_FROM_ML = 0.02

Pieces = tuple[tuple[int, Piece, Box], ...]
DepositNumbers = np.ndarray[tuple[int, ...], np.dtype[np.uint16]]


def describe_deposits(
    scene: Scene,
    around: Surroundings,
    *,
    share: Float32Array,
    owner: DepositNumbers,
    pieces: Pieces,
    metal: BoolArray,
    attribution: Attribution,
) -> tuple[DepositNumbers, tuple[Deposit, ...]]:
    """Return the deposits' numbers on the scene's voxels, and what is known of each.

    Parameters
    ----------
    scene, around
        The block of CT and its anatomy.
    share, owner
        Share and source of each voxel's cement.
    pieces
        What was measured: number of the source, piece, and its block on the scene's grid.
    metal
        Metal that throws streaks.
    attribution
        Where outlined cement came from, and what is in doubt about that.
    """
    import cc3d
    from scipy import ndimage

    labels, count = cc3d.connected_components(share > 0, connectivity=26, return_N=True)
    labels = labels.astype(np.uint16)
    by_deposit = _pieces_by_deposit(labels, share, pieces)
    found = []
    for number, block in enumerate(ndimage.find_objects(labels, max_label=count), start=1):
        if block is None:
            continue
        where = labels[block] == number
        found.append(
            _describe(
                scene,
                around,
                number,
                block,
                where,
                share=share,
                owner=owner,
                labels=labels,
                pieces=by_deposit[number],
                metal=metal,
                shared=attribution.shared,
            )
        )
    rivals = _rivals(labels, attribution)
    return labels, tuple(replace(d, rivals=rivals.get(d.number, ())) for d in found)


def _rivals(labels: DepositNumbers, attribution: Attribution) -> dict[int, tuple[int, ...]]:
    """Return, by number of the deposit, the other vertebrae that it may have come from."""
    if not attribution.loose:
        return {}
    size = np.bincount(labels.ravel())
    found = {}
    for piece in attribution.loose:
        inside = np.bincount(labels.ravel()[piece.index], minlength=size.size)[1:]
        number = int(np.argmax(inside)) + 1 if inside.size else 0
        if number and inside[number - 1] >= LOOSE_SHARE * size[number]:
            found[number] = piece.rivals
    return found


def _pieces_by_deposit(
    labels: DepositNumbers, share: Float32Array, pieces: Pieces
) -> dict[int, list[tuple[Piece, float]]]:
    """Return the pieces each deposit consists of, with the share of the piece that lies in it."""
    found: dict[int, list[tuple[Piece, float]]] = defaultdict(list)
    for _, piece, box in pieces:
        window = box.slices
        weight = np.bincount(labels[window][piece.mask], weights=share[window][piece.mask])
        total = float(weight[1:].sum()) if weight.size > 1 else 0.0
        for number in np.flatnonzero(weight):
            if number > 0 and total > 0:
                found[int(number)].append((piece, float(weight[number]) / total))
    return found


def _describe(  # noqa: PLR0913 -- one deposit is described from all that is known of it
    scene: Scene,
    around: Surroundings,
    number: int,
    block: tuple[slice, ...],
    where: BoolArray,
    *,
    share: Float32Array,
    owner: DepositNumbers,
    labels: DepositNumbers,
    pieces: list[tuple[Piece, float]],
    metal: BoolArray,
    shared: tuple[int, ...],
) -> Deposit:
    amount = np.where(where, share[block], 0.0)
    volume_ml = float(amount.sum(dtype=np.float64)) * scene.voxel_ml
    owners, counts = np.unique(owner[block][where], return_counts=True)
    main = int(owners[int(np.argmax(counts))])
    bulk = max((p for p, _ in pieces), key=lambda p: p.volume_ml, default=None)
    plateau = bulk.plateau_hu if bulk else float(scene.hu[block][where].max())
    background = bulk.background_hu if bulk else 0.0
    variance = sum((p.sd_ml * part) ** 2 for p, part in pieces)
    by_slice = amount.max(axis=(1, 2))
    meeting = [o for o in owners if float(amount[owner[block] == o].sum()) * scene.voxel_ml >= SHARED_FROM_ML]
    return Deposit(
        number=number,
        owner=main,
        volume_ml=volume_ml,
        volume_sd_ml=float(np.sqrt(variance)) if variance > 0 else 0.1 * volume_ml + 0.001,
        plateau_hu=plateau,
        background_hu=background,
        clipped=any(p.clipped for p, _ in pieces),
        slices=int(np.count_nonzero(by_slice > SEEN_SHARE * max(float(by_slice.max()), 1e-6))),
        streak_like=_is_streak(scene, labels, number, block, where, metal=metal, plateau=plateau),
        calcification_like=_is_calcification(scene, around, labels, number, block, where),
        owner_certain=not (len(meeting) > 1 and main in shared),
        at_scan_edge=touches_scan_edge(scene, block, where),
    )


def _is_streak(
    scene: Scene,
    labels: DepositNumbers,
    number: int,
    block: tuple[slice, ...],
    where: BoolArray,
    *,
    metal: BoolArray,
    plateau: float,
) -> bool:
    peak = float(scene.hu[block][where].max())
    if peak > 1200.0:
        return False
    dense = ((labels > 0) & (labels != number) & (scene.hu > STREAK_SOURCE_HU)) | metal
    piece = np.zeros(labels.shape, dtype=np.bool_)
    piece[block] = where & (scene.hu[block] > 0.5 * peak)
    return is_streak_like(scene, piece, dense, rise_hu=peak, source_rise_hu=plateau)


def _is_calcification(
    scene: Scene,
    around: Surroundings,
    labels: DepositNumbers,
    number: int,
    block: tuple[slice, ...],
    where: BoolArray,
) -> bool:
    """Tell whether a loose piece, outside the places where only cement can be that dense, may be none.

    It is either as faint as chalk and callus are, or as small and bright as a surgical clip.
    """
    inside = np.isin(
        around.compartment[block][where],
        [int(Compartment.CANAL), int(Compartment.FORAMEN_LEFT), int(Compartment.FORAMEN_RIGHT)],
    )
    if inside.mean() > 0.3 or (around.bone_depth_mm[block][where] > 0).any():
        return False
    index = np.argwhere(where) + np.array([s.start for s in block])
    rise_hu = around.rise_since_before(scene.grid.to_lps(index), scene.hu[block][where])
    if rise_hu is not None and rise_hu > NEW_RISE_HU:
        return False
    faint = float(np.percentile(scene.hu[block][where], 98)) <= CALCIFICATION_UP_TO_HU
    in_disc = float(np.mean(around.compartment[block][where] == int(Compartment.DISC))) > IN_DISC_SHARE
    others = (labels > 0) & (labels != number)
    if faint and not in_disc:
        return Nearness(others, scene.spacing_mm).gap_mm(index) > LOOSE_FROM_MM
    if not faint and (in_disc or not _is_as_small_as_a_clip(scene, index)):
        return False
    # Lumps of chalk in a disc lie side by side, and so do clips: it is cement in bone that counts.
    to_cement_mm = Nearness(others & (around.bone_depth_mm > 0), scene.spacing_mm).gap_mm(index)
    return to_cement_mm > (LOOSE_IN_DISC_FROM_MM if in_disc else LOOSE_CLIP_FROM_MM)


def _is_as_small_as_a_clip(scene: Scene, index: IntArray) -> bool:
    """Tell whether a piece, blurred, is no longer than a surgical clip and as bright as the scan can show."""
    if scene.clip_hu is None or scene.hu[tuple(index.T)].max() < scene.clip_hu:
        return False
    return float((np.ptp(index, axis=0) * scene.spacing_mm).max()) <= LONGEST_CLIP_MM


def touches_scan_edge(scene: Scene, block: tuple[slice, ...], where: BoolArray) -> bool:
    """Tell whether a piece reaches the volume's first or last voxels or unmeasured ones."""
    for axis, cut in enumerate(block):
        lines: BoolArray = np.asarray(where.any(axis=tuple(a for a in range(3) if a != axis)), dtype=np.bool_)
        first, last = cut.start + scene.box.start[axis], cut.stop + scene.box.start[axis]
        if (first == 0 and lines[0]) or (last == scene.scanned[axis] and lines[-1]):
            return True
    return bool((dilate_faces(where) & ~scene.measured[block]).any())
