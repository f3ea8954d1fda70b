"""The lesion as the pre-injection scan shows it, against the patient's own sound marrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from scipy import ndimage

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.findings import Destruction
from cementct.segmentation.lesion.bone import Bone
from cementct.segmentation.lesion.cortex import cortex_removed, destroyed_rim
from cementct.segmentation.lesion.kind import name_destruction
from cementct.segmentation.lesion.lytic import LEAST_CONTRAST_HU, TUMOUR_HU, LyticPart, segment_lytic
from cementct.segmentation.lesion.marrow import NormalMarrow, own_marrow_hu
from cementct.segmentation.lesion.outside import has_tumour_outside
from cementct.segmentation.lesion.sclerotic import find_dense, find_lumps, find_sclerosis, segment_sclerotic
from cementct.segmentation.lesion.smoothing import surface_mm2
from cementct.segmentation.lesion.wall import involves_posterior_wall

# Standard deviation of a lesion's border as a whole: on phantoms of 1.25 to 3 mm slices its volume is
# off by 13 % on average, 0.4 mm of border.
BORDER_SD_MM = 0.45
# A bone is called sound where a lesion would differ from its marrow by so many of the marrow's own spreads.
TOLD_SPREADS = 1.2
# Where it would not, thin marrow is as dark as a lesion here and there. So a lytic part is believed only if
# none of so many neighbours holds, as a share of its interior, this much of what looks like one.
NEIGHBOURS_COMPARED, AS_MUCH_NEXT_DOOR = 2, 0.5
# Where there is no lysis of the usual kind it is looked for less strictly, and believed if it stands out
# from the neighbours and takes up this share of the interior: marrow is as dark in places, 0.06 in a sound
# vertebra of the tuning cases; lesions overlooked before took 0.08 up.
LEAST_HARD_SHARE = 0.08
# Tumour that takes up contrast or holds a rest of bone.
BRIGHT_TUMOUR_HU = 75.0


@dataclass(frozen=True)
class _View:
    """A vertebra, its marrow, and what is denser than that, once lightly smoothed."""

    bone: Bone
    normal: NormalMarrow
    marrow_hu: float
    light: Float32Array
    dense: BoolArray

    @classmethod
    def of(cls, bone: Bone, normal: NormalMarrow) -> _View:
        """Look at a vertebra."""
        marrow_hu = own_marrow_hu(bone, normal)
        return cls(bone, normal, marrow_hu, *find_dense(bone, normal, marrow_hu))


@dataclass(frozen=True)
class Search:
    """A way to look for lysis.

    Attributes
    ----------
    tumour_hu
        First guess of the tumour's intensity.
    rounds
        How often tumour and marrow are read again in what was found, and the search is done anew.
    beside_lumps
        Whether lumps of sclerosis count as destroyed from the beginning: lysis that they hem in or part is
        too small without.
    """

    tumour_hu: float = TUMOUR_HU
    rounds: int = 2
    beside_lumps: bool = False

    def run(self, view: _View, sclerotic: BoolArray | None = None) -> LyticPart:
        """Return the lytic part of a vertebra, together with the sclerosis that is known to belong to it."""
        if sclerotic is None:
            no_lumps = np.zeros_like(view.dense)
            sclerotic = find_lumps(view.bone, view.dense) if self.beside_lumps else no_lumps
        return segment_lytic(
            view.bone, view.normal, view.marrow_hu,
            dense=view.dense, sclerotic=sclerotic, tumour_hu=self.tumour_hu, rounds=self.rounds,
        )  # fmt: skip


USUAL = Search()
# Where that finds nothing, one after the other.
HARDER = (
    Search(beside_lumps=True),
    Search(BRIGHT_TUMOUR_HU),
    Search(BRIGHT_TUMOUR_HU, rounds=1, beside_lumps=True),
)


@dataclass(frozen=True)
class LesionBefore:
    """A lesion on the pre-injection scan.

    Attributes
    ----------
    share
        Share of each voxel of the bone's block.
    volume_ml, volume_sd_ml
        Its volume and the standard deviation of that estimate.
    destruction
        Type; NONE where the bone is sound; None where marrow is too thin to tell.
    posterior_wall_involved
        Whether the posterior wall takes part.
    tumour_outside_bone
        Whether tumour reaches beyond the bone.
    """

    share: Float32Array
    volume_ml: float
    volume_sd_ml: float
    destruction: Destruction | None
    posterior_wall_involved: bool | None
    tumour_outside_bone: bool


def segment_before(bone: Bone, normal: NormalMarrow, neighbours: Iterable[Bone] = ()) -> LesionBefore:
    """Return the lesion of a vertebra in the scan before injection; without volume where there is none.

    Parameters
    ----------
    bone
        The vertebra.
    normal
        The patient's sound marrow.
    neighbours
        Vertebrae that are not treated, the nearest first: looked at only where marrow is so thin that it
        may pass for a lesion, and where a lesion is looked for less strictly.
    """
    view, others = _View.of(bone, normal), _Few(neighbours, normal)
    search, lytic = _look_for_lysis(view, others)
    marrow_hu, light = view.marrow_hu, view.light
    sclerosis = find_sclerosis(bone, (light, view.dense), lytic.share >= 0.5)
    if lytic.found and sclerosis.any():
        lytic = search.run(view, sclerosis)
    sclerotic = segment_sclerotic(bone, light, sclerosis, lytic.share >= 0.5, marrow_hu)
    share = _joined(bone, lytic, sclerotic)
    volume_ml = float(share.sum()) * bone.grid.voxel_ml
    contrast_hu = min(marrow_hu, normal.mean_hu) - TUMOUR_HU
    told = contrast_hu >= max(LEAST_CONTRAST_HU, TOLD_SPREADS * normal.spread_hu)
    if volume_ml <= 0 or not (told or _stands_out(view, lytic, others)):
        return _sound(bone, told=told)
    sclerotic_ml = float(np.minimum(sclerotic, share).sum()) * bone.grid.voxel_ml
    return LesionBefore(
        share=share,
        volume_ml=volume_ml,
        volume_sd_ml=surface_mm2(share, bone.grid) * BORDER_SD_MM / 1000.0,
        destruction=name_destruction(volume_ml - sclerotic_ml, sclerotic_ml),
        posterior_wall_involved=involves_posterior_wall(share >= 0.5, bone.grid, bone.vertebra),
        tumour_outside_bone=has_tumour_outside(bone, share, lytic.tumour_hu),
    )


class _Few:
    """The nearest neighbours, each looked at when it is first needed."""

    def __init__(self, neighbours: Iterable[Bone], normal: NormalMarrow) -> None:
        self._coming = (_View.of(bone, normal) for bone in islice(neighbours, NEIGHBOURS_COMPARED))
        self._seen: list[_View] = []

    def __iter__(self) -> Iterator[_View]:
        yield from self._seen
        for neighbour in self._coming:
            self._seen.append(neighbour)
            yield neighbour


def _look_for_lysis(view: _View, neighbours: Iterable[_View]) -> tuple[Search, LyticPart]:
    """Return the lytic part, without anything where there is none, and the search that found it."""
    usual = USUAL.run(view)
    if usual.found:
        return USUAL, usual
    for search in HARDER:
        found = search.run(view)
        is_large = _share_of_interior(view.bone, found) >= LEAST_HARD_SHARE
        if is_large and _stands_out(view, found, neighbours, search):
            return search, found
    return USUAL, usual


def _stands_out(view: _View, lytic: LyticPart, neighbours: Iterable[_View], search: Search = USUAL) -> bool:
    """Tell whether there is less in all of the neighbours that looks like a lytic part; so where none is."""
    if not lytic.found:
        return True
    most = AS_MUCH_NEXT_DOOR * _share_of_interior(view.bone, lytic)
    return all(_share_of_interior(other.bone, search.run(other)) < most for other in neighbours)


def _share_of_interior(bone: Bone, lytic: LyticPart) -> float:
    return float(lytic.share.sum()) / max(int(np.count_nonzero(bone.interior)), 1)


def _sound(bone: Bone, *, told: bool) -> LesionBefore:
    """Return the finding that nothing was found; `told` says whether a lesion would have been."""
    return LesionBefore(
        share=np.zeros(bone.hu.shape, dtype=np.float32),
        volume_ml=0.0,
        volume_sd_ml=0.0,
        destruction=Destruction.NONE if told else None,
        posterior_wall_involved=False if told else None,
        tumour_outside_bone=False,
    )


def _joined(bone: Bone, lytic: LyticPart, sclerotic: Float32Array) -> Float32Array:
    """Return both parts as one lesion, the seam between them closed and standing cortex taken out."""
    lysis = destroyed_rim(bone, lytic.share, lytic.tumour_hu) if lytic.found else lytic.share
    share = np.maximum(lysis, sclerotic)
    if not share.any():
        return share
    if lytic.found and (sclerotic >= 0.5).any():
        closed = ndimage.binary_closing(np.pad(share >= 0.5, 3), iterations=2)[3:-3, 3:-3, 3:-3]
        share = np.where(closed & bone.outline, np.maximum(share, closed.astype(np.float32)), share)
    return cortex_removed(bone, share.astype(np.float32), lytic.tumour_hu, lytic.marrow_hu)
