"""What one case's report is compared by: truth beside result, for every vertebra and every leak."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.accuracy.cases import Family, Half

Interval = tuple[float, float]


@dataclass(frozen=True)
class VertebraScore:
    """One treated vertebra, truth beside result; None where there is none.

    Attributes
    ----------
    level, found
        Its true name, and whether it was found treated.
    clipped
        Whether its cement is brighter than what the scanner stores.
    true_ml, ml, ci90_ml
        Cement volume.
    right_share_ml, shared_ml
        Cement that truth and result both show here: given to the right vertebra, and in all.
    true_filling, filling, filling_ci90, true_category, category, lesion_source
        Filling of the lesion.
    true_wall_mm, wall_mm
        Distance to the posterior wall.
    lesion_dice
        Of the lesion's voxels.
    true_destruction, destruction, true_wall_involved, wall_involved, true_compressed, compressed
        What the vertebra was like before injection.
    readable, not_assessable
        Compartments that can be read, and those of them that were called not assessable.
    """

    level: str
    found: bool
    clipped: bool
    true_ml: float
    ml: float | None = None
    ci90_ml: Interval | None = None
    right_share_ml: float = 0.0
    shared_ml: float = 0.0
    true_filling: float | None = None
    filling: float | None = None
    filling_ci90: Interval | None = None
    true_category: str | None = None
    category: str | None = None
    lesion_source: str = "none"
    true_wall_mm: float | None = None
    wall_mm: float | None = None
    lesion_dice: float | None = None
    true_destruction: str | None = None
    destruction: str | None = None
    true_wall_involved: bool | None = None
    wall_involved: bool | None = None
    true_compressed: bool | None = None
    compressed: bool | None = None
    readable: int = 0
    not_assessable: tuple[str, ...] = ()


@dataclass(frozen=True)
class LeakScore:
    """One true leak.

    Attributes
    ----------
    level, kind, volume_ml
        Where it comes from, its type and volume.
    found_ml
        What was found of it under its own type; None: nothing definite.
    typed_as
        Where it was missed: the type of the leak that was found in its place; "" where none was.
    wrong_vertebra
        Whether it was given to a neighbour.
    """

    level: str
    kind: str
    volume_ml: float
    found_ml: float | None = None
    typed_as: str = ""
    wrong_vertebra: bool = False


@dataclass(frozen=True)
class FalseLeak:
    """A definite leak that is none.

    Attributes
    ----------
    kind, volume_ml
        As reported.
    true_kind
        Type of the true leak that it was taken for; "" where there is none.
    """

    kind: str
    volume_ml: float
    true_kind: str = ""


@dataclass(frozen=True)
class CaseScore:
    """One case under one setting.

    Attributes
    ----------
    case, setting, family, half, description
        Which.
    slice_mm, pixel_mm, noise_hu
        How it was scanned.
    streaks_only
        Whether streaks are all that lies in canal and foramina.
    vertebrae, leaks, false_leaks
        What was compared.
    split
        Further pieces of leaks that were found.
    invented
        Vertebrae found treated that are not.
    named, wrong_names
        Vertebrae in view that got a name, and those that got a wrong one.
    false_cement_ml
        Cement given to vertebrae that are not treated.
    seconds
        Processor time.
    error
        What broke the analysis; "" where nothing did.
    """

    case: str
    setting: str
    family: Family
    half: Half
    description: str
    slice_mm: float
    pixel_mm: float
    noise_hu: float | None = None
    streaks_only: bool = False
    vertebrae: tuple[VertebraScore, ...] = ()
    leaks: tuple[LeakScore, ...] = ()
    false_leaks: tuple[FalseLeak, ...] = ()
    split: int = 0
    invented: int = 0
    named: int = 0
    wrong_names: int = 0
    false_cement_ml: float = 0.0
    seconds: float = 0.0
    error: str = ""

    @property
    def with_pre(self) -> bool:
        """Whether the scan before injection was given."""
        return self.setting.endswith("+pre")


@dataclass
class LeakMatches:
    """Leaks compared, before the score is frozen."""

    leaks: list[LeakScore] = field(default_factory=list)
    false: list[FalseLeak] = field(default_factory=list)
    split: int = 0
