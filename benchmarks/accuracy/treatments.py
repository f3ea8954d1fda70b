"""Lesions, cement and leaks drawn at random, as widely as the issue asks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cementct.core.findings import Destruction, LeakType, Side
from cementct.core.levels import Level
from cementct.testing.morphometry import size_of
from cementct.testing.spec import CementSpec, LeakShape, LeakSpec, LesionSpec, Treatment

Random = np.random.Generator

# A body's volume as a share of the box of its mean width, depth and height.
BODY_SHARE_OF_BOX = 0.72
# Leaks from 0.02 to 0.05 ml are listed, from 0.05 ml they count by type; a fifth are of the first kind.
SMALL_LEAK_ML, LEAK_ML = (0.022, 0.05), (0.05, 1.5)
SMALL_LEAK_SHARE = 0.2
# Largest leak of each type that usually has room, ml.
MOST_ML = {
    LeakType.DISKAL: 1.5,
    LeakType.EPIDURAL: 1.2,
    LeakType.PARAVERTEBRAL: 1.5,
    LeakType.FORAMINAL: 0.6,
    LeakType.ACCESS_TRACK: 0.6,
}
# Shapes of leaks by type: up to which share of all luck a shape goes. Plain ones are those of the first
# phantoms; rich ones are as leaks are in patients.
K, F = LeakType, LeakShape
PLAIN_SHAPES = {
    K.DISKAL: ((1.0, F.USUAL),),
    K.EPIDURAL: ((0.6, F.CORD), (1.0, F.SHEET)),
    K.PARAVERTEBRAL: ((0.75, F.CORD), (1.0, F.BLOB)),
    K.FORAMINAL: ((1.0, F.CORD),),
    K.ACCESS_TRACK: ((0.75, F.USUAL), (1.0, F.SHEET)),
}
RICH_SHAPES = {
    K.DISKAL: ((0.4, F.USUAL), (0.85, F.SPREADING), (1.0, F.INTO_NEIGHBOUR)),
    K.EPIDURAL: (
        (0.2, F.CORD),
        (0.35, F.SHEET),
        (0.55, F.PLEXUS),
        (0.75, F.PAIRED_CORDS),
        (0.95, F.PAIRED_SHEETS),
        (1.0, F.BLOB),
    ),
    K.PARAVERTEBRAL: ((0.35, F.CORD), (0.8, F.VEINS), (1.0, F.BLOB)),
    K.FORAMINAL: ((0.9, F.CORD), (1.0, F.SPANNING)),
    K.ACCESS_TRACK: ((0.7, F.USUAL), (1.0, F.TRANSCOSTOVERTEBRAL)),
}
# Shapes that no small leak can have, and those whose thickness is drawn.
LARGE_SHAPES = (F.INTO_NEIGHBOUR, F.SPANNING, F.PAIRED_SHEETS, F.BLOB)
THIN_SHAPES = (F.PAIRED_CORDS, F.PAIRED_SHEETS, F.PLEXUS, F.VEINS)


# From this patient of a half on, two treated vertebrae have leaks of these types, none of them small.
RARE_FROM = 100
RARE_TYPES = ((LeakType.FORAMINAL, LeakType.DISKAL), (LeakType.FORAMINAL, LeakType.ACCESS_TRACK))


def body_ml(level: Level, scale: float) -> float:
    """Return the volume of a sound body of a level, roughly."""
    size = size_of(level, scale=scale)
    return BODY_SHARE_OF_BOX * size.width_mm * size.depth_mm * size.height_mm / 1000


def deal_types(index: int) -> list[list[LeakType]]:
    """Return the types of each treated vertebra's leaks in the patient at a place of its half.

    Types are dealt in turn through all patients, so that each is equally often; the last patients make up for
    types that often have no room and are drawn again.
    """
    kinds = list(LeakType)
    if index >= RARE_FROM:
        return [list(pair) for pair in RARE_TYPES]
    dealt = sum(sum(_count_leaks(i)) for i in range(index))
    out = []
    for count in _count_leaks(index):
        out.append([kinds[(dealt + i) % 5] for i in range(count)])
        dealt += count
    return out


def _count_leaks(index: int) -> list[int]:
    """Return the number of leaks of each treated vertebra of a patient."""
    rng = np.random.default_rng([index, 3])
    vertebrae = int(rng.choice([1, 2, 3], p=[0.35, 0.4, 0.25]))
    return [int(n) for n in rng.choice(4, size=vertebrae, p=[0.08, 0.24, 0.36, 0.32])]


def draw_treatment(
    rng: Random,
    level: Level,
    body: float,
    *,
    types: list[LeakType],
    shrink: float,
    rich: bool,
    small_share: float = SMALL_LEAK_SHARE,
) -> Treatment:
    """Return a random treatment of a body of some volume (ml) with leaks of some types.

    `shrink` makes leaks smaller; `rich`: they have the shapes that they have in patients.
    """
    lesion = _draw_lesion(rng, body)
    filling = float(np.clip(rng.uniform(0.35, 1.05), 0, 1)) if lesion else None
    if lesion and filling is not None:
        extra = float(rng.uniform(0.03, 0.2)) * body
        volume = filling * lesion.volume_ml + extra
    else:
        volume = float(rng.uniform(0.1, 0.4)) * body
    opacity = float(np.exp(rng.uniform(np.log(900), np.log(5000))))
    leaks = tuple(_draw_leak(rng, kind, shrink, rich=rich, small_share=small_share) for kind in types)
    cement = CementSpec(
        float(np.clip(volume, 0.5, 9.0)),
        filling=filling,
        opacity_hu=opacity,
        fingers=float(rng.uniform(0.1, 1.0)),
        may_enter_pedicle=bool(rng.random() < 0.25),
        keep_from_wall_mm=float(rng.choice([0.3, 1.0, 2.0])),
    )
    if lesion and filling is not None and volume > 9.0:
        lesion = replace(lesion, volume_ml=(9.0 - 0.5) / max(filling, 0.5))
    return Treatment(level, lesion, cement, leaks)


def _draw_lesion(rng: Random, body: float) -> LesionSpec | None:
    kind = rng.choice(3, p=[0.12, 0.64, 0.24])
    share = float(rng.uniform(0.12, 0.5))
    centre = triple(rng.uniform((-0.35, -0.35, -0.2), (0.35, 0.3, 0.2)))
    breaks = bool(rng.random() < 0.35)
    gas = bool(rng.random() < 0.08)
    if kind == 0:
        return None
    destruction = Destruction.MIXED if kind == 2 else Destruction.OSTEOLYTIC
    return LesionSpec(share * body, destruction, centre, breaks_wall=breaks, gas=gas)


def _draw_leak(rng: Random, kind: LeakType, shrink: float, *, rich: bool, small_share: float) -> LeakSpec:
    low, high = SMALL_LEAK_ML if rng.random() < small_share else LEAK_ML
    high = max(min(high, MOST_ML[kind]) * (shrink if high > 0.05 else 1.0), 1.5 * low)
    volume = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    luck = float(rng.random())
    table = RICH_SHAPES if rich else PLAIN_SHAPES
    shape = next(shape for limit, shape in table[kind] if luck < limit)
    if volume < SMALL_LEAK_ML[1] and shape in LARGE_SHAPES:
        shape = LeakShape.CORD
    sides = [Side.LEFT, Side.RIGHT]
    if kind is LeakType.EPIDURAL:
        # Cords beside the midline are a pair.
        sides.append(Side.MIDLINE)
    return LeakSpec(
        kind,
        volume_ml=volume,
        side=sides[int(rng.integers(len(sides)))],
        shape=shape,
        above=bool(rng.random() < 0.5),
        levels=float(rng.uniform(0.7, 3.0)),
        opacity_hu=float(rng.uniform(500, 900)) if rng.random() < 0.2 else None,
        thickness_mm=float(rng.uniform(1.0, 2.0)) if rich and shape in THIN_SHAPES else None,
    )


def triple(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, float, float]:
    """Return three numbers as a tuple."""
    first, second, third = (float(v) for v in values)
    return first, second, third
