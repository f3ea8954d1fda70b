"""Whether a dense piece apart from the seeds is cement, or bone, vessel or calcification: the rules."""

from __future__ import annotations

from cementct.segmentation.cement.piece import PieceFeatures
from cementct.segmentation.cement.piece_model import probability_of_cement

# A piece of its own this bright (so many voxels over the level of bone) is cement wherever it lies near.
# So are fewer, where voxels are large.
FEWEST_BRIGHT_VOXELS = 3
SMALLEST_BRIGHT_ML = 0.02
# Fewer voxels that are no brighter than bone are noise.
FEWEST_VOXELS = 3
# Pieces are cement up to this distance from treated bone: along the canal, and elsewhere.
CANAL_REACH_MM = 110.0
LEAK_REACH_MM = 40.0
# A faint piece this near to cement can carry others on.
FAINT_GAP_MM = 5.0
# Fainter than both of these, as a share of the source and over the surroundings, cement would be a film
# thinner than a tenth of a slice; streaks are as faint.
FILM_SHARE_OF_SOURCE = 0.12
FILM_HU = 300.0
# Leaks are as dilute as 500 HU. Where one is this wide, and wider than voxels are long, blur hides none of
# it, and what rises by less over its surroundings is a streak: the faintest such piece of cement of tuning
# cases rose by 460 HU, a streak between filled pedicles by 310.
WIDE_FROM_MM, LEAST_WIDE_RISE_HU = 2.0, 400.0
# Largest piece that lies outside bone and apart from all seeds: more is a vessel with contrast or an implant.
LARGEST_LOOSE_ML = 6.0
# In soft tissue, and so far from cement and from treated bone, fragments are smaller and shorter: on tuning
# cases 0.3 ml and 20 mm. What is larger is urine or blood with contrast, or metal.
APART_FROM_MM, LARGEST_APART_ML, LONGEST_APART_MM = 4.0, 1.0, 40.0
# No clip and no stent lies in canal, foramina or disc: of them no larger share.
SHARE_ELSEWHERE = 0.5
# A summed excess smaller than that of so much cement of 1500 HU is noise.
SMALLEST_MASS_ML = 0.002
# From this probability on a piece that is no brighter than bone counts as cement: with trees that had not
# seen the case, 392 of 498 pieces of cement of tuning cases, and 21 of 10 000 others. Where an earlier scan
# shows what was there, less will do: 82 of 87 pieces of cement instead of 77, and 6 others instead of 4.
# [docs/decisions/0008]
LEAST_PROBABILITY, LEAST_PROBABILITY_KNOWN = 0.45, 0.2
# The same for what may be bare cortex beside bone that an engine outlined: where a body flares or an arch is
# shaped as the engine does not expect, its cortex lies outside. On CT that somebody else simulated from other
# masks, 14 such pieces had up to 0.75. The third is for what is none: of 121 pieces of cement of tuning cases
# 88 are taken by all three and 2 others, 95 and 17 by the first number of all alone.
LEAST_PROBABILITY_CORTEX, LEAST_PROBABILITY_CORTEX_KNOWN = 0.8, 0.45
LEAST_PROBABILITY_OUTLINED = 0.6
# Thicker slices average so thin a layer away: on 30 tuning implants of 2.5 and 3 mm nothing false fell to
# these numbers, and one leak did.
CORTEX_SEEN_UP_TO_MM = 2.25
# Cortex has bone or marrow on one side, and soft tissue against no more of its surface; and in canal,
# foramina and disc it is thinner than twice this.
SOFT_CONTACT_OF_CORTEX, CORTEX_HALF_MM = 0.55, 2.0
KNOWN_SHARE = 0.8
# On the way of a needle a piece of this size is cement unless its like lies on the other side or in the next
# vertebrae, so bright as a share of its own: then it is a process or a joint. With the trees alone 84 of 91
# pieces of tuning cases there were found; this adds 6, and one other.
SMALLEST_ON_WAY_ML, AS_BRIGHT = 0.05, 0.8
# No artery lies in canal, foramina or bone: no more of a plaque than blur carries there.
PLAQUE_SHARE_INSIDE = 0.3
# In soft tissue, what rises by so much over all that lay near it before injection is cement: vessels with
# contrast rise by less, or are longer. On 40 tuning phantoms that added 13 pieces that the trees had not
# believed, all of them cement.
NEW_RISE_HU, NEW_LENGTH_MM, NEW_FROM_ML = 250.0, 60.0, 0.01
SOFT_TISSUE_BONE_CONTACT = 0.05


