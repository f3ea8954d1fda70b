"""Cement outside its vertebra, cut at the borders of the compartments into leaks of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cementct.core.arrays import BoolArray, FloatArray
from cementct.metrics.access_track import is_access_track
from cementct.metrics.leak_weights import share_out
from cementct.metrics.penetration import find_cement_beyond_bone
from cementct.metrics.surroundings import NEURAL_KINDS, Kind, Surroundings
from cementct.segmentation.model import ForeignBody

# From this volume on, in millilitres, a part is a leak of its own (contract).
LISTED_FROM_ML = 0.02
# Pieces of one type this near to each other, surface to surface in millimetres, are one leak (contract).
ONE_LEAK_WITHIN_MM = 2.0
# Cement outside the bone within this distance of the certain core of a leak belongs to it, in millimetres;
# what is further away along the wall is the blurred rim of cement inside. A sheet's thinning edge is about
# this wide.
RIM_OF_LEAK_MM = 2.0
# A part this shallow beyond the border to its larger neighbour is that neighbour's rim, in millimetres and in
# voxels along the normal: compartment borders in soft tissue are drawn to about half a millimetre.
SHALLOW_MM = 0.7
SHALLOW_VOXELS = 0.5
# Weight of a drawn voxel in line fits beyond its fraction, so that no voxel weighs nothing.
MIN_WEIGHT = 1e-3
# Number of a part's voxel that is no part of a leak: cement inside, or the rim of it.
NO_PART = 0

_ANY_NEIGHBOUR = np.ones((3, 3, 3), dtype=np.bool_)


@dataclass(frozen=True)
class Part:
    """Cement of one vertebra in one compartment: pieces at most 2 mm apart.

    Attributes
    ----------
    kind
        `Kind` number of its compartment; a disc's place added.
    points
        Indices (z, y, x) of its voxels as drawn, in the block of the surroundings, shape (n, 3).
    volume_ml
        Partial-volume estimate: fractions of its voxels and of the blurred rim around it.
    """

    kind: int
    points: NDArray[np.intp]
    volume_ml: float


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
    outside, core = find_cement_beyond_bone(around)
    leaked = _grow_core(core, outside, around)
    kind = np.where(leaked, around.kind, 0).astype(np.int64)
    kind = _give_other_bone_away(kind, around)
    pieces = _pieces(kind, around)
    pieces = _absorb_rims(pieces, kind, around)
    pieces = _name_access_tracks(pieces, around, foreign)
    pieces = _join_near(_pieces_by_kind(pieces), around)
    return _weigh(pieces, around)


def _grow_core(core: BoolArray, outside: BoolArray, around: Surroundings) -> BoolArray:
    if not core.any():
        return core
    labels, _ = ndimage.label(outside, structure=_ANY_NEIGHBOUR)
    with_core = np.isin(labels, np.unique(labels[core]))
    near = ndimage.distance_transform_edt(~core, sampling=around.spacing_mm) <= RIM_OF_LEAK_MM
    return np.asarray(outside & with_core & near)


def _give_other_bone_away(kind: NDArray[np.int64], around: Surroundings) -> NDArray[np.int64]:
    """Return `kind` with cement in a neighbour's bone given to the leak that brought it there.

    What passed through a disc into the neighbour's body continues the diskal leak, also where it is large; a
    shallow layer is the blurred rim of the leak that it touches. The rest is paravertebral: all else outside.
    """
    bone = kind == Kind.OTHER_BONE
    if not bone.any():
        return kind
    out = kind.copy()
    labels, count = ndimage.label(bone, structure=_ANY_NEIGHBOUR)
    for number in range(1, count + 1):
        piece = labels == number
        shell = ndimage.binary_dilation(piece, _ANY_NEIGHBOUR) & (kind > 0) & ~bone
        touched, contact = np.unique(kind[shell], return_counts=True)
        discs = touched >= Kind.DISC
        if discs.any():
            out[piece] = touched[discs][np.argmax(contact[discs])]
        elif touched.size and _depth_beyond(piece, around.kind == touched[np.argmax(contact)], around) < 0:
            out[piece] = touched[np.argmax(contact)]
        else:
            out[piece] = Kind.ELSEWHERE
    return out


def _pieces(kind: NDArray[np.int64], around: Surroundings) -> list[Part]:
    """Return the connected pieces of each kind, in the order of the kinds and then of the voxels."""
    found = []
    for number in np.unique(kind[kind > 0]):
        labels, count = ndimage.label(kind == number, structure=_ANY_NEIGHBOUR)
        for piece in range(1, count + 1):
            points = np.argwhere(labels == piece)
            found.append(Part(int(number), points, _drawn_ml(points, around)))
    return found


def _drawn_ml(points: NDArray[np.intp], around: Surroundings) -> float:
    return float(around.fraction[tuple(points.T)].sum()) * around.grid.voxel_ml


def _absorb_rims(pieces: list[Part], kind: NDArray[np.int64], around: Surroundings) -> list[Part]:
    """Return the pieces after slivers at a border went to the larger neighbour across it.

    A shallow piece is a rim wherever it lies. A deeper one under the listed volume is absorbed too, but never
    in canal or foramina.
    """
    kind = kind.copy()
    changed = True
    while changed:
        changed = False
        for piece in sorted(pieces, key=lambda part: part.volume_ml):
            target = _absorbing_kind(piece, pieces, kind, around)
            if target is not None:
                kind[tuple(piece.points.T)] = target
                pieces = _pieces(kind, around)
                changed = True
                break
    return pieces


def _absorbing_kind(
    piece: Part, pieces: list[Part], kind: NDArray[np.int64], around: Surroundings
) -> int | None:
    block, offset = _block_of(piece.points, around, margin=1)
    here = np.zeros(kind[block].shape, dtype=np.bool_)
    here[tuple((piece.points - offset).T)] = True
    shell = ndimage.binary_dilation(here, _ANY_NEIGHBOUR) & ~here
    touched = shell & (kind[block] > 0) & (kind[block] != piece.kind)
    if not touched.any():
        return None
    kinds, contact = np.unique(kind[block][touched], return_counts=True)
    target = int(kinds[np.argmax(contact)])
    largest = max(part.volume_ml for part in pieces if part.kind == target)
    if largest <= piece.volume_ml:
        return None
    small = piece.volume_ml < LISTED_FROM_ML and piece.kind not in NEURAL_KINDS
    whole = np.zeros(kind.shape, dtype=np.bool_)
    whole[tuple(piece.points.T)] = True
    if small or _depth_beyond(whole, around.kind == target, around) < 0:
        return target
    return None


def _depth_beyond(piece: BoolArray, neighbour: BoolArray, around: Surroundings) -> float:
    """Return by how much a piece reaches deeper than a rim would beyond a neighbouring compartment, in mm."""
    block, _ = _block_of(np.argwhere(piece), around, margin=2 + int(MAX_RIM_MM / around.spacing_mm.min()))
    if not neighbour[block].any():
        return float("inf")
    inside = neighbour[block]
    distance_mm, nearest = ndimage.distance_transform_edt(
        ~inside, sampling=around.spacing_mm, return_indices=True
    )
    points = np.argwhere(piece[block])
    foot = np.stack([axis[tuple(points.T)] for axis in nearest], axis=1)
    offset_mm = (points - foot) * around.spacing_mm
    far_mm = np.maximum(np.linalg.norm(offset_mm, axis=1), 1e-6)
    step_mm = np.sqrt(((offset_mm / far_mm[:, None] * around.spacing_mm) ** 2).sum(axis=1))
    # The outer face of a voxel lies half a voxel beyond its centre, the border half a voxel before it.
    return float((distance_mm[tuple(points.T)] - SHALLOW_MM - SHALLOW_VOXELS * step_mm).max())


# Pieces are compared with neighbouring compartments within this distance, in millimetres.
MAX_RIM_MM = 4.0


def _block_of(
    points: NDArray[np.intp], around: Surroundings, *, margin: int
) -> tuple[tuple[slice, slice, slice], NDArray[np.intp]]:
    start = np.maximum(points.min(axis=0) - margin, 0)
    stop = np.minimum(points.max(axis=0) + margin + 1, around.box.shape)
    z, y, x = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return (z, y, x), np.asarray(start, dtype=np.intp)


def _name_access_tracks(
    pieces: list[Part], around: Surroundings, foreign: tuple[ForeignBody, ...]
) -> list[Part]:
    named = []
    to_bone_mm = None
    for piece in pieces:
        if piece.kind != Kind.ELSEWHERE:
            named.append(piece)
            continue
        if to_bone_mm is None:
            to_bone_mm = ndimage.distance_transform_edt(
                around.kind != Kind.INSIDE, sampling=around.spacing_mm
            )
        track = is_access_track(
            around.local_mm(piece.points),
            around.fraction[tuple(piece.points.T)].astype(np.float64) + MIN_WEIGHT,
            vertebra=around.vertebra,
            gap_to_bone_mm=float(to_bone_mm[tuple(piece.points.T)].min()),
            foreign=foreign,
        )
        named.append(replace(piece, kind=Kind.ACCESS_TRACK) if track else piece)
    return named


def _pieces_by_kind(pieces: list[Part]) -> dict[int, list[Part]]:
    by_kind: dict[int, list[Part]] = {}
    for piece in pieces:
        by_kind.setdefault(piece.kind, []).append(piece)
    return by_kind


def _join_near(by_kind: dict[int, list[Part]], around: Surroundings) -> list[Part]:
    """Return the parts after pieces of one kind at most 2 mm apart were joined."""
    joined = []
    for kind in sorted(by_kind):
        groups: list[list[Part]] = []
        for piece in by_kind[kind]:
            near = [
                g for g in groups if any(_gap_mm(piece, other, around) <= ONE_LEAK_WITHIN_MM for other in g)
            ]
            groups = [g for g in groups if not any(g is n for n in near)]
            groups.append([piece, *(other for g in near for other in g)])
        for group in groups:
            points = np.concatenate([part.points for part in group])
            points = points[np.lexsort(points.T[::-1])]
            joined.append(Part(kind, points, sum(part.volume_ml for part in group)))
    return joined


def _is_near(piece: Part, group: list[Part], around: Surroundings) -> bool:
    return any(_gap_mm(piece, other, around) <= ONE_LEAK_WITHIN_MM for other in group)


def _gap_mm(one: Part, other: Part, around: Surroundings) -> float:
    """Return the shortest distance from surface to surface."""
    from scipy.spatial import cKDTree

    few, many = (one, other) if len(one.points) < len(other.points) else (other, one)
    spacing: FloatArray = around.spacing_mm
    distance_mm, nearest = cKDTree(many.points * spacing).query(few.points * spacing)
    offset_mm = (few.points - many.points[nearest]) * spacing
    normal = offset_mm / np.maximum(distance_mm, 1e-6)[:, None]
    return float((distance_mm - np.sqrt(((normal * spacing) ** 2).sum(axis=1))).min())


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
