"""What the choice of series hands over: the two volumes, and what is known of the series not used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cementct.core.findings import IgnoredSeries
from cementct.core.flags import Flag, QualityFlag, raise_flag
from cementct.io.scan import Scan


@dataclass(frozen=True)
class UncoveredCement:
    """Cement of the same session that the chosen series does not cover.

    Attributes
    ----------
    series_uid
        The series that shows it, or None where it has no UID.
    z_range_lps_mm
        Lowest and highest z of its cement.
    """

    series_uid: str | None
    z_range_lps_mm: tuple[float, float]


@dataclass(frozen=True)
class SeriesChoice:
    """The series to analyse.

    Attributes
    ----------
    post, post_why
        Post-injection volume, and why this one.
    pre, pre_why
        Pre-injection volume and why, or None.
    ignored
        Every other series and file, and why it was not used.
    uncovered_cement
        Cement in other series, at places that the post-injection series does not cover.
    flags
        Doubts about the choice.
    """

    post: Scan
    post_why: str
    pre: Scan | None
    pre_why: str | None
    ignored: tuple[IgnoredSeries, ...]
    uncovered_cement: tuple[UncoveredCement, ...] = ()
    flags: tuple[QualityFlag, ...] = ()


def choice_flags(uncovered: Iterable[UncoveredCement], *, intra_procedural: bool) -> tuple[QualityFlag, ...]:
    """Return the doubts that a choice of series leaves.

    Parameters
    ----------
    uncovered
        Cement in other series, at places that the chosen one does not cover.
    intra_procedural
        Whether a series was passed over because it was taken during the procedure.
    """
    flags = [
        raise_flag(
            Flag.CEMENT_IN_OTHER_SERIES,
            f"Series {item.series_uid or 'without a UID'} shows cement between z = "
            f"{item.z_range_lps_mm[0]:.0f} and {item.z_range_lps_mm[1]:.0f} mm, "
            "which the analysed series does not cover.",
        )
        for item in uncovered
    ]
    if intra_procedural:
        flags.append(raise_flag(Flag.INTRA_PROCEDURAL_SERIES))
    return tuple(flags)
