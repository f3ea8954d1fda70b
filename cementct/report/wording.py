"""How the report writes numbers, names and sides, the same in every sentence and table."""

from __future__ import annotations

from collections.abc import Sequence

from cementct.core.findings import (
    CompartmentState,
    Destruction,
    FillingCategory,
    Interval,
    LeakType,
    LesionSource,
    LevelSource,
    Side,
)

# Stands on everything that may be read without the report.
RESEARCH_ONLY = "Research, not for clinical use"

UNKNOWN = "–"
YES_NO: dict[bool | None, str] = {True: "yes", False: "no", None: UNKNOWN}

COUNTED_FROM: dict[LevelSource, str] = {
    LevelSource.RIBS: "counted from the ribs",
    LevelSource.SACRUM: "counted from the sacrum",
    LevelSource.LABEL_FILE: "named by the label file",
    LevelSource.USER: "named by the user",
    LevelSource.UNKNOWN: "level unknown, numbered from the top",
}
STATE_WORDS: dict[CompartmentState, str] = {
    CompartmentState.PRESENT: "cement present",
    CompartmentState.POSSIBLE: "possible",
    CompartmentState.NONE_SEEN: "no cement identified",
    CompartmentState.NOT_ASSESSABLE: "could not be assessed",
}
COMPARTMENT_NAMES: dict[str, str] = {
    "epidural": "spinal canal",
    "foraminal_left": "left foramen",
    "foraminal_right": "right foramen",
    "diskal_above": "disc above",
    "diskal_below": "disc below",
    "paravertebral": "paravertebral space",
    "access_track": "access track",
}
LEAK_NAMES: dict[LeakType, str] = {
    LeakType.DISKAL: "Diskal leak",
    LeakType.EPIDURAL: "Epidural leak",
    LeakType.PARAVERTEBRAL: "Paravertebral leak",
    LeakType.FORAMINAL: "Foraminal leak",
    LeakType.ACCESS_TRACK: "Leak along the access track",
}
LEAK_NAMES_OF_SEVERAL: dict[LeakType, str] = {
    kind: name.replace("Leak ", "Leaks ").replace(" leak", " leaks") for kind, name in LEAK_NAMES.items()
}
SIDE_WORDS: dict[Side, str] = {Side.LEFT: "left", Side.RIGHT: "right", Side.MIDLINE: "midline"}
DESTRUCTION_WORDS: dict[Destruction, str] = {
    Destruction.OSTEOLYTIC: "osteolytic",
    Destruction.MIXED: "mixed",
    Destruction.OSTEOBLASTIC: "osteoblastic",
    Destruction.NONE: "no lesion",
}
LESION_SOURCE_WORDS: dict[LesionSource, str] = {
    LesionSource.PRE: "of the lesion on the pre-injection CT",
    LesionSource.POST: "of the lesion as far as the post-injection CT alone shows it",
    LesionSource.MASK: "of the lesion in the given mask",
    LesionSource.NONE: "",
}
CATEGORY_WORDS: dict[FillingCategory, str] = {
    FillingCategory.UNDER_50: "under 50 %",
    FillingCategory.FROM_50: "50–75 %",
    FillingCategory.FROM_75: "75–90 %",
    FillingCategory.COMPLETE: "about 100 %",
}


def millilitres(volume_ml: float | None, decimals: int = 1) -> str:
    """Return a volume such as '5.4 ml'; what would round to nothing is 'under' the last decimal."""
    if volume_ml is None:
        return UNKNOWN
    least = 10.0**-decimals
    if 0 < volume_ml < least / 2:
        return f"under {least:g} ml"
    return f"{volume_ml:.{decimals}f} ml"


def millimetres(length_mm: float | None, decimals: int = 1) -> str:
    """Return a length such as '3.1 mm'."""
    return UNKNOWN if length_mm is None else f"{length_mm:.{decimals}f} mm"


def short_millimetres(length_mm: float) -> str:
    """Return a length without decimals that say nothing, such as '2 mm' or '1.5 mm'."""
    return f"{round(length_mm, 1):g} mm"


def percent(share: float | None) -> str:
    """Return a share such as '82 %'."""
    return UNKNOWN if share is None else f"{_whole_percent(share)} %".replace("-", "−")


def percent_range(interval: Interval) -> str:
    """Return an interval of a share without its sign, such as '78–86'."""
    low, high = interval
    return f"{_whole_percent(low)}–{_whole_percent(high)}"


def number_range(interval: Interval, decimals: int = 1) -> str:
    """Return an interval such as '5.1–5.7'."""
    low, high = interval
    return f"{low:.{decimals}f}–{high:.{decimals}f}"


def degrees(angle_deg: float | None) -> str:
    """Return an angle such as '9.1°'."""
    return UNKNOWN if angle_deg is None else f"{angle_deg:.1f}°".replace("-", "−")


def enumerate_words(words: Sequence[str], last: str = "and") -> str:
    """Return words as a list in a sentence: 'a', 'a and b', 'a, b and c'."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def sentence(text: str) -> str:
    """Return a text with a capital in front and a full stop behind."""
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _whole_percent(share: float) -> int:
    return round(100 * share)
