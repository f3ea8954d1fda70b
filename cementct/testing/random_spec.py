"""Cases drawn at random from a seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cementct.core.findings import Destruction, LeakType, Side
from cementct.core.levels import Level
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

_TREATED: tuple[Level, ...] = (
    Level.T6, Level.T7, Level.T8, Level.T9, Level.T10, Level.T11, Level.T12,
    Level.L1, Level.L2, Level.L3, Level.L4, Level.L5,
)  # fmt: skip


def random_spec(seed: int, *, with_pre: bool, leak_types: tuple[LeakType, ...] | None) -> CaseSpec:
    """Return the case of a seed; see `CaseSpec.random`."""
    rng = np.random.default_rng([seed, 7])
    focus = Level(_TREATED[int(rng.integers(len(_TREATED)))])
    treatments = [_random_treatment(rng, focus, leak_types)]
    if rng.random() < 0.35 and focus is not Level.L5:
        treatments.append(_random_treatment(rng, _TREATED[_TREATED.index(focus) + 1], None))
    scanner = _random_scanner(rng)
    compressed: tuple[tuple[Level, Compression], ...] = ()
    if rng.random() < 0.37:
        loss = float(rng.uniform(0.2, 0.45))
        compressed = ((focus, Compression(loss, loss * float(rng.uniform(0.4, 1.1)), 0.1 * loss)),)
    return CaseSpec(
        seed=seed,
        focus=focus,
        treatments=tuple(treatments),
        compressed=compressed,
        scale=float(rng.uniform(0.9, 1.08)),
        marrow_hu=float(rng.uniform(60, 250)),
        cortex_mm=float(rng.uniform(0.4, 0.8)),
        curvature=float(rng.uniform(0.7, 1.3)),
        scoliosis_deg=float(rng.normal(0, 3)),
        rotation_deg=_triple(rng.normal(0, 3, 3)),
        scanner=scanner,
        pre_scanner=replace(scanner, noise_hu=scanner.noise_hu * 0.9) if with_pre else None,
        movement=Movement(
            float(rng.normal(0, 1)),
            float(rng.normal(0, 0.7)),
            _triple(rng.normal(0, 2, 3)),
            _triple(rng.normal(0, 4, 3)),
        ),
    )


def _triple(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, float, float]:
    first, second, third = (float(v) for v in values)
    return first, second, third


def _random_scanner(rng: np.random.Generator) -> Scanner:
    thickness = float(rng.choice([0.8, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0]))
    return Scanner(
        pixel_mm=float(rng.uniform(0.45, 0.85)),
        slice_spacing_mm=thickness if rng.random() < 0.7 else thickness * 0.8,
        slice_thickness_mm=thickness,
        kernel=list(Kernel)[int(rng.integers(3))],
        noise_hu=float(rng.uniform(8, 40)),
        clip_hu=3071 if rng.random() < 0.6 else None,
    )


def _random_treatment(
    rng: np.random.Generator, level: Level, leak_types: tuple[LeakType, ...] | None
) -> Treatment:
    small = 0.55 if level.is_thoracic and level.rank < Level.T10.rank else 1.0
    lesion_ml = float(rng.uniform(1.5, 6.5)) * small
    filling = float(rng.uniform(0.45, 1.0))
    extra_ml = float(rng.uniform(0.3, 2.0)) * small
    if leak_types is None:
        count = int(rng.choice(4, p=[0.3, 0.4, 0.2, 0.1]))
        leak_types = tuple(list(LeakType)[int(i)] for i in rng.choice(5, size=count, replace=False))
    leaks = tuple(
        LeakSpec(
            kind,
            volume_ml=float(np.exp(rng.uniform(np.log(0.03), np.log(1.0)))),
            side=Side.LEFT if rng.random() < 0.5 else Side.RIGHT,
            shape=LeakShape.CORD if rng.random() < 0.6 else LeakShape.BLOB,
            above=bool(rng.random() < 0.5),
            levels=float(rng.uniform(0.7, 2.0)),
        )
        for kind in leak_types
    )
    mixed = rng.random() < 26 / 140
    return Treatment(
        level,
        LesionSpec(
            lesion_ml,
            Destruction.MIXED if mixed else Destruction.OSTEOLYTIC,
            (float(rng.uniform(-0.35, 0.35)), float(rng.uniform(-0.35, 0.3)), float(rng.uniform(-0.2, 0.2))),
            breaks_wall=bool(rng.random() < 0.35),
        ),
        CementSpec(
            filling * lesion_ml + extra_ml,
            filling=filling,
            opacity_hu=float(rng.uniform(900, 5000)),
            fingers=float(rng.uniform(0.2, 1.0)),
        ),
        leaks,
    )
