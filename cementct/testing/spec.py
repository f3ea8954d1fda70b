"""What a simulated case is to show: every parameter of patient, treatment and scanner, with defaults."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from cementct.core.findings import Destruction, LeakType, Side
from cementct.core.levels import Level


class Kernel(StrEnum):
    """Reconstruction kernel of the simulated scanner."""

    SOFT = "soft"
    STANDARD = "standard"
    SHARP = "sharp"


class LeakShape(StrEnum):
    """Form of a leak."""

    USUAL = "usual"
    CORD = "cord"
    SHEET = "sheet"
    BLOB = "blob"


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


@dataclass(frozen=True)
class Compression:
    """Share of the body's height that is lost at the front, in the middle and at the back."""

    anterior: float = 0.0
    middle: float = 0.0
    posterior: float = 0.0
    retropulsion_mm: float = 0.0


@dataclass(frozen=True)
class Wear:
    """Degeneration of a vertebra and of the disc under it.

    Attributes
    ----------
    schmorl_above_mm, schmorl_below_mm
        Depth of a Schmorl node in the upper and in the lower endplate; 0: none.
    osteophyte_mm
        How far bony lips at the front and the sides reach over the neighbouring discs; 0: none. From half
        a disc's height on they bridge it where the neighbour has such lips as well.
    vacuum_disc
        Whether the disc under it holds gas.
    """

    schmorl_above_mm: float = 0.0
    schmorl_below_mm: float = 0.0
    osteophyte_mm: float = 0.0
    vacuum_disc: bool = False


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


@dataclass(frozen=True)
class ForeignSpec:
    """One foreign object and the vertebra it belongs to."""

    kind: ForeignObject
    level: Level
    side: Side = Side.LEFT


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
        rng = np.random.default_rng([seed, 7])
        focus = Level(_TREATED[int(rng.integers(len(_TREATED)))])
        treatments = [_random_treatment(rng, focus, leak_types)]
        if rng.random() < 0.35 and focus is not Level.L5:
            treatments.append(_random_treatment(rng, _TREATED[_TREATED.index(focus) + 1], None))
        scanner = _random_scanner(rng)
        compressed: tuple[tuple[Level, Compression], ...] = ()
        if rng.random() < 0.37:
            loss = float(rng.uniform(0.2, 0.45))
            compressed = ((focus, Compression(loss, loss * float(rng.uniform(0.4, 1.1)), 0.1 * loss)),)
        return cls(
            seed=seed,
            focus=focus,
            treatments=tuple(treatments),
            compressed=compressed,
            scale=float(rng.uniform(0.9, 1.08)),
            marrow_hu=float(rng.uniform(60, 250)),
            cortex_mm=float(rng.uniform(0.4, 0.8)),
            curvature=float(rng.uniform(0.7, 1.3)),
            scoliosis_deg=float(rng.normal(0, 3)),
            rotation_deg=_triple(rng.normal(0, 3, 3)),
            scanner=scanner,
            pre_scanner=replace(scanner, noise_hu=scanner.noise_hu * 0.9) if with_pre else None,
            movement=Movement(
                float(rng.normal(0, 1)),
                float(rng.normal(0, 0.7)),
                _triple(rng.normal(0, 2, 3)),
                _triple(rng.normal(0, 4, 3)),
            ),
        )


_TREATED: tuple[Level, ...] = (
    Level.T6, Level.T7, Level.T8, Level.T9, Level.T10, Level.T11, Level.T12,
    Level.L1, Level.L2, Level.L3, Level.L4, Level.L5,
)  # fmt: skip


def _triple(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, float, float]:
    first, second, third = (float(v) for v in values)
    return first, second, third


def _random_scanner(rng: np.random.Generator) -> Scanner:
    thickness = float(rng.choice([0.8, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0]))
    return Scanner(
        pixel_mm=float(rng.uniform(0.45, 0.85)),
        slice_spacing_mm=thickness if rng.random() < 0.7 else thickness * 0.8,
        slice_thickness_mm=thickness,
        kernel=list(Kernel)[int(rng.integers(3))],
        noise_hu=float(rng.uniform(8, 40)),
        clip_hu=3071 if rng.random() < 0.6 else None,
    )


def _random_treatment(
    rng: np.random.Generator, level: Level, leak_types: tuple[LeakType, ...] | None
) -> Treatment:
    small = 0.55 if level.is_thoracic and level.rank < Level.T10.rank else 1.0
    lesion_ml = float(rng.uniform(1.5, 6.5)) * small
    filling = float(rng.uniform(0.45, 1.0))
    extra_ml = float(rng.uniform(0.3, 2.0)) * small
    if leak_types is None:
        count = int(rng.choice(4, p=[0.3, 0.4, 0.2, 0.1]))
        leak_types = tuple(list(LeakType)[int(i)] for i in rng.choice(5, size=count, replace=False))
    leaks = tuple(
        LeakSpec(
            kind,
            volume_ml=float(np.exp(rng.uniform(np.log(0.03), np.log(1.0)))),
            side=Side.LEFT if rng.random() < 0.5 else Side.RIGHT,
            shape=LeakShape.CORD if rng.random() < 0.6 else LeakShape.BLOB,
            above=bool(rng.random() < 0.5),
            levels=float(rng.uniform(0.7, 2.0)),
        )
        for kind in leak_types
    )
    mixed = rng.random() < 26 / 140
    return Treatment(
        level,
        LesionSpec(
            lesion_ml,
            Destruction.MIXED if mixed else Destruction.OSTEOLYTIC,
            (float(rng.uniform(-0.35, 0.35)), float(rng.uniform(-0.35, 0.3)), float(rng.uniform(-0.2, 0.2))),
            breaks_wall=bool(rng.random() < 0.35),
        ),
        CementSpec(
            filling * lesion_ml + extra_ml,
            filling=filling,
            opacity_hu=float(rng.uniform(900, 5000)),
            fingers=float(rng.uniform(0.2, 1.0)),
        ),
        leaks,
    )
