"""What a simulated case is to show: every parameter of patient, treatment and scanner, with defaults."""

from __future__ import annotations

from dataclasses import dataclass, field

from cementct.core.findings import LeakType
from cementct.core.levels import Level
from cementct.testing.spec_of_foreign import ForeignObject, ForeignSpec
from cementct.testing.spec_of_patient import Compression, Defect, LesionSpec, Movement, Place, Wear
from cementct.testing.spec_of_scanner import Kernel, Scanner
from cementct.testing.spec_of_treatment import CementSpec, LeakShape, LeakSpec, Reach, Treatment

__all__ = [
    "CaseSpec",
    "CementSpec",
    "Compression",
    "Defect",
    "ForeignObject",
    "ForeignSpec",
    "Kernel",
    "LeakShape",
    "LeakSpec",
    "LesionSpec",
    "Movement",
    "Place",
    "Reach",
    "Scanner",
    "Treatment",
    "Wear",
]


@dataclass(frozen=True)
class CaseSpec:
    """A simulated patient and examination.

    Attributes
    ----------
    seed
        Of all randomness; the same spec gives the same case, byte by byte.
    focus
        The level in the middle of the field of view.
    fov_mm
        Extent of the scan along z, y and x.
    fov_centre_mm
        Its middle relative to the focus's body, along z, y and x.
    treatments
        The treated vertebrae (and those with an untreated lesion, without cement).
    compressed
        Height loss by level.
    compressed_before
        Height loss in the pre-injection scan, where the body was raised since; None: as after.
    stretch_raised
        Whether marrow and lesion of a raised body were lower as well, or were cut by its endplates.
    worn
        Degeneration by level.
    foreign
        Screws, needles and the like.
    scale
        Factor on all measured lengths.
    marrow_hu
        Mean of trabecular bone: 60 osteoporotic, 250 dense.
    cortex_mm
        Thickness of the body's cortex.
    curvature
        Factor on kyphosis and lordosis.
    scoliosis_deg
        Largest sideways lean of a vertebra.
    rotation_deg
        Of the whole patient about the left, posterior and superior axis.
    last_rib_level, lumbar_count
        Variants: T11, T12 or T13, and the number of lumbar vertebrae (4 to 6).
    scanner, pre_scanner
        Of the post- and the pre-injection scan; None: no pre-injection scan.
    movement
        Of the patient between both scans.
    irregularity_mm
        Amplitude of smooth random deviations from the ideal shapes.
    """

    seed: int = 0
    focus: Level = Level.L2
    fov_mm: tuple[float, float, float] = (110.0, 150.0, 150.0)
    fov_centre_mm: tuple[float, float, float] = (0.0, 15.0, 0.0)
    treatments: tuple[Treatment, ...] = ()
    compressed: tuple[tuple[Level, Compression], ...] = ()
    compressed_before: tuple[tuple[Level, Compression], ...] | None = None
    stretch_raised: bool = False
    worn: tuple[tuple[Level, Wear], ...] = ()
    foreign: tuple[ForeignSpec, ...] = ()
    scale: float = 1.0
    marrow_hu: float = 150.0
    cortex_mm: float = 0.6
    curvature: float = 1.0
    scoliosis_deg: float = 0.0
    rotation_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    last_rib_level: Level = Level.T12
    lumbar_count: int = 5
    scanner: Scanner = field(default_factory=Scanner)
    pre_scanner: Scanner | None = None
    movement: Movement = field(default_factory=Movement)
    irregularity_mm: float = 0.5

    @classmethod
    def random(
        cls, seed: int, *, with_pre: bool = True, leak_types: tuple[LeakType, ...] | None = None
    ) -> CaseSpec:
        """Return a case drawn at random: one or two treated vertebrae between T6 and L5, zero to three leaks.

        Parameters
        ----------
        seed
            Determines everything.
        with_pre
            Whether there is a pre-injection scan.
        leak_types
            The leaks of the first treated vertebra; None draws them.
        """
        from cementct.testing.random_spec import random_spec

        return random_spec(seed, with_pre=with_pre, leak_types=leak_types)
