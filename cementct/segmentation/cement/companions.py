"""Pieces of one leak: what lies in soft tissue beside a piece of cement that is as bright and as thin.

Cement that flows along a vein leaves fragments; each by itself may be a calcification, the next one of the
same cement tells.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cementct.core.arrays import BoolArray, IntArray
from cementct.core.distances import shortest_gap, tree_of
from cementct.core.grid import Triple
from cementct.segmentation.cement.piece import PieceFeatures
from cementct.segmentation.cement.piece_rules import has_no_like, is_in_soft_tissue

# Fragments of one cord lie no farther from each other, and are as bright as each other to within this factor;
# those of several cords lie farther apart, and are more alike. On 94 tuning phantoms that added four pieces,
# all of them cement.
NEXT_FRAGMENT = (8.0, 1.35)
NEXT_CORD = (22.0, 1.12)
# So many pieces of cement in soft tissue tell that several cords are filled.
SEVERAL = 2
# Smaller ones are noise, larger ones are judged by themselves.
COMPANION_FROM_ML, COMPANION_UP_TO_ML = 0.01, 0.6


def find_companions(
    pieces: Mapping[int, PieceFeatures],
    places: Mapping[int, IntArray],
    chosen: BoolArray,
    spacing_mm: Triple,
) -> list[int]:
    """Return the numbers of pieces that are cement since another one in soft tissue beside them is.

    Parameters
    ----------
    pieces
        What was found of the pieces, by number.
    places
        Their voxels, shape (n, 3) each.
    chosen
        Whether a number is cement already.
    spacing_mm
        Distance between voxels along z, y and x.
    """
    loose = [n for n, piece in pieces.items() if _may_be_one_of_several(piece)]
    found: list[int] = []
    fresh = [n for n in loose if chosen[n]]
    left = [n for n in loose if not chosen[n] and has_no_like(pieces[n])]
    reaches = (NEXT_FRAGMENT, NEXT_CORD) if len(fresh) >= SEVERAL else (NEXT_FRAGMENT,)

    def belongs(one: int, other: int) -> bool:
        ratio = pieces[one].peak_excess_hu / pieces[other].peak_excess_hu
        alike = [gap for gap, factor in reaches if 1.0 / factor <= ratio <= factor]
        return bool(alike) and _are_within(max(alike), places[one], places[other], spacing_mm)

    while fresh and left:
        near = [n for n in left if any(belongs(n, m) for m in fresh)]
        found += near
        fresh, left = near, [n for n in left if n not in near]
    return found


def _may_be_one_of_several(piece: PieceFeatures) -> bool:
    return is_in_soft_tissue(piece) and COMPANION_FROM_ML <= piece.volume_ml <= COMPANION_UP_TO_ML


def _are_within(reach_mm: float, one: IntArray, other: IntArray, spacing_mm: Triple) -> bool:
    """Tell whether two pieces have voxels so near to each other."""
    spacing = np.asarray(spacing_mm)
    a, b = one * spacing, other * spacing
    apart = np.maximum(a.min(axis=0) - b.max(axis=0), b.min(axis=0) - a.max(axis=0))
    if float(np.linalg.norm(np.maximum(apart, 0.0))) > reach_mm:
        return False
    return shortest_gap(tree_of(a), b) <= reach_mm
