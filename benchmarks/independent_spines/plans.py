"""What is drawn for an independent spine from its seed: patient, bones, disease, treatment, scanner."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from benchmarks.independent_spines.anatomy import MORPHOMETRY_MM, Bump, Shape, Triple, stand
from benchmarks.independent_spines.scanner import Scanner
from benchmarks.independent_spines.scene import BoneQuality, Lesion
from benchmarks.independent_spines.surroundings import Column, Patient
from benchmarks.independent_spines.treatment import Injection, LeakPlan, Way
from cementct.core.levels import Level

# Whole vertebrae in view, and the first levels that leave room for them and for a cut one at either end.
WHOLE = (3, 4)
LEVELS = [Level(name) for name in MORPHOMETRY_MM]
# A cement's plateau, HU: opaque ones, dilute ones (contract and clinical notes: 10-30 % barium sulphate).
CEMENT_HU, DILUTE_HU = (1500.0, 3900.0), (900.0, 1300.0)

# A lytic lesion cannot be seen in marrow thinner than this, HU (its own tissue has some 48): where there is
# one, marrow is at least this; a frail, irregular spine is treated for fractures instead.
SHOWS_LYSIS_HU = 110.0


class Theme(IntEnum):
    """What a case puts weight on; the last digit of the seed."""

    CORTEX_SHEETS = 0
    SMALL_LEAKS = 1
    DILUTE = 2
    SCLEROTIC = 3
    THIN_MARROW = 4
    IRREGULAR = 5
    TWO_NEEDLES = 6
    MANY_LEAKS = 7
    METAL_AND_OLD = 8
    TOUCHING = 9


@dataclass(frozen=True)
class Plan:
    """Everything that a case is made from."""

    theme: Theme
    post: Column
    pre: Column | None
    patient: Patient
    quality: BoneQuality
    lesions: tuple[Lesion, ...]
    injections: tuple[Injection, ...]
    old: frozenset[int]
    screwed: frozenset[int]
    post_scanner: Scanner
    pre_scanner: Scanner
    field_mm: float
    shift_mm: tuple[float, float]


class Draw:
    """Draws from one generator, with the words of this bench."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def between(self, low: float, high: float) -> float:
        """Return a number in a range."""
        return float(self.rng.uniform(low, high))

    def chance(self, share: float) -> bool:
        """Tell whether an event of this probability occurs."""
        return bool(self.rng.random() < share)

    def side(self) -> int:
        """Return 1 or −1."""
        return 1 if self.chance(0.5) else -1


def draw_plan(seed: int) -> Plan:
    """Return what a seed stands for."""
    d, theme = Draw(seed), Theme(seed % 10)
    whole = WHOLE[int(d.chance(0.5))]
    first = int(d.rng.integers(0, len(LEVELS) - whole - 1))
    levels = LEVELS[first : first + whole + 2]
    frail = theme in {Theme.THIN_MARROW, Theme.IRREGULAR} or d.chance(0.3)
    quality = _quality(d, frail=frail)
    irregular = theme in {Theme.IRREGULAR, Theme.CORTEX_SHEETS} or d.chance(0.3)
    treated = _treated_places(d, theme, whole)
    shapes = [_shape(d, level, frail=frail, irregular=irregular) for level in levels]
    for place in treated:
        shapes[place] = _compressed(d, shapes[place], theme)
    bends = _bends(d, levels, irregular=irregular)
    post = Column(tuple(shapes), tuple(stand(shapes, bends)))
    moved = [(a + d.between(-1.2, 1.2) + 2, b + d.between(-1, 1) - 3, c + 2.5) for a, b, c in bends]
    pre = Column(tuple(shapes), tuple(stand(shapes, moved)))
    lesions, injections = [], []
    for place in treated:
        lesion = None if theme is Theme.THIN_MARROW else _lesion(d, shapes[place], theme)
        if theme is Theme.IRREGULAR and quality.marrow_hu < SHOWS_LYSIS_HU / 2:
            lesion = None
        if lesion:
            lesions.append(lesion)
        injections.append(_injection(d, shapes[place], theme, lesion))
    free = [p for p in range(1, whole + 1) if p not in treated]
    old, screwed = frozenset[int](), frozenset[int]()
    if theme is Theme.METAL_AND_OLD and free:
        number = shapes[free[0]].level.verse_number
        if d.chance(0.5):
            old = frozenset({number})
            injections.append(_injection(d, shapes[free[0]], Theme.TWO_NEEDLES, None, leaky=False))
        else:
            screwed = frozenset({number})
    if theme is Theme.SCLEROTIC and free and d.chance(0.7):
        # A second, untreated metastasis.
        lesions.append(_lesion(d, shapes[free[-1]], theme))
    if lesions:
        quality = replace(quality, marrow_hu=max(quality.marrow_hu, SHOWS_LYSIS_HU))
    scanner = _scanner(d, theme)
    has_pre = theme in {Theme.SCLEROTIC, Theme.THIN_MARROW, Theme.METAL_AND_OLD} or d.chance(0.55)
    field = d.between(100, 120) if scanner.pixel_mm < 0.5 else d.between(120, 150)
    return Plan(
        theme, post, pre if has_pre else None, _patient(d, levels), quality, tuple(lesions),
        tuple(injections),
        old, screwed, scanner, _scanner(d, Theme.TWO_NEEDLES), field, (d.between(-6, 6), d.between(6, 18)),
    )  # fmt: skip


