"""The report as data: what was found in a study, vertebra by vertebra.

Names, order and meaning are the public interface (docs/report.md). Volumes are in millilitres, lengths in
millimetres, angles in degrees, points in LPS. None means: cannot be known, and a quality flag says why.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from cementct.core.flags import QualityFlag
from cementct.core.levels import Level

SCHEMA_VERSION = "1.0"

Point = tuple[float, float, float]
Interval = tuple[float, float]


class LevelSource(StrEnum):
    """What a level's name was counted from."""

    RIBS = "ribs"
    SACRUM = "sacrum"
    LABEL_FILE = "label-file"
    USER = "user"
    UNKNOWN = "unknown"


class LesionSource(StrEnum):
    """Where the lesion was measured."""

    PRE = "pre"
    POST = "post"
    MASK = "mask"
    NONE = "none"


class FillingCategory(StrEnum):
    """The paper's categories of the filling rate; the lower bound belongs to the category."""

    UNDER_50 = "<50%"
    FROM_50 = "50-75%"
    FROM_75 = "75-90%"
    COMPLETE = "~100%"


class LeakType(StrEnum):
    """Where leaked cement lies."""

    DISKAL = "diskal"
    EPIDURAL = "epidural"
    PARAVERTEBRAL = "paravertebral"
    FORAMINAL = "foraminal"
    ACCESS_TRACK = "access-track"

    @property
    def number(self) -> int:
        """Its number in the label map of leaks."""
        return list(LeakType).index(self) + 1


class Certainty(StrEnum):
    """Whether a deposit counts as found."""

    DEFINITE = "definite"
    POSSIBLE = "possible"


class Side(StrEnum):
    """The patient's side; midline within 3 mm of the vertebra's midsagittal plane."""

    LEFT = "left"
    RIGHT = "right"
    MIDLINE = "midline"


class CompartmentState(StrEnum):
    """What can be said of cement in one compartment of a treated vertebra."""

    PRESENT = "present"
    POSSIBLE = "possible"
    NONE_SEEN = "none-seen"
    NOT_ASSESSABLE = "not-assessable"


class Destruction(StrEnum):
    """Type of destruction before injection."""

    OSTEOLYTIC = "osteolytic"
    MIXED = "mixed"
    OSTEOBLASTIC = "osteoblastic"
    NONE = "none"


class Leak(msgspec.Struct, frozen=True, kw_only=True):
    """One leak of one type.

    Attributes
    ----------
    type
        Compartment it lies in.
    certainty
        Only definite ones count as found.
    volume_ml
        Partial-volume estimate.
    side
        The patient's side, or None where the header contradicts the anatomy.
    centroid_lps_mm
        Centre of its volume.
    between
        Diskal only: the two levels, or labels where they have no name.
    thickness_mm
        Epidural: its extent at right angles to the canal wall, at its thickest.
    canal_area_share
        Epidural: the largest share of the canal's cross-section it takes.
    vessel_like
        Whether it is a thin cord, as cement in a vein is.
    """

    type: LeakType
    certainty: Certainty
    volume_ml: float
    side: Side | None
    centroid_lps_mm: Point
    between: tuple[str | int, str | int] | None = None
    thickness_mm: float | None = None
    canal_area_share: float | None = None
    vessel_like: bool = False


class Compartments(msgspec.Struct, frozen=True, kw_only=True):
    """The state of each compartment around a treated vertebra."""

    epidural: CompartmentState
    foraminal_left: CompartmentState
    foraminal_right: CompartmentState
    diskal_above: CompartmentState
    diskal_below: CompartmentState
    paravertebral: CompartmentState
    access_track: CompartmentState


class ForamenDistance(msgspec.Struct, frozen=True, kw_only=True):
    """Shortest distance from the vertebra's cement to the foramina of one side, in millimetres."""

    left: float | None
    right: float | None


