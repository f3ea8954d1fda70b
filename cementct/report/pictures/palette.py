"""Colours and line patterns that stay apart for every kind of colour vision, and what they stand for.

Hues follow Okabe and Ito (2008, Color Universal Design), lightened where they would drown in dark soft
tissue; a pattern of its own goes with each kind of leak, so that nothing hangs on colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cementct.core.findings import LeakType


class Drawn(StrEnum):
    """What an outline stands for."""

    BODY = "body"
    CANAL = "canal"
    FORAMEN = "foramen"
    CEMENT = "cement"
    LESION = "lesion"
    DISKAL = "diskal"
    EPIDURAL = "epidural"
    PARAVERTEBRAL = "paravertebral"
    FORAMINAL = "foraminal"
    ACCESS_TRACK = "access-track"


@dataclass(frozen=True)
class Stroke:
    """How an outline looks.

    Attributes
    ----------
    colour
        As ``#rrggbb``.
    words
        What it stands for, in a legend.
    dashes
        Lengths of stroke and gap in line widths; empty for a solid line.
    width_px
        Width of the line in pixels of the picture.
    """

    colour: str
    words: str
    dashes: tuple[float, ...] = ()
    width_px: float = 1.3

    @property
    def rgb(self) -> tuple[int, int, int]:
        """The colour as numbers from 0 to 255."""
        red, green, blue = bytes.fromhex(self.colour[1:])
        return red, green, blue


STROKES: dict[Drawn, Stroke] = {
    Drawn.BODY: Stroke("#e8e8e8", "vertebral body", width_px=0.8),
    Drawn.CANAL: Stroke("#e8e8e8", "spinal canal", dashes=(3, 2), width_px=0.8),
    Drawn.FORAMEN: Stroke("#e8e8e8", "neural foramen", dashes=(1, 2), width_px=0.8),
    Drawn.CEMENT: Stroke("#56b4e9", "cement"),
    Drawn.LESION: Stroke("#f0e442", "lesion", dashes=(4, 2)),
    Drawn.EPIDURAL: Stroke("#ff6a3d", "epidural leak", width_px=1.6),
    Drawn.FORAMINAL: Stroke("#ee8fc4", "foraminal leak", dashes=(5, 1.5), width_px=1.6),
    Drawn.DISKAL: Stroke("#e69f00", "diskal leak", dashes=(3, 1), width_px=1.6),
    Drawn.PARAVERTEBRAL: Stroke("#2fd6a3", "paravertebral leak", dashes=(6, 1.5, 1.5, 1.5), width_px=1.6),
    Drawn.ACCESS_TRACK: Stroke("#8c9bff", "leak along the access track", dashes=(1.5, 1.5), width_px=1.6),
}

LEAK_DRAWN: dict[LeakType, Drawn] = {kind: Drawn(kind.value) for kind in LeakType}
