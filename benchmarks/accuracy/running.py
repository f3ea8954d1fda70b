"""One case analysed under one setting, and scores kept until the code changes."""

from __future__ import annotations

import hashlib
import pickle
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.accuracy.cases import CACHE, ROOT, Case, Recipe, cache_file, keep, load
from benchmarks.accuracy.scores import CaseScore
from benchmarks.accuracy.scoring import failed, score
from cementct import __version__
from cementct.anatomy.labels import SpineLabels
from cementct.core.findings import Software
from cementct.core.image import LabelMap, Volume
from cementct.core.levels import LabelScheme
from cementct.io.labelmaps import write_nifti
from cementct.io.scan import scan_of
from cementct.pipeline.analyze import analyze_source
from cementct.pipeline.discover import discover_studies
from cementct.pipeline.options import RunOptions
from cementct.pipeline.steps import Subject
from cementct.pipeline.study import Analysis, ReportOrigin, analyze_volumes, label_maps
from cementct.pipeline.study_input import StudyInput
from cementct.segmentation.presence import shows_cement
from cementct.segmentation.vertebrae.embedded import segment_vertebrae
from cementct.segmentation.vertebrae.label_file import labels_from_file
from cementct.testing.dicom import write_ct_series

SETTINGS = ("labels+pre", "embedded+pre", "labels", "embedded")
SCORES = CACHE / "scores"
# Parts of the package that no number hangs on.
WITHOUT_SCIENCE = ("testing", "report", "node", "console", "cli")


def run_recipe(recipe: Recipe, settings: tuple[str, ...]) -> list[CaseScore]:
    """Return the scores of one case, from the cache where case and code are the same as then.

    Nothing where the case has no room for what was wanted.
    """
    files = {setting: _score_file(recipe, setting) for setting in settings}
    found: dict[str, CaseScore] = {}
    for setting, file in files.items():
        if file.is_file():
            found[setting] = pickle.loads(zlib.decompress(file.read_bytes()))  # noqa: S301 - written below
    missing = [s for s in settings if s not in found]
    case = load(recipe) if missing else None
    if case is not None:
        engine = remembering(segment_vertebrae)
        for setting in (s for s in missing if is_possible(case, s)):
            found[setting] = run(case, setting, engine)
            for old in SCORES.glob(f"{_stem(recipe, setting)}-*.score"):
                old.unlink(missing_ok=True)
            keep(files[setting], found[setting])
    return [found[s] for s in settings if s in found]


def is_possible(case: Case, setting: str) -> bool:
    """Tell whether a case has what a setting needs."""
    has_pre = case.pre is not None or len(case.series) > 1
    return (has_pre or not setting.endswith("+pre")) and (
        case.labels_known or not setting.startswith("labels")
    )


def run(case: Case, setting: str, engine: Callable[[Volume], SpineLabels] = segment_vertebrae) -> CaseScore:
    """Analyse one case under one setting and score it; an analysis that breaks is the worst of results."""
    started = time.process_time()
    try:
        analysis = analyze_case(case, setting, engine)
    except Exception as error:  # noqa: BLE001 - the bench goes on and says so
        return failed(case, setting, repr(error))
    grid = case.post.grid
    maps = {name: LabelMap(labels, grid) for name, labels in label_maps(analysis).items()}
    result = score(case, setting, analysis.report, maps)
    return replace(result, seconds=time.process_time() - started)


def analyze_case(
    case: Case, setting: str, engine: Callable[[Volume], SpineLabels] = segment_vertebrae
) -> Analysis:
    """Return everything that is found in one case under one setting."""
    if case.series:
        return analyze_files(case, setting)
    from_labels = setting.startswith("labels")

    def from_file(volume: Volume) -> SpineLabels:
        del volume
        if case.vertebrae is None:
            raise ValueError("the case has no label file")
        return labels_from_file(case.vertebrae, LabelScheme.VERSE)

    post = scan_of(case.post.hu, case.post.grid)
    study = StudyInput(post, post.report("The case."))
    subject = Subject(
        post=case.post,
        pre=case.pre if setting.endswith("+pre") else None,
        find_vertebrae=from_file if from_labels else engine,
        find_vertebrae_before=engine,
        carries_bodies=not from_labels,
    )
    origin = ReportOrigin(Software(name="cementct", version=__version__, config_sha256=""), None)
    return analyze_volumes(study, subject, origin, tell=lambda _: None)


def analyze_files(case: Case, setting: str) -> Analysis:
    """Write the case's series as DICOM and analyse the folder, as a user would.

    Raises
    ------
    ValueError
        Where another series than the case's `post` was chosen.
    """
    with TemporaryDirectory() as folder:
        study = Path(folder) / "study"
        for series in case.series:
            if setting.endswith("+pre") or not series.is_pre:
                write_ct_series(study / str(series.details.number), series.volume, series.details)
        options = RunOptions()
        if setting.startswith("labels") and case.vertebrae is not None:
            labels = Path(folder) / "vertebrae.nii.gz"
            write_nifti(labels, np.asarray(case.vertebrae.labels), case.vertebrae.grid)
            options = RunOptions(vertebra_file=labels, label_scheme=LabelScheme.VERSE)
        (source,) = discover_studies([study], shows_cement)
        analysis = analyze_source(source, options)
    grid = analysis.study.post.volume.grid
    if grid.shape != case.post.grid.shape or not np.allclose(
        grid.origin_lps_mm, case.post.grid.origin_lps_mm, atol=0.1
    ):
        raise ValueError("another series was analysed")
    return analysis


def remembering(engine: Callable[[Volume], SpineLabels]) -> Callable[[Volume], SpineLabels]:
    """Return the engine with a memory: it looks at each scan of a case once, whatever the setting."""
    known: dict[int, SpineLabels] = {}

    def look(volume: Volume) -> SpineLabels:
        key = id(volume)
        if key not in known:
            known[key] = engine(volume)
        return known[key]

    return look


def _stem(recipe: Recipe, setting: str) -> str:
    return f"{cache_file(recipe).stem}-{setting}"


def _score_file(recipe: Recipe, setting: str) -> Path:
    return SCORES / f"{_stem(recipe, setting)}-{code_digest()}.score"


@cache
def code_digest() -> str:
    """Return a fingerprint of all code that scores hang on."""
    package = ROOT / "cementct"
    files = [
        p
        for p in sorted(package.rglob("*"))
        if p.suffix in {".py", ".npz", ".toml", ".json"}
        and p.relative_to(package).parts[0].removesuffix(".py") not in WITHOUT_SCIENCE
    ]
    own = [Path(__file__).with_name(f"{n}.py") for n in ("running", "scores", "scoring", "matching")]
    digest = hashlib.sha256()
    for file in [*files, *own]:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]
