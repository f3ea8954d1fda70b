"""Which dense pieces near a treated vertebra are cement, and which are bone, vessel or calcification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from cementct.anatomy.model import Compartment, Vertebra
from cementct.core.arrays import BoolArray, IntArray
from cementct.core.grid import Box
from cementct.core.morphology import blocks_of, bounds_of, mask_of
from cementct.core.threads import each
from cementct.segmentation.cement.calcified_artery import find_plaques
from cementct.segmentation.cement.candidates import Candidates, excess_in
from cementct.segmentation.cement.companions import find_companions
from cementct.segmentation.cement.fields import Nearness
from cementct.segmentation.cement.necks import parts_at_necks
from cementct.segmentation.cement.opacity import opacity_of
from cementct.segmentation.cement.piece import PieceFeatures
from cementct.segmentation.cement.piece_features import (
    NEURAL,
    USUAL_RISE_HU,
    Compared,
    come_nearer,
    describe_piece,
)
from cementct.segmentation.cement.piece_model import probability_of_cement
from cementct.segmentation.cement.piece_rules import (
    CANAL_REACH_MM,
    FAINT_GAP_MM,
    FEWEST_VOXELS,
    LARGEST_LOOSE_ML,
    LEAK_REACH_MM,
    SMALLEST_MASS_ML,
    is_bright,
    is_cement,
    may_be_plaque,
)
from cementct.segmentation.cement.scene import Scene
from cementct.segmentation.cement.surroundings import Surroundings

# A piece may hang on one that hangs on the seeds.
LOOKS = 2
# A piece of this volume that is no cement may be bone with cement on it. Of its parts more is asked than of
# pieces: there are several of them. On 120 tuning cases with a label file two parts of bone had more than
# pieces need, 0.47 and 0.62, and parts of cement 0.84 to 0.97. Beside bone that an engine outlined, fragments
# and rib heads come apart as well: of 117 cases three had a false leak more, and none a true one.
SPLIT_FROM_ML, LEAST_PROBABILITY_OF_PART = 0.1, 0.7
# Smallest piece that is looked at, where it has fewer voxels than count as a piece.
SMALLEST_ML = 0.02


def choose_cement(
    scene: Scene,
    around: Surroundings,
    candidates: Candidates,
    *,
    seeds: BoolArray,
    treated: tuple[Vertebra, ...],
    bright_hu: float,
) -> BoolArray:
    """Return the pieces that are cement, generously outlined.

    Parameters
    ----------
    scene, around, candidates
        The block of CT, its anatomy, and what stands out in it.
    seeds
        Cement beyond doubt.
    treated
        The treated vertebrae.
    bright_hu
        Level over which nothing is bone.
    """
    index, numbers = candidates.index, candidates.numbers

    def pieces_of(which: BoolArray) -> BoolArray:
        """Return the voxels of some of the pieces."""
        return mask_of(index[which[numbers]], seeds.shape)

    counts = np.bincount(numbers, minlength=candidates.count + 1)
    large = (counts >= FEWEST_VOXELS) | (counts * scene.voxel_ml >= SMALLEST_ML)
    chosen = np.zeros(candidates.count + 1, dtype=np.bool_)
    chosen[np.unique(numbers[seeds.ravel()[index]])] = True
    own = np.zeros(seeds.shape, dtype=np.bool_)
    for vertebra in treated:
        own |= around.owner == vertebra.number
    treated_bone = Nearness(own, scene.spacing_mm)
    treated_core = Nearness(_core_of(own, around), scene.spacing_mm)
    source_hu = max(float(np.median(scene.hu[seeds])), 1.0) if seeds.any() else bright_hu
    cement = Nearness(pieces_of(chosen), scene.spacing_mm)
    brightest_hu = _brightest_hu(scene, around, seeds, treated, otherwise=source_hu)
    compared = Compared(cement, treated_bone, treated_core, treated, bright_hu, source_hu, brightest_hu)
    blocks = blocks_of(index[large[numbers]], numbers[large[numbers]], seeds.shape)
    pieces: dict[int, PieceFeatures] = {}
    plaques: frozenset[int] = frozenset()

    def look_at(number: int) -> PieceFeatures | None:
        """Return a piece as it looks beside `compared`; None where it looks as it did, or is no cement."""
        block = blocks[number]
        where = _within(block, candidates.voxels_of(number, seeds.shape))
        if number in pieces:
            return come_nearer(pieces[number], scene, where, block, cement=compared.cement)
        if _is_out_of_question(scene, around, where, block, compared=compared):
            return None
        return describe_piece(scene, around, candidates, where, block, compared=compared)

    for _ in range(LOOKS):
        left = [int(n) for n in np.flatnonzero(large & ~chosen) if n]
        seen = {n: piece for n, piece in zip(left, each(look_at, left), strict=True) if piece}
        pieces.update(seen)
        plaques = plaques or _plaques(scene, candidates, pieces, treated)
        fresh = np.zeros_like(chosen)
        for number, piece in seen.items():
            chosen[number] = is_cement(piece) and number not in plaques
            near = piece.gap_to_seeds_mm <= FAINT_GAP_MM or is_bright(piece)
            fresh[number] = chosen[number] and near
        if not fresh.any():
            break
        # A piece may hang on one that hangs on the seeds: then it is looked at beside that one.
        compared = replace(compared, cement=Nearness(pieces_of(fresh), scene.spacing_mm))
    places = {n: candidates.voxels_of(n, seeds.shape) for n in pieces}
    for number in set(find_companions(pieces, places, chosen, scene.spacing_mm)) - plaques:
        chosen[number] = True
    found = pieces_of(chosen)
    compared = replace(compared, cement=Nearness(found, scene.spacing_mm))
    rejected = {n: piece for n, piece in pieces.items() if not chosen[n] and n not in plaques}
    return found | _found_at_necks(scene, around, candidates, rejected, blocks, compared=compared)


def _found_at_necks(
    scene: Scene,
    around: Surroundings,
    candidates: Candidates,
    pieces: Mapping[int, PieceFeatures],
    blocks: Mapping[int, tuple[slice, ...]],
    *,
    compared: Compared,
) -> BoolArray:
    """Return what of pieces that are no cement is cement, joined to bone by necks."""
    found = np.zeros(around.owner.shape, dtype=np.bool_)

    def look_at(number: int) -> BoolArray:
        where = _within(blocks[number], candidates.voxels_of(number, found.shape))
        return _cement_at_necks(scene, around, candidates, where, blocks[number], compared=compared)

    large = [n for n, piece in pieces.items() if piece.volume_ml >= SPLIT_FROM_ML and piece.bone_is_drawn]
    for number, taken in zip(large, each(look_at, large), strict=True):
        found[blocks[number]] |= taken
    return found


def _cement_at_necks(
    scene: Scene,
    around: Surroundings,
    candidates: Candidates,
    where: BoolArray,
    block: tuple[slice, ...],
    *,
    compared: Compared,
) -> BoolArray:
    """Return those parts of a piece in a block that are cement, though necks join them to bone."""
    parts = parts_at_necks(where, scene.spacing_mm)
    taken = np.zeros_like(where)
    for number in range(1, int(parts.max()) + 1):
        own = parts == number
        if np.count_nonzero(own) * scene.voxel_ml < SMALLEST_ML:
            continue
        piece = describe_piece(scene, around, candidates, own, block, compared=compared)
        sure = is_bright(piece) or probability_of_cement(piece) >= LEAST_PROBABILITY_OF_PART
        if sure and is_cement(piece):
            taken |= own
    return taken


def _brightest_hu(
    scene: Scene, around: Surroundings, seeds: BoolArray, treated: tuple[Vertebra, ...], *, otherwise: float
) -> float:
    """Return what the brightest parts of the brightest cement in treated bone reach, in HU."""
    index = np.flatnonzero(seeds)
    owner, hu = around.owner.ravel()[index], scene.hu.ravel()[index]
    parts = (hu[owner == v.number] for v in treated)
    return max((opacity_of(part).bright_hu for part in parts if part.size), default=otherwise)


def _plaques(
    scene: Scene,
    candidates: Candidates,
    pieces: Mapping[int, PieceFeatures],
    treated: tuple[Vertebra, ...],
) -> frozenset[int]:
    """Return the pieces that lie in the wall of a calcified artery; none where none would be cement."""
    possible = [n for n, piece in pieces.items() if may_be_plaque(piece)]
    if not any(is_cement(pieces[n]) for n in possible):
        return frozenset()
    return find_plaques(scene, {n: candidates.voxels_of(n, scene.hu.shape) for n in possible}, treated)


def _core_of(bone: BoolArray, around: Surroundings) -> BoolArray:
    """Return what of some bone is body or pedicle."""
    core, window = bone.copy(), bounds_of(bone)
    if window is not None:
        part = around.crop(Box.of(window))
        core[window] &= part.is_in(Compartment.BODY, Compartment.PEDICLE_LEFT, Compartment.PEDICLE_RIGHT)
    return core


def _within(block: tuple[slice, ...], voxels: IntArray) -> BoolArray:
    """Return the mask, within a block, of voxels that all lie in it."""
    where = np.zeros([cut.stop - cut.start for cut in block], dtype=np.bool_)
    where[tuple((voxels - _start(block)).T)] = True
    return where


def _start(block: tuple[slice, ...]) -> IntArray:
    return np.array([cut.start for cut in block])


def _is_out_of_question(
    scene: Scene,
    around: Surroundings,
    where: BoolArray,
    block: tuple[slice, ...],
    *,
    compared: Compared,
) -> bool:
    """Tell whether what is quickly known of a piece forbids cement: most pieces need no closer look."""
    excess = excess_in(scene, around, block)[where]
    mass_ml = float(excess.sum()) / USUAL_RISE_HU * scene.voxel_ml
    if mass_ml < SMALLEST_MASS_ML or excess.size * scene.voxel_ml > LARGEST_LOOSE_ML:
        return True
    neural = np.isin(around.compartment[block][where], NEURAL).any()
    reach = CANAL_REACH_MM if neural else LEAK_REACH_MM
    index = np.argwhere(where) + np.array([s.start for s in block])
    return not (compared.treated_bone.is_within(reach, index) or compared.cement.is_within(reach, index))
