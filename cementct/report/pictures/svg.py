"""Pictures as SVG: the pixels once, and as many panels over them as are wanted, bare or outlined."""

from __future__ import annotations

from html import escape

from cementct.core.arrays import FloatArray
from cementct.report.pictures.encoding import data_uri, encode_png
from cementct.report.pictures.palette import STROKES, Drawn, Stroke
from cementct.report.pictures.picture import Note, Outline, Picture, Window

# Height of letters, and their distance from the edge, in units of a picture (`Picture.unit_px`).
_LETTER, _EDGE = 11.0, 7.0
# Height of small print, as a share of that.
_SMALL = 0.82
# The dark rim that keeps lines and letters readable on white cement.
_RIM = "#101418"


def define_image(picture: Picture, window: Window, identity: str) -> str:
    """Return the pixels as an SVG image that panels of the same page refer to by `identity`."""
    png = data_uri(encode_png(window.grey(picture.hu)))
    return (
        f'<image id="{escape(identity)}" width="{picture.columns}" height="{picture.rows}" '
        f'preserveAspectRatio="none" href="{png}"/>'
    )


def draw_bare(picture: Picture, window: Window, identity: str) -> str:
    """Return a panel of the pixels with scale bar and side letters only."""
    return _panel(picture, window, identity, over="", how="bare")


def draw_outlined(picture: Picture, window: Window, identity: str) -> str:
    """Return a panel of the pixels with outlines, names, scale bar and side letters."""
    over = "".join(_outline(outline, picture.unit_px) for outline in picture.outlines)
    over += "".join(_note(note, picture.unit_px) for note in picture.notes)
    return _panel(picture, window, identity, over=over, how="with outlines")


def draw_key(drawn: Drawn) -> str:
    """Return a short sample of a stroke for a legend, on the dark ground it is seen on."""
    stroke = STROKES[drawn]
    line = (
        f'<line x1="3" y1="7" x2="31" y2="7" stroke="{stroke.colour}" '
        f'stroke-width="{stroke.width_px + 0.6:g}"{_dashes(stroke, 1.6)}/>'
    )
    return (
        '<svg class="key" viewBox="0 0 34 14" width="34" height="14" aria-hidden="true">'
        f'<rect width="34" height="14" rx="2" fill="#20262c"/>{line}</svg>'
    )


def _panel(picture: Picture, window: Window, identity: str, *, over: str, how: str) -> str:
    words = f"{picture.level}, {picture.where}, {window.words}, {how}, {picture.series}"
    return (
        f'<svg class="panel" viewBox="0 0 {picture.columns} {picture.rows}" role="img" '
        f'aria-label="{escape(words)}"><use href="#{escape(identity)}"/>'
        f"{over}{_marks(picture)}{_scale_bar(picture)}{_window(picture, window)}</svg>"
    )


def _outline(outline: Outline, unit: float) -> str:
    if not outline.lines:
        return ""
    stroke = STROKES[outline.drawn]
    width = stroke.width_px * unit
    path = " ".join(_path(line) for line in outline.lines)
    tint = (
        f'fill="{stroke.colour}" fill-opacity=".55" fill-rule="evenodd"' if outline.filled else 'fill="none"'
    )
    dashes = "" if outline.filled else _dashes(stroke, width)
    colour = f'stroke="{stroke.colour}" stroke-width="{width:.2f}"'
    rim = f'fill="none" stroke="{_RIM}" stroke-opacity=".55" stroke-width="{width + unit:.2f}"'
    return f'<path d="{path}" {rim}/><path d="{path}" {tint} {colour}{dashes}/>'


def _path(line: FloatArray) -> str:
    """Return a line as path data; pixel centres lie half a pixel inside the image."""
    points = [f"{column + 0.5:.1f} {row + 0.5:.1f}" for column, row in line.tolist()]
    closed = points[0] == points[-1]
    return "M" + "L".join(points[:-1] if closed else points) + ("Z" if closed else "")


def _dashes(stroke: Stroke, width: float) -> str:
    if not stroke.dashes:
        return ""
    return f' stroke-dasharray="{" ".join(f"{length * width:.1f}" for length in stroke.dashes)}"'


def _note(note: Note, unit: float) -> str:
    weight = ' font-weight="700"' if note.strong else ""
    colour = "#ffffff" if note.strong else "#c9d2da"
    row = note.row + unit * _LETTER / 3
    return _text(note.text, (note.column, row), unit, note.anchor, f'{weight} fill="{colour}"')


def _marks(picture: Picture) -> str:
    unit, marks = picture.unit_px, picture.marks
    middle_row, middle_column = picture.rows / 2 + unit * _LETTER / 3, picture.columns / 2
    edge = unit * _EDGE
    places = (
        (marks.left, (edge, middle_row), "start"),
        (marks.right, (picture.columns - edge, middle_row), "end"),
        (marks.top, (middle_column, edge + unit * _LETTER * 0.8), "middle"),
        (marks.bottom, (middle_column, picture.rows - edge), "middle"),
    )
    return "".join(
        _text(letter, place, unit, anchor, ' font-weight="700" fill="#ffd479"')
        for letter, place, anchor in places
        if letter
    )


def _scale_bar(picture: Picture) -> str:
    unit = picture.unit_px
    length = picture.scale_bar_mm / picture.pixel_mm
    row, column, tick = picture.rows - unit * _EDGE, unit * _EDGE, 4 * unit
    bar = f"M{column:.1f} {row - tick:.1f}V{row:.1f}H{column + length:.1f}V{row - tick:.1f}"
    words = f"{picture.scale_bar_mm} mm"
    return (
        f'<path d="{bar}" fill="none" stroke="{_RIM}" stroke-width="{3 * unit:.1f}" stroke-opacity=".6"/>'
        f'<path d="{bar}" fill="none" stroke="#fff" stroke-width="{1.3 * unit:.1f}"/>'
        + _text(words, (column + 3 * unit, row - 5 * unit), unit * _SMALL, "start", ' fill="#fff"')
    )


def _window(picture: Picture, window: Window) -> str:
    unit = picture.unit_px
    level, width = window.value
    place = (picture.columns - unit * _EDGE, picture.rows - unit * _EDGE)
    return _text(f"W {width} L {level}", place, unit * _SMALL, "end", ' fill="#c9d2da"')


def _text(text: str, place: tuple[float, float], unit: float, anchor: str, look: str) -> str:
    column, row = place
    return (
        f'<text x="{column:.1f}" y="{row:.1f}" text-anchor="{anchor}" font-size="{_LETTER * unit:.1f}" '
        f'stroke="{_RIM}" stroke-width="{2.4 * unit:.1f}" stroke-opacity=".75" paint-order="stroke"{look}>'
        f"{escape(text)}</text>"
    )