def _quality(d: Draw, *, frail: bool) -> BoneQuality:
    marrow = d.between(25, 90) if frail else d.between(100, 240)
    grain = d.between(90, 170) if frail else d.between(90, 220)
    return BoneQuality(
        marrow_hu=marrow,
        grain_hu=grain,
        patchy_hu=d.between(6, 22),
        cortex_hu=d.between(1000, 1350) if frail else d.between(1250, 1700),
        cortex_mm=d.between(0.35, 0.55) if frail else d.between(0.5, 0.8),
        endplate_mm=d.between(0.5, 0.75) if frail else d.between(0.7, 1.1),
    )


def _shape(d: Draw, level: Level, *, frail: bool, irregular: bool) -> Shape:
    width, depth, height, pw, ph, cw, cd, disc = MORPHOMETRY_MM[level.value]
    size = float(np.clip(d.rng.normal(1.0, 0.05), 0.9, 1.12))
    spurs = [
        Bump((d.between(-np.pi, 0.4), d.side()), d.between(1.5, 5.5), d.between(3.5, 7))
        for _ in range(int(d.rng.integers(1, 5)) if irregular else 0)
    ]
    dents = []
    if d.chance(0.35 if irregular else 0.1):
        place = (d.between(-0.4, 0.4) * width / 2, d.between(-0.4, 0.5) * depth / 2, d.side())
        dents.append(Bump(place, d.between(2.0, 4.5), d.between(3.5, 6)))
    cup = d.between(1.8, 3.4) if frail else d.between(0.6, 2.2)
    return Shape(
        level=level,
        half_width=size * width / 2 * d.between(0.97, 1.03),
        half_depth=size * depth / 2,
        height=size * height * d.between(0.96, 1.04),
        pedicle_half_width=pw / 2 * d.between(0.9, 1.1),
        pedicle_half_height=ph / 2 * d.between(0.9, 1.05),
        canal_half_width=cw / 2 * d.between(0.95, 1.1),
        canal_depth=cd * d.between(0.9, 1.05),
        disc_below=max(2.5, disc * (d.between(0.45, 1.0) if irregular else d.between(0.8, 1.1))),
        waist=d.between(0.07, 0.16),
        cups=(cup * d.between(0.7, 1.2), cup * d.between(0.8, 1.3)),
        wall_hollow=d.between(0.2, 1.4),
        arthrosis=d.between(0.1, 0.45) if irregular else d.between(-0.05, 0.1),
        skew=d.between(-1.8, 1.8) if irregular else d.between(-0.4, 0.4),
        osteophytes=tuple(spurs),
        dents=tuple(dents),
    )


