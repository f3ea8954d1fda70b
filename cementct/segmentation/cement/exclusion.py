"""Which dense pieces near a treated vertebra are cement, and which are bone, vessel or calcification."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray
from cementct.segmentation.cement.bone_edges import contact_of
from cementct.segmentation.cement.candidates import Candidates
from cementct.segmentation.cement.deposits import touches_scan_edge
from cementct.segmentation.cement.fields import Nearness, depth_inside
from cementct.segmentation.cement.scene import Scene
from cementct.segmentation.cement.surroundings import Surroundings

# A piece of its own this bright (so many voxels over the level of bone) is cement wherever it lies near.
FEWEST_BRIGHT_VOXELS = 3
# Bright pieces are cement up to this distance from treated bone: along the canal, and elsewhere.
CANAL_REACH_MM = 110.0
LEAK_REACH_MM = 40.0
# Fainter pieces could be a calcified vessel, disc or ligament, or the edge of a joint: they have to lie near.
# In canal and foramina, from the treated vertebra; in discs and beside the spine, from cement itself; beside
# the body or behind it also from its bone, if they reach well away from it, as a cord does.
FAINT_CANAL_REACH_MM = 60.0
FAINT_FORAMEN_REACH_MM = 10.0
FAINT_GAP_MM = 5.0
FAINT_GAP_TO_BODY_MM = 3.5
FAINT_GAP_BEHIND_MM = 8.0
REACH_AWAY_MM = 3.0
REACH_AWAY_BEHIND_MM = 4.5
SHARE_FREE_BEHIND = 0.8
# The blur of bone: what lies nearer to it than this may be its edge. A piece that is no brighter than bone
# needs so large a share, and so much cement of 1500 HU, beyond.
EDGE_OF_BONE_MM = 1.0
LEAST_SHARE_FREE = 0.35
# The edge of bone where labels miss it: no brighter than the cortex of this scan, with so large a share of
# its surface against bone. The second share holds within a short way of cement, where dilute leaks hang on
# bone as well; there a piece brighter than this share of its source is none. Found on phantoms and implants.
EDGE_CONTACT_SHARE = 0.22
EDGE_CONTACT_SHARE_NEAR = 0.30
NEAR_CEMENT_MM = 2.5
AS_BRIGHT_AS_SOURCE = 0.6
# Farther from cement than this, and outside canal and foramina, any touch with bone tells its edge, be it the
# tip of a process or a joint; unless so much of the surface is soft tissue, as of a cord.
FAR_FROM_CEMENT_MM = 5.0
ANY_CONTACT_SHARE = 0.05
CORD_IN_SOFT_TISSUE = 0.6
# A piece so much brighter than the cortex of this scan is no edge of bone wherever it lies.
CLEARLY_OVER_CORTEX = 1.15
# Fainter than both of these, as a share of the source and over the surroundings, cement would be a film
# thinner than a tenth of a slice; streaks are as faint.
FILM_SHARE_OF_SOURCE = 0.12
FILM_HU = 300.0
# What stands out into soft tissue with so large a share of its surface, next to cement, need not be free of
# bone's blur: a cord along a wall.
STANDS_IN_SOFT_TISSUE = 0.4
# Largest piece that lies outside bone and apart from all seeds: more is a vessel with contrast or an implant.
LARGEST_LOOSE_ML = 6.0
# A faint piece at least so large that holds so large a share of gaps up to this width is the shell of a bone.
SHELL_FROM_ML = 0.08
SHELL_HOLLOW_SHARE = 0.35
SHELL_GAP_MM = 6.0
# Outside the canal fewer gaps do where the piece is, for its size, far too faint for cement of this source.
FAINT_SHELL_HOLLOW_SHARE = 0.125
FAINT_FOR_SOURCE = 0.45
# In bone a piece apart from the seeds is cement only if solid: that deep below its own surface, that large.
SOLID_DEPTH_MM = 1.3
SMALLEST_IN_BONE_ML = 0.03
LOOKS = 2
# Smallest piece that is looked at, in voxels: one or two bright voxels are noise.
FEWEST_VOXELS = 3
# A summed excess smaller than that of so much cement of 1500 HU is noise.
SMALLEST_MASS_ML = 0.002
USUAL_RISE_HU = 1500.0


_NEURAL = [int(Compartment.CANAL), int(Compartment.FORAMEN_LEFT), int(Compartment.FORAMEN_RIGHT)]


@dataclass(frozen=True)
class PieceFeatures:
    """What decides about one piece."""

    voxels: int
    bright_voxels: int
    volume_ml: float
    mass_ml: float
    peak_excess_hu: float
    share_canal: float
    share_neural: float
    share_disc: float
    share_bone: float
    share_treated_bone: float
    share_other: float
    mean_bone_depth_mm: float
    share_free: float
    gap_to_seeds_mm: float
    gap_to_treated_mm: float
    gap_to_body_mm: float
    reach_away_mm: float
    is_behind: bool
    thickness_mm: float
    in_neighbour_body: float
    hollow_share: float
    share_of_source: float
    share_of_cortex: float
    bone_contact: float
    soft_contact: float
    share_known: float
    at_scan_edge: bool


def choose_cement(
    scene: Scene,
    around: Surroundings,
    candidates: Candidates,
    *,
    seeds: BoolArray,
    treated: tuple[int, ...],
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
        Numbers of the treated vertebrae.
    bright_hu
        Level over which nothing is bone.
    """
    from scipy import ndimage

    counts = np.bincount(candidates.labels.ravel(), minlength=candidates.count + 1)
    chosen = np.zeros(candidates.count + 1, dtype=np.bool_)
    chosen[np.unique(candidates.labels[seeds])] = True
    chosen[0] = False
    anchors = chosen.copy()
    own = np.isin(around.owner, treated)
    treated_bone = Nearness(own, scene.spacing_mm)
    core = around.is_in(Compartment.BODY, Compartment.PEDICLE_LEFT, Compartment.PEDICLE_RIGHT)
    treated_core = Nearness(own & core, scene.spacing_mm)
    source_hu = max(float(np.median(scene.hu[seeds])), 1.0) if seeds.any() else bright_hu
    blocks = ndimage.find_objects(candidates.labels)
    # A second look: a piece may hang on one that hangs on the seeds.
    for _ in range(LOOKS):
        cement = Nearness(anchors[candidates.labels], scene.spacing_mm)
        judged = _Judged(cement, treated_bone, treated_core, treated, bright_hu, source_hu)
        before = int(anchors.sum())
        for number in np.flatnonzero((counts >= FEWEST_VOXELS) & ~chosen):
            if number == 0:
                continue
            block = blocks[number - 1]
            where = candidates.labels[block] == number
            features = _describe(scene, around, candidates, where, block, judged=judged)
            chosen[number] = is_cement(features)
            near = features.gap_to_seeds_mm <= FAINT_GAP_MM or features.bright_voxels >= FEWEST_BRIGHT_VOXELS
            anchors[number] = chosen[number] and near
        if int(anchors.sum()) == before:
            break
    return np.asarray(chosen[candidates.labels])


