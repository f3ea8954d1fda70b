"""The cases that the anatomy engine is measured on, and their cache."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from cementct.core.arrays import FloatArray
from cementct.core.image import LabelMap, Volume

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "anatomy"
REAL_DATA = ROOT.parent / "shared" / "data"

Half = Literal["tuning", "reporting"]
Family = Literal["real", "real, perturbed", "masks", "phantom"]

# Raised by whoever changes what recipes make (here or in `cementct.testing`); every case is then made anew.
CASES_VERSION = 7


@dataclass(frozen=True)
class AnatomyCase:
    """One scan and what is true of it; label maps lie on the grid of `post`.

    Attributes
    ----------
    name, description
        How tables name it, and what it shows.
    family
        A real CT as it is (tuning only), a real CT made harder, CT simulated from real masks, a phantom.
    half
        Whether anybody may tune on it.
    slice_mm
        Distance of its slices.
    post, pre
        The scans, in canonical order; `pre` where there is one.
    vertebrae, bodies
        In VerSe numbers, vertebrae that the scan cuts included; S1 (26) and cervical ones may be among them.
    cement, leaks
        Number of the vertebra that cement belongs to, leaked or not; type of the leak (1 diskal, 2 epidural
        …).
    treated
        Numbers of the destroyed and cemented vertebrae.
    canal_lps_mm
        Middle of the canal, shape (n, 3), from top to bottom; empty where nothing tells it.
    names_knowable
        Whether the image shows what names hang on: ribs that end at T12, or the sacrum.
    whole_truth
        Whether the posterior elements in `vertebrae` deserve to be measured against.
    """

    name: str
    description: str
    family: Family
    half: Half
    slice_mm: float
    post: Volume
    pre: Volume | None
    vertebrae: LabelMap
    bodies: LabelMap
    cement: LabelMap | None
    leaks: LabelMap | None
    treated: tuple[int, ...]
    canal_lps_mm: FloatArray
    names_knowable: bool
    whole_truth: bool = True


class Recipe(Protocol):
    """What a case is made from; its `repr` tells cases apart."""

    @property
    def name(self) -> str:
        """How tables name it."""

    @property
    def half(self) -> Half:
        """Whether anybody may tune on it."""

    def make(self) -> AnatomyCase:
        """Return the case; ValueError where it has no room for what was wanted."""


def cache_file(recipe: Recipe) -> Path:
    """Return where a case is kept; the name changes with the recipe and `CASES_VERSION`."""
    digest = hashlib.sha256(f"{CASES_VERSION} {recipe!r}".encode())
    return CACHE / f"{recipe.half}-{recipe.name}-{digest.hexdigest()[:12]}.pickle"


def load(recipe: Recipe) -> AnatomyCase | None:
    """Return a case from the cache, or make it; None where what was wanted has no room."""
    file = cache_file(recipe)
    if file.is_file():
        case: AnatomyCase | None = pickle.loads(file.read_bytes())  # noqa: S301 - written by this function
        return case
    try:
        case = recipe.make()
    except ValueError as error:
        print(f"{recipe.name}: no room ({error})", flush=True)
        case = None
    CACHE.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_bytes(pickle.dumps(case, protocol=5))
    part.replace(file)
    return case
