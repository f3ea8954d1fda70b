"""One study opened: its volumes and masks, however they are stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cementct.core.errors import StudyRefused, UsageError
from cementct.core.findings import IgnoredSeries, SeriesReport
from cementct.core.flags import QualityFlag
from cementct.io.dicom import scan_folder
from cementct.io.files import read_volume
from cementct.io.identity import files_identity
from cementct.io.scan import Scan
from cementct.io.walk import FoundFiles, find_files
from cementct.pipeline.choice import UncoveredCement
from cementct.pipeline.choose import choose_series
from cementct.pipeline.discover import MASKS, POST, PRE, StudyForm, StudySource, named_volume
from cementct.pipeline.evidence import ShowsCement


@dataclass(frozen=True)
class StudyInput:
    """The volumes of one study, and what is known of the series that were not used.

    Attributes
    ----------
    post, pre
        The volumes; without a pre-injection one, `pre` is None.
    post_report, pre_report
        What the report says of them.
    ignored
        Series and files that were not used, and why.
    uncovered_cement
        Cement in other series, at places that `post` does not cover.
    flags
        Doubts about the choice of series; those about the volumes stand in `post` and `pre`.
    vertebra_file, lesion_file, cement_file
        Masks that lie in a NIfTI folder, or None.
    """

    post: Scan
    post_report: SeriesReport
    pre: Scan | None = None
    pre_report: SeriesReport | None = None
    ignored: tuple[IgnoredSeries, ...] = ()
    uncovered_cement: tuple[UncoveredCement, ...] = ()
    flags: tuple[QualityFlag, ...] = ()
    vertebra_file: Path | None = None
    lesion_file: Path | None = None
    cement_file: Path | None = None


def open_study(
    source: StudySource, shows_cement: ShowsCement, *, post_uid: str | None = None, pre_uid: str | None = None
) -> StudyInput:
    """Read the volumes of a study.

    Parameters
    ----------
    source
        The study, as `discover_studies` found it.
    shows_cement
        Looks at a volume for cement and needles.
    post_uid, pre_uid
        SeriesInstanceUIDs chosen by hand; for DICOM only.

    Raises
    ------
    StudyRefused
        Where no usable volume is there.
    UsageError
        Where series are chosen by hand in a study that has none.
    """
    if source.refused is not None:
        raise StudyRefused(source.refused)
    if source.form is StudyForm.DICOM:
        return _open_dicom(source, shows_cement, post_uid, pre_uid)
    if post_uid or pre_uid:
        raise UsageError("--post and --pre: expected a DICOM study, because only DICOM series have UIDs")
    if source.form is StudyForm.VOLUME_FOLDER:
        return _open_volume_folder(source)
    post = read_volume(source.path, name=source.shown or source.path.name)
    return StudyInput(post, post.report("The only volume."))


def study_identity(source: StudySource) -> str:
    """Return a fingerprint of everything a study is made of, 64 hex digits.

    It changes with the content of volumes and masks, with the images of a DICOM study (`files_identity`) and
    with names within the study, and not with times or places.

    Raises
    ------
    StudyRefused
        Where the study cannot be read.
    """
    try:
        if source.path.is_file():
            return files_identity(source.path.parent, [source.path.name])
        return files_identity(source.path, find_files(source.path).files)
    except OSError as error:
        raise StudyRefused(f"{source.shown or source.name}: cannot be read ({error.strerror})") from error


def _open_dicom(
    source: StudySource, shows_cement: ShowsCement, post_uid: str | None, pre_uid: str | None
) -> StudyInput:
    if source.path.is_file():
        root = source.path.parent
        folder = scan_folder(root, found=FoundFiles(root, (source.path.name,), ()))
    else:
        folder = scan_folder(source.path, prefix=source.shown)
    choice = choose_series(folder, shows_cement, post_uid=post_uid, pre_uid=pre_uid)
    return StudyInput(
        post=choice.post,
        post_report=choice.post.report(choice.post_why),
        pre=choice.pre,
        pre_report=choice.pre.report(choice.pre_why or "") if choice.pre is not None else None,
        ignored=choice.ignored,
        uncovered_cement=choice.uncovered_cement,
        flags=choice.flags,
    )


def _open_volume_folder(source: StudySource) -> StudyInput:
    def shown(path: Path) -> str:
        return f"{source.shown}/{path.name}" if source.shown else path.name

    paths = {stem: named_volume(source.path, stem) for stem in (POST, PRE, *MASKS)}
    for path in paths.values():
        if path is not None and path.is_symlink() and not _stays_inside(path, source.path):
            raise StudyRefused(f"{shown(path)}: expected a file, found a link that leaves the study's folder")
    post_path, pre_path = paths[POST], paths[PRE]
    if post_path is None:
        raise StudyRefused(f"{source.shown or source.name}: expected post.nii.gz, there is none")
    post = read_volume(post_path, name=shown(post_path))
    pre = read_volume(pre_path, name=shown(pre_path)) if pre_path is not None else None
    used = {path.name for path in paths.values() if path is not None}
    others = sorted(p.name for p in source.path.iterdir() if p.is_file() and p.name not in used)
    return StudyInput(
        post=post,
        post_report=post.report("Named as the post-injection volume."),
        pre=pre,
        pre_report=pre.report("Named as the pre-injection volume.") if pre is not None else None,
        ignored=tuple(
            IgnoredSeries(series_instance_uid=None, file=name, why="Not one of the names that are used.")
            for name in others
            if not name.startswith(".")
        ),
        vertebra_file=paths["vertebrae"],
        lesion_file=paths["lesion"],
        cement_file=paths["cement"],
    )


def _stays_inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
