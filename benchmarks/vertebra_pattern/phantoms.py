"""The phantoms that the pattern is learned from: seeds 300 to 394, which nothing is reported on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cementct.core.levels import Level
from cementct.testing.spec import CaseSpec, CementSpec, Compression, LesionSpec, Scanner, Treatment

L = Level
FIRST_SEED, FIRST_COMPRESSED_SEED = 300, 384
RANDOM_SEEDS = range(301, 309)


def _scanner(slice_mm: float, noise_hu: float, pixel_mm: float = 0.8) -> Scanner:
    return Scanner(
        pixel_mm=pixel_mm, slice_spacing_mm=slice_mm, slice_thickness_mm=slice_mm, noise_hu=noise_hu
    )


def _view(z_mm: float, across_mm: float = 130.0) -> tuple[float, float, float]:
    return z_mm, across_mm, across_mm


def _treated(level: Level, lesion_ml: float = 4.0, cement_ml: float = 4.0) -> Treatment:
    return Treatment(level, LesionSpec(lesion_ml), CementSpec(cement_ml))


def _many() -> dict[str, CaseSpec]:
    """Return spines of all regions in fields of view from 40 to 230 mm."""
    s, v, t, case = _scanner, _view, _treated, CaseSpec
    up, aside = 15.0, 0.0
    return {
        "L5S1": case(focus=L.L5, fov_mm=v(130), scanner=s(1.5, 20), treatments=(t(L.L4),)),
        "L5S1_steep": case(focus=L.L5, fov_mm=v(110), scanner=s(3, 20), curvature=1.35),
        "L5S1_thin": case(focus=L.S1, fov_mm=v(120), scanner=s(2.5, 30), marrow_hu=60, cortex_mm=0.4),
        "L4_small": case(focus=L.L4, fov_mm=v(60), scanner=s(1.5, 30), treatments=(t(L.L4),)),
        "L5_small": case(focus=L.L5, fov_mm=v(64), scanner=s(1.25, 25), treatments=(t(L.L5),)),
        "T6_small": case(focus=L.T6, fov_mm=v(50), scanner=s(1.25, 40), treatments=(t(L.T6, 2, 2),)),
        "T9_40": case(focus=L.T9, fov_mm=v(40), scanner=s(1, 30), treatments=(t(L.T9, 3, 3),)),
        "T12_small": case(
            focus=L.T12, fov_mm=v(60), scanner=s(1.5, 30), treatments=(t(L.T12),), marrow_hu=80
        ),
        "L2_40": case(focus=L.L2, fov_mm=v(40), scanner=s(1, 20), treatments=(t(L.L2),)),
        "L3_shifted": case(
            focus=L.L3,
            fov_mm=v(60),
            scanner=s(1.5, 20),
            fov_centre_mm=(8, up, aside),
            treatments=(t(L.L3),),
            marrow_hu=230,
        ),
        "thoracic_5": case(focus=L.T7, fov_mm=v(180, 140), scanner=s(5, 15)),
        "thoracic_3": case(focus=L.T5, fov_mm=v(160), scanner=s(3, 40), marrow_hu=90, curvature=1.3),
        "thoracic_2.5": case(
            focus=L.T8,
            fov_mm=v(200),
            scanner=s(2.5, 60),
            treatments=(t(L.T8, 2, 2), t(L.T10, 2, 2)),
            marrow_hu=100,
        ),
        "T3": case(focus=L.T3, fov_mm=v(110), scanner=s(2, 25)),
        "compressed": case(
            focus=L.T12,
            fov_mm=v(160),
            scanner=s(2.5, 30),
            marrow_hu=70,
            cortex_mm=0.4,
            compressed=((L.T12, Compression(0.5, 0.5, 0.2)), (L.L2, Compression(0.3, 0.45, 0.1))),
            treatments=(t(L.T12, 2, 2),),
        ),
        "plana": case(
            focus=L.T8,
            fov_mm=v(120),
            scanner=s(1.5, 30),
            marrow_hu=90,
            curvature=1.4,
            compressed=((L.T8, Compression(0.7, 0.7, 0.5)),),
        ),
        "scoliosis": case(
            focus=L.L1,
            fov_mm=v(170, 140),
            scanner=s(2.5, 25),
            scoliosis_deg=12,
            rotation_deg=(5, 8, 10),
            treatments=(t(L.L1),),
        ),
        "turned": case(
            focus=L.L3, fov_mm=v(110), scanner=s(2, 25), rotation_deg=(12, -8, 15), treatments=(t(L.L3),)
        ),
        "lumbar_5": case(focus=L.L3, fov_mm=v(200, 140), scanner=s(5, 15), treatments=(t(L.L3),)),
        "four_lumbar": case(focus=L.L2, fov_mm=v(210, 150), scanner=s(3, 20), lumbar_count=4),
        "six_lumbar": case(focus=L.L3, fov_mm=v(230, 150), scanner=s(3, 20), lumbar_count=6),
        "ribs_to_T11": case(focus=L.L2, fov_mm=v(230, 150), scanner=s(3, 20), last_rib_level=L.T11),
        "ribs_to_T13": case(focus=L.L2, fov_mm=v(230, 150), scanner=s(3, 20), last_rib_level=L.T13),
        "regular": case(focus=L.L2, fov_mm=v(230, 150), scanner=s(3, 30), marrow_hu=90),
        "T12": case(focus=L.T12, fov_mm=v(100, 150), scanner=s(1.5, 30)),
        "L1_thin_noise": case(
            focus=L.L1,
            fov_mm=v(80, 100),
            scanner=s(0.8, 60, 0.6),
            marrow_hu=60,
            cortex_mm=0.4,
            treatments=(t(L.L1),),
        ),
        "L3_at_end": case(focus=L.L3, fov_mm=v(72), scanner=s(1.5, 25), fov_centre_mm=(-17, up, aside)),
        "T10_at_end": case(focus=L.T10, fov_mm=v(60), scanner=s(2, 25), fov_centre_mm=(12, up, aside)),
        "L5_at_end": case(focus=L.L4, fov_mm=v(100), scanner=s(2, 25), fov_centre_mm=(-10, up, aside)),
        "T5": case(
            focus=L.T5,
            fov_mm=v(90),
            scanner=s(3, 30),
            marrow_hu=200,
            treatments=(t(L.T5, 1.5, 2), t(L.T6, 1.5, 2)),
        ),
    }


def _compressed() -> dict[str, CaseSpec]:
    """Return spines with one or two collapsed bodies."""
    rng = np.random.default_rng(6)
    levels = [L[f"T{i}"] for i in range(6, 13)] + [L[f"L{i}"] for i in range(1, 5)]
    specs = {}
    for number, level in enumerate(levels):
        front = float(rng.uniform(0.25, 0.6))
        loss = Compression(front, float(front * rng.uniform(0.7, 1.1)), float(rng.uniform(0.05, 0.4)))
        lost = ((level, loss),)
        if number % 3 == 2:
            lost += ((levels[number - 1], Compression(0.3, 0.4, 0.2)),)
        seed = FIRST_COMPRESSED_SEED + number
        specs[f"compressed-{seed}"] = CaseSpec(
            seed=seed,
            focus=level,
            fov_mm=_view(100),
            treatments=(_treated(level, 1.5, 2),) if number % 2 else (),
            compressed=lost,
            scanner=_scanner(float(rng.choice([1.5, 2.5, 3.0])), float(rng.uniform(15, 40))),
            marrow_hu=float(rng.uniform(70, 180)),
            curvature=float(rng.uniform(0.8, 1.4)),
            scoliosis_deg=float(rng.normal(0, 4)),
        )
    return specs


def phantom_specs() -> dict[str, CaseSpec]:
    """Return all phantoms by name."""
    drawn = {
        f"random-{seed}": replace(CaseSpec.random(seed, with_pre=False), fov_mm=_view(110))
        for seed in RANDOM_SEEDS
    }
    first = FIRST_SEED + len(drawn)
    chosen = {name: replace(spec, seed=first + n) for n, (name, spec) in enumerate(_many().items())}
    return drawn | chosen | _compressed()
