"""Which patient, level and treatment every independent case has."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scene(StrEnum):
    """What a case is about."""

    TOUCHING = "cement touches endplates and cortex from inside, no leak"
    SHEET = "sheet in the canal behind the wall"
    CORDS = "pair of cords in the anterior epidural veins"
    AORTA = "cord around the body towards aorta or vena cava"
    RIB = "deposit beside the body near rib head or psoas"
    ARCH = "cement in pedicle and spinous process, no leak"
    SECOND = "small deposit in a second vertebra"
    DILUTE = "dilute cement"
    POROTIC = "osteoporosis with hardly any marrow signal, disc leak"
    FORAMEN = "leak into a foramen"
    TRACK = "cement along the needle's way"
    DISC = "leaks into both discs"
    MIXED = "mixed lesion at the wall, no leak"
    GAS = "cavity after ablation with gas, partly filled, no leak"


LESIONS = {
    Scene.SHEET, Scene.CORDS, Scene.RIB, Scene.DISC, Scene.MIXED, Scene.GAS, Scene.FORAMEN, Scene.TRACK,
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A patient, the treated vertebra, a second one that may be treated, and what the case is about."""

    source: str
    number: int
    scene: Scene
    second: int | None = None


S = Scene
TUNING = (
    Place("lumbar", 21, S.TOUCHING), Place("chest", 15, S.DILUTE), Place("verse004", 20, S.SHEET),
    Place("gl003", 10, S.ARCH), Place("lumbar", 23, S.DISC), Place("chest", 18, S.AORTA),
    Place("verse004", 21, S.POROTIC), Place("gl003", 11, S.FORAMEN), Place("lumbar", 21, S.SECOND, 23),
    Place("chest", 15, S.SHEET), Place("verse004", 19, S.SECOND, 21), Place("chest", 18, S.RIB),
    Place("lumbar", 23, S.AORTA), Place("verse004", 22, S.CORDS), Place("chest", 18, S.TOUCHING),
    Place("verse004", 21, S.ARCH), Place("gl003", 9, S.RIB), Place("chest", 15, S.TRACK),
    Place("verse004", 20, S.MIXED), Place("lumbar", 21, S.GAS),
)  # fmt: skip
REPORTING = (
    Place("lumbar", 20, S.TOUCHING), Place("chest", 13, S.AORTA), Place("verse010", 22, S.SHEET),
    Place("gl017", 9, S.TOUCHING), Place("healthivert", 20, S.DISC), Place("tptbox", 22, S.CORDS),
    Place("chest", 14, S.DILUTE), Place("lumbar", 22, S.FORAMEN), Place("verse010", 21, S.POROTIC),
    Place("healthivert", 22, S.ARCH), Place("chest", 16, S.SHEET), Place("gl017", 10, S.CORDS),
    Place("verse010", 23, S.RIB), Place("lumbar", 20, S.SECOND, 22), Place("chest", 17, S.TRACK),
    Place("tptbox", 22, S.TOUCHING), Place("healthivert", 21, S.AORTA), Place("verse010", 22, S.SECOND, 21),
    Place("chest", 19, S.RIB), Place("gl017", 9, S.FORAMEN), Place("lumbar", 22, S.POROTIC),
    Place("chest", 13, S.MIXED), Place("verse010", 21, S.ARCH), Place("healthivert", 19, S.MIXED),
    Place("tptbox", 22, S.RIB), Place("chest", 16, S.ARCH), Place("gl017", 10, S.GAS),
    Place("verse010", 23, S.TOUCHING), Place("chest", 17, S.SECOND, 19), Place("healthivert", 22, S.TRACK),
)  # fmt: skip
