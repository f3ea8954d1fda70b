"""What was injected into a simulated patient: cement, where it reaches, and its leaks."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from cementct.core.findings import LeakType, Side
from cementct.core.levels import Level
from cementct.testing.spec_of_patient import LesionSpec


class LeakShape(StrEnum):
    """Form of a leak."""

    USUAL = "usual"
    CORD = "cord"
    SHEET = "sheet"
    BLOB = "blob"


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
    """

    volume_ml: float = 5.0
    filling: float | None = None
    opacity_hu: float = 2500.0
    fingers: float = 0.6
    seeds: tuple[tuple[float, float, float], ...] = ((0.3, -0.2, 0.0), (-0.3, -0.2, 0.0))
    may_enter_pedicle: bool = False
    keep_from_wall_mm: float = 1.0
    old: bool = False


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
    """

    type: LeakType
    volume_ml: float = 0.3
    side: Side = Side.LEFT
    shape: LeakShape = LeakShape.USUAL
    above: bool = True
    levels: float = 1.0
    opacity_hu: float | None = None


@dataclass(frozen=True)
class Treatment:
    """What happened to one vertebra."""

    level: Level
    lesion: LesionSpec | None = field(default_factory=LesionSpec)
    cement: CementSpec | None = field(default_factory=CementSpec)
    leaks: tuple[LeakSpec, ...] = ()
