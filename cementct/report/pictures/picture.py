"""A picture as data: grey values for each window, outlines, marks and words, not yet drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from cementct.core.arrays import Float32Array, FloatArray, read_only
from cementct.core.image import NOT_MEASURED_BELOW_HU
from cementct.report.pictures.palette import Drawn
from cementct.report.pictures.planes import EdgeMarks

GreyArray = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


class Window(Enum):
    """Which CT numbers become black and white: (level, width) in HU.

    The bone window shows trabeculae and cortex; cement and cortex are both white in it. The wide one reaches
    to 3000 HU, where cement and cortex can be told apart.
    """

    BONE = (500, 2000)
    WIDE = (1000, 4000)

    @property
    def words(self) -> str:
        """Its name and numbers."""
        level, width = self.value
        return f"{self.name.lower()} · W {width} L {level}"

    def grey(self, hu: Float32Array) -> GreyArray:
        """Return grey values from 0 to 255; black where nothing was measured."""
        level, width = self.value
        share = (hu - (level - width / 2)) / width
        grey = np.clip(np.rint(share * 255), 0, 255)
        return np.where(hu > NOT_MEASURED_BELOW_HU, grey, 0).astype(np.uint8)


@dataclass(frozen=True)
class Outline:
    """Lines around one structure.

    Attributes
    ----------
    drawn
        What it is.
    lines
        Closed or open lines of (column, row) points, in pixels of the picture.
    filled
        Whether its inside is tinted (a projection) rather than outlined (a section).
    """

    drawn: Drawn
    lines: tuple[FloatArray, ...]
    filled: bool = False


@dataclass(frozen=True)
class Note:
    """A word at a place in the picture.

    Attributes
    ----------
    text
        The word.
    column, row
        Its place in pixels.
    anchor
        Which end of the word lies there: start, middle or end.
    strong
        Whether it stands out.
    """

    text: str
    column: float
    row: float
    anchor: str = "start"
    strong: bool = False


@dataclass(frozen=True)
class Picture:
    """One surface through the patient.

    Attributes
    ----------
    hu
        CT numbers, shape (rows, columns), read-only.
    pixel_mm
        Size of a pixel.
    level
        The vertebra it shows, by name; or what else it shows.
    where
        Plane and position in words.
    series
        Which series it shows, by number and UID or file name.
    marks
        What lies beyond its edges.
    outlines, notes
        What is drawn over it where it is not bare.
    """

    hu: Float32Array
    pixel_mm: float
    level: str
    where: str
    series: str
    marks: EdgeMarks
    outlines: tuple[Outline, ...] = ()
    notes: tuple[Note, ...] = field(default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "hu", read_only(self.hu))

    @property
    def rows(self) -> int:
        """Number of pixel rows."""
        return int(self.hu.shape[0])

    @property
    def columns(self) -> int:
        """Number of pixel columns."""
        return int(self.hu.shape[1])

    @property
    def unit_px(self) -> float:
        """What letters and lines are measured in: one pixel of a picture of 300 columns.

        Panels are shown equally wide, so letters and lines come out equally large.
        """
        return self.columns / 300.0

    @property
    def scale_bar_mm(self) -> int:
        """A round length of about a fifth of its width."""
        width_mm = self.columns * self.pixel_mm
        return max((length for length in (5, 10, 20, 50, 100) if length <= width_mm / 4), default=5)

    def drawn(self) -> tuple[Drawn, ...]:
        """Return what its outlines stand for, each once, in the palette's order."""
        there = {outline.drawn for outline in self.outlines if outline.lines}
        return tuple(drawn for drawn in Drawn if drawn in there)
