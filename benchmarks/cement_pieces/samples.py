"""Pieces of known truth: what stands out in scans of the tuning half, and whether it is cement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from benchmarks.accuracy.cases import Case, Recipe
from benchmarks.accuracy.catalogue import recipes
from benchmarks.accuracy.implants import FromMasksRecipe, ScanRecipe, implant_recipes
from benchmarks.accuracy.phantoms import PhantomRecipe
from benchmarks.accuracy.running import analyze_case, is_possible
from cementct.core.levels import Level
from cementct.segmentation.cement import exclusion
from cementct.segmentation.cement.piece import PieceFeatures
from cementct.segmentation.cement.piece_model import variables_of

SETTINGS = ("labels+pre", "labels", "embedded")
# Smaller pieces are noise. A piece is cement, or not, by such a share of it; those in between teach nothing.
SMALLEST_ML = 0.015
CEMENT_SHARE, OTHER_SHARE = 0.5, 0.1
# Further patients and implants than the tuning half has, with seeds of their own.
MORE_PHANTOMS = (*range(5040, 5070), *range(5100, 5120))
MORE_SCANS = (("lumbar", "L2"), ("lumbar", "L4"), ("chest", "T8"), ("chest", "T11"))
MORE_SCAN_SEEDS = range(5900, 5916)
MORE_MASKS = (("T12", 1.0), ("L1", 1.0), ("L2", 2.0), ("T11", 1.0), ("L3", 1.5), ("T12", 2.0))
FIRST_MASK_SEED = 5920
# The same with leaks as they are in patients: the first ones have hardly any thin sheets and cords.
RICH_SCAN_SEEDS = range(5960, 5984)
RICH_MASKS = (
    ("T12", 1.0),
    ("L1", 2.0),
    ("L2", 3.0),
    ("T11", 1.5),
    ("L3", 3.0),
    ("L2", 1.0),
    ("T12", 2.0),
    ("L1", 3.0),
)
FIRST_RICH_MASK_SEED = 5990


@dataclass(frozen=True)
class Sample:
    """One piece: its case and setting, what is weighed of it, and the share of it that is cement."""

    case: str
    setting: str
    variables: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    cement_share: float


def learning_recipes() -> list[Recipe]:
    """Return what is learned from: the tuning half but its studies and negatives, and more like it."""
    out = [r for r in recipes("tuning") if r.family.value in ("phantoms", "traps", "implants")]
    out += [PhantomRecipe(seed) for seed in MORE_PHANTOMS]
    if implant_recipes("tuning"):
        for seeds in (MORE_SCAN_SEEDS, RICH_SCAN_SEEDS):
            for i, seed in enumerate(seeds):
                scan, level = MORE_SCANS[i % len(MORE_SCANS)]
                out.append(ScanRecipe(scan, Level(level), "tuning", seed))
        for masks, first in ((MORE_MASKS, FIRST_MASK_SEED), (RICH_MASKS, FIRST_RICH_MASK_SEED)):
            for i, (name, slice_mm) in enumerate(masks):
                top, bottom = Level("T10"), Level("L4")
                out.append(
                    FromMasksRecipe("verse004", top, bottom, Level(name), "tuning", first + i, slice_mm)
                )
    return out


def samples_of(case: Case) -> list[Sample]:
    """Return the pieces that are looked at in a case, in each of the settings that it allows."""
    found: list[Sample] = []
    for setting in SETTINGS:
        if is_possible(case, setting):
            with _recorded(case, setting, found):
                analyze_case(case, setting)
    return found


@contextmanager
def _recorded(case: Case, setting: str, found: list[Sample]) -> Iterator[None]:
    """Write down every piece that is described meanwhile; of one that is looked at twice, the last look."""
    describe = exclusion.describe_piece
    kept: dict[tuple[int, ...], Sample] = {}

    def recording(scene, around, candidates, where, block, *, compared) -> PieceFeatures:  # type: ignore[no-untyped-def]
        piece = describe(scene, around, candidates, where, block, compared=compared)
        truth = case.cement
        if truth is not None and piece.volume_ml >= SMALLEST_ML:
            own = truth.labels[scene.box.slices][block][where] > 0
            first = tuple(np.argwhere(where)[0] + np.array([s.start for s in block]))
            kept[first] = Sample(case.name, setting, variables_of(piece), float(own.mean()))
        return piece

    exclusion.describe_piece = recording
    try:
        yield
    finally:
        exclusion.describe_piece = describe
        found += [s for s in kept.values() if not OTHER_SHARE <= s.cement_share <= CEMENT_SHARE]