class Heights(msgspec.Struct, frozen=True, kw_only=True):
    """Height of the body on the midsagittal plane at 10, 50 and 90 % of its depth, in millimetres."""

    anterior: float | None
    middle: float | None
    posterior: float | None


class RegistrationResult(msgspec.Struct, frozen=True, kw_only=True):
    """How well the pre-injection vertebra was laid over the post-injection one."""

    ok: bool
    residual_mm: float | None


class VertebraReport(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one vertebra in view, treated or not."""

    level: Level | None
    label: int
    level_source: LevelSource
    centroid_lps_mm: Point
    complete: bool
    treated: bool
    body_volume_ml: float | None = None
    cement_volume_ml: float | None = None
    cement_volume_ml_ci90: Interval | None = None
    cement_in_body_ml: float | None = None
    cement_in_pedicle_ml: float | None = None
    cement_to_body_ratio: float | None = None
    lesion_volume_ml: float | None = None
    lesion_source: LesionSource = LesionSource.NONE
    filling_rate: float | None = None
    filling_rate_ci90: Interval | None = None
    filling_category: FillingCategory | None = None
    filling_category_probability: dict[FillingCategory, float] | None = None
    leaks: tuple[Leak, ...] = ()
    compartments: Compartments | None = None
    posterior_wall_distance_mm: float | None = None
    foramen_distance_mm: ForamenDistance | None = None
    cement_within_5mm: bool | None = None
    posterior_wall_involved: bool | None = None
    destruction: Destruction | None = None
    heights_mm: Heights | None = None
    wedge_angle_deg: float | None = None
    compressed: bool | None = None
    height_loss: float | None = None
    anatomy_confidence: float | None = None
    registration: RegistrationResult | None = None
    quality: tuple[QualityFlag, ...] = ()

    @property
    def name(self) -> str:
        """Its level, or its number where the level is unknown."""
        return self.level.value if self.level else f"#{self.label}"


class SeriesReport(msgspec.Struct, frozen=True, kw_only=True):
    """A series that was used.

    Attributes
    ----------
    series_instance_uid
        None where the volume came from a file that has none.
    file
        Path relative to the input, where the volume came from one file.
    shape, spacing_mm
        Of the file's own grid, in the order z, y, x.
    why
        Why this series was chosen.
    """

    series_instance_uid: str | None
    file: str | None = None
    shape: tuple[int, int, int]
    spacing_mm: Point
    why: str


class IgnoredSeries(msgspec.Struct, frozen=True, kw_only=True):
    """A series, or a file, that was not used, and why."""

    series_instance_uid: str | None
    file: str | None = None
    why: str


class RemoteDeposit(msgspec.Struct, frozen=True, kw_only=True):
    """A cement-like deposit away from the spine; always possible, never definite."""

    volume_ml: float
    centroid_lps_mm: Point
    certainty: Certainty = Certainty.POSSIBLE


class Software(msgspec.Struct, frozen=True, kw_only=True):
    """What made the report."""

    name: str
    version: str
    config_sha256: str


class StudyDescription(msgspec.Struct, frozen=True, kw_only=True):
    """Which series the report speaks of.

    Attributes
    ----------
    post, pre
        The series after and, where one was used, before injection.
    ignored_series
        What was not used, and why.
    remote_deposits
        Cement-like deposits away from the spine.
    input_sha256
        Fingerprint of the files of the study, whatever their place and times.
    """

    post: SeriesReport
    pre: SeriesReport | None
    ignored_series: tuple[IgnoredSeries, ...] = ()
    remote_deposits: tuple[RemoteDeposit, ...] = ()
    input_sha256: str | None = None


class StudyReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole report of one study."""

    schema_version: str = SCHEMA_VERSION
    software: Software
    study: StudyDescription
    vertebrae: tuple[VertebraReport, ...]
    quality: tuple[QualityFlag, ...] = ()

    @property
    def treated(self) -> tuple[VertebraReport, ...]:
        """The vertebrae that cement of this treatment came from, from top to bottom."""
        return tuple(v for v in self.vertebrae if v.treated)
