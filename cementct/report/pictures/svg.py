"""Pictures as SVG: the pixels once, and as many panels over them as are wanted, bare or outlined."""

from __future__ import annotations

from html import escape

from cementct.core.arrays import FloatArray
from cementct.report.pictures.encoding import data_uri, encode_png
from cementct.report.pictures.palette import STROKES, Drawn, Stroke
from cementct.report.pictures.picture import Note, Outline, Picture, Window

# Height of letters over a picture, as a share of the shorter edge of a vertebra's picture (250 pixels).
_LETTER_PX = 11.0
# Distance of letters and scale bar from the edge.
_EDGE_PX = 7.0
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
    over = "".join(_outline(outline) for outline in picture.outlines)
    over += "".join(_note(note) for note in picture.notes)
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
    words = f"{picture.level}, {picture.where}, {window.words}, {how}, series {picture.series}"
    return (
        f'<svg class="panel" viewBox="0 0 {picture.columns} {picture.rows}" role="img" '
        f'aria-label="{escape(words)}"><use href="#{escape(identity)}"/>'
        f"{over}{_marks(picture)}{_scale_bar(picture)}{_window(picture, window)}</svg>"
    )


def _outline(outline: Outline) -> str:
    if not outline.lines:
        return ""
    stroke = STROKES[outline.drawn]
    path = " ".join(_path(line) for line in outline.lines)
    fill = (
        f'fill="{stroke.colour}" fill-opacity=".55" fill-rule="evenodd"' if outline.filled else 'fill="none"'
    )
    rim = (
        f'<path d="{path}" fill="none" stroke="{_RIM}" stroke-opacity=".55" '
        f'stroke-width="{stroke.width_px + 1.2:g}"/>'
    )
    dashes = "" if outline.filled else _dashes(stroke, stroke.width_px)
    return (
        f'{rim}<path d="{path}" {fill} stroke="{stroke.colour}" stroke-width="{stroke.width_px:g}"{dashes}/>'
    )


def _path(line: FloatArray) -> str:
    """Return a line as path data; pixel centres lie half a pixel inside the image."""
    points = [f"{column + 0.5:.1f} {row + 0.5:.1f}" for column, row in line]
    closed = bool((line[0] == line[-1]).all())
    return "M" + "L".join(points[:-1] if closed else points) + ("Z" if closed else "")


def _dashes(stroke: Stroke, width_px: float) -> str:
    if not stroke.dashes:
        return ""
    return f' stroke-dasharray="{" ".join(f"{length * width_px:.1f}" for length in stroke.dashes)}"'


def _note(note: Note) -> str:
    weight = ' font-weight="700"' if note.strong else ""
    colour = "#ffffff" if note.strong else "#c9d2da"
    return _text(
        note.text,
        note.column,
        note.row + _LETTER_PX / 3,
        anchor=note.anchor,
        extra=f'{weight} fill="{colour}"',
    )


def _marks(picture: Picture) -> str:
    middle_row, middle_column = picture.rows / 2, picture.columns / 2
    marks = picture.marks
    places = (
        (marks.left, _EDGE_PX, middle_row + _LETTER_PX / 3, "start"),
        (marks.right, picture.columns - _EDGE_PX, middle_row + _LETTER_PX / 3, "end"),
        (marks.top, middle_column, _EDGE_PX + _LETTER_PX * 0.8, "middle"),
        (marks.bottom, middle_column, picture.rows - _EDGE_PX, "middle"),
    )
    return "".join(
        _text(letter, column, row, anchor=anchor, extra=' font-weight="700" fill="#ffd479"')
        for letter, column, row, anchor in places
        if letter
    )


def _scale_bar(picture: Picture) -> str:
    length = picture.scale_bar_mm / picture.pixel_mm
    row = picture.rows - _EDGE_PX
    bar = f"M{_EDGE_PX:g} {row - 4:g}V{row:g}H{_EDGE_PX + length:.1f}V{row - 4:g}"
    return (
        f'<path d="{bar}" fill="none" stroke="{_RIM}" stroke-width="3" stroke-opacity=".6"/>'
        f'<path d="{bar}" fill="none" stroke="#fff" stroke-width="1.3"/>'
        + _text(
            f"{picture.scale_bar_mm} mm",
            _EDGE_PX + 3,
            row - 5,
            anchor="start",
            extra=' fill="#fff"',
            size=0.82,
        )
    )


def _window(picture: Picture, window: Window) -> str:
    level, width = window.value
    return _text(
        f"W {width} L {level}",
        picture.columns - _EDGE_PX,
        picture.rows - _EDGE_PX,
        anchor="end",
        extra=' fill="#c9d2da"',
        size=0.82,
    )


def _text(text: str, column: float, row: float, *, anchor: str, extra: str, size: float = 1.0) -> str:
    return (
        f'<text x="{column:.1f}" y="{row:.1f}" text-anchor="{anchor}" font-size="{_LETTER_PX * size:.1f}" '
        f'stroke="{_RIM}" stroke-width="2.4" stroke-opacity=".75" paint-order="stroke"{extra}>'
        f"{escape(text)}</text>"
    )
