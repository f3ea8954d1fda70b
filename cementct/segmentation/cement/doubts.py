"""What a reader has to know about the cement of each vertebra, as flags."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from cementct.anatomy.model import Spine
from cementct.core.flags import Flag, QualityFlag, raise_flag
from cementct.segmentation.cement.attribution import Attribution
from cementct.segmentation.model import Deposit, ForeignBody, ForeignKind

# A needle's tip within this distance of a vertebra's box lies in that vertebra.
TIP_WITHIN_MM = 2.0
# Clipped deposits smaller than this do not change what a volume is worth.
CLIPPED_FROM_ML = 0.1
# Nor does it matter whose a loose deposit smaller than this is.
RIVALS_FROM_ML = 0.05
FAINT_CEMENT_SAYS = (
    "This cement is no brighter than sclerotic bone can be; without an earlier scan the two cannot be told "
    "apart with certainty."
)


def raise_doubts(
    spine: Spine,
    deposits: tuple[Deposit, ...],
    *,
    foreign: tuple[ForeignBody, ...],
    attribution: Attribution,
) -> dict[int, tuple[QualityFlag, ...]]:
    """Return flags by number of the vertebra; 0 is the whole study."""
    found: dict[int, list[Flag]] = defaultdict(list)
    for deposit in deposits:
        if deposit.clipped and deposit.volume_ml >= CLIPPED_FROM_ML:
            found[deposit.owner].append(Flag.HU_CLIPPED)
        for number in _possible_sources(deposit, attribution):
            found[number].append(Flag.ATTRIBUTION_UNCERTAIN)
    for body in foreign:
        number = _vertebra_of(spine, body)
        if number == 0:
            continue
        if body.kind in {ForeignKind.NEEDLE, ForeignKind.WIRE}:
            found[number].append(Flag.NEEDLE_IN_PLACE)
        if body.touches_cement:
            found[number].append(Flag.METAL_IN_CEMENT)
    return {
        number: tuple(raise_flag(flag) for flag in dict.fromkeys(flags)) for number, flags in found.items()
    }


def _possible_sources(deposit: Deposit, attribution: Attribution) -> tuple[int, ...]:
    """Return the vertebrae that a deposit may have come from where that is in doubt, else nothing."""
    if not deposit.owner_certain:
        return (deposit.owner, *attribution.shared)
    if deposit.rivals and deposit.volume_ml >= RIVALS_FROM_ML:
        return (deposit.owner, *deposit.rivals)
    return ()


def with_old_cement(
    flags: dict[int, tuple[QualityFlag, ...]], old: tuple[int, ...]
) -> dict[int, tuple[QualityFlag, ...]]:
    """Return the flags with the note that some vertebrae held cement before."""
    found = dict(flags)
    for number in old:
        found[number] = (*found.get(number, ()), raise_flag(Flag.OLD_CEMENT))
    return found


def with_faint_cement(
    flags: dict[int, tuple[QualityFlag, ...]], faint: tuple[int, ...]
) -> dict[int, tuple[QualityFlag, ...]]:
    """Return the flags with the note that some cement is no brighter than dense bone can be."""
    found = dict(flags)
    for number in faint:
        found[number] = (*found.get(number, ()), raise_flag(Flag.VOLUME_UNCERTAIN, FAINT_CEMENT_SAYS))
    return found


def _vertebra_of(spine: Spine, body: ForeignBody) -> int:
    """Return the vertebra that holds most of a foreign body's deep half, or 0."""
    if body.tip_lps_mm is None:
        return 0
    best, most = 0, 0
    for vertebra in spine.vertebrae:
        inside = int(np.count_nonzero(vertebra.whole.in_box(body.region.box) & body.region.voxels))
        if inside > most:
            best, most = vertebra.number, inside
    return best
