"""The report as PDF: what the page shows, on A4, with the pictures in one window."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import numpy as np

from cementct.core.findings import StudyReport, VertebraReport
from cementct.core.flags import QualityFlag
from cementct.report import tables, wording, words
from cementct.report.material import ReportMaterial
from cementct.report.pictures.overview import draw_overview
from cementct.report.pictures.picture import Picture, Window
from cementct.report.pictures.raster import draw_rgb
from cementct.report.pictures.vertebra import draw_vertebra
from cementct.report.rounding import rounded

if TYPE_CHECKING:
    from reportlab.lib.styles import ParagraphStyle

# The same whatever the study's folder is called: it goes into an archive.
TITLE = "Bone cement on CT"
MARGIN_MM = 15.0
# Pixels of a drawing for one of the picture: about 200 dots an inch on paper.
PICTURE_SCALE = 2
INK, QUIET, LINE, STOP = "#1a2329", "#5a6871", "#cfd8dd", "#9c2b1b"
_COLUMNS = (
    "Level",
    "Cement",
    "In body",
    "Filling",
    "Leaks",
    "Canal",
    "Foramen R",
    "Foramen L",
    "To wall",
    "Loss",
)
_WIDTHS_MM = (14, 21, 15, 21, 33, 18, 18, 18, 12, 10)


def render_pdf(report: StudyReport, material: ReportMaterial | None) -> bytes:
    """Return the report as a PDF file; the same report always gives the same bytes.

    Parameters
    ----------
    report
        What was found.
    material
        What the pictures are drawn from; without it there are none.
    """
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.platypus import SimpleDocTemplate

    report = rounded(report)
    _register_fonts()
    target = io.BytesIO()
    document = SimpleDocTemplate(
        target,
        pagesize=A4,
        leftMargin=MARGIN_MM * mm,
        rightMargin=MARGIN_MM * mm,
        topMargin=MARGIN_MM * mm,
        bottomMargin=MARGIN_MM * mm,
        title=TITLE,
        author=f"{report.software.name} {report.software.version}",
        invariant=1,
    )
    footer = f"{wording.RESEARCH_ONLY} · {report.software.name} {report.software.version}"

    def draw_footer(canvas: Any, page: Any) -> None:
        canvas.saveState()
        canvas.setFont("Vera", 7)
        canvas.setFillColor(QUIET)
        canvas.drawString(MARGIN_MM * mm, 8 * mm, footer)
        canvas.drawRightString(A4[0] - MARGIN_MM * mm, 8 * mm, str(page.page))
        canvas.restoreState()

    document.build(list(_story(report, material)), onFirstPage=draw_footer, onLaterPages=draw_footer)
    return target.getvalue()


def _story(report: StudyReport, material: ReportMaterial | None) -> Iterator[Any]:
    from reportlab.platypus import PageBreak, Spacer

    yield _text(f"{TITLE} · {wording.RESEARCH_ONLY}", "quiet")
    names = ", ".join(f"{v.name} ({wording.COUNTED_FROM[v.level_source]})" for v in report.treated)
    yield _text(f"Treated: {names}" if names else "No treated vertebra identified", "title")
    yield _text(words.neural_line(report), "strong")
    stops = tables.stop_flags(report)
    for about, flag in stops:
        yield _flag(about, flag)
    if not stops:
        yield _text("None of the flags raised says stop.", "quiet")
    yield Spacer(0, 6)
    yield _table(report)
    yield _text("In words", "heading")
    for paragraph in words.describe_study(report):
        yield _text(paragraph)
    overview = [] if material is None else list(draw_overview(material, report.vertebrae))
    if overview:
        yield _text("The column", "heading")
        yield _row([_image(picture, 85.0) for picture in overview])
    for vertebra in report.treated:
        yield PageBreak()
        yield from _vertebra(vertebra, report, material)
    yield _text("Flags", "heading")
    for about, flag in tables.all_flags(report):
        yield _flag(about, flag)
    yield _text("Series", "heading")
    yield from _series(report)


def _table(report: StudyReport) -> Any:
    from reportlab.lib.units import mm
    from reportlab.platypus import Table, TableStyle

    rows: list[list[Any]] = [[_text(name, "cell-head") for name in _COLUMNS]]
    for row in tables.table_rows(report):
        if not row.treated:
            rows.append([_cell(row.name), _cell("not treated"), *[""] * 7, _cell(row.height_loss)])
            continue
        filling = " ".join(part for part in (row.filling, row.filling_interval, row.category) if part)
        states = [cell.words for cell in row.states] or ["could not be assessed"] * 3
        cement = f"{row.cement} {row.cement_interval}"
        leaks = "; ".join(row.leaks) or "none listed"
        values = [row.name, cement, row.in_body, filling, leaks, *states, row.wall, row.height_loss]
        rows.append([_cell(value) for value in values])
    style = [
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 2),
        ("RIGHTPADDING", (0, 0), (-1, -1), 2),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
    ]
    style += [
        ("SPAN", (1, n), (8, n)) for n, row in enumerate(tables.table_rows(report), 1) if not row.treated
    ]
    return Table(rows, colWidths=[w * mm for w in _WIDTHS_MM], style=TableStyle(style), repeatRows=1)


def _vertebra(
    vertebra: VertebraReport, report: StudyReport, material: ReportMaterial | None
) -> Iterator[Any]:
    from reportlab.lib.units import mm
    from reportlab.platypus import Table, TableStyle

    yield _text(f"{vertebra.name} · {wording.COUNTED_FROM[vertebra.level_source]}", "title")
    facts = [
        [_cell(fact.name), _cell(f"{fact.value} {fact.detail}".strip())]
        for fact in tables.vertebra_facts(vertebra)
    ]
    states = [[_cell(cell.place), _cell(cell.words)] for cell in tables.state_cells(vertebra)]
    plain = TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LINEBELOW", (0, 0), (-1, -1), 0.3, LINE)])
    columns = [Table(facts, colWidths=[42 * mm, 50 * mm], style=plain)]
    if states:
        columns.append(Table(states, colWidths=[42 * mm, 38 * mm], style=plain))
    yield _row(columns)
    for leak in vertebra.leaks:
        volume = wording.millilitres(leak.volume_ml, 2)
        yield _text(f"{words.leak_title(leak, report.vertebrae)}: {volume}", "strong")
    for flag in vertebra.quality:
        yield _flag("", flag)
    if material is None:
        return
    try:
        sections = draw_vertebra(material, vertebra, report.vertebrae).sections
    except KeyError:
        return
    images = [_image(picture, 85.0) for s in sections for picture in (s.post, s.pre) if picture is not None]
    for start in range(0, len(images), 2):
        yield _row(images[start : start + 2])


def _series(report: StudyReport) -> Iterator[Any]:
    for name, series in (("After injection", report.study.post), ("Before injection", report.study.pre)):
        if series is not None:
            where = series.series_instance_uid or series.file or ""
            yield _text(f"{name}: {where}. {series.why}")
    for ignored in report.study.ignored_series:
        which = ignored.series_instance_uid or ignored.file
        yield _text(f"Not used: {which}. {ignored.why}" if which else f"Not used: {ignored.why}", "quiet")
    software = report.software
    yield _text(f"{software.name} {software.version}, configuration {software.config_sha256}", "quiet")


def _row(cells: Sequence[Any]) -> Any:
    from reportlab.platypus import Table, TableStyle

    style = [("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)]
    return Table([list(cells)], style=TableStyle(style), hAlign="LEFT")


def _image(picture: Picture, width_mm: float) -> Any:
    from PIL import Image as Pillow
    from reportlab.lib.units import mm
    from reportlab.platypus import Image

    pixels = np.ascontiguousarray(draw_rgb(picture, Window.BONE, scale=PICTURE_SCALE))
    rows, columns = pixels.shape[:2]
    file = io.BytesIO()
    Pillow.fromarray(pixels).save(file, format="PNG")
    file.seek(0)
    return Image(file, width=width_mm * mm, height=width_mm * mm * rows / columns)


def _flag(about: str, flag: QualityFlag) -> Any:
    parts = [flag.severity.value.upper(), about, flag.says, f"[{flag.flag.value}]"]
    return _text(
        " ".join(part for part in parts if part), "stop" if flag.severity.value == "stop" else "plain"
    )


def _cell(text: str) -> Any:
    return _text(text, "cell")


def _text(text: str, style: str = "plain") -> Any:
    from reportlab.platypus import Paragraph

    return Paragraph(
        escape(text.replace("\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}")), _styles()[style]
    )


@cache
def _styles() -> dict[str, ParagraphStyle]:
    from reportlab.lib.styles import ParagraphStyle

    def style(
        name: str, size: float, colour: str = INK, *, bold: bool = False, before: float = 0
    ) -> ParagraphStyle:
        font = "Vera-Bold" if bold else "Vera"
        return ParagraphStyle(
            name,
            fontName=font,
            fontSize=size,
            leading=size * 1.35,
            textColor=colour,
            spaceBefore=before,
            spaceAfter=2,
        )

    return {
        "plain": style("plain", 8.5),
        "quiet": style("quiet", 7.5, QUIET),
        "strong": style("strong", 9, bold=True),
        "stop": style("stop", 8.5, STOP, bold=True),
        "title": style("title", 14, bold=True),
        "heading": style("heading", 10.5, bold=True, before=8),
        "cell": style("cell", 7),
        "cell-head": style("cell-head", 7, QUIET),
    }


@cache
def _register_fonts() -> None:
    """Register the Bitstream Vera fonts that reportlab brings: its built-in ones lack signs such as −."""
    from reportlab.pdfbase.pdfmetrics import registerFont
    from reportlab.pdfbase.ttfonts import TTFont

    registerFont(TTFont("Vera", "Vera.ttf"))
    registerFont(TTFont("Vera-Bold", "VeraBd.ttf"))
