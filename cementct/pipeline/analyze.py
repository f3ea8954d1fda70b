"""One study, from what the user names to its report."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from cementct import __version__
from cementct.anatomy.hints import NOTHING_GIVEN
from cementct.anatomy.naming import LevelHints
from cementct.core.errors import UsageError
from cementct.core.findings import Software, StudyReport
from cementct.core.levels import LabelScheme, Level
from cementct.io.files import volume_suffix
from cementct.io.hints import read_hints
from cementct.pipeline.discover import StudyForm, StudySource, discover_studies, named_volume
from cementct.pipeline.masks import read_cement, read_lesion
from cementct.pipeline.options import RunOptions, parse_vertebrae, scheme_missing
from cementct.pipeline.progress import ProgressListener, Stage, StageStarted, ignore_progress
from cementct.pipeline.steps import Subject
from cementct.pipeline.study import Analysis, ReportOrigin, analyze_volumes
from cementct.pipeline.study_input import StudyInput, open_study, study_identity
from cementct.pipeline.vertebrae import engine_for_post, engine_for_pre
from cementct.segmentation.presence import shows_cement

# Options that change what a report says; all others change only where, when and in which form it is written.
_SCIENTIFIC = ("engine", "vertebra_file", "label_scheme", "top_level", "levels", "post_uid", "pre_uid")
_FILES = ("vertebra_file", "lesion_file", "cement_file", "anatomy_file")


def analyze(  # noqa: PLR0913 - one argument an option of the command line
    study: str | Path,
    *,
    vertebrae: str | Path | None = None,
    label_scheme: LabelScheme | str | None = None,
    top_level: Level | str | None = None,
    levels: Iterable[Level | str] = (),
    post: str | None = None,
    pre: str | None = None,
    lesion: str | Path | None = None,
    cement: str | Path | None = None,
    anatomy: str | Path | None = None,
    listener: ProgressListener = ignore_progress,
) -> StudyReport:
    """Analyse one study and return its report.

    Parameters
    ----------
    study
        A DICOM folder, a folder with ``post.nii.gz``, or one volume file.
    vertebrae
        ``"embedded"`` (the default), ``"totalsegmentator"``, or a label file.
    label_scheme
        What the numbers of a label file mean.
    top_level
        The level of the uppermost vertebra whose body is whole in view.
    levels
        The treated levels, in any order.
    post, pre
        SeriesInstanceUIDs, to choose the series by hand.
    lesion, cement
        Mask files.
    anatomy
        JSON file of centres, endplates and levels given by hand.
    listener
        Called with progress events.

    Raises
    ------
    StudyRefused
        Where the study cannot be analysed; the message says why.
    UsageError
        Where the arguments contradict themselves, or the path holds several studies.
    """
    engine, vertebra_file = parse_vertebrae(str(vertebrae)) if vertebrae is not None else (None, None)
    options = RunOptions(
        engine=engine,
        vertebra_file=vertebra_file,
        label_scheme=LabelScheme(label_scheme) if label_scheme else None,
        top_level=Level(top_level) if top_level else None,
        levels=tuple(sorted((Level(level) for level in levels), key=lambda level: level.rank)),
        post_uid=post,
        pre_uid=pre,
        lesion_file=Path(lesion) if lesion else None,
        cement_file=Path(cement) if cement else None,
        anatomy_file=Path(anatomy) if anatomy else None,
    )
    sources = discover_studies([Path(study)], shows_cement)
    if len(sources) != 1:
        raise UsageError(f"expected one study, found {len(sources)}; analyse them one by one")
    check_label_scheme(sources[0], options)
    return analyze_source(sources[0], options, listener=listener).report


def analyze_source(
    source: StudySource, options: RunOptions, *, listener: ProgressListener = ignore_progress
) -> Analysis:
    """Analyse one study that was found.

    Parameters
    ----------
    source
        The study.
    options
        What the user asked for.
    listener
        Called with progress events.
    """

    def tell(stage: Stage) -> None:
        listener(StageStarted(source.name, stage))

    tell(Stage.READING)
    keep_to_one_thread()
    study = open_study(source, shows_cement, post_uid=options.post_uid, pre_uid=options.pre_uid)
    about = ReportOrigin(software_of(options), study_identity(source))
    return analyze_volumes(study, subject_of(study, options), about, tell=tell)


def subject_of(study: StudyInput, options: RunOptions) -> Subject:
    """Return the volumes of a study with the engines and masks that the options name."""
    grid = study.post.volume.grid
    lesion = options.lesion_file or study.lesion_file
    cement = options.cement_file or study.cement_file
    from_file = options.vertebra_file or (study.vertebra_file if options.engine is None else None)
    by_hand = read_hints(options.anatomy_file, grid) if options.anatomy_file else NOTHING_GIVEN
    return Subject(
        post=study.post.volume,
        pre=study.pre.volume if study.pre else None,
        find_vertebrae=engine_for_post(options, study.vertebra_file, by_hand),
        find_vertebrae_before=engine_for_pre(options),
        carries_bodies=from_file is None,
        hints=LevelHints(top_level=options.top_level, treated_levels=options.levels, by_hand=by_hand),
        drawn_lesion=read_lesion(lesion, grid) if lesion else None,
        drawn_cement=read_cement(cement, grid) if cement else None,
    )


def check_label_scheme(source: StudySource, options: RunOptions) -> None:
    """Refuse a label file in the study's own folder whose numbers nobody explained.

    Raises
    ------
    UsageError
        Where ``--label-scheme`` is missing.
    """
    if options.label_scheme or options.engine or options.vertebra_file:
        return
    file = named_volume(source.path, "vertebrae") if source.form is StudyForm.VOLUME_FOLDER else None
    if file is not None and volume_suffix(file) is not None:
        raise scheme_missing(f"{source.name}: {file.name}")


def software_of(options: RunOptions) -> Software:
    """Return name, version and a fingerprint of everything in the options that can change a report."""
    wanted: dict[str, object] = {name: getattr(options, name) for name in _SCIENTIFIC if name not in _FILES}
    for name in _FILES:
        file: Path | None = getattr(options, name)
        wanted[name] = hashlib.sha256(file.read_bytes()).hexdigest() if file else None
    digest = hashlib.sha256(msgspec.json.encode(wanted, order="sorted")).hexdigest()
    return Software(name="cementct", version=__version__, config_sha256=digest)


def keep_to_one_thread() -> None:
    """Let SimpleITK use one thread: sums over several threads differ in their last digits from run to run."""
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
