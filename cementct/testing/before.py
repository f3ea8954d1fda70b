"""What the contract takes from the pre-injection scan of bodies that were raised since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cementct.core.levels import Level
from cementct.testing.judging import heights_mm
from cementct.testing.site import Site
from cementct.testing.spec import Compression
from cementct.testing.treating import COMPRESSED_FROM
from cementct.testing.truth import CaseTruth, Point


@dataclass(frozen=True)
class BoneTruth:
    """What the contract takes from the pre-injection scan of a body that was raised since."""

    heights_mm: Point | None
    lesion_volume_ml: float


def judge_bone(site: Site) -> BoneTruth:
    """Return heights and lesion of a vertebra as they are in the scan that the site belongs to."""
    return BoneTruth(heights_mm(site), float(site.lesion.sum()) * site.grid.voxel_ml)


def truth_before(
    truth: CaseTruth, lost: Sequence[tuple[Level, Compression]], bones: Mapping[int, BoneTruth]
) -> CaseTruth:
    """Return the truth with heights, height loss and lesions as they were before bodies were raised."""
    losses = {level.value: max(c.anterior, c.middle, c.posterior) for level, c in lost}
    found = []
    for record in truth.vertebrae:
        bone = bones.get(record.number)
        if bone is not None:
            lesion_ml = bone.lesion_volume_ml if record.lesion_volume_ml is not None else None
            record = replace(record, heights_mm=bone.heights_mm, lesion_volume_ml=lesion_ml)  # noqa: PLW2901
        if record.height_loss is not None:
            loss = losses.get(record.level, 0.0)
            record = replace(record, height_loss=loss, compressed=loss >= COMPRESSED_FROM)  # noqa: PLW2901
        found.append(record)
    return replace(truth, vertebrae=tuple(found))
