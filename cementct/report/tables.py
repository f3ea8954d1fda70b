"""What the page of a report shows, cell by cell, before any markup."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cementct.core.findings import (
    Certainty,
    CompartmentState,
    FillingCategory,
    LeakType,
    StudyReport,
    VertebraReport,
)
from cementct.core.flags import Flag, QualityFlag, Severity
from cementct.report import wording

# Boundaries of the filling categories on the gauge, with what lies above each.
_CATEGORY_BOUNDS: tuple[tuple[float, float, FillingCategory], ...] = (
    (0.0, 0.5, FillingCategory.UNDER_50),
    (0.5, 0.75, FillingCategory.FROM_50),
    (0.75, 0.9, FillingCategory.FROM_75),
    (0.9, 1.0, FillingCategory.COMPLETE),
)


@dataclass(frozen=True)
class StateCell:
    """The state of one compartment: its place, its state, and the words for it."""

    place: str
    state: str
    words: str


@dataclass(frozen=True)
class TableRow:
    """One vertebra in the table of the first screen."""

    name: str
    treated: bool
    cement: str
    cement_interval: str
    in_body: str
    filling: str
    filling_interval: str
    category: str
    leaks: tuple[str, ...]
    states: tuple[StateCell, ...]
    wall: str
    height_loss: str
    flags: str


@dataclass(frozen=True)
class Fact:
    """One number of a vertebra with its name, and what stands in small print beside it."""

    name: str
    value: str
    detail: str = ""


@dataclass(frozen=True)
class CategoryShare:
    """One filling category on the gauge: where it begins and ends, and how probable it is, in percent."""

    words: str
    start_percent: float
    width_percent: float
    probability: str
    chosen: bool


def table_rows(report: StudyReport) -> tuple[TableRow, ...]:
    """Return one row a vertebra, from top to bottom; flags of the whole study are not repeated in each."""
    of_study = {doubt.flag for doubt in report.quality}
    return tuple(_table_row(vertebra, of_study) for vertebra in report.vertebrae)


def state_cells(vertebra: VertebraReport, names: tuple[str, ...] | None = None) -> tuple[StateCell, ...]:
    """Return the states of compartments; none where they were not looked at."""
    if vertebra.compartments is None:
        return ()
    return tuple(
        StateCell(wording.COMPARTMENT_NAMES[name], state.value, wording.STATE_WORDS[state])
        for name in names or tuple(wording.COMPARTMENT_NAMES)
        for state in [CompartmentState(getattr(vertebra.compartments, name))]
    )


def vertebra_facts(vertebra: VertebraReport) -> tuple[Fact, ...]:
    """Return the numbers of one treated vertebra with their intervals."""
    heights = vertebra.heights_mm
    foramina = vertebra.foramen_distance_mm
    registration = vertebra.registration
    facts = [
        Fact("Cement", wording.millilitres(vertebra.cement_volume_ml, 2), _ml_interval(vertebra)),
        Fact("in the body", wording.millilitres(vertebra.cement_in_body_ml, 2)),
        Fact("in the pedicles", wording.millilitres(vertebra.cement_in_pedicle_ml, 2)),
        Fact("Cement to body volume", wording.percent(vertebra.cement_to_body_ratio)),
        Fact("Body volume", wording.millilitres(vertebra.body_volume_ml)),
        Fact("Lesion volume", wording.millilitres(vertebra.lesion_volume_ml), _lesion_source(vertebra)),
        Fact(
            "Destruction",
            wording.DESTRUCTION_WORDS[vertebra.destruction] if vertebra.destruction else wording.UNKNOWN,
        ),
        Fact("Posterior wall in the lesion", wording.YES_NO[vertebra.posterior_wall_involved]),
        Fact("Cement to posterior wall", wording.millimetres(vertebra.posterior_wall_distance_mm)),
        Fact("Cement to left foramina", wording.millimetres(foramina.left if foramina else None)),
        Fact("Cement to right foramina", wording.millimetres(foramina.right if foramina else None)),
        Fact("Either under 5 mm", wording.YES_NO[vertebra.cement_within_5mm]),
        Fact("Height front · middle · back", _heights(vertebra))
        if heights
        else Fact("Heights", wording.UNKNOWN),
        Fact("Wedge angle", wording.degrees(vertebra.wedge_angle_deg)),
        Fact("Height loss", wording.percent(vertebra.height_loss), _compressed(vertebra)),
        Fact("Confidence in the outline", wording.percent(vertebra.anatomy_confidence)),
        Fact(
            "Registration to the earlier scan",
            wording.UNKNOWN if registration is None else ("passed" if registration.ok else "failed"),
            f"residual {wording.millimetres(registration.residual_mm)}"
            if registration and registration.residual_mm is not None
            else "",
        ),
    ]
    return tuple(facts)


def filling_gauge(vertebra: VertebraReport) -> tuple[CategoryShare, ...]:
    """Return the four filling categories with their probabilities; none without a filling rate."""
    if vertebra.filling_rate is None:
        return ()
    probabilities = vertebra.filling_category_probability or {}
    return tuple(
        CategoryShare(
            words=wording.CATEGORY_WORDS[category],
            start_percent=100 * low,
            width_percent=100 * (high - low),
            probability=wording.percent(probabilities[category]) if category in probabilities else "",
            chosen=category is vertebra.filling_category,
        )
        for low, high, category in _CATEGORY_BOUNDS
    )


def stop_flags(report: StudyReport) -> tuple[tuple[str, QualityFlag], ...]:
    """Return the flags that say stop, each with what it is about; the study's own first."""
    return tuple((about, doubt) for about, doubt in all_flags(report) if doubt.severity is Severity.STOP)


