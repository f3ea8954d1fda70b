"""What was injected into a simulated patient: cement, where it reaches, and its leaks."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from cementct.core.findings import LeakType, Side
from cementct.core.levels import Level
from cementct.testing.spec_of_patient import LesionSpec, Place


class LeakShape(StrEnum):
    """Form of a leak."""

    USUAL = "usual"
    CORD = "cord"
    SHEET = "sheet"
    BLOB = "blob"
    VEINS = "veins"
    """Paravertebral: a segmental vein around the body with branches, the ascending lumbar vein among them."""
    PLEXUS = "plexus"
    """Epidural: from the basivertebral foramen into the anterior internal plexus, cords with cross-links."""
    PAIRED_CORDS = "paired-cords"
    """Epidural: a cord on either side of the midline, over `levels` levels."""
    PAIRED_SHEETS = "paired-sheets"
    """Epidural: a sheet on either side of the midline, over `levels` levels."""
    BEYOND_WALL = "beyond-wall"
    """Epidural: cement that bulges through a destroyed posterior wall."""
    SPREADING = "spreading"
    """Diskal: through a crack of the endplate, then flat and irregular in the disc."""
    INTO_NEIGHBOUR = "into-neighbour"
    """Diskal: across the disc and into the neighbouring body."""
    NODE = "node"
    """Diskal: in a Schmorl node, which lies outside the bone."""
    SPANNING = "spanning"
    """One piece from the canal through a foramen to beside the spine; volume over all its parts."""
    TRANSCOSTOVERTEBRAL = "transcostovertebral"
    """Access track between rib and transverse process (as `SHEET`, its older name, for access tracks)."""


@dataclass(frozen=True)
class Reach:
    """Cement inside the bone as far as one place: no leak, but easily taken for one.

    Attributes
    ----------
    place
        Surface that is touched, or part that is filled.
    side
        The patient's side; the midline for what is not paired.
    area_mm2
        Of a surface: how much of it is touched.
    gap_mm
        Bone between cement and the outer surface: 0 flush with the outline (as through a defect of the
        cortex), the cortex's thickness where cement lies against it from inside.
    """

    place: Place
    side: Side = Side.MIDLINE
    area_mm2: float = 60.0
    gap_mm: float = 0.0


@dataclass(frozen=True)
class CementSpec:
    """Cement inside one vertebra.

    Attributes
    ----------
    volume_ml
        In the bone, leaks apart.
    filling
        Share of the lesion it fills; None leaves it to where the cement flows.
    opacity_hu
        True intensity of the region it occupies.
    fingers
        0 a smooth blob, 1 strongly interdigitated with the marrow.
    seeds
        Where it was injected, in shares of half the width, depth and height.
    may_enter_pedicle
        Whether it may flow back into the pedicles.
    keep_from_wall_mm
        Bone that is left free between cement and the body's surface (negative: may reach the very surface).
    old
        Whether it was there before this treatment.
    reaches
        Places in the bone that it reaches whatever `keep_from_wall_mm` says; they count towards the volume,
        which grows where they need more.
    fray_mm
        Depth of a rim that frays into strands of about a millimetre.
    unevenness
        Spread of the intensity inside the deposit, as a share of it, beyond the usual 2 %.
    """

    volume_ml: float = 5.0
    filling: float | None = None
    opacity_hu: float = 2500.0
    fingers: float = 0.6
    seeds: tuple[tuple[float, float, float], ...] = ((0.3, -0.2, 0.0), (-0.3, -0.2, 0.0))
    may_enter_pedicle: bool = False
    keep_from_wall_mm: float = 1.0
    old: bool = False
    reaches: tuple[Reach, ...] = ()
    fray_mm: float = 0.0
    unevenness: float = 0.0


@dataclass(frozen=True)
class LeakSpec:
    """One leak of cement.

    Attributes
    ----------
    type
        Compartment it is meant for.
    volume_ml
        Its volume beyond the border.
    side
        The patient's side.
    shape
        Its form.
    above
        Diskal and foraminal: above rather than below the vertebra.
    levels
        Epidural: over how many levels it spreads.
    opacity_hu
        None: as the cement in the bone.
    thickness_mm
        Of a sheet, or diameter of a cord; None: what is usual for the shape.
    """

    type: LeakType
    volume_ml: float = 0.3
    side: Side = Side.LEFT
    shape: LeakShape = LeakShape.USUAL
    above: bool = True
    levels: float = 1.0
    opacity_hu: float | None = None
    thickness_mm: float | None = None


@dataclass(frozen=True)
class Treatment:
    """What happened to one vertebra."""

    level: Level
    lesion: LesionSpec | None = field(default_factory=LesionSpec)
    cement: CementSpec | None = field(default_factory=CementSpec)
    leaks: tuple[LeakSpec, ...] = ()
