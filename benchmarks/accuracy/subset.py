"""A few small cases of the bench that every change is tested on."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.accuracy.cases import Case, Family, Half
from benchmarks.accuracy.drawing import around_levels
from benchmarks.accuracy.phantoms import case_of, describe
from cementct.core.findings import LeakType, Side
from cementct.core.levels import Level
from cementct.testing.phantom import make_case
from cementct.testing.spec import CaseSpec, CementSpec, LeakShape, LeakSpec, LesionSpec, Scanner, Treatment

# Coarse enough to be simulated in seconds.
SCANNER = Scanner(0.65, 1.3, 1.3, noise_hu=15.0, clip_hu=3071)
THICK = Scanner(0.65, 2.5, 2.5, noise_hu=20.0, clip_hu=3071)


@dataclass(frozen=True)
class SubsetRecipe:
    """One treated vertebra, and the setting that it is analysed under."""

    name: str
    level: Level
    leaks: tuple[LeakSpec, ...]
    scanner: Scanner = SCANNER
    setting: str = "labels"
    seed: int = 5900

    @property
    def half(self) -> Half:
        """Whether anybody may tune on it."""
        return "tuning"

    @property
    def family(self) -> Family:
        """Where it belongs."""
        return Family.PHANTOMS

    def make(self) -> Case:
        """Simulate it."""
        lesion = LesionSpec(2.6, centre=(0.1, -0.2, 0.0))
        cement = CementSpec(2.6, filling=0.8, opacity_hu=2400.0)
        spec = CaseSpec(
            seed=self.seed,
            focus=self.level,
            treatments=(Treatment(self.level, lesion, cement, self.leaks),),
            scale=0.92,
            scanner=self.scanner,
            pre_scanner=self.scanner if self.setting.endswith("+pre") else None,
        )
        made = make_case(around_levels(spec, [self.level]))
        return case_of(made, self, describe(made.spec))


SUBSET = (
    SubsetRecipe(
        "subset-diskal-paravertebral",
        Level.T10,
        (
            LeakSpec(LeakType.DISKAL, 0.25, Side.LEFT),
            LeakSpec(LeakType.PARAVERTEBRAL, 0.2, Side.RIGHT, LeakShape.CORD),
        ),
        setting="labels+pre",
    ),
    SubsetRecipe(
        "subset-epidural-foraminal",
        Level.T11,
        (LeakSpec(LeakType.EPIDURAL, 0.2, Side.LEFT), LeakSpec(LeakType.FORAMINAL, 0.15, Side.RIGHT)),
    ),
    SubsetRecipe("subset-no-leak-thick", Level.T9, (), THICK, "embedded"),
)
