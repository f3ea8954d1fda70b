"""When series were scanned relative to each other: earlier, in the same acquisition, in the same session."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from cementct.io.series import Series

# Clocks that tell acquisitions of one study apart; times of the series or the study are often copied.
_OWN_CLOCKS = frozenset({"acquisition time", "content time"})
# Reconstructions of one acquisition start within this of each other; controls after each portion of cement
# lie at least a minute apart.
SAME_ACQUISITION = timedelta(seconds=2)
# A series of another study belongs to the same session within this; a vertebroplasty takes one to two hours.
SESSION = timedelta(hours=2)
# Nothing further apart than this is one session, whatever the UIDs say.
LONGEST_SESSION = timedelta(hours=12)


def has_own_clock(series: Series) -> bool:
    """Tell whether the series has a time of its own, fine enough to tell acquisitions apart."""
    return series.acquired is not None and series.clock in _OWN_CLOCKS


def order_key(series: Series) -> tuple[datetime, int, int]:
    """Return what sorts series by time: their clock, then the numbers of series and acquisition."""
    start = series.acquired[0] if series.acquired else datetime.min  # noqa: DTZ901 - the scanner's own time
    return start, series.header.number or 0, series.images[0].acquisition_number or 0


def same_acquisition(one: Series, other: Series) -> bool:
    """Tell whether two series were reconstructed from one acquisition.

    Their scan times overlap, and neither the study nor the acquisition numbers contradict that.
    """
    studies = {one.header.study_uid, other.header.study_uid} - {None}
    if len(studies) > 1 or _disjoint(_numbers(one), _numbers(other)):
        return False
    if one.header.raw_uid and one.header.raw_uid == other.header.raw_uid and one.acquired == other.acquired:
        return True
    if one.acquired is None or other.acquired is None or not (has_own_clock(one) and has_own_clock(other)):
        return False
    first, second = sorted([one.acquired, other.acquired])
    return second[0] <= first[1] + SAME_ACQUISITION


def _numbers(series: Series) -> frozenset[int]:
    return frozenset(i.acquisition_number for i in series.images if i.acquisition_number is not None)


def _disjoint(one: frozenset[int], other: frozenset[int]) -> bool:
    return bool(one) and bool(other) and not one & other


def is_earlier(one: Series, other: Series) -> bool:
    """Tell whether `one` was scanned before `other`, as far as headers say."""
    return order_key(one) < order_key(other) and not same_acquisition(one, other)


def same_session(one: Series, other: Series) -> bool:
    """Tell whether two series belong to one visit: one study, one table setting, or about the same time."""
    apart = abs(one.acquired[0] - other.acquired[0]) if one.acquired and other.acquired else None
    if apart is not None and apart > LONGEST_SESSION:
        return False
    if one.header.study_uid and one.header.study_uid == other.header.study_uid:
        return True
    frame = one.header.frame_of_reference_uid
    if frame and frame == other.header.frame_of_reference_uid:
        return True
    return apart is not None and apart <= SESSION and has_own_clock(one) and has_own_clock(other)


def same_frame(one: Series, other: Series) -> bool:
    """Tell whether two series share a frame of reference, so that positions can be compared for certain."""
    frame = one.header.frame_of_reference_uid
    return frame is not None and frame == other.header.frame_of_reference_uid


def perhaps_same_frame(one: Series, other: Series) -> bool:
    """Tell whether positions of two series can probably be compared: one frame, or one study."""
    return same_frame(one, other) or (
        one.header.study_uid is not None
        and one.header.study_uid == other.header.study_uid
        and same_session(one, other)
    )


def acquisitions(series: Iterable[Series]) -> list[list[Series]]:
    """Return series of one acquisition together, the latest acquisition first."""
    groups: list[list[Series]] = []
    for item in sorted(series, key=order_key, reverse=True):
        for group in groups:
            if any(same_acquisition(item, other) for other in group):
                group.append(item)
                break
        else:
            groups.append([item])
    return groups
