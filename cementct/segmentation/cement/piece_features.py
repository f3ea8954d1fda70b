"""What decides about one dense piece: where it lies, how bright and thick it is, what lies against it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cementct.anatomy.model import Compartment, Vertebra
from cementct.anatomy.needle_way import lies_on_a_needles_way
from cementct.core.arrays import BoolArray, Float32Array, FloatArray, IntArray
from cementct.core.distances import depth_inside
from cementct.core.morphology import dilate_box, erode_box
from cementct.segmentation.cement.bone_edges import contact_of
from cementct.segmentation.cement.candidates import Candidates, excess_in
from cementct.segmentation.cement.counterparts import UNKNOWN, Counterparts, find_counterparts
from cementct.segmentation.cement.deposits import touches_scan_edge
from cementct.segmentation.cement.fields import Nearness
from cementct.segmentation.cement.opacity import BRIGHTER_BY, BRIGHTEST_PERCENTILE
from cementct.segmentation.cement.piece import PieceFeatures
from cementct.segmentation.cement.scene import Scene
from cementct.segmentation.cement.surroundings import Surroundings
from cementct.segmentation.number_range import CLIP_SLACK_HU

# The blur of bone: what lies nearer to it than this may be its edge.
EDGE_OF_BONE_MM = 1.0
# Within this distance, or in the very next voxel, a piece lies next to cement.
NEXT_TO_CEMENT_MM = 2.5
# Gaps in a piece up to this width tell the shell of a bone.
SHELL_GAP_MM = 6.0
# Smaller pieces are not compared with their counterparts.
COMPARED_FROM_ML = 0.005
# What lies against bone with no more of its surface lies in soft tissue.
IN_SOFT_TISSUE_CONTACT = 0.3
# Every voxel of a piece counts this much, whatever stands out in it.
LEAST_WEIGHT = 1e-6
# The excess of usual cement, by which masses become volumes.
USUAL_RISE_HU = 1500.0
# Of a piece with so many clipped voxels only that it reaches the clip is known; a source well below that, by
# this factor, is not of its cement.
FEWEST_CLIPPED, WELL_BELOW_CLIP = 3, 1.1

NEURAL = [int(Compartment.CANAL), int(Compartment.FORAMEN_LEFT), int(Compartment.FORAMEN_RIGHT)]


@dataclass(frozen=True)
class Compared:
    """What all pieces are compared with.

    Attributes
    ----------
    cement
        Cement beyond doubt, and what hangs on it.
    treated_bone, treated_core
        The treated vertebrae, and their bodies and pedicles.
    treated
        The treated vertebrae.
    bright_hu
        Level over which nothing is bone.
    source_hu
        Intensity of cement beyond doubt.
    brightest_hu
        What the brightest parts of the brightest source reach, in HU.
    """

    cement: Nearness
    treated_bone: Nearness
    treated_core: Nearness
    treated: tuple[Vertebra, ...]
    bright_hu: float
    source_hu: float
    brightest_hu: float


def describe_piece(
    scene: Scene,
    around: Surroundings,
    candidates: Candidates,
    where: BoolArray,
    block: tuple[slice, ...],
    *,
    compared: Compared,
) -> PieceFeatures:
    """Return what decides about a piece.

    Parameters
    ----------
    scene, around, candidates
        The block of CT, its anatomy, and what stands out in it.
    where, block
        The piece within a block of the scene.
    compared
        What all pieces are compared with.
    """
    index = np.argwhere(where) + np.array([s.start for s in block])
    to_cement = compared.cement.gap_mm(index)
    to_bone, to_core = compared.treated_bone.gap_mm(index), compared.treated_core.gap_mm(index)
    excess, other = excess_in(scene, around, block)[where], candidates.other[block]
    treated = [v.number for v in compared.treated]
    compartment = around.compartment[block][where]
    owner = around.owner[block][where]
    weight = np.maximum(excess, 0.0)
    weight = weight / max(float(weight.sum()), 1.0)
    voxels = int(np.count_nonzero(where))
    bone = around.bone_depth_mm[block][where] > 0
    like = Counterparts(UNKNOWN, UNKNOWN)
    if voxels * scene.voxel_ml >= COMPARED_FROM_ML:
        like = find_counterparts(scene, around.frames, index)
    contact = contact_of(where, block, scene, around, other_bone=candidates.other)
    return PieceFeatures(
        voxels=voxels,
        bright_voxels=int(np.count_nonzero(scene.hu[block][where] > compared.bright_hu)),
        volume_ml=voxels * scene.voxel_ml,
        mass_ml=float(excess.sum()) / USUAL_RISE_HU * scene.voxel_ml,
        peak_excess_hu=float(np.percentile(excess, 95)),
        share_canal=float(weight[compartment == int(Compartment.CANAL)].sum()),
        share_neural=float(weight[np.isin(compartment, NEURAL)].sum()),
        share_disc=float(weight[compartment == int(Compartment.DISC)].sum()),
        share_bone=float(weight[bone].sum()),
        share_treated_bone=float(weight[np.isin(owner, treated)].sum()),
        share_other=float(weight[other[where]].sum()),
        mean_bone_depth_mm=float((around.bone_depth_mm[block][where] * weight).sum()),
        share_free=float(weight[around.bone_depth_mm[block][where] < -EDGE_OF_BONE_MM].sum()),
        gap_to_seeds_mm=to_cement,
        gap_to_treated_mm=to_bone,
        gap_to_body_mm=to_core,
        is_next_to_cement=_is_next_to(to_cement, scene),
        reach_away_mm=float(-np.percentile(around.bone_depth_mm[block][where], 8)),
        is_behind=to_core > to_bone + 3.0,
        thickness_mm=float(depth_inside(where, scene.spacing_mm).max()),
        in_neighbour_body=float(
            weight[(compartment == int(Compartment.BODY)) & ~np.isin(owner, treated)].sum()
        ),
        hollow_share=_hollow_share(scene, where),
        share_of_source=float(np.percentile(excess, 95)) / compared.source_hu,
        share_of_cortex=float(np.percentile(scene.hu[block][where], 90)) / candidates.cortex_hu,
        bone_contact=contact.bone,
        soft_contact=contact.soft,
        share_known=float(around.known[block][where].mean()),
        at_scan_edge=touches_scan_edge(scene, block, where),
        coarsest_mm=max(scene.spacing_mm),
        like_other_side=like.other_side,
        like_other_levels=like.other_levels,
        on_a_needles_way=contact.bone <= IN_SOFT_TISSUE_CONTACT
        and _is_on_a_needles_way(scene, index, weight, compared.treated),
        rise_since_before=around.rise_since_before(scene.grid.to_lps(index), scene.hu[block][where]) or 0.0,
        length_mm=float(np.ptp(index[:, 0]) + 1) * scene.spacing_mm[0],
        outshines_sources=_outshines(scene, scene.hu[block][where], compared.brightest_hu),
        bone_is_drawn=all(vertebra.is_drawn for vertebra in compared.treated),
    )


def come_nearer(
    piece: PieceFeatures, scene: Scene, where: BoolArray, block: tuple[slice, ...], *, cement: Nearness
) -> PieceFeatures | None:
    """Return a piece beside more cement than it was described with; None where that lies no nearer.

    Parameters
    ----------
    piece
        What was found of it.
    scene
        The block of CT.
    where, block
        The piece within a block of the scene.
    cement
        The cement that has come.
    """
    gap_mm = cement.gap_mm(np.argwhere(where) + np.array([s.start for s in block]))
    if gap_mm >= piece.gap_to_seeds_mm:
        return None
    return replace(piece, gap_to_seeds_mm=gap_mm, is_next_to_cement=_is_next_to(gap_mm, scene))


def _is_on_a_needles_way(
    scene: Scene, index: IntArray, weight: FloatArray, vertebrae: tuple[Vertebra, ...]
) -> bool:
    points_lps = scene.grid.to_lps(index)
    weights = weight + LEAST_WEIGHT
    return any(lies_on_a_needles_way(v.frame.to_local(points_lps), weights, v) for v in vertebrae)


def _is_next_to(gap_mm: float, scene: Scene) -> bool:
    return gap_mm <= max(NEXT_TO_CEMENT_MM, *(1.01 * s for s in scene.spacing_mm))


def _outshines(scene: Scene, hu: Float32Array, brightest_hu: float) -> bool:
    """Tell whether a piece is brighter than a source's brightest parts.

    By how much is unknown where it is clipped; but as thin as most pieces are, they would be far brighter if
    they were wide.
    """
    if scene.clip_hu is not None and np.count_nonzero(hu >= scene.clip_hu - CLIP_SLACK_HU) >= FEWEST_CLIPPED:
        return brightest_hu * WELL_BELOW_CLIP < scene.clip_hu
    return float(np.percentile(hu, BRIGHTEST_PERCENTILE)) > BRIGHTER_BY * brightest_hu


def _hollow_share(scene: Scene, where: BoolArray) -> float:
    """Return the share of gaps in a piece once gaps up to `SHELL_GAP_MM` within its slices are closed."""
    size = [1, *(max(1, round(SHELL_GAP_MM / s)) for s in scene.spacing_mm[1:])]
    size = [n + 1 - n % 2 for n in size]
    padded = np.pad(where, [(n, n) for n in size])
    closed = erode_box(dilate_box(padded, size), size)
    return 1.0 - float(np.count_nonzero(where)) / max(float(np.count_nonzero(closed)), 1.0)
