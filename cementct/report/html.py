"""The report as one page that fetches nothing: first the whole at a glance, then vertebra by vertebra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from cementct.core.findings import StudyReport, VertebraReport
from cementct.core.flags import QualityFlag
from cementct.report import tables, wording, words
from cementct.report.material import ReportMaterial
from cementct.report.pictures import svg
from cementct.report.pictures.overview import draw_overview
from cementct.report.pictures.palette import LEAK_DRAWN, STROKES, Drawn
from cementct.report.pictures.picture import Picture, Window
from cementct.report.pictures.vertebra import VertebraPictures, draw_vertebra
from cementct.report.rounding import rounded

if TYPE_CHECKING:
    from jinja2 import Template


@dataclass(frozen=True)
class Panel:
    """One surface as the page shows it: bare and outlined, in each of its windows."""

    images: tuple[str, ...]
    panels: tuple[str, ...]
    caption: str
    title: str = ""


@dataclass(frozen=True)
class Shown:
    """A figure of a vertebra: its number on the page, its title, and the surfaces that stand in it."""

    identity: str
    number: int
    title: str
    rows: tuple[Panel, ...]


@dataclass(frozen=True)
class LeakEntry:
    """One leak in the list of a vertebra, with the numbers of the figures that show it."""

    title: str
    facts: tuple[str, ...]
    figures: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class VertebraSection:
    """Everything the page says of one treated vertebra."""

    found: VertebraReport
    counted: str
    facts: tuple[tables.Fact, ...]
    gauge: tuple[tables.CategoryShare, ...]
    states: tuple[tables.StateCell, ...]
    leaks: tuple[LeakEntry, ...]
    figures: tuple[Shown, ...]
    legend: tuple[tuple[str, str], ...]
    flags: tuple[QualityFlag, ...]


def render_html(report: StudyReport, material: ReportMaterial | None, *, study: str = "") -> str:
    """Return the report as one HTML page.

    Parameters
    ----------
    report
        What was found.
    material
        What the pictures are drawn from; without it the page has none.
    study
        Name of the study's folder in the output, for the title.
    """
    report = rounded(report)
    numbers = _Counter()
    overview = () if material is None else _overview(material, report)
    return _template().render(
        report=report,
        study=study,
        wording=wording,
        treated=[(v.name, wording.COUNTED_FROM[v.level_source]) for v in report.treated],
        neural=words.neural_line(report),
        stops=tables.stop_flags(report),
        rows=tables.table_rows(report),
        summary=words.describe_study(report),
        overview=overview,
        overview_legend=_legend([] if material is None else _overview_kinds(material)),
        sections=[_section(v, report, material, numbers) for v in report.treated],
        flags=tables.all_flags(report),
    )


def _overview_kinds(material: ReportMaterial) -> list[Drawn]:
    """Return what the overview draws, for its legend."""
    leaks = [LEAK_DRAWN[kind] for kind in material.leak_regions]
    cement = [] if material.cement_region.is_empty else [Drawn.CEMENT]
    return [Drawn.BODY, *cement, *leaks]


class _Counter:
    """Numbers the figures of a page."""

    def __init__(self) -> None:
        self.last = 0

    def next(self) -> int:
        self.last += 1
        return self.last


def _overview(material: ReportMaterial, report: StudyReport) -> tuple[Panel, ...]:
    panels = []
    for picture in draw_overview(material, report.vertebrae):
        identity = f"overview-{picture.where.partition(',')[0]}"
        panels.append(
            Panel(
                images=(svg.define_image(picture, Window.BONE, identity),),
                panels=(
                    svg.draw_bare(picture, Window.BONE, identity),
                    svg.draw_outlined(picture, Window.BONE, identity),
                ),
                caption=wording.sentence(f"{picture.where} from all depths near it; {picture.series}"),
            )
        )
    return tuple(panels)


def _section(
    vertebra: VertebraReport, report: StudyReport, material: ReportMaterial | None, numbers: _Counter
) -> VertebraSection:
    pictures = None if material is None else _pictures(vertebra, report, material)
    figures = () if pictures is None else _figures(vertebra, report, pictures, numbers)
    kinds = [] if pictures is None else [d for s in pictures.sections for d in s.post.drawn()]
    return VertebraSection(
        found=vertebra,
        counted=wording.COUNTED_FROM[vertebra.level_source],
        facts=tables.vertebra_facts(vertebra),
        gauge=tables.filling_gauge(vertebra),
        states=tables.state_cells(vertebra),
        leaks=_leaks(vertebra, report, pictures, figures),
        figures=figures,
        legend=_legend(kinds),
        flags=vertebra.quality,
    )


def _pictures(
    vertebra: VertebraReport, report: StudyReport, material: ReportMaterial
) -> VertebraPictures | None:
    try:
        return draw_vertebra(material, vertebra, report.vertebrae)
    except KeyError:
        return None


def _figures(
    vertebra: VertebraReport, report: StudyReport, pictures: VertebraPictures, numbers: _Counter
) -> tuple[Shown, ...]:
    titles: dict[int, list[str]] = {i: ["canal at the posterior wall"] for i in pictures.canal}
    for leak, shown_by in zip(vertebra.leaks, pictures.leaks, strict=True):
        for i in shown_by:
            title = words.leak_title(leak, report.vertebrae)
            titles.setdefault(i, []).append(title[:1].lower() + title[1:])
    figures = []
    for i, section in enumerate(pictures.sections):
        number = numbers.next()
        identity = f"figure-{number}"
        rows = [_panel(section.post, f"{identity}-post", "After injection" if section.pre else "")]
        if section.pre:
            rows.append(_panel(section.pre, f"{identity}-pre", "Before injection"))
        title = "; ".join(dict.fromkeys(titles[i]))
        figures.append(Shown(identity, number, f"{vertebra.name}: {title}", tuple(rows)))
    return tuple(figures)


def _panel(picture: Picture, identity: str, title: str) -> Panel:
    images, panels = [], []
    for window in Window:
        image = f"{identity}-{window.name.lower()}"
        images.append(svg.define_image(picture, window, image))
        panels += [svg.draw_bare(picture, window, image), svg.draw_outlined(picture, window, image)]
    caption = wording.sentence(f"{picture.where} · {picture.series}")
    return Panel(tuple(images), tuple(panels), caption, title)


def _leaks(
    vertebra: VertebraReport,
    report: StudyReport,
    pictures: VertebraPictures | None,
    figures: Sequence[Shown],
) -> tuple[LeakEntry, ...]:
    entries = []
    for i, leak in enumerate(vertebra.leaks):
        facts = [wording.millilitres(leak.volume_ml, 2)]
        if leak.thickness_mm is not None:
            facts.append(f"{wording.short_millimetres(leak.thickness_mm)} thick")
        if leak.canal_area_share is not None:
            facts.append(f"{wording.percent(leak.canal_area_share)} of the canal's cross-section")
        if leak.vessel_like:
            facts.append("a thin cord as in a vein")
        x, y, z = (f"{value:.1f}".replace("-", "−") for value in leak.centroid_lps_mm)
        facts.append(f"centre ({x}, {y}, {z}) mm")
        shown = () if pictures is None else pictures.leaks[i]
        entries.append(
            LeakEntry(
                words.leak_title(leak, report.vertebrae),
                tuple(facts),
                tuple((figures[n].identity, figures[n].number) for n in shown),
            )
        )
    return tuple(entries)


def _legend(kinds: Sequence[Drawn]) -> tuple[tuple[str, str], ...]:
    return tuple((svg.draw_key(drawn), STROKES[drawn].words) for drawn in Drawn if drawn in kinds)


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("cementct.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html.jinja")
