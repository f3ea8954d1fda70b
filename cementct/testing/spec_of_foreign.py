"""Dense and dark things in a simulated patient that are not cement."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cementct.core.findings import Side
from cementct.core.levels import Level


class ForeignObject(StrEnum):
    """Dense or dark things that are not cement."""

    SCREW = "screw"
    NEEDLE = "needle"
    NEEDLE_WITH_CEMENT = "needle-with-cement"
    BONE_ISLAND = "bone-island"
    SCLEROTIC_METASTASIS = "sclerotic-metastasis"
    AORTIC_CALCIFICATION = "aortic-calcification"
    CONTRAST = "contrast"
    GAS = "gas"


@dataclass(frozen=True)
class ForeignSpec:
    """One foreign object and the vertebra it belongs to."""

    kind: ForeignObject
    level: Level
    side: Side = Side.LEFT
