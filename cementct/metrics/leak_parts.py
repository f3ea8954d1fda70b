"""Cement outside its vertebra, cut at the borders of the compartments into leaks of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cementct.core.arrays import BoolArray, FloatArray
from cementct.metrics.access_track import MAX_GAP_OF_CORD_MM, is_access_track
from cementct.metrics.leak_pieces import Part, find_pieces, join_near, window_around
from cementct.metrics.leak_rims import absorb_rims, give_other_bone_away, measure_layer
from cementct.metrics.leak_weights import share_out
from cementct.metrics.penetration import find_cement_beyond_bone
from cementct.metrics.surroundings import Kind, Surroundings
from cementct.metrics.swallowed_veins import free_swallowed_veins
from cementct.segmentation.model import ForeignBody

# Cement outside the bone within this distance of the certain core of a leak belongs to it, in millimetres;
# what is further away along the wall is the blurred rim of cement inside. A sheet's thinning edge is about
# this wide.
RIM_OF_LEAK_MM = 2.0
# Weight of a drawn voxel in line fits beyond its fraction, so that no voxel weighs nothing.
MIN_WEIGHT = 1e-3
# Number of a part's voxel that is no part of a leak: cement inside, or the rim of it.
NO_PART = 0

_FACE_NEIGHBOURS = ndimage.generate_binary_structure(3, 1)
_ANY_NEIGHBOUR = np.ones((3, 3, 3), dtype=np.bool_)


@dataclass(frozen=True)
class Parts:
    """All parts of one vertebra's leaked cement.

    Attributes
    ----------
    parts
        In the order of their kinds, each the larger first.
    number
        For every voxel with cement, one more than the index of the part that its cement belongs to, rim
        included; `NO_PART` where it belongs to the cement inside.
    filled
        Share of each voxel that the part's cement occupies; the rest of the fraction lies inside the bone.
    """

    parts: tuple[Part, ...]
    number: NDArray[np.int32]
    filled: FloatArray


def split_into_parts(around: Surroundings, foreign: tuple[ForeignBody, ...] = ()) -> Parts:
    """Return the parts of a vertebra's leaked cement, boundary slivers given to what they are the rim of.

    Needles among the dense things in `foreign` tell the way of the access track.
    """
    leaked = _find_leaked(around)
    freed = free_swallowed_veins(around, leaked)
    if freed is not around:
        around, leaked = freed, _find_leaked(freed)
    kind = np.where(leaked, around.kind, 0).astype(np.int64)
    kind = give_other_bone_away(kind, around)
    pieces = absorb_rims(kind, around)
    pieces = _name_access_tracks(pieces, around, foreign)
    return _weigh(join_near(pieces, around), around)


def _find_leaked(around: Surroundings) -> BoolArray:
    """Return the drawn cement that has left the bone: what lies around a core and is no layer of blur."""
    beyond = find_cement_beyond_bone(around)
    leaked = np.zeros_like(beyond.core)
    if not beyond.core.any():
        return leaked
    labels, _ = ndimage.label(beyond.outside, structure=_ANY_NEIGHBOUR)
    with_core = np.isin(labels, np.unique(labels[beyond.core]))
    inside = around.region & (around.kind == Kind.INSIDE)
    near = np.zeros_like(beyond.core)
    close = window_around(np.argwhere(beyond.core), around, margin_mm=RIM_OF_LEAK_MM)
    to_core_mm = ndimage.distance_transform_edt(~beyond.core[close], sampling=around.spacing_mm)
    near[close] = to_core_mm <= RIM_OF_LEAK_MM
    # Beside a core, what lies on cement inside is the rim of that.
    near &= beyond.core | ~ndimage.binary_dilation(inside, _FACE_NEIGHBOURS)
    tolerated_mm = np.full(beyond.core.shape, np.nan)
    tolerated_mm[beyond.core] = beyond.tolerated_mm
    for piece in find_pieces((beyond.outside & with_core & near).astype(np.int64), around):
        window = window_around(piece.points, around, margin_mm=RIM_OF_LEAK_MM)
        here = np.zeros_like(inside[window])
        here[tuple((piece.points - [s.start for s in window]).T)] = True
        layer = measure_layer(here, inside[window], around, window)
        tolerated = tolerated_mm[tuple(piece.points.T)]
        tolerated = tolerated[np.isfinite(tolerated)]
        if tolerated.size and layer.thickness_mm >= tolerated.mean():
            leaked[tuple(piece.points.T)] = True
    return leaked


def _name_access_tracks(
    pieces: list[Part], around: Surroundings, foreign: tuple[ForeignBody, ...]
) -> list[Part]:
    """Return the pieces after those along the needle's way were named so, near ones looked at as one too."""
    elsewhere = [piece for piece in pieces if piece.kind == Kind.ELSEWHERE]
    if not elsewhere:
        return pieces

    def is_track(points: NDArray[np.intp]) -> bool:
        return is_access_track(
            around.local_mm(points),
            around.fraction[tuple(points.T)].astype(np.float64) + MIN_WEIGHT,
            vertebra=around.vertebra,
            gap_to_bone_mm=_gap_to_bone_mm(points, around),
            foreign=foreign,
        )

    whole = {
        tuple(point)
        for part in join_near(elsewhere, around)
        if is_track(part.points)
        for point in part.points
    }
    return [
        replace(piece, kind=Kind.ACCESS_TRACK)
        if piece.kind == Kind.ELSEWHERE and (tuple(piece.points[0]) in whole or is_track(piece.points))
        else piece
        for piece in pieces
    ]


def _gap_to_bone_mm(points: NDArray[np.intp], around: Surroundings) -> float:
    """Return the shortest distance from voxels to the vertebra; infinite beyond that of any track."""
    window = window_around(points, around, margin_mm=MAX_GAP_OF_CORD_MM)
    bone = around.kind[window] == Kind.INSIDE
    if not bone.any():
        return float("inf")
    to_bone_mm = ndimage.distance_transform_edt(~bone, sampling=around.spacing_mm)
    return float(to_bone_mm[tuple((points - [s.start for s in window]).T)].min())


def _weigh(parts: list[Part], around: Surroundings) -> Parts:
    """Return the parts with their cement divided from the cement inside, finer than a voxel."""
    drawn = np.zeros(around.box.shape, dtype=np.int32)
    for number, part in enumerate(parts, start=1):
        drawn[tuple(part.points.T)] = number
    number_of, filled = share_out(drawn, around)
    sums = np.bincount(number_of.ravel(), weights=filled.ravel(), minlength=len(parts) + 1)
    weighed = [
        replace(part, volume_ml=float(sums[i]) * around.grid.voxel_ml) for i, part in enumerate(parts, 1)
    ]
    order = sorted(range(len(parts)), key=lambda i: (weighed[i].kind, -weighed[i].volume_ml, i))
    renumber = np.zeros(len(parts) + 1, dtype=np.int32)
    for new, old in enumerate(order, start=1):
        renumber[old + 1] = new
    return Parts(tuple(weighed[i] for i in order), renumber[number_of], filled)
