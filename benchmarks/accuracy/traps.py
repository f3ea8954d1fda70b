"""Traps: cement that touches or fills what it has not left, streaks, needles, and leaks that meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.accuracy.cases import Case, Family, Half, Recipe
from benchmarks.accuracy.drawing import around_levels
from benchmarks.accuracy.phantoms import case_of, describe
from benchmarks.accuracy.treatments import body_ml
from cementct.core.findings import Destruction, LeakType, Side
from cementct.core.levels import Level
from cementct.testing.phantom import make_case
from cementct.testing.spec import (
    CaseSpec,
    CementSpec,
    Compression,
    Defect,
    ForeignObject,
    ForeignSpec,
    Kernel,
    LeakShape,
    LeakSpec,
    LesionSpec,
    Place,
    Reach,
    Scanner,
    Treatment,
    Wear,
)

FIRST_SEED = {"tuning": 5600, "reporting": 20600}
# How many cases of each trap a half has.
COUNT: dict[Half, int] = {"tuning": 1, "reporting": 1}
MORE: dict[str, dict[Half, int]] = {
    "streaks": {"tuning": 2, "reporting": 6},
    "calcified-aorta": {"tuning": 2, "reporting": 4},
}
LEVELS = ("T7", "T9", "T11", "T12", "L1", "L2", "L3", "L4")
SLICES_MM = (0.8, 1.0, 1.25, 1.5, 2.0, 2.5)
# Where what was drawn has no room, it is drawn again so many times.
ATTEMPTS = 6

# Names of the levels from the top.
ORDER = [*(f"T{i}" for i in range(1, 13)), *(f"L{i}" for i in range(1, 6))]

Random = np.random.Generator


@dataclass(frozen=True)
class Scene:
    """What a trap changes: a patient with one treated vertebra, its level, the body's volume, and luck."""

    spec: CaseSpec
    level: Level
    body_ml: float
    rng: Random

    @property
    def treatment(self) -> Treatment:
        """The treated vertebra."""
        return self.spec.treatments[0]

    @property
    def side(self) -> Side:
        """One side or the other."""
        return Side.LEFT if self.rng.random() < 0.5 else Side.RIGHT

    def cement(self, **changes: object) -> CementSpec:
        """Return the vertebra's cement, changed."""
        if self.treatment.cement is None:
            raise AssertionError("a trap has cement")
        return replace(self.treatment.cement, **changes)  # type: ignore[arg-type]

    def treated(self, **changes: object) -> CaseSpec:
        """Return the patient with the treated vertebra changed."""
        return replace(self.spec, treatments=(replace(self.treatment, **changes),))  # type: ignore[arg-type]

    def worn(self, wear: Wear, **changes: object) -> CaseSpec:
        """Return the same with a peculiar bone."""
        return replace(self.treated(**changes), worn=((self.level, wear),))


Trap = Callable[[Scene], CaseSpec]


def _touching(place: Place) -> Trap:
    def trap(s: Scene) -> CaseSpec:
        gap = float(s.rng.choice([0.0, s.spec.cortex_mm]))
        reach = Reach(place, s.side, float(s.rng.uniform(40, 120)), gap)
        return s.treated(cement=s.cement(reaches=(reach,), keep_from_wall_mm=0.3))

    return trap


def _defect(place: Place) -> Trap:
    def trap(s: Scene) -> CaseSpec:
        side, area = s.side, float(s.rng.uniform(30, 70))
        cement = s.cement(reaches=(Reach(place, side, area, 0.0),))
        return s.worn(Wear(defects=(Defect(place, side, area),)), cement=cement)

    return trap


def _basivertebral(s: Scene) -> CaseSpec:
    cement = s.cement(reaches=(Reach(Place.BASIVERTEBRAL_FORAMEN),))
    return s.worn(Wear(basivertebral_mm=float(s.rng.uniform(5, 9))), cement=cement)


def _pedicle(s: Scene) -> CaseSpec:
    place = Place.PEDICLE if s.rng.random() < 0.5 else Place.PEDICLE_TRACK
    return s.treated(cement=s.cement(reaches=(Reach(place, s.side),), may_enter_pedicle=True))


def _schmorl(s: Scene) -> CaseSpec:
    cement = s.cement(reaches=(Reach(Place.AROUND_NODE),), keep_from_wall_mm=0.3)
    return s.worn(Wear(schmorl_above_mm=float(s.rng.uniform(3, 6))), cement=cement)


def _wall_gone(s: Scene) -> LesionSpec:
    return LesionSpec(0.35 * s.body_ml, Destruction.OSTEOLYTIC, (0.0, 0.45, 0.0), breaks_wall=True)