def _compressed(d: Draw, shape: Shape, theme: Theme) -> Shape:
    if not d.chance(0.75 if theme is Theme.THIN_MARROW else 0.35):
        return shape
    return replace(shape, anterior_loss=d.between(0.08, 0.42), central_loss=d.between(0.0, 0.2))


def _bends(d: Draw, levels: list[Level], *, irregular: bool) -> list[Triple]:
    cobb = d.between(12, 38) if irregular else d.between(0, 5)
    twist, start = d.side() * cobb, d.between(0, np.pi)
    gain = d.between(0.6, 1.6)
    sagittal = [(5.5 - level.rank + Level.T3.rank) * 3.2 if level.is_thoracic else -19.0 for level in levels]
    for i, level in enumerate(levels):
        if level.is_lumbar:
            sagittal[i] += (level.rank - Level.L1.rank) * 7.5
    return [
        (gain * s * 0.8, twist / 2 * np.cos(start + i * 0.75), twist * 0.35 * np.sin(start + i * 0.75))
        for i, s in enumerate(sagittal)
    ]


def _treated_places(d: Draw, theme: Theme, whole: int) -> list[int]:
    count = 2 if theme in {Theme.MANY_LEAKS, Theme.SMALL_LEAKS, Theme.CORTEX_SHEETS} or d.chance(0.3) else 1
    places = d.rng.permutation(np.arange(1, whole + 1))[:count]
    return sorted(int(p) for p in places)


def _lesion(d: Draw, s: Shape, theme: Theme) -> Lesion:
    share = 0.0
    if theme is Theme.SCLEROTIC:
        share = 1.0 if d.chance(0.5) else d.between(0.25, 0.75)
    elif d.chance(0.3):
        share = d.between(0.25, 0.75)
    radii = (
        d.between(0.32, 0.62) * s.half_width,
        d.between(0.4, 0.7) * s.half_depth,
        d.between(0.28, 0.5) * s.height,
    )
    reach = 0.75 if theme is Theme.SCLEROTIC or d.chance(0.35) else 0.35
    centre = (
        d.side() * d.between(0.1, reach) * s.half_width,
        d.between(-reach, reach) * s.half_depth,
        d.between(-3, 3),
    )
    return Lesion(
        number=s.level.verse_number, centre_uvw_mm=centre, radii_mm=radii, phase=d.between(0, 9),
        sclerotic_share=share, sclerotic_hu=d.between(450, 950),
        breaks_cortex=theme is Theme.SCLEROTIC or d.chance(0.4),
    )  # fmt: skip


def _injection(d: Draw, s: Shape, theme: Theme, lesion: Lesion | None, *, leaky: bool = True) -> Injection:
    body_ml = 0.0026 * s.half_width * s.half_depth * s.height
    volume = float(np.clip(body_ml * d.between(0.08, 0.32), 0.5, 8.5))
    side = d.side()
    aim = lesion.centre_uvw_mm if lesion else (side * 0.3 * s.half_width, -0.2 * s.half_depth, 0.0)
    tips = [(0.8 * aim[0], 0.8 * aim[1], aim[2])]
    if theme is Theme.TWO_NEEDLES or d.chance(0.2):
        tips = [
            (0.4 * s.half_width, -0.2 * s.half_depth, 0.0),
            (-0.4 * s.half_width, -0.1 * s.half_depth, 1.0),
        ]
    touching = theme is Theme.TOUCHING or d.chance(0.35)
    if theme is Theme.TOUCHING:
        back = d.between(0.45, 0.85) * s.half_depth
        tips = [(tips[0][0] * d.between(0.4, 1.4), back, d.between(-0.25, 0.25) * s.height)]
    dilute = theme is Theme.DILUTE
    sponge = d.chance(0.45)
    leaks = _leaks(d, theme) if leaky else ()
    return Injection(
        number=s.level.verse_number,
        tips_uvw_mm=tuple(tips),
        volume_ml=volume,
        cement_hu=d.between(*DILUTE_HU) if dilute else d.between(*CEMENT_HU),
        border_mm=d.between(1.5, 4.0) if sponge else 0.4,
        margin_mm=0.5 if touching else d.between(1.2, 2.5),
        phase=d.between(0, 9),
        gas_mm=d.between(1.5, 3.0) if d.chance(0.15) else 0.0,
        leaks=leaks,
    )


