"""Random phantoms: the first family."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.accuracy.cases import Case, Family, Half, Recipe
from benchmarks.accuracy.drawing import RICH_FROM, draw_spec, half_of_seed
from cementct.core.levels import Level
from cementct.testing.phantom import PhantomCase, make_case
from cementct.testing.spec import CaseSpec, Compression

FIRST_SEED = {"tuning": 5000, "reporting": 20000}
COUNT = {"tuning": 40, "reporting": 120}
# Metal, near which canal and foramina may rightly be called unreadable.
METAL = frozenset(
    (
        "screw",
        "needle",
        "needle-with-cement",
        "lead",
        "sternal-wire",
        "clips",
        "aortic-stent",
        "cava-filter",
        "hip-prosthesis",
        "vertebral-stent",
        "disc-cage",
    )
)
# Where what was drawn has no room, it is drawn again so many times.
ATTEMPTS = 8


@dataclass(frozen=True)
class PhantomRecipe:
    """A random phantom: one to three treated vertebrae between T5 and L5, most with one to three leaks."""

    seed: int

    @property
    def name(self) -> str:
        """How tables name it."""
        return f"phantom-{self.seed}"

    @property
    def half(self) -> Half:
        """Whether anybody may tune on it."""
        return half_of_seed(self.seed)

    @property
    def family(self) -> Family:
        """Where it belongs."""
        return Family.PHANTOMS

    def make(self) -> Case:
        """Simulate it; ValueError where nothing that was drawn has room in the patient."""
        index = self.seed - FIRST_SEED[self.half]
        rich = self.half == "reporting" or index >= RICH_FROM
        error = ValueError("nothing was tried")
        for attempt in range(ATTEMPTS):
            try:
                made = make_case(draw_spec(self.seed, index, attempt=attempt, rich=rich))
            except ValueError as refused:
                error = refused
                continue
            return case_of(made, self, describe(made.spec))
        raise error


def phantom_recipes(half: Half) -> list[Recipe]:
    """Return the recipes of a half."""
    first = FIRST_SEED[half]
    return [PhantomRecipe(first + i) for i in range(COUNT[half])]


def case_of(made: PhantomCase, recipe: Recipe, description: str) -> Case:
    """Return a simulated patient as a case."""
    spec = made.spec
    raised = spec.compressed_before is not None
    return Case(
        name=recipe.name,
        description=description,
        family=recipe.family,
        half=recipe.half,
        slice_mm=spec.scanner.slice_thickness_mm,
        pixel_mm=spec.scanner.pixel_mm,
        noise_hu=spec.scanner.noise_hu,
        clip_hu=spec.scanner.clip_hu,
        post=made.post,
        pre=made.pre,
        vertebrae=made.vertebrae,
        truth=made.truth,
        lesion=made.lesion,
        cement=made.cement,
        leaks=made.leaks,
        loss_before=_losses(spec.compressed_before or ()),
        loss_after=_losses(spec.compressed) if raised else {},
        spec=spec,
        has_metal=any(f.kind.value in METAL for f in spec.foreign),
    )


def _losses(compressed: tuple[tuple[Level, Compression], ...]) -> dict[str, float]:
    return {level.value: max(loss.anterior, loss.middle, loss.posterior) for level, loss in compressed}


def describe(spec: CaseSpec) -> str:
    """Return a phantom in a few words."""
    scanner = spec.scanner
    clip = "clipped" if scanner.clip_hu else "not clipped"
    size = f"{scanner.pixel_mm:.2f} × {scanner.slice_thickness_mm:g} mm"
    words = [
        f"{size}, {scanner.kernel}, noise {scanner.noise_hu:.0f} HU, {clip}, marrow {spec.marrow_hu:.0f} HU"
    ]
    for t in spec.treatments:
        if t.cement is None:
            continue
        old = "old " if t.cement.old else ""
        leaks = "".join(f", {k.type} {k.volume_ml:.2f} ml" for k in t.leaks)
        words.append(
            f"{t.level}: {old}cement {t.cement.volume_ml:.1f} ml of {t.cement.opacity_hu:.0f} HU{leaks}"
        )
    return "; ".join(words)
