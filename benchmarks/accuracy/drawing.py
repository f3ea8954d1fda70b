"""Patients, treatments and scanners drawn at random, as widely as the issue asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

import numpy as np

from benchmarks.anatomy.cases import Half
from cementct.core.findings import Destruction, LeakType, Side
from cementct.core.levels import Level
from cementct.testing.column import build_column
from cementct.testing.morphometry import size_of
from cementct.testing.sampling import FINE_MM
from cementct.testing.spec import (
    CaseSpec,
    CementSpec,
    Compression,
    Kernel,
    LeakShape,
    LeakSpec,
    LesionSpec,
    Movement,
    Scanner,
    Treatment,
)

LEVELS = (*(Level(f"T{i}") for i in range(5, 13)), *(Level(f"L{i}") for i in range(1, 6)))
SLICES_MM = (0.6, 0.75, 0.8, 1.0, 1.0, 1.25, 1.5, 1.5, 2.0, 2.5, 3.0)
# A body's volume as a share of the box of its mean width, depth and height.
BODY_SHARE_OF_BOX = 0.72
# Leaks from 0.02 to 0.05 ml are listed, from 0.05 ml they count by type; a fifth of all are of the first kind.
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
# Around the treated bodies' centres: in shares of the distance to the next centre, and in mm to the sides and
# along y (front and back are not alike).
ENDS_SHARE, SIDE_MM, FRONT_MM, BACK_MM = 1.62, 52.0, 36.0, 70.0
# So many voxels may the lattice have that shapes are drawn on: two cores have to make all cases.
MOST_FINE_VOXELS = 9e6

Random = np.random.Generator


def draw_spec(seed: int, index: int, *, attempt: int = 0) -> CaseSpec:
    """Return the random patient of a seed.

    Parameters
    ----------
    seed
        Determines everything but the types of leaks.
    index
        Place in its half; types of leaks are dealt in turn, so that all are equally often.
    attempt
        Raised where what was drawn before had no room; leaks become smaller.
    """
    rng = np.random.default_rng([seed, attempt, 4])
    types = deal_types(index)
    levels = _draw_levels(rng, len(types))
    scale = float(rng.uniform(0.9, 1.08))
    before, after = _draw_compressions(rng, levels)
    shrink = 0.8**attempt
    treatments = [
        _draw_treatment(
            rng, level, body_ml(level, scale) * (1 - 0.8 * _loss(after, level)), types=kinds, shrink=shrink
        )
        for level, kinds in zip(levels, types, strict=True)
    ]
    treatments += _draw_old_cement(rng, levels, scale)
    spec = CaseSpec(
        seed=seed + 1_000_000 * attempt,
        focus=levels[len(levels) // 2],
        treatments=tuple(treatments),
        compressed=after,
        compressed_before=before if before != after else None,
        scale=scale,
        marrow_hu=float(rng.uniform(60, 250)),
        cortex_mm=float(rng.uniform(0.4, 0.8)),
        curvature=float(rng.uniform(0.6, 1.4)),
        scoliosis_deg=float(rng.normal(0, 5)),
        rotation_deg=_triple(rng.normal(0, 4, 3)),
        movement=Movement(
            float(rng.normal(0, 1)),
            float(rng.normal(0, 0.7)),
            _triple(rng.normal(0, 2, 3)),
            _triple(rng.normal(0, 4, 3)),
        ),
    )
    spec = around_levels(spec, levels)
    scanner = _draw_scanner(rng, spec.fov_mm)
    return replace(spec, scanner=scanner, pre_scanner=_draw_earlier_scanner(rng, scanner, spec.fov_mm))


def around_levels(spec: CaseSpec, levels: Sequence[Level]) -> CaseSpec:
    """Return the spec with the smallest field of view that shows some levels and their next neighbours."""
    column = {v.level: v for v in build_column(spec)}
    order = list(column)
    centres = {level: np.asarray(v.frame.centre_lps_mm) for level, v in column.items()}
    places = sorted(order.index(level) for level in levels)
    first, last = order[places[0]], order[places[-1]]
    above = float(np.linalg.norm(centres[first] - centres[order[places[0] - 1]]))
    below = float(np.linalg.norm(centres[order[min(places[-1] + 1, len(order) - 1)]] - centres[last]))
    inside = np.array([centres[level] for level in levels])
    low = inside.min(axis=0) - np.array([SIDE_MM, FRONT_MM, ENDS_SHARE * below])
    high = inside.max(axis=0) + np.array([SIDE_MM, BACK_MM, ENDS_SHARE * above])
    (x, y, z), (w, d, h) = (low + high) / 2, high - low
    return replace(spec, fov_mm=(float(h), float(d), float(w)), fov_centre_mm=(float(z), float(y), float(x)))


def body_ml(level: Level, scale: float) -> float:
    """Return the volume of a sound body of a level, roughly."""
    size = size_of(level, scale=scale)
    return BODY_SHARE_OF_BOX * size.width_mm * size.depth_mm * size.height_mm / 1000


def fine_voxels(fov_mm: tuple[float, float, float], scanner: Scanner) -> float:
    """Return how many voxels the lattice has that shapes are drawn on."""
    spacing = (scanner.slice_spacing_mm, scanner.pixel_mm, scanner.pixel_mm)
    fine = [s / max(1, ceil(s / FINE_MM - 1e-6)) for s in spacing]
    return float(np.prod([f / s for f, s in zip(fov_mm, fine, strict=True)]))


def draw_real_treatment(
    seed: int, level: Level, body: float, *, attempt: int = 0
) -> tuple[Treatment, Movement]:
    """Return a random treatment for a vertebra of a real CT, and how the patient lay before.

    Parameters
    ----------
    seed
        Determines everything.
    level
        Which vertebra.
    body
        Volume of its body, ml.
    attempt
        Raised where what was drawn before had no room.
    """
    rng = np.random.default_rng([seed, attempt, 8])
    kinds = list(LeakType)
    types = [kinds[(2 * seed + 2 * i) % 5] for i in range(int(rng.integers(1, 4)))]
    movement = Movement(0.0, 0.0, _triple(rng.normal(0, 2, 3)), _triple(rng.normal(0, 4, 3)))
    treatment = _draw_treatment(rng, level, body, types=types, shrink=0.8**attempt)
    if treatment.lesion and treatment.lesion.gas:
        treatment = replace(treatment, lesion=replace(treatment.lesion, gas=False))
    return treatment, movement


def half_of_seed(seed: int) -> Half:
    """Tell which half a seed belongs to."""
    return "reporting" if seed >= 20000 else "tuning"


def _draw_levels(rng: Random, count: int) -> list[Level]:
    """Return treated levels, next to each other or with one between."""
    gaps = [1 if rng.random() < 0.7 else 2 for _ in range(count - 1)]
    first = int(rng.integers(len(LEVELS) - sum(gaps)))
    return [LEVELS[first + sum(gaps[:i])] for i in range(count)]


def deal_types(index: int) -> list[list[LeakType]]:
    """Return the types of each treated vertebra's leaks in the patient at a place of its half.

    Types are dealt in turn through all patients, so that each is equally often.
    """
    kinds = list(LeakType)
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


def _draw_compressions(
    rng: Random, levels: list[Level]
) -> tuple[tuple[tuple[Level, Compression], ...], tuple[tuple[Level, Compression], ...]]:
    """Return height losses before and after injection: 37 % of the bodies, a third of these raised since."""
    before, after = [], []
    for level in levels:
        if rng.random() >= 0.37:
            continue
        loss = float(rng.uniform(0.22, 0.5))
        middle, back = float(rng.uniform(0.4, 1.1)), float(rng.uniform(0.05, 0.4))
        pushed = float(rng.uniform(0, 3)) if rng.random() < 0.2 else 0.0
        raised = float(rng.uniform(0.5, 0.8)) if rng.random() < 0.33 else 1.0
        for found, kept in ((before, 1.0), (after, raised)):
            found.append((level, Compression(loss * kept, loss * middle * kept, loss * back * kept, pushed)))
    return tuple(before), tuple(after)


def _loss(compressed: tuple[tuple[Level, Compression], ...], level: Level) -> float:
    return next((max(c.anterior, c.middle) for name, c in compressed if name is level), 0.0)


def _draw_treatment(
    rng: Random, level: Level, body: float, *, types: list[LeakType], shrink: float
) -> Treatment:
    lesion = _draw_lesion(rng, body)
    filling = float(np.clip(rng.uniform(0.35, 1.05), 0, 1)) if lesion else None
    if lesion and filling is not None:
        extra = float(rng.uniform(0.03, 0.2)) * body
        volume = filling * lesion.volume_ml + extra
    else:
        volume = float(rng.uniform(0.1, 0.4)) * body
    opacity = float(np.exp(rng.uniform(np.log(900), np.log(5000))))
    leaks = tuple(_draw_leak(rng, kind, shrink) for kind in types)
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
    centre = _triple(rng.uniform((-0.35, -0.35, -0.2), (0.35, 0.3, 0.2)))
    breaks = bool(rng.random() < 0.35)
    gas = bool(rng.random() < 0.08)
    if kind == 0:
        return None
    destruction = Destruction.MIXED if kind == 2 else Destruction.OSTEOLYTIC
    return LesionSpec(share * body, destruction, centre, breaks_wall=breaks, gas=gas)


def _draw_leak(rng: Random, kind: LeakType, shrink: float) -> LeakSpec:
    low, high = SMALL_LEAK_ML if rng.random() < SMALL_LEAK_SHARE else LEAK_ML
    high = max(min(high, MOST_ML[kind]) * (shrink if high > 0.05 else 1.0), 1.5 * low)
    shape, sides = LeakShape.CORD, [Side.LEFT, Side.RIGHT]
    luck = float(rng.random())
    if kind is LeakType.EPIDURAL:
        shape = LeakShape.CORD if luck < 0.6 else LeakShape.SHEET
        # Cords beside the midline are a pair.
        sides.append(Side.MIDLINE)
    if kind is LeakType.PARAVERTEBRAL and luck > 0.75:
        shape = LeakShape.BLOB
    if kind is LeakType.ACCESS_TRACK:
        shape = LeakShape.USUAL if luck < 0.75 else LeakShape.SHEET
    return LeakSpec(
        kind,
        volume_ml=float(np.exp(rng.uniform(np.log(low), np.log(high)))),
        side=sides[int(rng.integers(len(sides)))],
        shape=shape,
        above=bool(rng.random() < 0.5),
        levels=float(rng.uniform(0.7, 3.0)),
        opacity_hu=float(rng.uniform(500, 900)) if rng.random() < 0.2 else None,
    )


def _draw_old_cement(rng: Random, levels: list[Level], scale: float) -> list[Treatment]:
    """Return cement of an earlier treatment in a neighbour, in one patient of six."""
    places = [LEVELS.index(levels[0]) - 1, LEVELS.index(levels[-1]) + 1]
    place = places[int(rng.integers(2))]
    wanted = rng.random() < 1 / 6
    share, opacity = float(rng.uniform(0.1, 0.25)), float(rng.uniform(1200, 4000))
    if not wanted or not 0 <= place < len(LEVELS):
        return []
    level = LEVELS[place]
    cement = CementSpec(share * body_ml(level, scale), opacity_hu=opacity, old=True)
    return [Treatment(level, None, cement)]


def _draw_scanner(rng: Random, fov_mm: tuple[float, float, float]) -> Scanner:
    while True:
        thickness = float(rng.choice(SLICES_MM))
        scanner = Scanner(
            pixel_mm=round(float(rng.uniform(0.3, 0.9)), 3),
            slice_spacing_mm=thickness if rng.random() < 0.75 else round(thickness * 0.8, 3),
            slice_thickness_mm=thickness,
            kernel=list(Kernel)[int(rng.integers(3))],
            noise_hu=float(rng.uniform(8, 40)),
            clip_hu=3071 if rng.random() < 0.75 else None,
        )
        if fine_voxels(fov_mm, scanner) < MOST_FINE_VOXELS * (2 if rng.random() < 0.04 else 1):
            return scanner


def _draw_earlier_scanner(rng: Random, after: Scanner, fov_mm: tuple[float, float, float]) -> Scanner:
    """Return the scanner of the pre-injection scan: the same, or other slices and another kernel."""
    if rng.random() < 0.5:
        return replace(after, noise_hu=float(rng.uniform(8, 40)))
    return replace(_draw_scanner(rng, fov_mm), clip_hu=after.clip_hu)


def _triple(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, float, float]:
    first, second, third = (float(v) for v in values)
    return first, second, third
