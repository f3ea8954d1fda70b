"""The closed registry of quality flags: every doubt that a report can voice.

A doubtful measurement is returned together with its reason. The registry feeds the report, its schema and
the tests; a flag that is not here cannot be raised.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """How much a flag weighs."""

    STOP = "stop"
    CAUTION = "caution"
    NOTE = "note"


class Flag(StrEnum):
    """The name of a doubt."""

    LEVEL_UNKNOWN = "level-unknown"
    LEVEL_ONE_LANDMARK = "level-one-landmark"
    LEVEL_CONFLICT = "level-conflict"
    ORIENTATION_CONTRADICTS_ANATOMY = "orientation-contradicts-anatomy"
    CEMENT_IN_OTHER_SERIES = "cement-in-other-series"
    REGISTRATION_FAILED = "registration-failed"
    CANAL_NOT_ASSESSABLE = "canal-not-assessable"
    FORAMEN_NOT_ASSESSABLE = "foramen-not-assessable"
    LEAK_POSSIBLE = "leak-possible"
    LEAK_TRACE = "leak-trace"
    LEAK_CUT_BY_SCAN_EDGE = "leak-cut-by-scan-edge"
    REMOTE_DENSE_DEPOSIT = "remote-dense-deposit"
    OLD_CEMENT = "old-cement"
    OLD_CEMENT_NOT_SEPARABLE = "old-cement-not-separable"
    ATTRIBUTION_UNCERTAIN = "attribution-uncertain"
    NEEDLE_IN_PLACE = "needle-in-place"
    METAL_IN_CEMENT = "metal-in-cement"
    HU_CLIPPED = "hu-clipped"
    POSTERIOR_WALL_REBUILT = "posterior-wall-rebuilt"
    FILLING_BIASED_HIGH = "filling-biased-high"
    TUMOUR_OUTSIDE_BONE = "tumour-outside-bone"
    VERTEBRA_CUT = "vertebra-cut"
    MISSING_SLICES = "missing-slices"
    NOT_HU = "not-hu"
    NOT_ASSESSED = "not-assessed"
    NO_VERTEBRAE_FOUND = "no-vertebrae-found"
    TREATED_COUNT_CONTRADICTS_LEVELS = "treated-count-contradicts-levels"
    ANATOMY_UNCERTAIN = "anatomy-uncertain"
    SOUND_NEIGHBOUR_MISSING = "sound-neighbour-missing"
    INTRA_PROCEDURAL_SERIES = "intra-procedural-series"
    THICK_SLICES = "thick-slices"
    VOLUME_UNCERTAIN = "volume-uncertain"
    ANATOMY_BY_HAND = "anatomy-by-hand"


class FlagDefinition(msgspec.Struct, frozen=True):
    """What a flag means whenever it is raised.

    Attributes
    ----------
    severity
        How much it weighs.
    meaning
        One sentence for a reader of the report.
    """

    severity: Severity
    meaning: str


REGISTRY: dict[Flag, FlagDefinition] = {
    Flag.LEVEL_UNKNOWN: FlagDefinition(
        Severity.STOP, "No rib, sacrum, label or user names this level; vertebrae are numbered from the top."
    ),
    Flag.LEVEL_ONE_LANDMARK: FlagDefinition(
        Severity.CAUTION,
        "The level is counted from one landmark only; an extra or missing vertebra would shift it.",
    ),
    Flag.LEVEL_CONFLICT: FlagDefinition(Severity.STOP, "Two sources name this level differently."),
    Flag.ORIENTATION_CONTRADICTS_ANATOMY: FlagDefinition(
        Severity.STOP, "The patient's orientation in the header contradicts the anatomy; sides are not given."
    ),
    Flag.CEMENT_IN_OTHER_SERIES: FlagDefinition(
        Severity.STOP, "Another series covers a treated level that the analysed series does not."
    ),
    Flag.REGISTRATION_FAILED: FlagDefinition(
        Severity.CAUTION, "The pre-injection vertebra could not be laid over the post-injection one."
    ),
    Flag.CANAL_NOT_ASSESSABLE: FlagDefinition(
        Severity.STOP, "The spinal canal could not be assessed for cement."
    ),
    Flag.FORAMEN_NOT_ASSESSABLE: FlagDefinition(
        Severity.STOP, "A neural foramen could not be assessed for cement."
    ),
    Flag.LEAK_POSSIBLE: FlagDefinition(
        Severity.CAUTION, "A deposit may be leaked cement, but streak or calcification cannot be excluded."
    ),
    Flag.LEAK_TRACE: FlagDefinition(
        Severity.NOTE, "Cement outside the vertebra, less than is listed as a leak."
    ),
    Flag.LEAK_CUT_BY_SCAN_EDGE: FlagDefinition(
        Severity.CAUTION, "Leaked cement reaches the edge of the scan; there may be more of it."
    ),
    Flag.REMOTE_DENSE_DEPOSIT: FlagDefinition(
        Severity.CAUTION, "A cement-like deposit lies away from the spine."
    ),
    Flag.OLD_CEMENT: FlagDefinition(
        Severity.NOTE, "Cement was already there before the injection and is not counted."
    ),
    Flag.OLD_CEMENT_NOT_SEPARABLE: FlagDefinition(
        Severity.CAUTION,
        "Without a pre-injection series, cement of an earlier treatment cannot be told apart.",
    ),
    Flag.ATTRIBUTION_UNCERTAIN: FlagDefinition(
        Severity.CAUTION, "Which vertebra a part of the cement came from is not certain."
    ),
    Flag.NEEDLE_IN_PLACE: FlagDefinition(
        Severity.NOTE, "A needle or cannula lies in the vertebra; cement inside it is not counted."
    ),
    Flag.METAL_IN_CEMENT: FlagDefinition(
        Severity.CAUTION, "Metal and cement touch; their border, and so the volume, is uncertain."
    ),
    Flag.HU_CLIPPED: FlagDefinition(
        Severity.CAUTION, "The scanner's number range clips this cement; its border is less certain."
    ),
    Flag.POSTERIOR_WALL_REBUILT: FlagDefinition(
        Severity.CAUTION, "The posterior wall is destroyed; its place is inferred from what is intact."
    ),
    Flag.FILLING_BIASED_HIGH: FlagDefinition(
        Severity.CAUTION,
        "Without a pre-injection series the lesion under the cement is unseen and filling reads high.",
    ),
    Flag.TUMOUR_OUTSIDE_BONE: FlagDefinition(
        Severity.NOTE, "Tumour outside the bone's outline is not part of the lesion volume."
    ),
    Flag.VERTEBRA_CUT: FlagDefinition(
        Severity.CAUTION, "The scan cuts this vertebra; what needs the whole body is not given."
    ),
    Flag.MISSING_SLICES: FlagDefinition(Severity.STOP, "Slices are missing from the series."),
    Flag.NOT_HU: FlagDefinition(Severity.STOP, "The intensities do not look like Hounsfield units."),
    Flag.NOT_ASSESSED: FlagDefinition(Severity.NOTE, "Not treated, so lesion and filling were not assessed."),
    Flag.NO_VERTEBRAE_FOUND: FlagDefinition(Severity.STOP, "No vertebra was found in the volume."),
    Flag.TREATED_COUNT_CONTRADICTS_LEVELS: FlagDefinition(
        Severity.STOP, "The number of treated vertebrae found differs from the levels given by the user."
    ),
    Flag.ANATOMY_UNCERTAIN: FlagDefinition(Severity.CAUTION, "The outline of this vertebra is uncertain."),
    Flag.SOUND_NEIGHBOUR_MISSING: FlagDefinition(
        Severity.NOTE, "No sound neighbour is in view, so height loss is not given."
    ),
    Flag.INTRA_PROCEDURAL_SERIES: FlagDefinition(
        Severity.NOTE, "A series taken during the procedure was not used as the pre-injection scan."
    ),
    Flag.THICK_SLICES: FlagDefinition(
        Severity.CAUTION, "Slices are thick; thin deposits and small distances are less certain."
    ),
    Flag.VOLUME_UNCERTAIN: FlagDefinition(
        Severity.CAUTION, "The cement volume is less certain than its interval can say."
    ),
    Flag.ANATOMY_BY_HAND: FlagDefinition(
        Severity.NOTE, "The place, a wall or the level of this vertebra was given by hand."
    ),
}


class QualityFlag(msgspec.Struct, frozen=True, kw_only=True):
    """A doubt about one measurement, with its reason.

    Attributes
    ----------
    flag
        Name in the registry.
    severity
        How much it weighs.
    says
        One sentence for the reader.
    """

    flag: Flag
    severity: Severity
    says: str


def raise_flag(flag: Flag, says: str | None = None) -> QualityFlag:
    """Return the quality flag of the registry, with a sentence of its own where one is given."""
    definition = REGISTRY[flag]
    return QualityFlag(flag=flag, severity=definition.severity, says=says or definition.meaning)
