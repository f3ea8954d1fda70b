"""Whether a dense piece apart from the seeds is cement, or bone, vessel or calcification: the rules."""

from __future__ import annotations

from cementct.segmentation.cement.piece_features import PieceFeatures

# A piece of its own this bright (so many voxels over the level of bone) is cement wherever it lies near.
# So are fewer, where voxels are large.
FEWEST_BRIGHT_VOXELS = 3
SMALLEST_BRIGHT_ML = 0.02
# Fewer voxels that are no brighter than bone are noise.
FEWEST_VOXELS = 3
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
# A piece that is no brighter than bone needs so large a share, and so much cement of 1500 HU, beyond the blur
# of bone.
LEAST_SHARE_FREE = 0.35
# The edge of bone where labels miss it: no brighter than the cortex of this scan, with so large a share of
# its surface against bone. The second share holds next to cement, where dilute leaks hang on
# bone as well; there a piece brighter than this share of its source is none. Found on phantoms and implants.
EDGE_CONTACT_SHARE = 0.22
EDGE_CONTACT_SHARE_NEAR = 0.30
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
# A faint piece at least so large that holds so large a share of gaps is the shell of a bone.
SHELL_FROM_ML = 0.08
SHELL_HOLLOW_SHARE = 0.35
# Outside the canal fewer gaps do where the piece is, for its size, far too faint for cement of this source.
FAINT_SHELL_HOLLOW_SHARE = 0.125
FAINT_FOR_SOURCE = 0.45
# In bone a piece apart from the seeds is cement only if solid: that deep below its own surface, that large.
SOLID_DEPTH_MM = 1.3
SMALLEST_IN_BONE_ML = 0.03
# A summed excess smaller than that of so much cement of 1500 HU is noise.
SMALLEST_MASS_ML = 0.002


def is_cement(piece: PieceFeatures) -> bool:
    """Tell whether a piece apart from the seeds is cement."""
    film = piece.share_of_source < FILM_SHARE_OF_SOURCE and piece.peak_excess_hu < FILM_HU
    if film or piece.mass_ml < SMALLEST_MASS_ML or piece.volume_ml > LARGEST_LOOSE_ML:
        return False
    reach = CANAL_REACH_MM if piece.share_neural > 0.5 else LEAK_REACH_MM
    if min(piece.gap_to_treated_mm, piece.gap_to_seeds_mm) > reach:
        return False
    if is_bright(piece) or piece.voxels < FEWEST_VOXELS:
        return is_bright(piece)
    if piece.share_bone > 0.5:
        continues = piece.is_next_to_cement and piece.share_of_source >= AS_BRIGHT_AS_SOURCE
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
    if not piece.is_next_to_cement:
        return piece.bone_contact >= EDGE_CONTACT_SHARE
    return piece.bone_contact >= EDGE_CONTACT_SHARE_NEAR and piece.share_of_source < AS_BRIGHT_AS_SOURCE


def _is_cord_along_wall(piece: PieceFeatures) -> bool:
    """Tell whether a piece next to cement lies along a wall, but mostly in soft tissue."""
    return piece.is_next_to_cement and piece.soft_contact >= STANDS_IN_SOFT_TISSUE


def is_bright(piece: PieceFeatures) -> bool:
    """Tell whether enough of a piece is brighter than any bone."""
    bright_ml = piece.bright_voxels * piece.volume_ml / max(piece.voxels, 1)
    return piece.bright_voxels >= FEWEST_BRIGHT_VOXELS or bright_ml >= SMALLEST_BRIGHT_ML


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
