"""The cases that accuracy is measured on, and their cache."""

from __future__ import annotations

import hashlib
import pickle
import zlib
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from benchmarks.anatomy.cases import REAL_DATA, ROOT, Half
from cementct.core.image import LabelMap, Volume
from cementct.testing.dicom import SeriesDetails
from cementct.testing.spec import CaseSpec
from cementct.testing.truth import CaseTruth

__all__ = ["REAL_DATA", "ROOT", "Case", "Family", "Half", "Recipe", "Series", "cache_file", "load"]

CACHE = ROOT / ".cache" / "accuracy"

# Raised by whoever changes what recipes make (here or in `cementct.testing`); every case is then made anew.
CASES_VERSION = 10


class Family(StrEnum):
    """The families of the bench; traps and studies belong to the phantoms.

    Independent cases were simulated by somebody who did not know the algorithms.
    """

    PHANTOMS = "phantoms"
    TRAPS = "traps"
    STUDIES = "studies"
    IMPLANTS = "implants"
    NEGATIVES = "negatives"
    INDEPENDENT = "independent"


@dataclass(frozen=True)
class Series:
    """One series of a study that is analysed through its DICOM files; `is_pre`: left out where post only."""

    volume: Volume
    details: SeriesDetails
    is_pre: bool = False


@dataclass(frozen=True)
class Case:
    """One examination and what is true of it; label maps lie on the grid of `post`.

    Attributes
    ----------
    name, description
        How tables name it, and what it shows.
    family, half
        Where it belongs.
    slice_mm, noise_hu, pixel_mm
        Distance of slices, standard deviation of noise (None: that of a real CT), in-plane spacing.
    clip_hu
        Largest value that was stored; None: not clipped.
    post, pre
        The scans, in canonical order.
    vertebrae
        What a user could give as a label file, in VerSe numbers.
    truth
        Its numbers.
    lesion, cement, leaks
        Voxel truth: numbers of vertebrae, and types of leaks.
    loss_before, loss_after
        Height loss by level in the two scans, where they differ.
    has_metal, streaks_only
        What forbids to read canal and foramina, and whether streaks are all that lies in them.
    series
        Where it goes through files: the series of its folder.
    labels_known
        Whether there is a label file to give.
    spec
        What a phantom was made from.
    """

    name: str
    description: str
    family: Family
    half: Half
    slice_mm: float
    pixel_mm: float
    noise_hu: float | None
    clip_hu: int | None
    post: Volume
    pre: Volume | None
    vertebrae: LabelMap | None
    truth: CaseTruth
    lesion: LabelMap | None = None
    cement: LabelMap | None = None
    leaks: LabelMap | None = None
    loss_before: dict[str, float] = field(default_factory=dict)
    loss_after: dict[str, float] | None = None
    has_metal: bool = False
    streaks_only: bool = False
    series: tuple[Series, ...] = ()
    labels_known: bool = True
    spec: CaseSpec | None = None


class Recipe(Protocol):
    """What a case is made from; its `repr` tells cases apart."""

    @property
    def name(self) -> str:
        """How tables name it."""

    @property
    def half(self) -> Half:
        """Whether anybody may tune on it."""

    @property
    def family(self) -> Family:
        """Where it belongs."""

    def make(self) -> Case:
        """Return the case; ValueError where it has no room for what was wanted."""


def cache_file(recipe: Recipe) -> Path:
    """Return where a case is kept; the name changes with the recipe and `CASES_VERSION`."""
    digest = hashlib.sha256(f"{CASES_VERSION} {recipe!r}".encode())
    return CACHE / f"{recipe.half}-{recipe.name}-{digest.hexdigest()[:12]}.case"


def load(recipe: Recipe) -> Case | None:
    """Return a case from the cache, or make it; None where what was wanted has no room."""
    file = cache_file(recipe)
    if file.is_file():
        case: Case | None = pickle.loads(zlib.decompress(file.read_bytes()))  # noqa: S301 - written below
        return case
    try:
        case = recipe.make()
    except ValueError as error:
        print(f"{recipe.name}: no room ({error})", flush=True)
        case = None
    keep(file, case)
    return case


def keep(file: Path, value: object) -> None:
    """Write a value to a file of the cache, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_bytes(zlib.compress(pickle.dumps(value, protocol=5), 1))
    part.replace(file)
