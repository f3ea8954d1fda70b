"""All cases of the bench, family by family."""

from __future__ import annotations

from benchmarks.accuracy.cases import Case, Family, Half, Recipe, load
from benchmarks.accuracy.implants import implant_recipes
from benchmarks.accuracy.negatives import negative_recipes
from benchmarks.accuracy.phantoms import phantom_recipes
from benchmarks.accuracy.studies import study_recipes
from benchmarks.accuracy.traps import trap_recipes
from benchmarks.independent_implants.implants import independent_implant_recipes
from benchmarks.independent_spines.spines import independent_spine_recipes

MAKERS = {
    Family.PHANTOMS: phantom_recipes,
    Family.TRAPS: trap_recipes,
    Family.STUDIES: study_recipes,
    Family.IMPLANTS: implant_recipes,
    Family.NEGATIVES: negative_recipes,
    Family.INDEPENDENT: lambda half: [*independent_spine_recipes(half), *independent_implant_recipes(half)],
}


def recipes(half: Half, families: tuple[Family, ...] = tuple(Family)) -> list[Recipe]:
    """Return the recipes of a half, in the order of the families."""
    return [recipe for family in families for recipe in MAKERS[family](half)]


def case_named(name: str) -> Case:
    """Return one case of the tuning half by its name, made where it is not in the cache.

    Raises
    ------
    KeyError
        Where there is none of that name, or it has no room for what was wanted.
    """
    for recipe in recipes("tuning"):
        if recipe.name == name:
            case = load(recipe)
            if case is not None:
                return case
    raise KeyError(name)
