"""What is noted of every case and of every vertebra found in it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class VertebraScore:
    """One whole vertebra that was found.

    Attributes
    ----------
    number, treated
        Of the true one.
    body_dice, volume_error, whole_dice
        Of its body (error: found over true, less 1), and of the vertebra; None where the truth does not
        serve.
    wall_mm, superior_mm, inferior_mm
        Mean absolute distance of the found surface from the true one.
    wall_bias_mm, superior_bias_mm, inferior_bias_mm
        The same with its sign: positive where the found body is larger.
    confidence
        As the engine gives it.
    name, true_name
        Its level: "" where none is given.
    cement_outside_share
        Of the cement in the true body, what lies outside the found one; None without cement.
    """

    number: int
    treated: bool
    body_dice: float
    volume_error: float
    whole_dice: float | None
    wall_mm: float
    superior_mm: float
    inferior_mm: float
    wall_bias_mm: float
    superior_bias_mm: float
    inferior_bias_mm: float
    confidence: float
    name: str
    true_name: str
    cement_outside_share: float | None

    @property
    def is_lumbar(self) -> bool:
        """Whether it belongs to the lumbar spine."""
        return self.true_name.startswith("L")


@dataclass(frozen=True)
class CaseScore:
    """One case.

    Attributes
    ----------
    name, description, family, half, slice_mm
        Of the case.
    whole, found, missed, invented, doubled, in_order
        Vertebrae whole in view, those of them that were found, the names of those that were not, and found
        ones that should not be.
    names_knowable
        Whether the image shows what names hang on.
    vertebrae
        The found ones.
    leaked_inside_share
        By leak type: share of the leaked cement that found bodies hold.
    cement_outside_share
        Of all cement in treated bodies, what lies outside the found ones (all of it where one was missed).
    canal_mm
        Distances of the true canal's middle from the found one, slice by slice.
    slices, engine_seconds, describe_seconds
        Processor time.
    error
        What was raised, where something was.
    """

    name: str
    description: str
    family: str
    half: str
    slice_mm: float
    whole: int
    found: int
    missed: tuple[str, ...]
    invented: int
    doubled: int
    in_order: bool
    names_knowable: bool
    vertebrae: tuple[VertebraScore, ...] = ()
    leaked_inside_share: dict[str, float] = field(default_factory=dict)
    cement_outside_share: float | None = None
    canal_mm: tuple[float, ...] = ()
    slices: int = 0
    engine_seconds: float = 0.0
    describe_seconds: float = 0.0
    error: str = ""
