"""A dense piece as it is judged: where it lies, how bright and thick it is, what lies against it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PieceFeatures:
    """What decides about one piece.

    Attributes
    ----------
    voxels, bright_voxels
        Number of voxels, and of those over the level of bone.
    volume_ml, mass_ml
        Of its voxels; and the summed excess as volume of usual cement.
    peak_excess_hu
        95th percentile of its intensity over what is expected.
    share_canal, share_neural, share_disc
        Shares of its excess in the canal, in canal and foramina, and in discs.
    share_bone, share_treated_bone, share_other
        The same in labelled bone, in treated vertebrae, and in bone that the labels miss.
    mean_bone_depth_mm, share_free
        Mean depth below bone's surface; share beyond the blur of bone.
    gap_to_seeds_mm, gap_to_treated_mm, gap_to_body_mm
        Distances to cement, to treated bone, and to treated bodies and pedicles.
    is_next_to_cement
        Whether it lies next to cement.
    reach_away_mm
        How far it reaches away from bone.
    is_behind
        Whether it lies nearer to the arch than to body and pedicles.
    thickness_mm
        Depth of its middle below its own surface.
    in_neighbour_body
        Share of its excess in untreated bodies.
    hollow_share
        Share of gaps in it.
    share_of_source, share_of_cortex
        Its brightness over that of the cement beyond doubt, and over the brightest cortex.
    bone_contact, soft_contact
        Shares of its surface against bone and against soft tissue.
    share_known
        Share of it where an earlier scan says what was there.
    at_scan_edge
        Whether it reaches the edge of the scan.
    coarsest_mm
        Distance of the scan's voxels where they lie farthest apart.
    like_other_side, like_other_levels
        How bright its place on the other side of the vertebra is over it, and its place in the vertebrae
        above and below; small pieces are not compared.
    on_a_needles_way
        Whether it is a straight cord in soft tissue that leads into a treated body as a needle does.
    rise_since_before
        By how much it is brighter than all that lay near its place before injection, in HU; 0 where that is
        not known.
    length_mm
        How far it reaches along z.
    outshines_sources
        Whether it is brighter than all cement in treated bone: cement thins out on its way.
    bone_is_drawn
        Whether somebody drew the bone, or a network did. An engine that outlines bodies leaves cortex outside
        where one is shaped as it does not expect.
    """

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
    is_next_to_cement: bool
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
    coarsest_mm: float
    like_other_side: float
    like_other_levels: float
    on_a_needles_way: bool
    rise_since_before: float
    length_mm: float
    outshines_sources: bool
    bone_is_drawn: bool
