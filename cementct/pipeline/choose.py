"""Which series of a study is post-injection and which pre-injection, and why each of the others is neither.

Post-injection, in this order: it shows cement; the latest acquisition; slices of 1.5 mm or less, else the
thinnest; the softer kernel; more slices. Where none shows cement, the latest. Pre-injection: the latest
earlier series without the new cement. A series of the same session with cement or a needle was taken during
the procedure and is never pre-injection.
"""

from __future__ import annotations

from collections.abc import Sequence

from cementct.core.errors import StudyRefused, UsageError
from cementct.core.findings import IgnoredSeries
from cementct.io.dicom import DicomFolder, reasons_in_short
from cementct.io.series import Series
from cementct.pipeline.choice import SeriesChoice, UncoveredCement, choice_flags
from cementct.pipeline.evidence import Evidence, ShowsCement
from cementct.pipeline.preference import ranked, slice_mm, tier, why_behind
from cementct.pipeline.timing import (
    acquisitions,
    has_own_clock,
    is_earlier,
    perhaps_same_frame,
    same_acquisition,
    same_frame,
    same_session,
)

# An earlier series with less than this share of the later one's cement holds old cement only; the same cement
# seen twice differs by a tenth at the most between reconstructions.
OLD_CEMENT_SHARE = 0.85
# Cement further beyond the chosen series than this is not in it; a vertebra is at least 15 mm high.
BEYOND_MM = 5.0

_NOT_CHOSEN = "Another series serves better."


def choose_series(
    folder: DicomFolder,
    shows_cement: ShowsCement | Evidence,
    *,
    post_uid: str | None = None,
    pre_uid: str | None = None,
) -> SeriesChoice:
    """Choose the post- and the pre-injection series of a study.

    Parameters
    ----------
    folder
        The study.
    shows_cement
        Looks at a volume for cement and needles, or what remembers such looks.
    post_uid, pre_uid
        SeriesInstanceUIDs chosen by hand, which override everything.

    Raises
    ------
    StudyRefused
        Where no series can be used, or one chosen by hand is not there.
    UsageError
        Where the same series is chosen by hand as both.
    """
    if post_uid is not None and post_uid == pre_uid:
        raise UsageError("--post and --pre: expected two different series, got the same one twice")
    if not folder.series:
        raise StudyRefused(_nothing_usable(folder))
    evidence = shows_cement if isinstance(shows_cement, Evidence) else Evidence(shows_cement)
    return _Choosing(folder, evidence).choose(post_uid, pre_uid)


