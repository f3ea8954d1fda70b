"""What is true of a simulated case: frozen records that serialise to truth.json."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cementct.core.findings import Destruction, FillingCategory, LeakType, Side

Point = tuple[float, float, float]

# Lower bounds of the filling categories (the contract's definition).
_CATEGORIES = (
    (0.9, FillingCategory.COMPLETE),
    (0.75, FillingCategory.FROM_75),
    (0.5, FillingCategory.FROM_50),
    (0.0, FillingCategory.UNDER_50),
)


def category_of(rate: float) -> FillingCategory:
    """Return the category of a filling rate; the lower bound belongs to the category."""
    return next(category for bound, category in _CATEGORIES if rate >= bound)


@dataclass(frozen=True)
class LeakTruth:
    """One leak, as the contract divides and joins cement outside the vertebra.

    Attributes
    ----------
    type, side
        Compartment, and the patient's side (midline within 3 mm).
    volume_ml
        Counted on the fine lattice.
    centroid_lps_mm
        Centre of its volume.
    between
        Diskal only: the levels (or numbers) above and below.
    listed
        Whether the contract lists it: from 0.02 ml, and every deposit in canal and foramina.
    """

    type: LeakType
    side: Side
    volume_ml: float
    centroid_lps_mm: Point
    between: tuple[str, str] | None
    listed: bool


@dataclass(frozen=True)
class VertebraTruth:
    """One vertebra, as the contract defines its numbers; None where they do not apply.

    Attributes
    ----------
    level, number
        Name and number in the label maps.
    complete
        Whether its body is wholly in the scan.
    treated
        Whether cement of this treatment came from it.
    old_cement_ml
        Cement of an earlier treatment.
    centroid_lps_mm, body_volume_ml
        Of the body.
    cement_volume_ml, cement_in_body_ml, cement_in_pedicle_ml, cement_to_body_ratio
        All cement from it, its shares in body and pedicles, and that of the body over the body's volume.
    cement_opacity_hu
        True intensity of the region that cement occupies.
    lesion_volume_ml, filling_rate, filling_category, destruction, posterior_wall_involved
        Of the lesion before injection, in the post-injection frame.
    leaks
        From it, crumbs included (`listed` false).
    posterior_wall_distance_mm, left_foramen_distance_mm, right_foramen_distance_mm
        Shortest, surface to surface.
    heights_mm
        At 10, 50 and 90 % of the depth in the midsagittal plane.
    height_loss, compressed
        Against the sound shape of this very vertebra.
    """

    level: str
    number: int
    complete: bool
    treated: bool
    centroid_lps_mm: Point
    body_volume_ml: float
    old_cement_ml: float = 0.0
    cement_volume_ml: float | None = None
    cement_in_body_ml: float | None = None
    cement_in_pedicle_ml: float | None = None
    cement_to_body_ratio: float | None = None
    cement_opacity_hu: float | None = None
    lesion_volume_ml: float | None = None
    filling_rate: float | None = None
    filling_category: FillingCategory | None = None
    destruction: Destruction | None = None
    posterior_wall_involved: bool | None = None
    leaks: tuple[LeakTruth, ...] = ()
    posterior_wall_distance_mm: float | None = None
    left_foramen_distance_mm: float | None = None
    right_foramen_distance_mm: float | None = None
    heights_mm: Point | None = None
    height_loss: float | None = None
    compressed: bool | None = None


@dataclass(frozen=True)
class CaseTruth:
    """Everything true of a case.

    Attributes
    ----------
    seed
        The case's seed.
    description
        Where it comes from.
    vertebrae
        Those in view, from top to bottom.
    foreign
        Kinds of foreign objects in view.
    """

    seed: int
    description: str
    vertebrae: tuple[VertebraTruth, ...]
    foreign: tuple[str, ...] = ()

    @property
    def treated(self) -> tuple[VertebraTruth, ...]:
        """The vertebrae that cement of this treatment came from."""
        return tuple(v for v in self.vertebrae if v.treated)

    def vertebra(self, level: str) -> VertebraTruth:
        """Return the truth of one level; KeyError where it is not in view."""
        for vertebra in self.vertebrae:
            if vertebra.level == level:
                return vertebra
        raise KeyError(level)

    def to_json(self) -> bytes:
        """Return the truth as readable JSON, numbers rounded to four decimals."""
        import msgspec

        return msgspec.json.format(msgspec.json.encode(_rounded(msgspec.to_builtins(self))), indent=2) + b"\n"

    def write(self, path: Path) -> None:
        """Write truth.json."""
        path.write_bytes(self.to_json())


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value