def _destroyed_wall_flush(s: Scene) -> CaseSpec:
    reach = Reach(Place.POSTERIOR_WALL, s.side, float(s.rng.uniform(60, 120)), 0.0)
    cement = s.cement(reaches=(reach,), keep_from_wall_mm=0.0, filling=0.8)
    return s.treated(lesion=_wall_gone(s), cement=cement)


def _destroyed_wall_beyond(s: Scene) -> CaseSpec:
    leak = LeakSpec(LeakType.EPIDURAL, 0.2, s.side, LeakShape.BEYOND_WALL, thickness_mm=2.0)
    return s.treated(lesion=_wall_gone(s), cement=s.cement(filling=0.8), leaks=(leak,))


def _retropulsed(s: Scene) -> CaseSpec:
    crush = Compression(0.35, 0.3, 0.1, retropulsion_mm=float(s.rng.uniform(3, 6)))
    cement = s.cement(
        volume_ml=min(s.cement().volume_ml, 0.25 * s.body_ml), filling=None, keep_from_wall_mm=0.3
    )
    return replace(s.treated(lesion=None, cement=cement), compressed=((s.level, crush),))


def _plana(s: Scene) -> CaseSpec:
    flat = Compression(0.65, 0.7, 0.5)
    cement = s.cement(volume_ml=max(0.5, 0.12 * s.body_ml), filling=None, keep_from_wall_mm=0.3)
    return replace(s.treated(lesion=None, cement=cement), compressed=((s.level, flat),))


def _gas(s: Scene) -> CaseSpec:
    lesion = LesionSpec(0.4 * s.body_ml, Destruction.OSTEOLYTIC, (0.0, -0.1, 0.0), gas=True)
    filling = float(s.rng.uniform(0.5, 0.85))
    cement = s.cement(filling=filling, volume_ml=filling * lesion.volume_ml + 0.4)
    return s.treated(lesion=lesion, cement=cement)


def _needle(s: Scene) -> CaseSpec:
    kind = ForeignObject.NEEDLE_WITH_CEMENT if s.rng.random() < 0.5 else ForeignObject.NEEDLE
    return replace(s.spec, foreign=(ForeignSpec(kind, s.level, s.side),))


def _screw(s: Scene) -> CaseSpec:
    both = tuple(ForeignSpec(ForeignObject.SCREW, s.level, side) for side in (Side.LEFT, Side.RIGHT))
    return replace(s.spec, foreign=both)


def _streaks(s: Scene) -> CaseSpec:
    """Return dense cement that fills both pedicles: streaks cross the canal, seen with little correction."""
    both = tuple(Reach(Place.PEDICLE, side, gap_mm=0.6) for side in (Side.LEFT, Side.RIGHT))
    cement = s.cement(
        opacity_hu=float(s.rng.uniform(4500, 8000)), volume_ml=0.25 * s.body_ml, reaches=both, filling=None
    )
    scanner = replace(s.spec.scanner, beam_hardening=float(s.rng.uniform(0.6, 1.0)))
    return replace(s.treated(lesion=None, cement=cement), scanner=scanner, pre_scanner=s.spec.pre_scanner)


def _tumour_outside(s: Scene) -> CaseSpec:
    lesion = LesionSpec(0.35 * s.body_ml, Destruction.OSTEOLYTIC, (0.6, 0.2, 0.0), outside_ml=3.0)
    return s.treated(lesion=lesion, cement=s.cement(filling=0.7, volume_ml=0.25 * s.body_ml + 0.4))


def _meeting(s: Scene) -> CaseSpec:
    """Return two treated neighbours whose leaks meet in the disc between them."""
    below = Level(ORDER[ORDER.index(s.level.value) + 1])
    # So thick that both fill the disc's height and touch.
    ml, side = (1.0, s.side) if s.level.is_lumbar else (0.5, s.side)
    leaks = (LeakSpec(LeakType.DISKAL, ml, side, LeakShape.SPREADING, above=False, thickness_mm=7.0),)
    others = (LeakSpec(LeakType.DISKAL, ml, side, LeakShape.SPREADING, above=True, thickness_mm=7.0),)
    first = replace(s.treatment, leaks=leaks)
    second = replace(s.treatment, level=below, leaks=others)
    return around_levels(replace(s.spec, treatments=(first, second)), [s.level, below])


def _calcified_aorta(s: Scene) -> CaseSpec:
    """Return cement beside an aorta with plaques, or with plates nearly all around."""
    coarse = s.rng.random() < 0.5
    kind = ForeignObject.COARSE_CALCIFICATION if coarse else ForeignObject.AORTIC_CALCIFICATION
    return replace(s.spec, foreign=(ForeignSpec(kind, s.level),))