def all_flags(report: StudyReport) -> tuple[tuple[str, QualityFlag], ...]:
    """Return every flag with what it is about; what says the same of several vertebrae stands once."""
    about: dict[QualityFlag, list[str]] = {}
    for doubt in report.quality:
        about.setdefault(doubt, []).append("study")
    for vertebra in report.vertebrae:
        for doubt in vertebra.quality:
            about.setdefault(doubt, []).append(vertebra.name)
    order = list(Severity)
    listed = [(", ".join(dict.fromkeys(names)), doubt) for doubt, names in about.items()]
    return tuple(sorted(listed, key=lambda entry: order.index(entry[1].severity)))


def _table_row(vertebra: VertebraReport, of_study: Collection[Flag]) -> TableRow:
    known = {Flag.NOT_ASSESSED, *of_study}
    doubts = [doubt for doubt in vertebra.quality if doubt.flag not in known]
    category = vertebra.filling_category
    return TableRow(
        name=vertebra.name,
        treated=vertebra.treated,
        cement=wording.millilitres(vertebra.cement_volume_ml),
        cement_interval=wording.number_range(vertebra.cement_volume_ml_ci90)
        if vertebra.cement_volume_ml_ci90
        else "",
        in_body=wording.millilitres(vertebra.cement_in_body_ml),
        filling=wording.percent(vertebra.filling_rate),
        filling_interval=wording.percent_range(vertebra.filling_rate_ci90)
        if vertebra.filling_rate_ci90
        else "",
        category=wording.CATEGORY_WORDS[category] if category else "",
        leaks=_leaks_by_type(vertebra),
        states=state_cells(vertebra, ("epidural", "foraminal_right", "foraminal_left")),
        wall=wording.millimetres(vertebra.posterior_wall_distance_mm),
        height_loss=wording.percent(vertebra.height_loss),
        flags=", ".join(dict.fromkeys(doubt.flag.value for doubt in doubts)),
    )


def _leaks_by_type(vertebra: VertebraReport) -> tuple[str, ...]:
    """Return volume and number of leaks by type, definite and possible ones apart."""
    cells = []
    for certainty in Certainty:
        for kind in LeakType:
            leaks = [leak for leak in vertebra.leaks if leak.type is kind and leak.certainty is certainty]
            if not leaks:
                continue
            volume = wording.millilitres(sum(leak.volume_ml for leak in leaks), 2)
            count = f"{len(leaks)} × " if len(leaks) > 1 else ""
            prefix = "possible " if certainty is Certainty.POSSIBLE else ""
            cells.append(f"{count}{prefix}{kind.value.replace('-', ' ')} {volume}")
    return tuple(cells)


def _ml_interval(vertebra: VertebraReport) -> str:
    interval = vertebra.cement_volume_ml_ci90
    return f"90 % interval {wording.number_range(interval, 2)}" if interval else ""


def _lesion_source(vertebra: VertebraReport) -> str:
    return {"pre": "pre-injection CT", "post": "post-injection CT alone", "mask": "given mask"}.get(
        vertebra.lesion_source.value, ""
    )


def _heights(vertebra: VertebraReport) -> str:
    heights = vertebra.heights_mm
    if heights is None:
        return wording.UNKNOWN
    values = (heights.anterior, heights.middle, heights.posterior)
    return " · ".join(wording.UNKNOWN if value is None else f"{value:.1f}" for value in values) + " mm"


def _compressed(vertebra: VertebraReport) -> str:
    return {True: "compressed", False: "not compressed", None: ""}[vertebra.compressed]