class _Choosing:
    """One choice in the making: what was rejected so far, and why."""

    def __init__(self, folder: DicomFolder, evidence: Evidence) -> None:
        self._folder = folder
        self._evidence = evidence
        self._objections: dict[Series, str] = {}
        self._intra_procedural = False

    def choose(self, post_uid: str | None, pre_uid: str | None) -> SeriesChoice:
        pre = self._by_uid(pre_uid, "--pre") if pre_uid else None
        pre_why = "Chosen by hand."
        if post_uid:
            post, post_why = self._by_uid(post_uid, "--post"), "Chosen by hand."
        else:
            post, post_why = self._post([s for s in self._folder.series if pre is None or s.uid != pre.uid])
        post_scan = self._evidence.read(post)
        if pre is None:
            pre, pre_why = self._pre(post)
        uncovered = self._uncovered(post, pre)
        pre_scan = self._evidence.read(pre) if pre is not None else None
        return SeriesChoice(
            post=post_scan,
            post_why=post_why,
            pre=pre_scan,
            pre_why=pre_why if pre is not None else None,
            ignored=(*self._ignored(post, pre), *self._folder.ignored),
            uncovered_cement=uncovered,
            flags=choice_flags(uncovered, intra_procedural=self._intra_procedural),
        )

    def _by_uid(self, uid: str, option: str) -> Series:
        found = [s for s in self._folder.series if s.uid == uid]
        if not found:
            set_aside = [i.why for i in self._folder.ignored if i.series_instance_uid == uid]
            if set_aside:
                raise StudyRefused(f"{option}: series {uid} cannot be used. {set_aside[0]}")
            there = ", ".join(sorted({s.uid for s in self._folder.series if s.uid}))
            raise StudyRefused(f"{option}: expected the UID of a series in the study, found only {there}")
        with_cement = [s for s in found if len(found) > 1 and self._shows(s)]
        return ranked(with_cement or found)[0]

    def _shows(self, series: Series) -> bool:
        seen = self._evidence.of(series)
        return seen is not None and seen.cement

    def _post(self, candidates: Sequence[Series]) -> tuple[Series, str]:
        """Return the post-injection series and why it was chosen."""
        for worth in (False, True):
            for group in acquisitions(candidates):
                for series in ranked(s for s in group if (tier(s) >= 3) is worth):
                    if self._shows(series):
                        return series, _why_post(series, group, candidates)
        for group in acquisitions(candidates):
            for series in ranked(group):
                if series not in self._evidence.unreadable:
                    return series, "No series shows cement; the latest one was taken."
        reasons = "; ".join(list(self._evidence.unreadable.values())[:2])
        raise StudyRefused(f"no usable series: {reasons}")

    def _pre(self, post: Series) -> tuple[Series | None, str]:
        """Return the pre-injection series, or None, and why it was chosen."""
        for group in acquisitions(s for s in self._folder.series if s is not post):
            if not all(self._may_precede(series, post) for series in group):
                continue
            for series in ranked(group):
                objection = self._objection(series, post)
                if objection is None:
                    return series, self._why_pre(series, post)
                self._objections[series] = objection
                seen = self._evidence.was_seen(series)
                if seen is not None and (seen.cement or seen.needle):
                    for other in group:
                        self._objections.setdefault(other, objection)
                    break
        return None, ""

    def _may_precede(self, series: Series, post: Series) -> bool:
        if is_earlier(series, post):
            return True
        if same_acquisition(series, post) or (has_own_clock(series) and has_own_clock(post)):
            return False
        # Without a clock: cement does not vanish, so what shows none where the other does came before it.
        return self._shows(post) and not self._shows(series)

    def _objection(self, series: Series, post: Series) -> str | None:
        """Return why an earlier series is not the pre-injection one, or None."""
        seen = self._evidence.of(series)
        if seen is None:
            return f"Cannot be read: {self._evidence.unreadable[series]}"
        if same_session(series, post) and (seen.cement or seen.needle):
            self._intra_procedural = True
            what = "cement" if seen.cement else "a needle"
            return f"Taken during the procedure: it shows {what} and belongs to the same session."
        if seen.needle:
            self._intra_procedural = True
            return "Taken during an earlier procedure: it shows a needle."
        after = self._evidence.of(post)
        if seen.cement and after is not None and seen.volume_ml >= OLD_CEMENT_SHARE * after.volume_ml:
            return (
                "It shows as much cement as the post-injection series, so it was taken after the injection."
            )
        if not _overlaps(series, post, after.z_range_mm if after is not None else None):
            return "Earlier, but it covers another part of the body."
        return None

    def _why_pre(self, series: Series, post: Series) -> str:
        seen = self._evidence.of(series)
        old = ", which holds cement of an earlier treatment" if seen is not None and seen.cement else ""
        how = (
            "by the headers' times"
            if has_own_clock(series) and has_own_clock(post)
            else "by series number and date"
        )
        return f"The latest earlier series ({how}) without the new cement{old}."

    def _uncovered(self, post: Series, pre: Series | None) -> tuple[UncoveredCement, ...]:
        """Return cement of the session at places that the chosen series does not cover."""
        low, high = post.table_range_mm
        found: list[UncoveredCement] = []
        for series in self._folder.series:
            if (
                series in {post, pre}
                or not perhaps_same_frame(series, post)
                or not same_session(series, post)
            ):
                continue
            own_low, own_high = series.table_range_mm
            if own_low >= low - BEYOND_MM and own_high <= high + BEYOND_MM:
                continue
            seen = self._evidence.of(series)
            if seen is None or not seen.cement or seen.z_range_mm is None:
                continue
            if seen.z_range_mm[0] < low - BEYOND_MM or seen.z_range_mm[1] > high + BEYOND_MM:
                found.append(UncoveredCement(series.uid, seen.z_range_mm))
        return tuple(found)

    def _ignored(self, post: Series, pre: Series | None) -> list[IgnoredSeries]:
        return [s.ignored(self._reason(s, post, pre)) for s in self._folder.series if s not in {post, pre}]

    def _reason(self, series: Series, post: Series, pre: Series | None) -> str:
        """Return, as a sentence, why a series was not used."""
        if series in self._evidence.unreadable:
            return f"Cannot be read: {self._evidence.unreadable[series]}"
        seen = self._evidence.was_seen(series)
        if seen is not None and not seen.cement and self._shows(post) and not is_earlier(series, post):
            return "No cement was seen in it."
        if same_acquisition(series, post):
            return why_behind(series, post)
        if series in self._objections:
            return self._objections[series]
        if pre is not None and same_acquisition(series, pre):
            return why_behind(series, pre).replace("the series used", "the pre-injection series")
        return "Earlier than the series that were used." if is_earlier(series, post) else _NOT_CHOSEN


def _overlaps(series: Series, post: Series, cement_z_mm: tuple[float, float] | None) -> bool:
    """Tell whether an earlier series covers the cemented part, as far as positions can be compared."""
    if not same_frame(series, post):
        return True
    low, high = series.table_range_mm
    wanted = cement_z_mm or post.table_range_mm
    return min(high, wanted[1]) - max(low, wanted[0]) >= 0


def _why_post(series: Series, group: Sequence[Series], candidates: Sequence[Series]) -> str:
    if len(candidates) == 1:
        return "The only series; it shows cement."
    others = f", the best of {len(group)} reconstructions of it" if len(group) > 1 else ""
    thickness = f"slices of {slice_mm(series):g} mm"
    when = "" if has_own_clock(series) else ", by series number and date"
    return f"The latest acquisition that shows cement{when}{others} ({thickness}, {series.count} slices)."


def _nothing_usable(folder: DicomFolder) -> str:
    if not folder.dicom_files:
        return "no usable series: expected CT images, found no DICOM file"
    reasons = reasons_in_short(folder.ignored)
    found = f"found {folder.dicom_files} DICOM files, none usable ({reasons})"
    return f"no usable series: expected a CT volume, {found}"
