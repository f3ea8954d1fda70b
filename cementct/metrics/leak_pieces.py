"""Connected pieces of cement outside its vertebra, each in one compartment; near ones are joined."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cementct.core.arrays import FloatArray
from cementct.metrics.surroundings import Kind, Surroundings

# Pieces of one type this near to each other, surface to surface in millimetres, are one leak (contract).
ONE_LEAK_WITHIN_MM = 2.0
# Cement too faint to be drawn joins the pieces at its ends where it fills at least this share of the voxels
# between them: a thin vein fades where it runs between two slices, and blur across 2 mm stays below.
FAINT_SHARE = 0.15

_ANY_NEIGHBOUR = np.ones((3, 3, 3), dtype=np.bool_)
Window = tuple[slice, slice, slice]


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


def find_pieces(kind: NDArray[np.int64], around: Surroundings) -> list[Part]:
    """Return the connected pieces of each kind, in the order of the kinds and then of the voxels.

    Parameters
    ----------
    kind
        `Kind` of leaked cement, 0 elsewhere, on the block of `around`.
    around
        The cement; volumes are sums of the fractions of the drawn voxels alone.
    """
    found = []
    for number in np.unique(kind[kind > 0]):
        labels, _ = ndimage.label(kind == number, structure=_ANY_NEIGHBOUR)
        for piece, window in enumerate(ndimage.find_objects(labels), start=1):
            start = np.array([s.start for s in window], dtype=np.intp)
            points = np.argwhere(labels[window] == piece) + start
            found.append(Part(int(number), points, drawn_ml(points, around)))
    return found


def drawn_ml(points: NDArray[np.intp], around: Surroundings) -> float:
    """Return the volume of cement in the given voxels."""
    return float(around.fraction[tuple(points.T)].sum()) * around.grid.voxel_ml


def window_around(points: NDArray[np.intp], around: Surroundings, *, margin_mm: float) -> Window:
    """Return the part of the block that holds the points and `margin_mm`, one voxel at least, around them."""
    margin = np.maximum(1, np.ceil(margin_mm / around.spacing_mm)).astype(np.intp)
    start = np.maximum(points.min(axis=0) - margin, 0)
    stop = np.minimum(points.max(axis=0) + margin + 1, around.box.shape)
    z, y, x = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return z, y, x


def join_near(pieces: list[Part], around: Surroundings) -> list[Part]:
    """Return the parts, in the order of their kinds, after pieces of one kind were joined.

    One leak are pieces near each other, and those that faint cement of the same compartment connects.
    """
    joined = []
    for kind in sorted({piece.kind for piece in pieces}):
        alike = [p for p in pieces if p.kind == kind]
        chains = _chains(alike, around) if len(alike) > 1 else None
        groups: list[list[Part]] = []
        for piece in alike:
            near = [g for g in groups if any(_are_one(piece, other, chains, around) for other in g)]
            groups = [g for g in groups if not any(g is n for n in near)]
            groups.append([piece, *(other for g in near for other in g)])
        for group in groups:
            points = np.concatenate([part.points for part in group])
            points = points[np.lexsort(points.T[::-1])]
            joined.append(Part(kind, points, sum(part.volume_ml for part in group)))
    return joined


def _chains(pieces: list[Part], around: Surroundings) -> NDArray[np.int32]:
    """Return the numbers of connected cement, drawn or faint, in the compartments that the pieces lie in."""
    kinds = np.unique(np.concatenate([around.kind[tuple(p.points.T)] for p in pieces]))
    seen = (around.fraction >= FAINT_SHARE) & np.isin(around.kind, kinds) & (around.kind != Kind.INSIDE)
    return np.asarray(ndimage.label(seen, structure=_ANY_NEIGHBOUR)[0], dtype=np.int32)


def _are_one(one: Part, other: Part, chains: NDArray[np.int32] | None, around: Surroundings) -> bool:
    if chains is not None:
        shared = np.intersect1d(chains[tuple(one.points.T)], chains[tuple(other.points.T)])
        if np.any(shared > 0):
            return True
    return _is_near(one, other, around)


def _is_near(one: Part, other: Part, around: Surroundings) -> bool:
    """Tell whether the surfaces of two pieces are near enough to make them one leak."""
    from scipy.spatial import cKDTree

    few, many = (one, other) if len(one.points) < len(other.points) else (other, one)
    spacing: FloatArray = around.spacing_mm
    distance_mm, nearest = cKDTree(many.points * spacing).query(few.points * spacing)
    offset_mm = (few.points - many.points[nearest]) * spacing
    normal = offset_mm / np.maximum(distance_mm, 1e-6)[:, None]
    gap_mm = distance_mm - np.sqrt(((normal * spacing) ** 2).sum(axis=1))
    return bool(gap_mm.min() <= ONE_LEAK_WITHIN_MM)
