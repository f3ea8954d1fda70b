"""All cases, by half."""

from __future__ import annotations

from benchmarks.anatomy.cases import Half, Recipe
from benchmarks.anatomy.reporting import reporting_recipes
from benchmarks.anatomy.tuning import tuning_recipes


def recipes(half: Half) -> list[Recipe]:
    """Return the recipes of one half."""
    return tuning_recipes() if half == "tuning" else reporting_recipes()
