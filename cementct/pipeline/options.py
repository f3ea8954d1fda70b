"""What the user asked for, read from words into types and checked before any work begins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from cementct.core.errors import StudyRefused, UsageError
from cementct.core.formats import DEFAULT_FORMATS, ReportFormat
from cementct.core.levels import LabelScheme, Level
from cementct.pipeline.shards import Shard

# Label files whose numbers mean nothing without a scheme; a DICOM SEG brings codes of its own.
LABEL_FILE_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")
# Larger limits than a year and a petabyte are mistakes.
LONGEST_LIMIT_S, LARGEST_LIMIT_GB = 366 * 24 * 3600.0, 1e6

# After how many seconds a study of several is given up where the user names no limit; it takes 3 to 60 s with
# the embedded engine, and up to some 20 minutes with a network on a CPU.
BATCH_LIMIT_S = 3600.0

_Choice = TypeVar("_Choice", bound=StrEnum)


class Engine(StrEnum):
    """What finds the vertebrae where no label file is given."""

    EMBEDDED = "embedded"
    TOTALSEGMENTATOR = "totalsegmentator"


@dataclass(frozen=True)
class RunOptions:
    """The options of one run.

    Attributes
    ----------
    engine
        What finds the vertebrae, named by the user. None: the study's own label file, else the embedded one.
    vertebra_file
        Label map or DICOM SEG of the vertebrae, given by hand.
    label_scheme
        What the numbers of a label map mean, in `vertebra_file` or in a study's own folder.
    top_level
        The level of the uppermost vertebra whose body is whole in view.
    levels
        The treated levels, from the top.
    post_uid, pre_uid
        SeriesInstanceUID of the series to use, chosen by hand.
    lesion_file, cement_file
        Masks given by hand.
    anatomy_file
        Vertebrae, their levels and points on their walls, given by hand.
    jobs
        How many studies are worked on at once.
    skip_existing
        Whether studies whose report stands in the output are left alone.
    formats
        Forms of the report.
    series_offset
        Added to the series numbers of DICOM results.
    study_timeout_s
        After how many seconds a study is given up. None: one study alone never, each of several after
        `BATCH_LIMIT_S`.
    study_memory_gb
        How much memory a study may take beyond the program itself, in 1e9 bytes; None: what there is.
    shard
        The share of the studies that this run is to do; None: all.
    scheduler
        Address of the Dask scheduler whose workers do them; None: this machine.
    """

    engine: Engine | None = None
    vertebra_file: Path | None = None
    label_scheme: LabelScheme | None = None
    top_level: Level | None = None
    levels: tuple[Level, ...] = ()
    post_uid: str | None = None
    pre_uid: str | None = None
    lesion_file: Path | None = None
    cement_file: Path | None = None
    anatomy_file: Path | None = None
    jobs: int = 1
    skip_existing: bool = False
    formats: tuple[ReportFormat, ...] = DEFAULT_FORMATS
    series_offset: int = 0
    study_timeout_s: float | None = None
    study_memory_gb: float | None = None
    shard: Shard | None = None
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.vertebra_file and self.label_scheme is None and needs_scheme(self.vertebra_file):
            raise scheme_missing(self.vertebra_file.name)
        if self.jobs < 1:
            raise UsageError(f"--jobs: expected a whole number of 1 or more, got {self.jobs}")
        # No comparison holds for what is not a number.
        if self.study_timeout_s is not None and not 0 < self.study_timeout_s <= LONGEST_LIMIT_S:
            raise UsageError(
                f"--study-timeout: expected a number of seconds above 0 and at most {LONGEST_LIMIT_S:g}, "
                f"got {self.study_timeout_s:g}"
            )
        if self.study_memory_gb is not None and not 0 < self.study_memory_gb <= LARGEST_LIMIT_GB:
            raise UsageError(
                f"--study-memory: expected a number of gigabytes above 0 and at most {LARGEST_LIMIT_GB:g}, "
                f"got {self.study_memory_gb:g}"
            )

    def for_many(self) -> RunOptions:
        """Return the options for each of several studies: one that hangs must not stop the others."""
        return self if self.study_timeout_s is not None else replace(self, study_timeout_s=BATCH_LIMIT_S)

    def named_for_one_study(self) -> tuple[str, ...]:
        """Return the given options that name something of one study only, as the user wrote them."""
        given = {
            "--vertebrae FILE": self.vertebra_file,
            "--top-level": self.top_level,
            "--levels": self.levels or None,
            "--post": self.post_uid,
            "--pre": self.pre_uid,
            "--lesion": self.lesion_file,
            "--cement": self.cement_file,
            "--anatomy": self.anatomy_file,
        }
        return tuple(name for name, value in given.items() if value is not None)

    def check_study_count(self, studies: int) -> None:
        """Refuse options that name something of one study where there are several.

        Raises
        ------
        UsageError
            With more than one study and any such option.
        """
        names = self.named_for_one_study()
        if studies > 1 and names:
            raise UsageError(
                f"{', '.join(names)}: expected one study, because this names something of one study only; "
                f"found {studies} studies. Run them one by one, or leave the option out"
            )


def needs_scheme(label_file: Path) -> bool:
    """Tell whether the numbers of a label file mean nothing without a scheme."""
    return label_file.name.lower().endswith(LABEL_FILE_SUFFIXES)


def scheme_missing(file_name: str) -> UsageError:
    """Return the error for a label map whose numbers nobody explained."""
    schemes = ", ".join(LabelScheme)
    return UsageError(
        f"{file_name}: the same number means different levels in different schemes; "
        f"say which one it follows with --label-scheme ({schemes})"
    )


def parse_vertebrae(text: str) -> tuple[Engine | None, Path | None]:
    """Return the engine or the label file that a word names.

    Raises
    ------
    UsageError
        Where it is neither an engine nor something that looks like a path.
    StudyRefused
        Where it looks like a path and nothing is there.
    """
    if text in set(Engine):
        return Engine(text), None
    path = Path(text)
    if path.exists():
        return None, path
    if "/" in text or "\\" in text or path.suffix:
        raise StudyRefused(f"--vertebrae: expected a label file, found nothing at {path.name}")
    engines = ", ".join(Engine)
    raise UsageError(f"--vertebrae: expected one of {engines}, or a label file; got '{text}'")


def parse_level(text: str, *, option: str) -> Level:
    """Return the level that a word such as 'L2' names, in either case.

    Raises
    ------
    UsageError
        Where no vertebra has that name.
    """
    try:
        return Level(text.strip().upper())
    except ValueError:
        raise UsageError(f"{option}: expected a level such as T12 or L3, got '{text.strip()}'") from None


def parse_levels(text: str, *, option: str = "--levels") -> tuple[Level, ...]:
    """Return the levels of a comma-separated list, from the top.

    Raises
    ------
    UsageError
        Where one is no level, stands twice, or none is given.
    """
    levels = [parse_level(word, option=option) for word in _words(text)]
    if not levels:
        raise UsageError(f"{option}: expected levels such as L2,L4, got nothing")
    doubles = sorted({level.value for level in levels if levels.count(level) > 1})
    if doubles:
        raise UsageError(f"{option}: expected each level once, got {', '.join(doubles)} more than once")
    return tuple(sorted(levels, key=lambda level: level.rank))


def parse_formats(text: str) -> tuple[ReportFormat, ...]:
    """Return the formats of a comma-separated list, in the registry's order.

    Raises
    ------
    UsageError
        Where one is not known, or none is given.
    """
    wanted = {_choice(word, ReportFormat, option="--format") for word in _words(text)}
    if not wanted:
        raise UsageError(f"--format: expected some of {','.join(ReportFormat)}, got nothing")
    return tuple(form for form in ReportFormat if form in wanted)


def parse_label_scheme(text: str) -> LabelScheme:
    """Return the label scheme that a word names.

    Raises
    ------
    UsageError
        Where no scheme has that name.
    """
    return _choice(text, LabelScheme, option="--label-scheme")


def existing_file(text: str, *, option: str) -> Path:
    """Return the path of a file that is there.

    Raises
    ------
    StudyRefused
        Where nothing, or a folder, is there.
    """
    path = Path(text)
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        raise StudyRefused(f"{option}: expected a file, found {found} at {path.name}")
    return path


def _choice(word: str, choices: type[_Choice], *, option: str) -> _Choice:
    try:
        return choices(word.strip().lower())
    except ValueError:
        known = ", ".join(_values(choices))
        raise UsageError(f"{option}: expected one of {known}; got '{word.strip()}'") from None


def _values(choices: type[_Choice]) -> Iterable[str]:
    return (choice.value for choice in choices)


def _words(text: str) -> list[str]:
    return [word for word in text.replace(";", ",").split(",") if word.strip()]