def _beside(kind: ForeignObject) -> Trap:
    def trap(s: Scene) -> CaseSpec:
        return replace(s.spec, foreign=(ForeignSpec(kind, s.level, s.side),))

    return trap


TRAPS: dict[str, Trap] = {
    "touches-posterior-wall": _touching(Place.POSTERIOR_WALL),
    "touches-upper-endplate": _touching(Place.UPPER_ENDPLATE),
    "touches-lower-endplate": _touching(Place.LOWER_ENDPLATE),
    "touches-lateral-cortex": _touching(Place.LATERAL_CORTEX),
    "lateral-defect": _defect(Place.LATERAL_CORTEX),
    "endplate-defect": _defect(Place.UPPER_ENDPLATE),
    "basivertebral-foramen": _basivertebral,
    "pedicle": _pedicle,
    "schmorl-node": _schmorl,
    "destroyed-wall-flush": _destroyed_wall_flush,
    "destroyed-wall-beyond": _destroyed_wall_beyond,
    "retropulsed-fragment": _retropulsed,
    "vertebra-plana": _plana,
    "gas": _gas,
    "needle": _needle,
    "screws": _screw,
    "leaks-meet": _meeting,
    "streaks": _streaks,
    "tumour-outside": _tumour_outside,
    "calcified-aorta": _calcified_aorta,
    "beside-clips": _beside(ForeignObject.CLIPS),
    "beside-aortic-stent": _beside(ForeignObject.AORTIC_STENT),
    "beside-cava-filter": _beside(ForeignObject.CAVA_FILTER),
    "beside-urine": _beside(ForeignObject.URETER_CONTRAST),
    "beside-disc-chalk": _beside(ForeignObject.DISC_CALCIFICATION),
    "beside-rib-callus": _beside(ForeignObject.RIB_CALLUS),
    "beside-ossified-ligament": _beside(ForeignObject.OSSIFIED_LIGAMENT),
    "beside-disc-cage": _beside(ForeignObject.DISC_CAGE),
}


@dataclass(frozen=True)
class TrapRecipe:
    """One trap in a random patient."""

    trap: str
    seed: int
    half: Half

    @property
    def name(self) -> str:
        """How tables name it."""
        return f"trap-{self.trap}-{self.seed}"

    @property
    def family(self) -> Family:
        """Where it belongs."""
        return Family.TRAPS

    def make(self) -> Case:
        """Simulate it; ValueError where nothing that was drawn has room."""
        error = ValueError("nothing was tried")
        for attempt in range(ATTEMPTS):
            spec = TRAPS[self.trap](draw_scene(self.seed, attempt))
            try:
                made = make_case(spec)
            except ValueError as refused:
                error = refused
                continue
            case = case_of(made, self, f"{self.trap}: {describe(spec)}")
            return replace(case, streaks_only=self.trap == "streaks")
        raise error


def trap_recipes(half: Half) -> list[Recipe]:
    """Return the recipes of a half."""
    seed, out = FIRST_SEED[half], []
    for trap in TRAPS:
        for _ in range(MORE.get(trap, COUNT)[half]):
            out.append(TrapRecipe(trap, seed, half))
            seed += 1
    return list(out)


def draw_scene(seed: int, attempt: int = 0) -> Scene:
    """Return a random patient with one treated vertebra that has no leak."""
    rng = np.random.default_rng([seed, attempt, 6])
    level = Level(LEVELS[int(rng.integers(len(LEVELS)))])
    scale = float(rng.uniform(0.92, 1.06))
    body = body_ml(level, scale)
    slice_mm = float(rng.choice(SLICES_MM))
    scanner = Scanner(
        round(float(rng.uniform(0.45, 0.65)), 3), slice_mm, slice_mm, list(Kernel)[int(rng.integers(3))],
        float(rng.uniform(10, 30)), 3071,
    )  # fmt: skip
    lesion = LesionSpec(float(rng.uniform(0.2, 0.4)) * body)
    filling = float(rng.uniform(0.5, 0.95))
    cement = CementSpec(
        filling * lesion.volume_ml + 0.1 * body, filling=filling, opacity_hu=float(rng.uniform(1200, 4500))
    )
    turn = rng.normal(0, 3, 3)
    spec = CaseSpec(
        seed=seed + 1_000_000 * attempt,
        focus=level,
        treatments=(Treatment(level, lesion, cement),),
        scale=scale,
        marrow_hu=float(rng.uniform(80, 230)),
        scoliosis_deg=float(rng.normal(0, 3)),
        rotation_deg=(float(turn[0]), float(turn[1]), float(turn[2])),
        scanner=scanner,
        pre_scanner=replace(scanner, noise_hu=float(rng.uniform(10, 30))),
    )
    return Scene(around_levels(spec, [level]), level, body, rng)
