"""The lesion of one vertebra on the post-injection grid, from the best source there is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from cementct.anatomy.model import Spine, Vertebra
from cementct.core.findings import Destruction, LesionSource
from cementct.core.flags import Flag, QualityFlag, raise_flag
from cementct.core.grid import Box, Grid
from cementct.core.image import Mask, Region, Volume
from cementct.core.threads import beside
from cementct.segmentation.lesion.after import cement_share_of, segment_after, told_apart
from cementct.segmentation.lesion.before import segment_before
from cementct.segmentation.lesion.bone import averaged, prepare_bone
from cementct.segmentation.lesion.marrow import MarrowOf, measure_normal_marrow, sound_neighbours
from cementct.segmentation.lesion.outline import fits_as_well
from cementct.segmentation.lesion.smoothing import interpolated, surface_mm2
from cementct.segmentation.lesion.wall import involves_posterior_wall
from cementct.segmentation.model import Cement, Lesion, Registration
from cementct.segmentation.registration.carry import carry_region_back, carry_share

# Standard deviation of the border of a lesion that a reader drew.
MASK_BORDER_SD_MM = 0.5
# Standard deviation of the border of a lesion guessed from the post-injection scan.
GUESSED_BORDER_SD_MM = 0.6


@dataclass(frozen=True)
class Before:
    """The pre-injection scan of one vertebra.

    Attributes
    ----------
    volume, spine
        The scan and its vertebrae.
    vertebra
        The vertebra in it.
    registration
        Its movement to the post-injection scan.
    body, whole
        Better outlines than the vertebra's own, on the scan's grid, where there are any.
    affected
        Numbers, in this scan, of vertebrae whose marrow is not to be taken for sound.
    """

    volume: Volume
    spine: Spine
    vertebra: Vertebra
    registration: Registration
    body: Region | None = None
    whole: Region | None = None
    affected: frozenset[int] = frozenset()


def find_before(pre: Volume, pre_spine: Spine, registration: Registration | None) -> Before | None:
    """Return the pre-injection scan of a vertebra, or None where it was not registered with success."""
    if registration is None or not registration.ok:
        return None
    for vertebra in pre_spine.vertebrae:
        if vertebra.number == registration.pre_number:
            return Before(pre, pre_spine, vertebra, registration)
    return None


def outlined_after(before: Before, vertebra: Vertebra, post_grid: Grid) -> Before:
    """Return the scan before injection with outlines that somebody drew after it, as they lay before.

    A body that was raised in between, or whose outline leaves the cement out, does not fit the scan before;
    then nothing is carried back.

    Parameters
    ----------
    before
        The pre-injection scan of the vertebra.
    vertebra
        The vertebra after injection.
    post_grid
        Grid of its outlines.
    """
    grid = before.volume.grid
    body = carry_region_back(vertebra.body, post_grid, before.registration, grid)
    own = before.vertebra.body
    if body.is_empty or own.is_empty:
        return before
    if not fits_as_well(before.volume, body, own):
        return before
    whole = carry_region_back(vertebra.whole, post_grid, before.registration, grid)
    return replace(before, body=body, whole=whole)


def segment_lesion(  # noqa: PLR0913 -- a lesion has one of several sources
    post: Volume,
    spine: Spine,
    vertebra: Vertebra,
    *,
    cement: Cement,
    before: Before | None = None,
    drawn: Mask | None = None,
    treated: Collection[int] = (),
    marrow: MarrowOf | None = None,
) -> Lesion:
    """Return the lesion of a treated vertebra on the post-injection grid.

    A lesion that the user drew comes first, then the pre-injection scan, then the guess from the
    post-injection scan alone.

    Parameters
    ----------
    post, spine
        The post-injection scan and its vertebrae.
    vertebra
        The treated vertebra in it.
    cement
        All cement of that scan.
    before
        The pre-injection scan of this vertebra, registered.
    drawn
        Lesions drawn by the user, on the post-injection grid.
    treated
        Numbers of the treated vertebrae, whose marrow is not taken for sound.
    marrow
        What is seen of the marrow of the post-injection scan, kept from one vertebra to the next.

    Returns
    -------
    Lesion
        With source NONE, volume 0 and an empty box where there is none: ``destruction`` is then NONE
        where the bone was seen to be sound, and None where it could not be judged.
    """
    if drawn is not None:
        return lesion_from_mask(drawn, vertebra)
    if before is not None:
        return lesion_from_before(before, post.grid, vertebra)
    affected = {vertebra.number, *treated}
    return lesion_from_after(marrow or MarrowOf(post), spine, vertebra, cement=cement, affected=affected)


def lesion_from_before(before: Before, post_grid: Grid, vertebra: Vertebra | None = None) -> Lesion:
    """Return the lesion that the pre-injection scan shows, carried onto the post-injection grid.

    Parameters
    ----------
    before
        The pre-injection scan of the vertebra.
    post_grid
        The post-injection grid.
    vertebra
        The vertebra in the post-injection scan. Where its outline was carried back, its posterior wall is
        the better one too.
    """
    bone = prepare_bone(before.volume, before.vertebra, before.body, before.whole)
    marrow = MarrowOf(before.volume)
    normal = measure_normal_marrow(marrow, before.spine, before.vertebra, affected=before.affected)
    others = sound_neighbours(before.spine, before.vertebra, affected=before.affected)
    found = segment_before(bone, normal, (prepare_bone(before.volume, other) for other in others))
    if found.volume_ml <= 0:
        return no_lesion(found.destruction)
    box, share = carry_share(found.share, bone.grid, before.registration, post_grid)
    flags = (raise_flag(Flag.TUMOUR_OUTSIDE_BONE),) if found.tumour_outside_bone else ()
    involved = found.posterior_wall_involved
    if vertebra is not None and before.body is not None and not box.is_empty:
        involved = involves_posterior_wall(share >= 0.5, post_grid.crop(box), vertebra)
    return Lesion(
        source=LesionSource.PRE,
        box=box,
        fraction=share,
        volume_ml=found.volume_ml,
        volume_sd_ml=found.volume_sd_ml,
        destruction=found.destruction,
        posterior_wall_involved=involved,
        tumour_outside_bone=found.tumour_outside_bone,
        flags=flags,
    )


def lesion_from_after(
    marrow: MarrowOf, spine: Spine, vertebra: Vertebra, *, cement: Cement, affected: Collection[int] = ()
) -> Lesion:
    """Return cement in the bone and the lytic rest around it; nothing where the body is not whole in view."""
    if not vertebra.complete:
        return no_lesion(None, (raise_flag(Flag.VERTEBRA_CUT),))
    post = marrow.volume
    bone, normal = beside(
        lambda: prepare_bone(post, vertebra),
        lambda: measure_normal_marrow(marrow, spine, vertebra, affected=affected),
    )
    grid = post.grid.crop(bone.box)
    cement_share = cement_share_of(cement, vertebra.number, bone.box)
    factor = tuple(n // m for n, m in zip(grid.shape, bone.grid.shape, strict=True))
    plateaus = [deposit.plateau_hu for deposit in cement.properties if deposit.owner == vertebra.number]
    share = averaged(cement_share, grid, factor)[0]
    found = segment_after(bone, normal, share, max(plateaus, default=None))
    in_bone = vertebra.body.in_box(bone.box) | vertebra.whole.in_box(bone.box)
    share = interpolated(found, bone.grid, grid, in_bone)
    if not share.any():
        return no_lesion(None)
    return Lesion(
        source=LesionSource.POST,
        box=bone.box,
        fraction=share.astype(np.float32),
        volume_ml=float(share.sum()) * grid.voxel_ml,
        volume_sd_ml=surface_mm2(share, grid) * GUESSED_BORDER_SD_MM / 1000.0,
        destruction=None,
        posterior_wall_involved=None,
        told_apart=told_apart(normal),
        flags=(raise_flag(Flag.FILLING_BIASED_HIGH),),
    )


def lesion_from_mask(drawn: Mask, vertebra: Vertebra) -> Lesion:
    """Return the part of a drawn lesion that lies in a vertebra."""
    box = vertebra.whole.box.union(vertebra.body.box)
    inside = drawn.voxels[box.slices] & (vertebra.whole.in_box(box) | vertebra.body.in_box(box))
    if not inside.any():
        return no_lesion(None)
    grid = drawn.grid.crop(box)
    share = inside.astype(np.float32)
    return Lesion(
        source=LesionSource.MASK,
        box=box,
        fraction=share,
        volume_ml=float(np.count_nonzero(inside)) * grid.voxel_ml,
        volume_sd_ml=surface_mm2(share, grid) * MASK_BORDER_SD_MM / 1000.0,
        destruction=None,
        posterior_wall_involved=involves_posterior_wall(inside, grid, vertebra),
    )


def no_lesion(destruction: Destruction | None, flags: tuple[QualityFlag, ...] = ()) -> Lesion:
    """Return the lesion of a bone without one, or of one that could not be judged."""
    empty = Box((0, 0, 0), (0, 0, 0))
    return Lesion(
        source=LesionSource.NONE,
        box=empty,
        fraction=np.zeros(empty.shape, dtype=np.float32),
        volume_ml=0.0,
        volume_sd_ml=0.0,
        destruction=destruction,
        posterior_wall_involved=None if destruction is None else False,
        flags=flags,
    )