_WAYS: dict[Theme, tuple[Way, ...]] = {
    Theme.CORTEX_SHEETS: (Way.CORTEX_SHEET, Way.EPIDURAL_SHEET, Way.ANTERIOR_PLEXUS),
    Theme.SMALL_LEAKS: (
        Way.EPIDURAL_CORD, Way.FORAMEN, Way.SEGMENTAL_VEIN, Way.DISC, Way.ANTERIOR_PLEXUS, Way.EPIDURAL_SHEET,
    ),
    Theme.TOUCHING: (),
}  # fmt: skip
_SMALL_ML, _LARGE_ML = (0.022, 0.11), {
    Way.DISC: (0.08, 1.4), Way.EPIDURAL_SHEET: (0.04, 0.3), Way.EPIDURAL_CORD: (0.03, 0.15),
    Way.FORAMEN: (0.04, 0.35), Way.SEGMENTAL_VEIN: (0.05, 0.25), Way.ANTERIOR_PLEXUS: (0.04, 0.2),
    Way.CORTEX_SHEET: (0.06, 0.4), Way.BLOB: (0.1, 1.2), Way.TRACK: (0.03, 0.12),
}  # fmt: skip


def _leaks(d: Draw, theme: Theme) -> tuple[LeakPlan, ...]:
    ways = _WAYS.get(theme, tuple(Way))
    certain = theme in {Theme.CORTEX_SHEETS, Theme.SMALL_LEAKS, Theme.MANY_LEAKS}
    if not ways or (not certain and not d.chance(0.45)):
        return ()
    count = int(d.rng.integers(2, 4)) if certain else 1
    plans = []
    for pick in d.rng.permutation(len(ways))[:count]:
        way = ways[int(pick)]
        low, high = _SMALL_ML if theme is Theme.SMALL_LEAKS else _LARGE_ML[way]
        sheet = way in {Way.CORTEX_SHEET, Way.EPIDURAL_SHEET}
        thick = d.between(1.0, 2.0) if sheet else d.between(1.6, 3.0)
        if way is Way.TRACK:
            thick = d.between(2.2, 2.8)
        plans.append(
            LeakPlan(
                way=way,
                volume_ml=float(np.exp(d.between(np.log(low), np.log(high)))),
                side=d.side(),
                end=d.side(),
                thick_mm=thick,
                place=d.between(-1, 1),
                gap_mm=0.0 if sheet or d.chance(0.5) else d.between(0.3, 1.5),
                is_joined=d.chance(0.7),
            )
        )
    return tuple(plans)


def _patient(d: Draw, levels: list[Level]) -> Patient:
    lumbar = levels[len(levels) // 2].is_lumbar
    return Patient(
        fat_mm=d.between(6, 25),
        back_mm=d.between(58, 85) + 6 * lumbar,
        contrast_hu=d.between(100, 260) if d.chance(0.35) else 0.0,
        has_plaques=d.chance(0.5),
        has_bowel_gas=d.chance(0.5),
        fatty=d.between(0.05, 0.45),
        aorta_mm=d.between(9, 13),
    )


def _scanner(d: Draw, theme: Theme) -> Scanner:
    thin = theme in {Theme.CORTEX_SHEETS, Theme.IRREGULAR, Theme.SMALL_LEAKS} or d.chance(0.4)
    slice_mm = d.between(0.6, 1.0) if thin else float(d.rng.choice([1.0, 1.25, 1.5, 2.0, 2.5, 3.0]))
    sharp = d.chance(0.4)
    return Scanner(
        slice_mm=slice_mm,
        thickness_mm=slice_mm * d.between(1.0, 1.4),
        pixel_mm=d.between(0.4, 0.9),
        blur_mm=d.between(0.75, 1.0) if sharp else d.between(0.95, 1.4),
        sharpening=d.between(0.2, 0.6) if sharp else 0.0,
        noise_hu=d.between(20, 40) if sharp else d.between(8, 26),
        is_clipped=d.chance(0.6),
    )
