"""Destroyed, cemented and leaking vertebrae: one wish, turned into what phantoms and implants understand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cementct.core.findings import Destruction, LeakType, Side
from cementct.core.levels import Level
from cementct.testing.spec import CementSpec, LeakSpec, LesionSpec, Treatment

# Where a wish has no room: smaller leaks, the other side, the other disc, in this order.
LEAK_VOLUMES_ML = (0.35, 0.2, 0.1)


@dataclass(frozen=True)
class Wish:
    """One treated vertebra.

    Attributes
    ----------
    level
        Which.
    leak
        Its leak's type; None: none.
    destroyed_share
        Of the body, before injection.
    filling
        Share of the lesion that cement fills.
    opacity_hu
        Of the cement: 700 dilute, above 3071 clipped.
    breaks_wall
        Whether the posterior wall is destroyed.
    destruction
        Lytic or mixed.
    """

    level: Level
    leak: LeakType | None = None
    destroyed_share: float = 0.5
    filling: float = 0.55
    opacity_hu: float = 2500.0
    breaks_wall: bool = True
    destruction: Destruction = Destruction.OSTEOLYTIC

    @property
    def words(self) -> str:
        """The wish in a few words."""
        wall = ", wall broken" if self.breaks_wall else ""
        leak = f", {self.leak} leak" if self.leak else ""
        share = f"{self.destroyed_share:.0%}"
        return f"{self.level}: {share} destroyed{wall}, cement {self.opacity_hu:.0f} HU{leak}"


def treatments_for(wish: Wish, body_ml: float, *, seed: int) -> Iterator[Treatment]:
    """Yield the wanted treatment of a body of some volume, then lesser ones for where it has no room."""
    sides = (Side.LEFT, Side.RIGHT) if seed % 2 else (Side.RIGHT, Side.LEFT)
    lesion_ml = wish.destroyed_share * body_ml
    lesion = LesionSpec(lesion_ml, wish.destruction, centre=(0.1, 0.0, 0.0), breaks_wall=wish.breaks_wall)
    cement = CementSpec(
        wish.filling * lesion_ml + 0.5,
        filling=wish.filling,
        opacity_hu=wish.opacity_hu,
        keep_from_wall_mm=0.5,
    )
    if wish.leak is None:
        yield Treatment(wish.level, lesion, cement)
        return
    for volume_ml in LEAK_VOLUMES_ML:
        for side in sides:
            for above in (seed % 4 < 2, seed % 4 >= 2):
                yield Treatment(
                    wish.level, lesion, cement, (LeakSpec(wish.leak, volume_ml, side, above=above),)
                )