def is_cement(piece: PieceFeatures) -> bool:
    """Tell whether a piece apart from the seeds is cement."""
    film = piece.share_of_source < FILM_SHARE_OF_SOURCE and piece.peak_excess_hu < FILM_HU
    if film or piece.mass_ml < SMALLEST_MASS_ML or piece.volume_ml > LARGEST_LOOSE_ML:
        return False
    reach = CANAL_REACH_MM if piece.share_neural > 0.5 else LEAK_REACH_MM
    if min(piece.gap_to_treated_mm, piece.gap_to_seeds_mm) > reach:
        return False
    if piece.bright_voxels >= FEWEST_BRIGHT_VOXELS:
        return True
    if piece.share_bone > 0.5:
        continues = piece.gap_to_seeds_mm <= NEAR_CEMENT_MM and piece.share_of_source >= AS_BRIGHT_AS_SOURCE
        return (continues and piece.share_treated_bone > 0.5) or (
            piece.share_treated_bone > 0.3
            and piece.thickness_mm >= SOLID_DEPTH_MM
            and piece.volume_ml >= SMALLEST_IN_BONE_ML
            and piece.mean_bone_depth_mm > 2.5
        )
    if _is_shell(piece) or _is_edge_of_bone(piece):
        return False
    free = piece.share_free >= LEAST_SHARE_FREE and piece.share_free * piece.mass_ml >= SMALLEST_MASS_ML
    free = free or piece.share_of_cortex > CLEARLY_OVER_CORTEX or _is_cord_along_wall(piece)
    return free and _is_faint_leak(piece)


def _is_edge_of_bone(piece: PieceFeatures) -> bool:
    """Tell whether a piece no brighter than cortex is the edge of a bone whose label is too small."""
    if piece.share_of_cortex > 1.0 or piece.share_known > 0.5:
        return False
    if piece.gap_to_seeds_mm > FAR_FROM_CEMENT_MM and piece.share_neural <= 0.5:
        return piece.bone_contact >= ANY_CONTACT_SHARE and piece.soft_contact < CORD_IN_SOFT_TISSUE
    if piece.gap_to_seeds_mm > NEAR_CEMENT_MM:
        return piece.bone_contact >= EDGE_CONTACT_SHARE
    return piece.bone_contact >= EDGE_CONTACT_SHARE_NEAR and piece.share_of_source < AS_BRIGHT_AS_SOURCE


def _is_cord_along_wall(piece: PieceFeatures) -> bool:
    """Tell whether a piece next to cement lies along a wall, but mostly in soft tissue."""
    return piece.gap_to_seeds_mm <= NEAR_CEMENT_MM and piece.soft_contact >= STANDS_IN_SOFT_TISSUE


def _is_shell(piece: PieceFeatures) -> bool:
    """Tell whether a piece no brighter than bone is the cortex of a bone around its marrow."""
    if piece.volume_ml < SHELL_FROM_ML:
        return False
    too_faint = piece.share_of_source < FAINT_FOR_SOURCE and piece.share_canal <= 0.5
    return piece.hollow_share > (FAINT_SHELL_HOLLOW_SHARE if too_faint else SHELL_HOLLOW_SHARE)


