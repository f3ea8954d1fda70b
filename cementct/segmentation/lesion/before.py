"""The lesion as the pre-injection scan shows it, against the patient's own sound marrow."""

from __future__ import annotations

from collections.abc import Iterable
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
from cementct.segmentation.lesion.sclerotic import find_dense, find_sclerosis, segment_sclerotic
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
# Tumour that takes up contrast or holds a rest of bone. Looked for where there is none of the usual
# intensity, and believed under the same condition and where it takes up this share of the interior: marrow
# is as dark in places, 0.06 in a sound vertebra of the tuning cases; lesions overlooked before took 0.39 up.
BRIGHT_TUMOUR_HU, LEAST_BRIGHT_SHARE = 75.0, 0.15


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
        may pass for a lesion.
    """
    marrow_hu = own_marrow_hu(bone, normal)
    light, dense = find_dense(bone, normal, marrow_hu)
    lytic, tumour_hu = _lytic_of(bone, normal, marrow_hu, dense), TUMOUR_HU
    if not lytic.found:
        bright = _lytic_of(bone, normal, marrow_hu, dense, BRIGHT_TUMOUR_HU)
        if _share_of_interior(bone, bright) >= LEAST_BRIGHT_SHARE:
            neighbours = list(islice(neighbours, NEIGHBOURS_COMPARED))
            if _stands_out(bone, bright, normal, neighbours, BRIGHT_TUMOUR_HU):
                lytic, tumour_hu = bright, BRIGHT_TUMOUR_HU
    sclerosis = find_sclerosis(bone, (light, dense), lytic.share >= 0.5)
    if lytic.found and sclerosis.any():
        lytic = segment_lytic(bone, normal, marrow_hu, dense=dense, sclerotic=sclerosis, tumour_hu=tumour_hu)
    sclerotic = segment_sclerotic(bone, light, sclerosis, lytic.share >= 0.5, marrow_hu)
    share = _joined(bone, lytic, sclerotic)
    volume_ml = float(share.sum()) * bone.grid.voxel_ml
    contrast_hu = min(marrow_hu, normal.mean_hu) - TUMOUR_HU
    told = contrast_hu >= max(LEAST_CONTRAST_HU, TOLD_SPREADS * normal.spread_hu)
    if volume_ml <= 0 or not (told or _stands_out(bone, lytic, normal, neighbours)):
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


def _stands_out(
    bone: Bone,
    lytic: LyticPart,
    normal: NormalMarrow,
    neighbours: Iterable[Bone],
    tumour_hu: float = TUMOUR_HU,
) -> bool:
    """Tell whether there is less in all of the neighbours that looks like a lytic part; so where none is."""
    if not lytic.found:
        return True
    most = AS_MUCH_NEXT_DOOR * _share_of_interior(bone, lytic)
    for neighbour in islice(neighbours, NEIGHBOURS_COMPARED):
        marrow_hu = own_marrow_hu(neighbour, normal)
        _, dense = find_dense(neighbour, normal, marrow_hu)
        alike = _lytic_of(neighbour, normal, marrow_hu, dense, tumour_hu)
        if _share_of_interior(neighbour, alike) >= most:
            return False
    return True


def _lytic_of(
    bone: Bone, normal: NormalMarrow, marrow_hu: float, dense: BoolArray, tumour_hu: float = TUMOUR_HU
) -> LyticPart:
    """Return the lytic part of a vertebra as long as no sclerosis is known to belong to it."""
    nowhere = np.zeros_like(dense)
    return segment_lytic(bone, normal, marrow_hu, dense=dense, sclerotic=nowhere, tumour_hu=tumour_hu)


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
