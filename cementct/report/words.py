"""The summary in words, made from the data alone.

It says what was identified, what is possible and what could not be assessed. It never says that something is
absent, never judges and never advises.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from cementct.core.findings import (
    Certainty,
    CompartmentState,
    Destruction,
    Leak,
    LeakType,
    StudyReport,
    VertebraReport,
)
from cementct.core.flags import Flag
from cementct.report import wording

# Compartments that are spoken of also where nothing was seen: those that endanger nerves.
_NEURAL = ("epidural", "foraminal_left", "foraminal_right")

# Words in the sentence of a flag, and the reason in brackets that stands for it.
_REASONS: tuple[tuple[str, str], ...] = (
    ("streak", "streaks"),
    ("metal", "metal"),
    ("slice", "thick slices"),
    ("edge", "edge of the scan"),
    ("cut", "edge of the scan"),
    ("view", "edge of the scan"),
    ("motion", "motion"),
    ("noise", "noise"),
)


def describe_study(report: StudyReport) -> tuple[str, ...]:
    """Return one paragraph for each treated vertebra, and one for what lies away from the spine."""
    paragraphs = [describe_vertebra(vertebra, report.vertebrae) for vertebra in report.treated]
    if not paragraphs:
        paragraphs.append(_nothing_treated(report))
    deposits = report.study.remote_deposits
    if deposits:
        total = wording.millilitres(sum(deposit.volume_ml for deposit in deposits), 2)
        count = "one deposit" if len(deposits) == 1 else f"{len(deposits)} deposits"
        paragraphs.append(f"Possible cement away from the spine: {count}, {total}.")
    return tuple(paragraphs)


def describe_vertebra(vertebra: VertebraReport, all_vertebrae: Sequence[VertebraReport]) -> str:
    """Return the paragraph on one treated vertebra.

    Parameters
    ----------
    vertebra
        The one to speak of.
    all_vertebrae
        All vertebrae in view from top to bottom; leaks are placed by them.
    """
    sentences = [
        f"{vertebra.name} ({wording.COUNTED_FROM[vertebra.level_source]}): {_amount(vertebra)}",
        *_leak_sentences(vertebra, all_vertebrae, Certainty.DEFINITE),
        *_leak_sentences(vertebra, all_vertebrae, Certainty.POSSIBLE),
        _unseen(vertebra),
    ]
    return " ".join(wording.sentence(text) for text in sentences if text)


def neural_line(report: StudyReport) -> str:
    """Return one line on the canal and the foramina of all treated vertebrae."""
    if not report.treated:
        return "No treated vertebra was identified; canal and foramina were not assessed for leaked cement."
    parts = []
    for title, names in (("Spinal canal", _NEURAL[:1]), ("Foramina", _NEURAL[1:])):
        states = [_states_in_words(vertebra, names) for vertebra in report.treated]
        shared = set(states)
        if len(shared) == 1:
            parts.append(f"{title}: {states[0]}.")
        else:
            listed = "; ".join(f"{v.name} {words}" for v, words in zip(report.treated, states, strict=True))
            parts.append(f"{title}: {listed}.")
    return " ".join(parts)


def leak_title(leak: Leak, all_vertebrae: Sequence[VertebraReport]) -> str:
    """Return a heading for one leak, such as 'Diskal leak L2–L3, midline'."""
    name = wording.LEAK_NAMES[leak.type]
    if leak.certainty is Certainty.POSSIBLE:
        name = f"Possible {name[:1].lower()}{name[1:]}"
    if leak.type is LeakType.DISKAL and leak.between:
        name = f"{name} {_between(leak)}"
    words = [name]
    if leak.side:
        words.append(wording.SIDE_WORDS[leak.side])
    if leak.type is LeakType.EPIDURAL:
        words.append(behind_what(leak, all_vertebrae))
    return ", ".join(word for word in words if word)


def behind_what(leak: Leak, all_vertebrae: Sequence[VertebraReport]) -> str:
    """Return what an epidural leak lies behind, 'behind L2' or 'behind the disc L2–L3', by its height."""
    height_mm = leak.centroid_lps_mm[2]
    places = [(abs(v.centroid_lps_mm[2] - height_mm), f"behind {v.name}") for v in all_vertebrae]
    places += [
        (
            abs((upper.centroid_lps_mm[2] + lower.centroid_lps_mm[2]) / 2 - height_mm),
            f"behind the disc {upper.name}–{lower.name}",
        )
        for upper, lower in pairwise(all_vertebrae)
    ]
    return min(places)[1] if places else ""


def _amount(vertebra: VertebraReport) -> str:
    """Return how much cement there is, where, and how much of the lesion it fills."""
    if vertebra.cement_volume_ml is None:
        return "cement is present; its volume could not be measured"
    words = f"{wording.millilitres(vertebra.cement_volume_ml)} of cement"
    if vertebra.cement_volume_ml_ci90:
        words += f" (90 % interval {wording.number_range(vertebra.cement_volume_ml_ci90)})"
    if vertebra.cement_in_body_ml is not None:
        words += f", {wording.millilitres(vertebra.cement_in_body_ml)} in the body"
    return words + _filling(vertebra)


def _filling(vertebra: VertebraReport) -> str:
    if vertebra.filling_rate is not None:
        words = f", filling {wording.percent(vertebra.filling_rate)}"
        if vertebra.filling_rate_ci90:
            words += f" ({wording.percent_range(vertebra.filling_rate_ci90)})"
        return f"{words} {wording.LESION_SOURCE_WORDS[vertebra.lesion_source]}".rstrip()
    if vertebra.destruction is Destruction.NONE:
        return "; no lesion was identified, so no filling is given"
    return "; filling of the lesion could not be assessed"


def _leak_sentences(
    vertebra: VertebraReport, all_vertebrae: Sequence[VertebraReport], certainty: Certainty
) -> list[str]:
    """Return one sentence for each place that cement leaked to, those near nerves first."""
    leaks = [leak for leak in vertebra.leaks if leak.certainty is certainty]
    of_type = {kind: [leak for leak in leaks if leak.type is kind] for kind in LeakType}
    found = {
        "cement in the spinal canal": [_epidural(leak, all_vertebrae) for leak in of_type[LeakType.EPIDURAL]],
        **_foraminal(of_type[LeakType.FORAMINAL]),
    }
    sentences = [f"{place}: {'; '.join(details)}" for place, details in found.items() if details]
    for kind in (LeakType.DISKAL, LeakType.PARAVERTEBRAL, LeakType.ACCESS_TRACK):
        sentences += _other(of_type[kind])
    if certainty is Certainty.POSSIBLE:
        sentences = [f"possible {text[:1].lower()}{text[1:]}" for text in sentences]
    return sentences


def _epidural(leak: Leak, all_vertebrae: Sequence[VertebraReport]) -> str:
    words = [wording.millilitres(leak.volume_ml, 2)]
    if leak.side:
        words.append(wording.SIDE_WORDS[leak.side])
    if leak.thickness_mm is not None:
        words.append(f"{wording.short_millimetres(leak.thickness_mm)} thick")
    words.append(behind_what(leak, all_vertebrae))
    return ", ".join(word for word in words if word)


def _foraminal(leaks: Sequence[Leak]) -> dict[str, list[str]]:
    """Return the volumes of foraminal leaks by the foramen they lie in."""
    found: dict[str, list[str]] = {}
    for leak in leaks:
        place = (
            f"cement in the {wording.SIDE_WORDS[leak.side]} foramen" if leak.side else "cement in a foramen"
        )
        found.setdefault(place, []).append(wording.millilitres(leak.volume_ml, 2))
    return found


def _other(leaks: Sequence[Leak]) -> list[str]:
    """Return one sentence for the leaks of one type that lie neither in the canal nor in a foramen."""
    if not leaks:
        return []
    name = wording.LEAK_NAMES[leaks[0].type]
    if len(leaks) == 1:
        joint = " " if leaks[0].type is LeakType.DISKAL else ", "
        return [f"{name}{joint}{_place_and_volume(leaks[0])}"]
    listed = "; ".join(_place_and_volume(leak) for leak in leaks)
    return [f"{wording.LEAK_NAMES_OF_SEVERAL[leaks[0].type]}: {listed}"]


def _place_and_volume(leak: Leak) -> str:
    """Return where a leak lies and how large it is, such as 'right, 0.20 ml, a thin cord as in a vein'."""
    place = (
        _between(leak) if leak.type is LeakType.DISKAL else wording.SIDE_WORDS[leak.side] if leak.side else ""
    )
    words = [
        place,
        wording.millilitres(leak.volume_ml, 2),
        "a thin cord as in a vein" if leak.vessel_like else "",
    ]
    return ", ".join(word for word in words if word)


def _between(leak: Leak) -> str:
    return "–".join(str(name) for name in leak.between or ())


def _unseen(vertebra: VertebraReport) -> str:
    """Return where no cement was identified, and what could not be assessed."""
    if vertebra.compartments is None:
        return "canal and foramina could not be assessed"
    states = {name: getattr(vertebra.compartments, name) for name in wording.COMPARTMENT_NAMES}
    empty = [
        f"the {wording.COMPARTMENT_NAMES[name]}"
        for name in _NEURAL
        if states[name] is CompartmentState.NONE_SEEN
    ]
    hidden = [name for name, state in states.items() if state is CompartmentState.NOT_ASSESSABLE]
    parts = []
    if empty:
        parts.append(f"no cement identified in {wording.enumerate_words(empty, last='or')}")
    by_reason: dict[str, list[str]] = {}
    for name in hidden:
        by_reason.setdefault(_reason(vertebra, name), []).append(f"the {wording.COMPARTMENT_NAMES[name]}")
    parts += [
        f"{wording.enumerate_words(names)} could not be assessed{reason}"
        for reason, names in by_reason.items()
    ]
    return "; ".join(parts)


def _reason(vertebra: VertebraReport, compartment: str) -> str:
    """Return in brackets why a compartment could not be assessed, where a flag says it; else nothing."""
    flags = {Flag.CANAL_NOT_ASSESSABLE} if compartment == "epidural" else {Flag.FORAMEN_NOT_ASSESSABLE}
    if compartment not in _NEURAL:
        return ""
    side = compartment.rpartition("_")[2]
    for doubt in vertebra.quality:
        says = doubt.says.lower()
        other = {"left": "right", "right": "left"}.get(side)
        if doubt.flag not in flags or (other and other in says and side not in says):
            continue
        for word, reason in _REASONS:
            if word in says:
                return f" ({reason})"
    return ""


def _states_in_words(vertebra: VertebraReport, names: Sequence[str]) -> str:
    """Return the states of some compartments, those that share a state together."""
    if vertebra.compartments is None:
        return wording.STATE_WORDS[CompartmentState.NOT_ASSESSABLE]
    by_state: dict[CompartmentState, list[str]] = {}
    for name in names:
        state = CompartmentState(getattr(vertebra.compartments, name))
        by_state.setdefault(state, []).append(name.rpartition("_")[2])
    if len(by_state) == 1:
        return wording.STATE_WORDS[next(iter(by_state))]
    order = [state for state in CompartmentState if state in by_state]
    return ", ".join(
        f"{wording.enumerate_words(by_state[state])} {wording.STATE_WORDS[state]}" for state in order
    )


def _nothing_treated(report: StudyReport) -> str:
    names = [vertebra.name for vertebra in report.vertebrae]
    if not names:
        return "No vertebra was identified in the scan; nothing could be assessed."
    view = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
    return f"No cement identified in the vertebrae in view ({view})."
