"""Studies analysed through their DICOM files: decoys, two post series, prone patients, and a sixth lumbar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from benchmarks.accuracy.cases import Case, Family, Half, Recipe, Series
from benchmarks.accuracy.drawing import around_levels
from benchmarks.accuracy.phantoms import case_of, describe
from benchmarks.accuracy.traps import ORDER, draw_scene
from benchmarks.accuracy.treatments import body_ml
from cementct.core.findings import LeakType, Side
from cementct.core.image import Volume
from cementct.core.levels import Level
from cementct.testing.dicom import PatientPosition, SeriesDetails
from cementct.testing.phantom import PhantomCase, make_case
from cementct.testing.spec import (
    CaseSpec,
    CementSpec,
    ForeignObject,
    ForeignSpec,
    LeakSpec,
    LesionSpec,
    Treatment,
)

FIRST_SEED = {"tuning": 5800, "reporting": 20800}
ATTEMPTS = 6
HFS = PatientPosition.HFS
# Distance from L5 to what has to be seen of the sacrum, mm.
SACRUM_MM = 45.0


@dataclass(frozen=True)
class StudyRecipe:
    """One study of several series."""

    kind: str
    seed: int
    half: Half

    @property
    def name(self) -> str:
        """How tables name it."""
        return f"study-{self.kind}-{self.seed}"

    @property
    def family(self) -> Family:
        """Where it belongs."""
        return Family.STUDIES

    def make(self) -> Case:
        """Simulate it; ValueError where nothing that was drawn has room."""
        error = ValueError("nothing was tried")
        for attempt in range(ATTEMPTS):
            try:
                made, others, position = KINDS[self.kind](self._spec(attempt))
            except ValueError as refused:
                error = refused
                continue
            case = case_of(made, self, f"{self.kind}: {describe(made.spec)}")
            return replace(case, series=self._series(made, others, position))
        raise error

    def _spec(self, attempt: int) -> CaseSpec:
        scene = draw_scene(self.seed, attempt)
        kinds = list(LeakType)
        leaks = tuple(
            LeakSpec(kinds[(self.seed + 2 * i) % 5], float(scene.rng.uniform(0.08, 0.4)), scene.side)
            for i in range(2)
        )
        return scene.treated(leaks=leaks)

    def _series(
        self, made: PhantomCase, others: list[tuple[str, Volume]], position: PatientPosition
    ) -> tuple[Series, ...]:
        found = [("Spine before", made.pre), *others, ("Spine after", made.post)]
        return tuple(
            Series(
                volume,
                SeriesDetails(
                    i + 2,
                    name,
                    f"{9 + i:02d}1500",
                    slice_thickness_mm=made.spec.scanner.slice_thickness_mm,
                    position=position,
                    study=self.name,
                ),
                is_pre=volume is made.pre,
            )
            for i, (name, volume) in enumerate(found)
            if volume is not None
        )


# What is analysed, other series in between, and how the patient lies.
Made = tuple[PhantomCase, list[tuple[str, Volume]], PatientPosition]


def _decoy(spec: CaseSpec) -> Made:
    """Return a study with a series of the injection: a needle, and a third of the cement."""
    made = make_case(spec)
    treatment = spec.treatments[0]
    if treatment.cement is None:
        raise AssertionError("the treated vertebra has cement")
    less = replace(treatment.cement, volume_ml=0.35 * treatment.cement.volume_ml, filling=None)
    during = replace(
        spec,
        seed=spec.seed + 7,
        treatments=(replace(treatment, cement=less, leaks=()),),
        foreign=(ForeignSpec(ForeignObject.NEEDLE_WITH_CEMENT, treatment.level, Side.LEFT),),
        pre_scanner=None,
    )
    return made, [("Spine injection", make_case(during).post)], PatientPosition.HFP


def _two_post(spec: CaseSpec) -> Made:
    """Return a study with a post series for each of two treated levels; the later one is analysed."""
    level = Level(ORDER[ORDER.index(spec.treatments[0].level.value) - 3])
    lesion = LesionSpec(0.2 * body_ml(level, spec.scale))
    upper = Treatment(level, lesion, CementSpec(1.5, opacity_hu=2000.0))
    patient = replace(spec, treatments=(upper,), focus=level, pre_scanner=None)
    return make_case(spec), [("Spine upper level", make_case(around_levels(patient, [level])).post)], HFS


def _prone(spec: CaseSpec) -> Made:
    return make_case(spec), [], PatientPosition.HFP


def _feet_first_on_the_side(spec: CaseSpec) -> Made:
    return make_case(spec), [], PatientPosition.FFDR


def _six_lumbar(spec: CaseSpec) -> Made:
    """Return a patient with L6, the sacrum in view."""
    treatment = replace(spec.treatments[0], level=Level.L5, leaks=spec.treatments[0].leaks[:1])
    whole = around_levels(
        replace(spec, lumbar_count=6, focus=Level.L5, treatments=(treatment,)), [Level.L4, Level.L6]
    )
    z, y, x = whole.fov_mm
    c_z, c_y, c_x = whole.fov_centre_mm
    return (
        make_case(
            replace(whole, fov_mm=(z + SACRUM_MM / 2, y, x), fov_centre_mm=(c_z - SACRUM_MM / 4, c_y, c_x))
        ),
        [],
        PatientPosition.HFS,
    )


KINDS: dict[str, Callable[[CaseSpec], Made]] = {
    "decoy": _decoy,
    "two-post": _two_post,
    "prone": _prone,
    "feet-first": _feet_first_on_the_side,
    "six-lumbar": _six_lumbar,
}


def study_recipes(half: Half) -> list[Recipe]:
    """Return the recipes of a half."""
    return [StudyRecipe(kind, FIRST_SEED[half] + i, half) for i, kind in enumerate(KINDS)]
