"""What a user gives by hand where the engine fails: vertebrae, their names, and points on their walls."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cementct.core.arrays import FloatArray, as_floats, read_only
from cementct.core.grid import Triple
from cementct.core.levels import Level


def _no_points() -> FloatArray:
    return np.zeros((0, 3))


@dataclass(frozen=True)
class GivenVertebra:
    """One vertebra as the user gives it; what is not given is left to the engine.

    Attributes
    ----------
    key
        Where it stands in the user's file, for messages.
    level
        Its name.
    centre_lps_mm
        The centre of its body.
    superior_endplate_lps_mm, inferior_endplate_lps_mm
        Points that the outer face of the body passes through, shape (n, 3); n is 0 where none is given.
    posterior_wall_lps_mm
        The same for the posterior wall.
    """

    key: str
    level: Level | None = None
    centre_lps_mm: Triple | None = None
    superior_endplate_lps_mm: FloatArray = field(default_factory=_no_points)
    inferior_endplate_lps_mm: FloatArray = field(default_factory=_no_points)
    posterior_wall_lps_mm: FloatArray = field(default_factory=_no_points)

    def __post_init__(self) -> None:
        for name in SURFACES:
            points = as_floats(getattr(self, name)).reshape(-1, 3)
            object.__setattr__(self, name, read_only(points))

    @property
    def has_surfaces(self) -> bool:
        """Whether points on any of its walls are given."""
        return any(len(getattr(self, name)) for name in SURFACES)

    @property
    def middle_lps_mm(self) -> FloatArray | None:
        """The given centre, else the middle between two given endplates, else None."""
        if self.centre_lps_mm is not None:
            return as_floats(self.centre_lps_mm)
        if not len(self.superior_endplate_lps_mm) or not len(self.inferior_endplate_lps_mm):
            return None
        ends = self.superior_endplate_lps_mm.mean(axis=0), self.inferior_endplate_lps_mm.mean(axis=0)
        return as_floats(sum(ends) / 2)


SURFACES = ("superior_endplate_lps_mm", "inferior_endplate_lps_mm", "posterior_wall_lps_mm")


@dataclass(frozen=True)
class GivenAnatomy:
    """Everything that the user gives by hand about one scan.

    Attributes
    ----------
    vertebrae
        In any order.
    """

    vertebrae: tuple[GivenVertebra, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.vertebrae)


NOTHING_GIVEN = GivenAnatomy()
