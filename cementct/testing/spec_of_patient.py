"""What a simulated patient is like: height loss, wear, lesions, and how he lies in two scans."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cementct.core.findings import Destruction, Side


class Place(StrEnum):
    """A part of a vertebra: a surface, or what cement can fill without leaving the bone."""

    POSTERIOR_WALL = "posterior-wall"
    UPPER_ENDPLATE = "upper-endplate"
    LOWER_ENDPLATE = "lower-endplate"
    LATERAL_CORTEX = "lateral-cortex"
    ANTERIOR_CORTEX = "anterior-cortex"
    BASIVERTEBRAL_FORAMEN = "basivertebral-foramen"
    PEDICLE = "pedicle"
    PEDICLE_TRACK = "pedicle-track"
    AROUND_NODE = "around-node"


@dataclass(frozen=True)
class Compression:
    """Share of the body's height that is lost at the front, in the middle and at the back."""

    anterior: float = 0.0
    middle: float = 0.0
    posterior: float = 0.0
    retropulsion_mm: float = 0.0


@dataclass(frozen=True)
class Defect:
    """A hole in the cortex of a body, filled with soft tissue; the bone's outline goes straight across it.

    Attributes
    ----------
    place
        Surface it lies in.
    side
        The patient's side, or the midline.
    area_mm2
        Its size.
    """

    place: Place
    side: Side = Side.MIDLINE
    area_mm2: float = 40.0


@dataclass(frozen=True)
class Wear:
    """Degeneration of a vertebra and of the disc under it, and other peculiarities of its outline.

    Attributes
    ----------
    schmorl_above_mm, schmorl_below_mm
        Depth of a Schmorl node in the upper and in the lower endplate; 0: none.
    osteophyte_mm
        How far bony lips at the front and the sides reach over the neighbouring discs; 0: none. From half
        a disc's height on they bridge it where the neighbour has such lips as well.
    vacuum_disc
        Whether the disc under it holds gas.
    basivertebral_mm
        Width of the mouth of the basivertebral foramen, a cone at mid-height open to the canal; 0: the
        vein ends under the cortex.
    defects
        Holes in the cortex.
    """

    schmorl_above_mm: float = 0.0
    schmorl_below_mm: float = 0.0
    osteophyte_mm: float = 0.0
    vacuum_disc: bool = False
    basivertebral_mm: float = 0.0
    defects: tuple[Defect, ...] = ()


@dataclass(frozen=True)
class LesionSpec:
    """A destroyed part of one vertebra.

    Attributes
    ----------
    volume_ml
        Its volume, inside the bone.
    destruction
        Lytic, mixed (two fifths sclerotic) or blastic.
    centre
        Place of its centre in shares of half the width (to the left), depth (to the back) and height (up).
    breaks_wall
        Whether it destroys the posterior wall.
    outside_ml
        Soft tissue tumour that reaches beyond the bone beside it.
    gas
        Whether gas fills the uppermost (anterior) tenth of it after injection.
    """

    volume_ml: float = 5.0
    destruction: Destruction = Destruction.OSTEOLYTIC
    centre: tuple[float, float, float] = (0.1, -0.1, 0.0)
    breaks_wall: bool = False
    outside_ml: float = 0.0
    gas: bool = False


@dataclass(frozen=True)
class Movement:
    """How the patient lay differently in the pre-injection scan.

    Attributes
    ----------
    bend_deg
        Additional angle between neighbouring vertebrae, forwards.
    side_bend_deg
        The same, to the left.
    rotation_deg
        Of the whole patient about the left, posterior and superior axis.
    shift_mm
        Of the whole patient to the left, back and head.
    """

    bend_deg: float = 1.0
    side_bend_deg: float = -0.6
    rotation_deg: tuple[float, float, float] = (1.5, -1.0, 2.0)
    shift_mm: tuple[float, float, float] = (3.0, -4.0, 2.5)
