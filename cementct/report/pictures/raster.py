"""Pictures as colour pixels with everything burnt in, for images that hold no vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cementct.core.arrays import FloatArray
from cementct.report.pictures.palette import STROKES
from cementct.report.pictures.picture import GreyArray, Picture, Window

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

# Pixels of the drawing for one of the picture, so that thin lines and letters are smooth.
SCALE = 3
# Height of letters, of the strip of words below the picture, and distance from the edge, in units of a
# picture (`Picture.unit_px`).
_LETTER, _STRIP, _EDGE = 11.0, 44.0, 7.0
# Height of small print, as a share of letters.
_SMALL = 0.82
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
        uint8, shape (``scale * rows`` and the strip, ``scale * columns``, 3), RGB.
    """
    from PIL import Image, ImageDraw

    size = (picture.columns * scale, picture.rows * scale)
    unit = picture.unit_px * scale
    ct = Image.fromarray(window.grey(picture.hu)).resize(size, Image.Resampling.BICUBIC)
    canvas = Image.new("RGB", (size[0], size[1] + round(_STRIP * unit)), (0, 0, 0))
    canvas.paste(ct.convert("RGB"), (0, 0))
    if outlined:
        _draw_outlines(canvas, picture, scale)
    pen = _Pen(ImageDraw.Draw(canvas), unit)
    if outlined:
        for note in picture.notes:
            anchor = {"start": "lm", "middle": "mm", "end": "rm"}[note.anchor]
            place = (note.column * scale, note.row * scale)
            pen.write(note.text, place, anchor, _WHITE if note.strong else _GREY)
    _write_marks(pen, picture, size)
    _draw_scale_bar(pen, picture, size[1], scale)
    _write_strip(pen, picture, window, size[1])
    return np.asarray(canvas, dtype=np.uint8)


def drawable(text: str) -> str:
    """Return a text in the letters that the font of the pictures has, which are few beyond ASCII."""
    return text.translate(_LETTERS_INSTEAD)


def with_lines(pixels: GreyArray, lines: tuple[str, ...], *, letter_px: int = 26) -> GreyArray:
    """Return a drawing with lines of words under it, the longest shortened to its width.

    Parameters
    ----------
    pixels
        RGB, uint8, shape (rows, columns, 3).
    lines
        What to write.
    letter_px
        Height of the letters.
    """
    from PIL import Image, ImageDraw, ImageFont

    rows, columns = pixels.shape[:2]
    step = round(letter_px * 1.35)
    canvas = Image.new("RGB", (columns, rows + step * len(lines) + step // 3), (0, 0, 0))
    canvas.paste(Image.fromarray(pixels), (0, 0))
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(map(drawable, lines)):
        size = float(letter_px)
        room = columns - letter_px
        length = draw.textlength(line, font=ImageFont.load_default(size))
        font = ImageFont.load_default(size * min(1.0, room / max(length, 1.0)))
        draw.text((letter_px // 2, rows + step * number), line, fill=_AMBER, font=font)
    return np.asarray(canvas, dtype=np.uint8)


_LETTERS_INSTEAD = str.maketrans({"−": "-", "–": "-", "×": "x", "≤": "<=", "≥": ">=", "µ": "u"})


@dataclass(frozen=True)
class _Pen:
    """Writes letters of one size; places are in pixels of the drawing."""

    draw: ImageDraw
    unit: float

    def write(
        self,
        text: str,
        place: tuple[float, float],
        anchor: str,
        colour: tuple[int, int, int],
        size: float = 1.0,
    ) -> None:
        from PIL import ImageFont

        font = ImageFont.load_default(_LETTER * self.unit * size)
        rim = max(1, round(self.unit))
        self.draw.text(
            place, drawable(text), fill=colour, font=font, anchor=anchor, stroke_width=rim, stroke_fill=_RIM
        )


def _draw_outlines(canvas: Image, picture: Picture, scale: int) -> None:
    from PIL import Image, ImageDraw

    pen = ImageDraw.Draw(canvas)
    for outline in picture.outlines:
        stroke = STROKES[outline.drawn]
        if outline.filled:
            tint = Image.new("L", canvas.size, 0)
            brush = ImageDraw.Draw(tint)
            for line in outline.lines:
                brush.polygon(_scaled(line, scale), fill=round(255 * _TINT))
            canvas.paste(stroke.rgb, (0, 0), tint)
        width_px = stroke.width_px * picture.unit_px
        width = max(1, round(width_px * scale))
        for line in outline.lines:
            for piece in _dashed(line, () if outline.filled else stroke.dashes, width_px):
                pen.line(_scaled(piece, scale), fill=stroke.rgb, width=width, joint="curve")


def _dashed(line: FloatArray, dashes: tuple[float, ...], width_px: float) -> list[FloatArray]:
    """Return the strokes of a dashed line; the line itself where it is solid."""
    if not dashes:
        return [line]
    steps = np.hypot(*np.diff(line, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    pattern = [length * width_px for length in dashes]
    pieces, start, index = [], 0.0, 0
    while start < along[-1]:
        stop = min(start + pattern[index % len(pattern)], float(along[-1]))
        if index % 2 == 0:
            inner = along[(along > start) & (along < stop)]
            at = np.concatenate([[start], inner, [stop]])
            pieces.append(np.stack([np.interp(at, along, line[:, axis]) for axis in (0, 1)], axis=1))
        start, index = stop, index + 1
    return pieces


def _write_marks(pen: _Pen, picture: Picture, size: tuple[int, int]) -> None:
    (columns, rows), marks, edge = size, picture.marks, _EDGE * pen.unit
    places = (
        (marks.left, (edge, rows / 2), "lm"),
        (marks.right, (columns - edge, rows / 2), "rm"),
        (marks.top, (columns / 2, edge), "ma"),
        (marks.bottom, (columns / 2, rows - edge), "md"),
    )
    for letter, place, anchor in places:
        if letter:
            pen.write(letter, place, anchor, _AMBER)


def _draw_scale_bar(pen: _Pen, picture: Picture, rows: int, scale: int) -> None:
    length = picture.scale_bar_mm / picture.pixel_mm * scale
    left, bottom, tick = _EDGE * pen.unit, rows - _EDGE * pen.unit, 4 * pen.unit
    bar = [(left, bottom - tick), (left, bottom), (left + length, bottom), (left + length, bottom - tick)]
    pen.draw.line(bar, fill=_WHITE, width=max(1, round(1.3 * pen.unit)))
    place = (left + 3 * pen.unit, bottom - 3 * pen.unit)
    pen.write(f"{picture.scale_bar_mm} mm", place, "ld", _WHITE, _SMALL)


def _write_strip(pen: _Pen, picture: Picture, window: Window, rows: int) -> None:
    level, width = window.value
    lines = (picture.level, picture.where, f"W {width} L {level} · {picture.series}")
    for i, line in enumerate(lines):
        place = (_EDGE * pen.unit, rows + (3 + 13 * i) * pen.unit)
        pen.write(line, place, "la", _GREY if i else _WHITE, _SMALL if i else 1.0)


def _scaled(line: FloatArray, scale: int) -> list[tuple[float, float]]:
    """Return a line in pixels of the drawing; pixel centres lie half a pixel inside."""
    return [(float(column), float(row)) for column, row in (line + 0.5) * scale]
