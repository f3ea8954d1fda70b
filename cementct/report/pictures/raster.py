"""Pictures as colour pixels with everything burnt in, for images that hold no vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cementct.core.arrays import FloatArray
from cementct.report.pictures.palette import STROKES
from cementct.report.pictures.picture import GreyArray, Note, Picture, Window

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

# Pixels of the drawing for one of the picture, so that thin lines and letters are smooth.
SCALE = 3
# Height of letters and of the strip of words below the picture, in pixels of the picture.
_LETTER_PX, _STRIP_PX, _EDGE_PX = 11, 30, 7
_WHITE, _GREY, _AMBER, _RIM = (255, 255, 255), (201, 210, 218), (255, 212, 121), (16, 20, 24)
# Share of a fill's colour over the CT.
_TINT = 0.55


def draw_rgb(picture: Picture, window: Window, *, outlined: bool = True, scale: int = SCALE) -> GreyArray:
    """Return the picture as colours, with a strip below that says what it shows, where, and of which series.

    Parameters
    ----------
    picture, window
        What to draw and how bright.
    outlined
        Whether outlines and names lie over it.
    scale
        Pixels of the result for one of the picture.

    Returns
    -------
    array
        uint8, shape (``scale * (rows + 30)``, ``scale * columns``, 3), RGB.
    """
    from PIL import Image, ImageDraw

    size = (picture.columns * scale, picture.rows * scale)
    ct = Image.fromarray(window.grey(picture.hu)).resize(size, Image.Resampling.BICUBIC)
    canvas = Image.new("RGB", (size[0], size[1] + _STRIP_PX * scale), (0, 0, 0))
    canvas.paste(ct.convert("RGB"), (0, 0))
    if outlined:
        canvas = _with_outlines(canvas, picture, scale)
    pen = ImageDraw.Draw(canvas)
    if outlined:
        for note in picture.notes:
            _write_note(pen, note, scale)
    _write_marks(pen, picture, window, scale)
    return np.asarray(canvas, dtype=np.uint8)


def _with_outlines(canvas: Image, picture: Picture, scale: int) -> Image:
    from PIL import Image, ImageDraw

    for outline in picture.outlines:
        stroke = STROKES[outline.drawn]
        if outline.filled:
            tint = Image.new("L", canvas.size, 0)
            brush = ImageDraw.Draw(tint)
            for line in outline.lines:
                brush.polygon(_scaled(line, scale), fill=round(255 * _TINT))
            canvas.paste(stroke.rgb, (0, 0), tint)
        pen = ImageDraw.Draw(canvas)
        width = max(1, round(stroke.width_px * scale))
        for line in outline.lines:
            for piece in _dashed(line, () if outline.filled else stroke.dashes, stroke.width_px):
                pen.line(_scaled(piece, scale), fill=stroke.rgb, width=width, joint="curve")
    return canvas


def _dashed(line: FloatArray, dashes: tuple[float, ...], width_px: float) -> list[FloatArray]:
    """Return the strokes of a dashed line; the line itself where it is solid."""
    if not dashes:
        return [line]
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    pattern = np.asarray(dashes) * max(width_px, 1.0)
    pieces, start, index = [], 0.0, 0
    while start < along[-1]:
        stop = min(start + float(pattern[index % pattern.size]), float(along[-1]))
        if index % 2 == 0:
            inner = along[(along > start) & (along < stop)]
            at = np.concatenate([[start], inner, [stop]])
            pieces.append(np.stack([np.interp(at, along, line[:, axis]) for axis in (0, 1)], axis=1))
        start, index = stop, index + 1
    return pieces


def _write_note(pen: ImageDraw, note: Note, scale: int) -> None:
    anchor = {"start": "lm", "middle": "mm", "end": "rm"}[note.anchor]
    colour = _WHITE if note.strong else _GREY
    _write(pen, note.text, (note.column, note.row), anchor=anchor, colour=colour, scale=scale)


def _write_marks(pen: ImageDraw, picture: Picture, window: Window, scale: int) -> None:
    rows, columns, marks = picture.rows, picture.columns, picture.marks
    places = (
        (marks.left, (_EDGE_PX, rows / 2), "lm"),
        (marks.right, (columns - _EDGE_PX, rows / 2), "rm"),
        (marks.top, (columns / 2, _EDGE_PX), "ma"),
        (marks.bottom, (columns / 2, rows - _EDGE_PX), "md"),
    )
    for letter, place, anchor in places:
        if letter:
            _write(pen, letter, place, anchor=anchor, colour=_AMBER, scale=scale)
    length = picture.scale_bar_mm / picture.pixel_mm
    bottom = rows - _EDGE_PX
    bar = [
        (_EDGE_PX, bottom - 4),
        (_EDGE_PX, bottom),
        (_EDGE_PX + length, bottom),
        (_EDGE_PX + length, bottom - 4),
    ]
    pen.line([(x * scale, y * scale) for x, y in bar], fill=_WHITE, width=max(1, scale))
    words = f"{picture.scale_bar_mm} mm"
    _write(pen, words, (_EDGE_PX + 3, bottom - 3), anchor="ld", colour=_WHITE, scale=scale, size=0.82)
    level, width = window.value
    strip = (picture.level, f"{picture.where} · W {width} L {level} · {picture.series}")
    for i, text in enumerate(strip):
        place = (_EDGE_PX, rows + 4 + i * (_LETTER_PX + 2))
        _write(pen, text, place, anchor="la", colour=_GREY, scale=scale, size=0.82 if i else 1.0)


def _write(
    pen: ImageDraw,
    text: str,
    place: tuple[float, float],
    *,
    anchor: str,
    colour: tuple[int, int, int],
    scale: int,
    size: float = 1.0,
) -> None:
    from PIL import ImageFont

    font = ImageFont.load_default(_LETTER_PX * scale * size)
    at = (place[0] * scale, place[1] * scale)
    pen.text(at, text, fill=colour, font=font, anchor=anchor, stroke_width=scale, stroke_fill=_RIM)


def _scaled(line: FloatArray, scale: int) -> list[tuple[float, float]]:
    """Return a line in pixels of the drawing; pixel centres lie half a pixel inside."""
    return [(float(column), float(row)) for column, row in (line + 0.5) * scale]