def is_cement(piece: PieceFeatures) -> bool:
    """Tell whether a piece apart from the seeds is cement: by rules if they suffice, else as learned."""
    if is_too_faint(piece) or is_foreign(piece) or piece.mass_ml < SMALLEST_MASS_ML:
        return False
    reach = CANAL_REACH_MM if piece.share_neural > 0.5 else LEAK_REACH_MM
    if min(piece.gap_to_treated_mm, piece.gap_to_seeds_mm) > reach:
        return False
    if is_bright(piece) or piece.voxels < FEWEST_VOXELS:
        return is_bright(piece)
    if piece.on_a_needles_way and has_no_like(piece) and piece.volume_ml >= SMALLEST_ON_WAY_ML:
        return True
    if is_new(piece):
        return True
    return probability_of_cement(piece) >= least_probability(piece)


def least_probability(piece: PieceFeatures) -> float:
    """Return from which probability on a piece counts, by what is known of its place and of bone there.

    What an earlier scan shows as bright nearby, in soft tissue, may be the same plaque, moved: then it helps
    no more than none.
    """
    moved = is_in_soft_tissue(piece) and piece.rise_since_before < 0
    known = piece.share_known > KNOWN_SHARE and not moved
    if may_be_bare_cortex(piece):
        return LEAST_PROBABILITY_CORTEX_KNOWN if known else LEAST_PROBABILITY_CORTEX
    if known:
        return LEAST_PROBABILITY_KNOWN
    return LEAST_PROBABILITY_OUTLINED if _is_beside_outlines(piece) else LEAST_PROBABILITY


def may_be_bare_cortex(piece: PieceFeatures) -> bool:
    """Tell whether a piece may be the cortex of bone that an engine's outline left outside."""
    apart = piece.share_neural + piece.share_disc
    solid = apart > SHARE_ELSEWHERE and piece.thickness_mm >= CORTEX_HALF_MM
    in_soft_tissue = piece.soft_contact >= SOFT_CONTACT_OF_CORTEX
    return _is_beside_outlines(piece) and not (solid or in_soft_tissue)


def _is_beside_outlines(piece: PieceFeatures) -> bool:
    """Tell whether an engine outlined the bone beside a piece, on slices thin enough to show bare cortex."""
    return not piece.bone_is_drawn and piece.coarsest_mm <= CORTEX_SEEN_UP_TO_MM


def is_too_faint(piece: PieceFeatures) -> bool:
    """Tell whether a piece is fainter than any cement: as a film, or wide enough to show how opaque it is."""
    if piece.share_of_source < FILM_SHARE_OF_SOURCE and piece.peak_excess_hu < FILM_HU:
        return True
    wide = piece.thickness_mm >= max(WIDE_FROM_MM, piece.coarsest_mm)
    return wide and piece.peak_excess_hu < LEAST_WIDE_RISE_HU


def is_foreign(piece: PieceFeatures) -> bool:
    """Tell whether a piece is too large for a leak where it lies, or brighter than cement there can be."""
    if piece.volume_ml > LARGEST_LOOSE_ML:
        return True
    if max(piece.share_neural, piece.share_disc) > SHARE_ELSEWHERE:
        return False
    apart = min(piece.gap_to_seeds_mm, piece.gap_to_treated_mm) > APART_FROM_MM
    if apart and (piece.volume_ml > LARGEST_APART_ML or piece.length_mm > LONGEST_APART_MM):
        return True
    # What outshines all cement in bone, hangs on none and is not new is metal: clips, stents, filters.
    return piece.outshines_sources and not piece.is_next_to_cement and piece.rise_since_before < NEW_RISE_HU


def is_new(piece: PieceFeatures) -> bool:
    """Tell whether nothing that dense lay near a piece in soft tissue before injection."""
    small = piece.length_mm <= NEW_LENGTH_MM and piece.volume_ml >= NEW_FROM_ML
    return is_in_soft_tissue(piece) and small and piece.rise_since_before >= NEW_RISE_HU


def is_in_soft_tissue(piece: PieceFeatures) -> bool:
    """Tell whether a piece touches no bone."""
    return max(piece.bone_contact, piece.share_bone, piece.share_other) <= SOFT_TISSUE_BONE_CONTACT


def may_be_plaque(piece: PieceFeatures) -> bool:
    """Tell whether a piece may be chalk in the wall of an artery, or a strut of a stent in it."""
    inside = max(piece.share_neural, piece.share_bone)
    return inside <= PLAQUE_SHARE_INSIDE and piece.share_known <= KNOWN_SHARE


def has_no_like(piece: PieceFeatures) -> bool:
    """Tell whether nothing as bright lies on the other side of its vertebra, nor above and below."""
    return max(piece.like_other_side, piece.like_other_levels) < AS_BRIGHT


def is_bright(piece: PieceFeatures) -> bool:
    """Tell whether enough of a piece is brighter than any bone."""
    bright_ml = piece.bright_voxels * piece.volume_ml / max(piece.voxels, 1)
    return piece.bright_voxels >= FEWEST_BRIGHT_VOXELS or bright_ml >= SMALLEST_BRIGHT_ML
