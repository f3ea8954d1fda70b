"""Patients and scanners drawn at random, as widely as the issue asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

import numpy as np

from benchmarks.accuracy.treatments import (
    RARE_FROM,
    SMALL_LEAK_SHARE,
    body_ml,
    deal_types,
    draw_treatment,
    triple,
)
from benchmarks.anatomy.cases import Half
from cementct.core.findings import LeakType
from cementct.core.levels import Level
from cementct.testing.column import build_column
from cementct.testing.sampling import FINE_MM
from cementct.testing.spec import (
    CaseSpec,
    CementSpec,
    Compression,
    Kernel,
    Movement,
    Scanner,
    Treatment,
    Wear,
)

_NAMES = [*(f"T{i}" for i in range(5, 13)), *(f"L{i}" for i in range(1, 6))]
LEVELS = tuple(Level(name) for name in _NAMES)
SLICES_MM = (0.6, 0.75, 0.8, 1.0, 1.0, 1.25, 1.5, 1.5, 2.0, 2.5, 3.0)
# Patients of the tuning half from this place on, and all of the reporting half, have rich leaks.
RICH_FROM = 16
# Around the treated bodies' centres: in shares of the distance to the next centre, and in mm to the sides and
# along y (front and back are not alike).
ENDS_SHARE, SIDE_MM, FRONT_MM, BACK_MM = 1.62, 52.0, 36.0, 70.0
# So many voxels may the lattice have that shapes are drawn on: two cores have to make all cases.
MOST_FINE_VOXELS = 7e6

Random = np.random.Generator


def draw_spec(seed: int, index: int, *, attempt: int = 0, rich: bool = True) -> CaseSpec:
    """Return the random patient of a seed.

    Parameters
    ----------
    seed
        Determines everything but the types of leaks.
    index
        Place in its half; types of leaks are dealt in turn, so that all are equally often.
    attempt
        Raised where what was drawn before had no room; leaks become smaller.
    rich
        Whether leaks have the shapes that they have in patients, and bones their wear.
    """
    rng = np.random.default_rng([seed, attempt, 4])
    types = deal_types(index)
    levels = _draw_levels(rng, len(types))
    scale = float(rng.uniform(0.9, 1.08))
    before, after = _draw_compressions(rng, levels)
    shrink = 0.8**attempt
    treatments = [
        draw_treatment(
            rng,
            level,
            body_ml(level, scale) * (1 - 0.8 * _loss(after, level)),
            types=kinds,
            shrink=shrink,
            rich=rich,
            small_share=SMALL_LEAK_SHARE if index < RARE_FROM else 0.0,
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
        rotation_deg=triple(rng.normal(0, 4, 3)),
        movement=Movement(
            float(rng.normal(0, 1)),
            float(rng.normal(0, 0.7)),
            triple(rng.normal(0, 2, 3)),
            triple(rng.normal(0, 4, 3)),
        ),
    )
    spec = around_levels(spec, levels)
    scanner = _draw_scanner(rng, spec.fov_mm)
    spec = replace(spec, scanner=scanner, pre_scanner=_draw_earlier_scanner(rng, scanner, spec.fov_mm))
    return _enriched(rng, spec) if rich else spec


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


def fine_voxels(fov_mm: tuple[float, float, float], scanner: Scanner) -> float:
    """Return how many voxels the lattice has that shapes are drawn on."""
    spacing = (scanner.slice_spacing_mm, scanner.pixel_mm, scanner.pixel_mm)
    fine = [s / max(1, ceil(s / FINE_MM - 1e-6)) for s in spacing]
    return float(np.prod([f / s for f, s in zip(fov_mm, fine, strict=True)]))


def draw_real_treatment(
    seed: int, level: Level, body: float, *, attempt: int = 0, rich: bool = False
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
    rich
        Whether leaks have the shapes that they have in patients.
    """
    rng = np.random.default_rng([seed, attempt, 8])
    kinds = list(LeakType)
    types = [kinds[(2 * seed + 2 * i) % 5] for i in range(int(rng.integers(1, 4)))]
    movement = Movement(0.0, 0.0, triple(rng.normal(0, 2, 3)), triple(rng.normal(0, 4, 3)))
    treatment = draw_treatment(rng, level, body, types=types, shrink=0.8**attempt, rich=rich)
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


def _draw_compressions(
    rng: Random, levels: list[Level]
) -> tuple[tuple[tuple[Level, Compression], ...], tuple[tuple[Level, Compression], ...]]:
    """Return height losses before and after injection: 37 % of the bodies, a third of these raised since."""
    before: list[tuple[Level, Compression]] = []
    after: list[tuple[Level, Compression]] = []
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


def _enriched(rng: Random, spec: CaseSpec) -> CaseSpec:
    """Return the patient with basivertebral foramina, wear, and cement that frays and is uneven."""
    worn = []
    treatments = []
    for treatment in spec.treatments:
        wear = Wear(basivertebral_mm=float(rng.uniform(3, 8)) if rng.random() < 0.6 else 0.0)
        if rng.random() < 0.15:
            wear = replace(wear, osteophyte_mm=float(rng.uniform(2, 6)), vacuum_disc=bool(rng.random() < 0.5))
        if rng.random() < 0.1:
            wear = replace(wear, schmorl_below_mm=float(rng.uniform(2, 5)))
        worn.append((treatment.level, wear))
        cement = treatment.cement
        if cement and rng.random() < 0.35:
            cement = replace(
                cement, fray_mm=float(rng.uniform(0.5, 2.0)), unevenness=float(rng.uniform(0.0, 0.08))
            )
        treatments.append(replace(treatment, cement=cement))
    return replace(spec, worn=tuple(worn), treatments=tuple(treatments), stretch_raised=True)


def _loss(compressed: tuple[tuple[Level, Compression], ...], level: Level) -> float:
    return next((max(c.anterior, c.middle) for name, c in compressed if name is level), 0.0)


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
        if fine_voxels(fov_mm, scanner) < MOST_FINE_VOXELS * (2.5 if rng.random() < 0.12 else 1):
            return scanner


def _draw_earlier_scanner(rng: Random, after: Scanner, fov_mm: tuple[float, float, float]) -> Scanner:
    """Return the scanner of the pre-injection scan: the same, or other slices and another kernel."""
    if rng.random() < 0.5:
        return replace(after, noise_hu=float(rng.uniform(8, 40)))
    return replace(_draw_scanner(rng, fov_mm), clip_hu=after.clip_hu)
