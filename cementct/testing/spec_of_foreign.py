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
    """A flat cleft on the front of the treated vertebra's cement, in the post-injection scan only."""
    LEAD = "lead"
    """The wire of an electrode on the skin of the back."""
    STERNAL_WIRE = "sternal-wire"
    """A loop of wire in front of the chest."""
    CLIPS = "clips"
    """Surgical clips beside and before the body."""
    AORTIC_STENT = "aortic-stent"
    """A mesh ring in the aorta's wall."""
    CAVA_FILTER = "cava-filter"
    """Six thin legs from one apex in the vena cava (beside the column on the right)."""
    HIP_PROSTHESIS = "hip-prosthesis"
    """A large ball and stem of metal low at the side; its streaks run across the field."""
    VERTEBRAL_STENT = "vertebral-stent"
    """A mesh cage inside the body, as is put there before the cement."""
    DISC_CAGE = "disc-cage"
    """A hollow box of titanium in the disc below."""
    COARSE_CALCIFICATION = "coarse-calcification"
    """An aorta whose wall is calcified nearly all around, in plates of 2 to 3 mm."""
    DISC_CALCIFICATION = "disc-calcification"
    """Lumps of chalk in the disc above."""
    RIB_CALLUS = "rib-callus"
    """Dense bone at the neck of a rib (lumbar: at the transverse process)."""
    OSSIFIED_LIGAMENT = "ossified-ligament"
    """An ossified posterior longitudinal ligament: dense, behind the wall, in both scans."""
    URETER_CONTRAST = "ureter-contrast"
    """Renal pelvis and ureter full of dense contrast beside the psoas."""
    BOWEL_CONTRAST = "bowel-contrast"
    """Oral contrast in loops in front of the column."""


@dataclass(frozen=True)
class ForeignSpec:
    """One foreign object and the vertebra it belongs to."""

    kind: ForeignObject
    level: Level
    side: Side = Side.LEFT
