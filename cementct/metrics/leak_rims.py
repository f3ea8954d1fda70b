"""Tell a thin leak from the blurred rim of cement on the other side of a border, by mass.

Cement that lies flush with a border throws blur across it, and the border itself is drawn with an error. Both
put a layer of cement beyond it that is no leak. How thick a layer lies there is told by its mass: the volume
beyond the border over the area in which it touches the cement on the other side. Counting voxels would not
do: where they are drawn moves with blur, their mass does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cementct.core.arrays import BoolArray, FloatArray
from cementct.metrics.leak_pieces import Part, Window, find_pieces, window_around
from cementct.metrics.penetration import share_behind_walls
from cementct.metrics.surroundings import NEURAL_KINDS, Kind, Surroundings

# From this volume on, in millilitres, a part is a leak of its own (contract).
LISTED_FROM_ML = 0.02
# Blur carries this share of its standard deviation across a border, as a layer of solid cement:
# 1 / sqrt(2 pi).
BLUR_SHARE = 0.4
# Standard deviation of blur along the normal: that of a usual kernel in millimetres, or a share of the voxel
# where that is more.
BLUR_MM = 0.5
BLUR_VOXELS = 0.34
# Borders between compartments in soft tissue are drawn to this, in millimetres and in voxels along the
# normal: half a voxel at most, half of that on average. Where it is unclear, what matters more to the patient
# goes first (contract), so the wider margin works in favour of canal and foramina, the narrower one against
# them.
BORDER_MM = 0.25
BORDER_VOXELS = 0.25
UNCLEAR_VOXELS = 0.5
# The blurred rim of drawn cement reaches this far, in millimetres; and never further than one voxel.
RIM_MM = 1.2
# Faces of a stepped surface add up to at most this times its area (a plane square to the diagonal).
MOST_STEPPED = float(np.sqrt(3.0))

_FACE_NEIGHBOURS = ndimage.generate_binary_structure(3, 1)
_ANY_NEIGHBOUR = np.ones((3, 3, 3), dtype=np.bool_)


@dataclass(frozen=True)
class Layer:
    """Cement on one side of a border as a layer on the cement at the other side.

    Attributes
    ----------
    thickness_mm
        Its volume over the area of contact; infinite without contact.
    step_mm
        Size of a voxel along the mean normal of that area.
    """

    thickness_mm: float
    step_mm: float

    @property
    def blur_mm(self) -> float:
        """Thickness of what blur alone carries across the border."""
        return BLUR_SHARE * max(BLUR_MM, BLUR_VOXELS * self.step_mm)

    def is_rim(self, border_mm: float, border_voxels: float) -> bool:
        """Tell whether it is no thicker than blur and a border drawn wrongly by so much make it."""
        return self.thickness_mm < self.blur_mm + border_mm + border_voxels * self.step_mm


def measure_layer(piece: BoolArray, beside: BoolArray, around: Surroundings, window: Window) -> Layer:
    """Return a piece of drawn cement as a layer on the drawn cement beside it.

    Parameters
    ----------
    piece, beside
        Drawn voxels on either side of the border, within `window` of the block.
    around, window
        The cement, and the part of its block that is looked at.
    """
    spacing = around.spacing_mm
    faces = np.array([_faces(piece, beside, axis) for axis in range(3)], dtype=np.float64)
    faces *= (spacing.prod() / spacing)[:, None]
    net = faces[:, 0] - faces[:, 1]
    area_mm2 = max(float(np.linalg.norm(net)), float(faces.sum()) / MOST_STEPPED)
    if area_mm2 <= 0:
        return Layer(float("inf"), float(spacing.max()))
    normal = net / max(float(np.linalg.norm(net)), 1e-6)
    step_mm = float(np.linalg.norm(normal * spacing)) if np.any(net) else float(spacing.max())
    return Layer(_volume_mm3(piece, beside, around, window) / area_mm2, step_mm)


def _faces(piece: BoolArray, beside: BoolArray, axis: int) -> tuple[int, int]:
    """Return the number of voxel faces in which `piece` follows, and precedes, `beside` along an axis."""
    first, last = [slice(None)] * 3, [slice(None)] * 3
    first[axis], last[axis] = slice(None, -1), slice(1, None)
    a, b = tuple(first), tuple(last)
    after = int(np.count_nonzero(piece[b] & beside[a]))
    return after, int(np.count_nonzero(piece[a] & beside[b]))


def _volume_mm3(piece: BoolArray, beside: BoolArray, around: Surroundings, window: Window) -> float:
    """Return the volume of a piece and its own blurred rim beyond the border."""
    kinds = around.kind[window]
    rim = ndimage.distance_transform_edt(~piece, sampling=around.spacing_mm) <= RIM_MM
    rim |= ndimage.binary_dilation(piece, _FACE_NEIGHBOURS)
    same = np.isin(kinds, np.unique(kinds[piece])) & rim & ~beside
    fraction = np.where(piece | (same & ~around.region[window]), around.fraction[window], 0)
    return float((fraction * _share_beyond(piece | same, around, window)).sum()) * around.grid.voxel_mm3


def _share_beyond(where: BoolArray, around: Surroundings, window: Window) -> FloatArray:
    """Return how much of each voxel lies beyond the posterior wall or the endplate, 1 where there is none."""
    points = np.argwhere(where) + np.array([s.start for s in window], dtype=np.intp)
    known = share_behind_walls(around, points, around.kind[window][where])
    share = np.ones(where.shape)
    share[where] = np.where(np.isfinite(known), known, 1.0)
    return share


def give_other_bone_away(kind: NDArray[np.int64], around: Surroundings) -> NDArray[np.int64]:
    """Return `kind` with cement in a neighbour's bone given to the leak that brought it there.

    What passed through a disc into the neighbour's body continues the diskal leak, also where it is large; a
    shallow layer is the blurred rim of the leak that it touches. The rest is paravertebral: all else outside.
    """
    bone = kind == Kind.OTHER_BONE
    if not bone.any():
        return kind
    out = kind.copy()
    for piece in find_pieces(np.where(bone, kind, 0), around):
        window = window_around(piece.points, around, margin_mm=RIM_MM)
        here = _mask(piece.points, window)
        touched, contact = _touched(here, np.where(kind[window] == Kind.OTHER_BONE, 0, kind[window]))
        discs = touched >= Kind.DISC
        target = int(Kind.ELSEWHERE)
        if discs.any():
            target = int(touched[discs][np.argmax(contact[discs])])
        elif touched.size:
            most = int(touched[np.argmax(contact)])
            if measure_layer(here, kind[window] == most, around, window).is_rim(BORDER_MM, BORDER_VOXELS):
                target = most
        out[tuple(piece.points.T)] = target
    return out


def absorb_rims(kind: NDArray[np.int64], around: Surroundings) -> list[Part]:
    """Return the pieces of each kind after slivers at a border went to the larger neighbour across it.

    A layer that blur and the border's own error explain is a rim wherever it lies. A thicker one under the
    listed volume is absorbed too, but never in canal or foramina.
    """
    kind = kind.copy()
    pieces = find_pieces(kind, around)
    changed = True
    while changed:
        changed = False
        for piece in sorted(pieces, key=lambda part: part.volume_ml):
            target = _absorbing_kind(piece, pieces, kind, around)
            if target is not None:
                kind[tuple(piece.points.T)] = target
                pieces = find_pieces(kind, around)
                changed = True
                break
    return pieces


def _absorbing_kind(
    piece: Part, pieces: list[Part], kind: NDArray[np.int64], around: Surroundings
) -> int | None:
    window = window_around(piece.points, around, margin_mm=RIM_MM)
    here = _mask(piece.points, window)
    touched, contact = _touched(here, kind[window])
    if touched.size == 0:
        return None
    target = int(touched[np.argmax(contact)])
    neural, beside_neural = piece.kind in NEURAL_KINDS, target in NEURAL_KINDS
    largest = max(part.volume_ml for part in pieces if part.kind == target)
    if largest <= piece.volume_ml:
        return None
    if piece.volume_ml < LISTED_FROM_ML and not neural:
        return target
    layer = measure_layer(here, kind[window] == target, around, window)
    unclear_voxels = UNCLEAR_VOXELS if beside_neural and not neural else BORDER_VOXELS
    return target if layer.is_rim(BORDER_MM, unclear_voxels) else None


def _mask(points: NDArray[np.intp], window: Window) -> BoolArray:
    mask = np.zeros([s.stop - s.start for s in window], dtype=np.bool_)
    mask[tuple((points - [s.start for s in window]).T)] = True
    return mask


def _touched(piece: BoolArray, kind: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Return the other kinds that a piece touches, and in how many voxels."""
    shell = ndimage.binary_dilation(piece, _ANY_NEIGHBOUR) & ~piece & (kind > 0)
    kinds, contact = np.unique(kind[shell], return_counts=True)
    other = kinds != kind[piece][0]
    return kinds[other], contact[other]