def _is_faint_leak(piece: PieceFeatures) -> bool:
    """Tell whether a piece outside bone that is no brighter than bone hangs on cement or treated bone."""
    if piece.gap_to_seeds_mm <= FAINT_GAP_MM:
        return piece.share_other < 0.5
    if piece.at_scan_edge and piece.soft_contact < CORD_IN_SOFT_TISSUE:
        return False  # the bone that it may belong to lies beyond the edge
    if piece.share_neural > 0.5:
        canal = piece.share_canal > 0.5
        return piece.gap_to_treated_mm <= (FAINT_CANAL_REACH_MM if canal else FAINT_FORAMEN_REACH_MM)
    if piece.share_disc > 0.5 or piece.share_other > 0.3:
        return False
    beside_body = piece.gap_to_body_mm <= FAINT_GAP_TO_BODY_MM and piece.reach_away_mm >= REACH_AWAY_MM
    behind = (
        piece.is_behind
        and piece.gap_to_treated_mm <= FAINT_GAP_BEHIND_MM
        and piece.reach_away_mm >= REACH_AWAY_BEHIND_MM
        and piece.share_free >= SHARE_FREE_BEHIND
    )
    return beside_body or behind


@dataclass(frozen=True)
class _Judged:
    """What all pieces are compared with."""

    cement: Nearness
    treated_bone: Nearness
    treated_core: Nearness
    treated: tuple[int, ...]
    bright_hu: float
    source_hu: float


def _describe(
    scene: Scene,
    around: Surroundings,
    candidates: Candidates,
    where: BoolArray,
    block: tuple[slice, ...],
    *,
    judged: _Judged,
) -> PieceFeatures:
    """Return what decides about the piece `where` of a block of the scene."""
    index = np.argwhere(where) + np.array([s.start for s in block])
    to_cement = judged.cement.gap_mm(index)
    to_bone, to_core = judged.treated_bone.gap_mm(index), judged.treated_core.gap_mm(index)
    excess, other, treated = candidates.excess_hu, candidates.other[block], judged.treated
    compartment = around.compartment[block][where]
    owner = around.owner[block][where]
    weight = np.maximum(excess[block][where], 0.0)
    weight = weight / max(float(weight.sum()), 1.0)
    voxels = int(np.count_nonzero(where))
    bone = around.bone_depth_mm[block][where] > 0
    contact = contact_of(where, block, scene, around, other_bone=candidates.other)
    return PieceFeatures(
        voxels=voxels,
        bright_voxels=int(np.count_nonzero(scene.hu[block][where] > judged.bright_hu)),
        volume_ml=voxels * scene.voxel_ml,
        mass_ml=float(excess[block][where].sum()) / USUAL_RISE_HU * scene.voxel_ml,
        peak_excess_hu=float(np.percentile(excess[block][where], 95)),
        share_canal=float(weight[compartment == int(Compartment.CANAL)].sum()),
        share_neural=float(weight[np.isin(compartment, _NEURAL)].sum()),
        share_disc=float(weight[compartment == int(Compartment.DISC)].sum()),
        share_bone=float(weight[bone].sum()),
        share_treated_bone=float(weight[np.isin(owner, treated)].sum()),
        share_other=float(weight[other[where]].sum()),
        mean_bone_depth_mm=float((around.bone_depth_mm[block][where] * weight).sum()),
        share_free=float(weight[around.bone_depth_mm[block][where] < -EDGE_OF_BONE_MM].sum()),
        gap_to_seeds_mm=to_cement,
        gap_to_treated_mm=to_bone,
        gap_to_body_mm=to_core,
        reach_away_mm=float(-np.percentile(around.bone_depth_mm[block][where], 8)),
        is_behind=to_core > to_bone + 3.0,
        thickness_mm=float(depth_inside(where, scene.spacing_mm).max()),
        in_neighbour_body=float(
            weight[(compartment == int(Compartment.BODY)) & ~np.isin(owner, treated)].sum()
        ),
        hollow_share=_hollow_share(scene, where),
        share_of_source=float(np.percentile(excess[block][where], 95)) / judged.source_hu,
        share_of_cortex=float(np.percentile(scene.hu[block][where], 90)) / candidates.cortex_hu,
        bone_contact=contact.bone,
        soft_contact=contact.soft,
        share_known=float(around.known[block][where].mean()),
        at_scan_edge=touches_scan_edge(scene, block, where),
    )


def _hollow_share(scene: Scene, where: BoolArray) -> float:
    """Return the share of gaps in a piece once gaps up to `SHELL_GAP_MM` within its slices are closed."""
    from scipy import ndimage

    size = [1, *(max(1, round(SHELL_GAP_MM / s)) for s in scene.spacing_mm[1:])]
    size = [n + 1 - n % 2 for n in size]
    padded = np.pad(where, [(n, n) for n in size])
    closed = ndimage.minimum_filter(ndimage.maximum_filter(padded, size=size), size=size)
    return 1.0 - float(np.count_nonzero(where)) / max(float(np.count_nonzero(closed)), 1.0)
