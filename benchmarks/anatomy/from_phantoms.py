"""Cases from simulated patients."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from benchmarks.anatomy.canal_truth import canal_of_column
from benchmarks.anatomy.cases import AnatomyCase, Half
from benchmarks.anatomy.treat import Wish, treatments_for
from cementct.core.image import LabelMap
from cementct.core.levels import Level
from cementct.testing.column import build_column, levels_of
from cementct.testing.morphometry import size_of
from cementct.testing.phantom import PhantomCase, make_case
from cementct.testing.spec import CaseSpec, Compression, Scanner, Treatment, Wear
from cementct.testing.surroundings import borders_of

# A body's volume as a share of the box of its mean width, depth and height: an ellipse with a waist and a
# concave back.
BODY_SHARE_OF_BOX = 0.72
# So much of the first sacral segment, with its wings, makes the sacrum recognisable, ml: about a third.
SACRUM_IN_VIEW_ML = 20.0


@dataclass(frozen=True)
class PhantomRecipe:
    """A simulated patient: drawn at random from a seed, with some choices made by hand.

    Attributes
    ----------
    name, half
        Of the case.
    seed
        Of everything that is not chosen here.
    focus
        The level in the middle of the scan.
    scanner
        How it is scanned.
    fov_mm
        Extent along z, y, x.
    rotation_deg, scoliosis_deg
        Of the patient, and of the spine.
    marrow_hu, cortex_mm
        Of the bone; None: drawn.
    wish, compression
        The treated vertebra, and its loss of height.
    with_pre
        Whether there is a pre-injection scan.
    lumbar_count
        4 to 6.
    worn
        Degeneration by level.
    """

    name: str
    half: Half
    seed: int
    focus: Level
    scanner: Scanner = field(default_factory=Scanner)
    fov_mm: tuple[float, float, float] = (140.0, 135.0, 135.0)
    rotation_deg: tuple[float, float, float] | None = None
    scoliosis_deg: float | None = None
    marrow_hu: float | None = None
    cortex_mm: float | None = None
    wish: Wish | None = None
    compression: Compression | None = None
    with_pre: bool = False
    lumbar_count: int = 5
    worn: tuple[tuple[Level, Wear], ...] = ()

    def make(self) -> AnatomyCase:
        """Simulate it; ValueError where the treatment has no room."""
        made = _first_with_room(self)
        spec = made.spec
        column = build_column(spec)
        whole = levels_of(spec)
        treated = tuple(t.level.verse_number for t in spec.treatments)
        return AnatomyCase(
            name=self.name,
            description=_words(self),
            family="phantom",
            half=self.half,
            slice_mm=spec.scanner.slice_spacing_mm,
            post=made.post,
            pre=made.pre,
            vertebrae=made.vertebrae,
            bodies=made.bodies,
            cement=made.cement if treated else None,
            leaks=made.leaks if treated else None,
            treated=treated,
            canal_lps_mm=canal_of_column(made.vertebrae, column, borders_of(column)),
            names_knowable=_names_knowable(made.vertebrae, whole),
        )


def _first_with_room(recipe: PhantomRecipe) -> PhantomCase:
    spec = _spec(recipe)
    if recipe.wish is None:
        return make_case(spec)
    size = size_of(recipe.wish.level, scale=spec.scale)
    loss = recipe.compression
    kept = 1 - (loss.anterior + loss.middle + loss.posterior) / 3 if loss else 1.0
    body_ml = BODY_SHARE_OF_BOX * size.width_mm * size.depth_mm * size.height_mm * kept / 1000
    error = ValueError("nothing was tried")
    for treatment in treatments_for(recipe.wish, body_ml, seed=recipe.seed):
        try:
            return make_case(replace(spec, treatments=(treatment,)))
        except ValueError as refused:
            error = refused
    raise error


def _spec(recipe: PhantomRecipe) -> CaseSpec:
    spec = CaseSpec.random(recipe.seed, with_pre=False)
    none: tuple[Treatment, ...] = ()
    chosen = {
        "rotation_deg": recipe.rotation_deg,
        "scoliosis_deg": recipe.scoliosis_deg,
        "marrow_hu": recipe.marrow_hu,
        "cortex_mm": recipe.cortex_mm,
    }
    spec = replace(spec, **{k: v for k, v in chosen.items() if v is not None})  # type: ignore[arg-type]
    level = recipe.wish.level if recipe.wish else recipe.focus
    return replace(
        spec,
        focus=recipe.focus,
        treatments=none,
        compressed=((level, recipe.compression),) if recipe.compression else (),
        scanner=recipe.scanner,
        pre_scanner=recipe.scanner if recipe.with_pre else None,
        fov_mm=recipe.fov_mm,
        lumbar_count=recipe.lumbar_count,
        worn=recipe.worn,
    )


def _names_knowable(vertebrae: LabelMap, levels: list[Level]) -> bool:
    """Tell whether the sacrum, or the last ribs with a vertebra without ribs below, are in view."""
    counts = {n: r.count * vertebrae.grid.voxel_ml for n, r in vertebrae.regions().items()}
    last_rib = [level for level in levels if level.is_thoracic][-1]
    first_lumbar = next(level for level in levels if level.is_lumbar)
    ends = [level.verse_number for level in (last_rib, first_lumbar)]
    # Both with their bodies: a whole vertebra is 20 ml and more there.
    on_ribs = all(counts.get(n, 0.0) > 20.0 for n in ends)
    return on_ribs or counts.get(Level.S1.verse_number, 0.0) > SACRUM_IN_VIEW_ML


def _words(recipe: PhantomRecipe) -> str:
    spec = _spec(recipe)
    words = [
        f"phantom around {recipe.focus}",
        f"slices {recipe.scanner.slice_spacing_mm:g} mm",
        f"noise {recipe.scanner.noise_hu:g} HU",
        f"marrow {spec.marrow_hu:.0f} HU",
        f"turned {', '.join(f'{d:.0f}' for d in spec.rotation_deg)}°",
        f"scoliosis {spec.scoliosis_deg:.0f}°",
    ]
    if recipe.lumbar_count != 5:
        words.append(f"{recipe.lumbar_count} lumbar vertebrae")
    words += [f"{level}: {_worn(wear)}" for level, wear in recipe.worn]
    if recipe.compression:
        words.append(f"compressed by {recipe.compression.anterior:.0%} in front")
    if recipe.wish:
        words.append(recipe.wish.words)
    return "; ".join(words)


def _worn(wear: Wear) -> str:
    words = {
        "Schmorl node above": wear.schmorl_above_mm,
        "Schmorl node below": wear.schmorl_below_mm,
        "osteophytes": wear.osteophyte_mm,
    }
    found = [f"{word} {depth:g} mm" for word, depth in words.items() if depth]
    return ", ".join([*found, *(["gas in the disc below"] if wear.vacuum_disc else [])])
