"""How a simulated patient is scanned."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kernel(StrEnum):
    """Reconstruction kernel of the simulated scanner."""

    SOFT = "soft"
    STANDARD = "standard"
    SHARP = "sharp"


@dataclass(frozen=True)
class Scanner:
    """How the patient is scanned.

    Attributes
    ----------
    pixel_mm
        In-plane spacing.
    slice_spacing_mm, slice_thickness_mm
        Distance between slices, and width of the slice sensitivity profile.
    kernel
        Sharpness of the reconstruction.
    noise_hu
        Standard deviation in soft tissue.
    clip_hu
        Largest value that is stored (3071 for 12 bits), or None.
    beam_hardening
        Share of the physical streaks that the scanner's own correction leaves; 0 switches them off.
    """

    pixel_mm: float = 0.7
    slice_spacing_mm: float = 1.0
    slice_thickness_mm: float = 1.0
    kernel: Kernel = Kernel.STANDARD
    noise_hu: float = 15.0
    clip_hu: int | None = None
    beam_hardening: float = 0.4
