"""A folder of DICOM files: which series it holds, and each of them as a volume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cementct.core.errors import StudyRefused
from cementct.core.findings import IgnoredSeries
from cementct.io.apart import ReadingFailed
from cementct.io.grouping import Grouping
from cementct.io.header import Identity, ImageHeader
from cementct.io.hounsfield import check_hounsfield
from cementct.io.images import ImageReader, Unusable
from cementct.io.parse import parse_header
from cementct.io.pixels import read_hu
from cementct.io.privacy import PatientWords
from cementct.io.raw_header import NotDicom
from cementct.io.scan import Scan, SeriesIdentity, scan_of
from cementct.io.series import Series
from cementct.io.tilt import undo_tilt
from cementct.io.walk import FoundFiles, find_files

# What the mercure router puts beside the images it hands over; a study is the same whichever way it came.
ROUTER_FILES = ("task.json",)
ROUTER_SUFFIXES = (".tags",)


@dataclass(frozen=True)
class DicomFolder:
    """What a folder of DICOM files holds.

    Attributes
    ----------
    root
        The folder that was searched.
    series
        Every stack that makes a volume, in the order of series number and file.
    ignored
        What is no volume, and why: scouts, dose reports, secondary captures, single slices, other modalities,
        links, damaged files.
    patients
        Who the images are of; for telling patients apart, and for nothing else.
    private
        The words that must not be repeated in names.
    dicom_files
        Number of DICOM files, usable or not.
    """

    root: Path
    series: tuple[Series, ...]
    ignored: tuple[IgnoredSeries, ...]
    patients: tuple[Identity, ...]
    private: PatientWords
    dicom_files: int


@dataclass(frozen=True)
class _Broken:
    """A file that is no usable image."""

    file: str
    why: str
    series_raw_uid: str
    series_uid: str | None
    expected: bool


def scan_folder(root: Path, *, found: FoundFiles | None = None, prefix: str = "") -> DicomFolder:
    """Return the series that a folder holds, found by the content of its files.

    Parameters
    ----------
    root
        The folder; any nesting and any file names.
    found
        The files to look at, where they are known already; else all below `root`.
    prefix
        Path of `root` relative to INPUT, for messages.

    Raises
    ------
    StudyRefused
        Where the folder cannot be listed.
    """
    found = find_files(root) if found is None else found
    reader = ImageReader(root)
    images: list[ImageHeader] = []
    broken: list[_Broken] = []
    patients: set[Identity] = set()
    dicom_files = others = 0
    for file in found.files:
        try:
            raw = parse_header(f"{root}/{file}")
        except NotDicom:
            others += not _belongs_to_a_router(file)
            continue
        except ReadingFailed as failure:
            broken.append(_Broken(file, str(failure), "", None, expected=False))
            dicom_files += 1
            continue
        except OSError as error:
            broken.append(_Broken(file, f"cannot be read ({error.strerror})", "", None, expected=False))
            continue
        dicom_files += 1
        series = reader.series(raw)
        patients.add(series.patient)
        try:
            images.extend(reader.images(raw, series, file))
        except Unusable as reason:
            broken.append(_Broken(file, str(reason), series.raw_uid, series.uid, expected=True))
    private = PatientWords.of(patients, prefix=prefix)
    grouping = Grouping(root, private)
    for bucket in _buckets(images):
        uid = bucket[0].series.raw_uid
        damaged = [b.file for b in broken if uid and b.series_raw_uid == uid and _is_damage(b.why)]
        grouping.add(bucket, damaged)
    ignored = [*grouping.ignored, *_ignored_files(broken, private)]
    ignored.extend(
        IgnoredSeries(series_instance_uid=None, file=private.redact(name), why=_sentence(why))
        for name, why in found.passed_over
    )
    if others:
        why = f"{_count(others, 'file')} {'is' if others == 1 else 'are'} not DICOM."
        ignored.append(IgnoredSeries(series_instance_uid=None, file=None, why=why))
    ordered = sorted(grouping.series, key=lambda s: (s.header.number is None, s.header.number or 0, s.key))
    return DicomFolder(root, tuple(ordered), tuple(ignored), tuple(sorted(patients)), private, dicom_files)


def _belongs_to_a_router(file: str) -> bool:
    return file.rsplit("/", 1)[-1] in ROUTER_FILES or file.endswith(ROUTER_SUFFIXES)


def read_series(series: Series) -> Scan:
    """Return the volume of a series.

    Raises
    ------
    UnreadableFile
        Where pixels cannot be read or decoded.
    StudyRefused
        Where the numbers cannot be Hounsfield units.
    """
    try:
        hu = read_hu(series.root, series.images, private=series.private)
    except MemoryError as error:
        raise StudyRefused(f"{series.name}: not enough memory for {series.count} images") from error
    if any(series.drift):
        hu = undo_tilt(hu, series)
    doubts = check_hounsfield(hu, series.name)
    return scan_of(hu, series.grid, series=identity_of(series), flags=(*series.flags, *doubts))


def identity_of(series: Series) -> SeriesIdentity:
    """Return what is known of a series apart from its pixels."""
    header = series.header
    return SeriesIdentity(
        series_uid=header.uid,
        study_uid=header.study_uid,
        frame_of_reference_uid=header.frame_of_reference_uid,
        sop_class_uid=header.sop_class_uid,
        number=header.number,
        kernel=header.kernel,
        thickness_mm=header.thickness_mm,
        patient_position=header.patient_position,
        acquired=series.acquired,
        tilt_deg=series.tilt_deg,
        folder=str(series.root),
        files=tuple(image.file for image in series.images),
        frames=tuple(image.frame for image in series.images),
        sop_uids=tuple(image.sop_uid for image in series.images),
    )


def _buckets(images: Iterable[ImageHeader]) -> list[list[ImageHeader]]:
    """Return the images of each series together: by study, series UID, number, kernel and whether derived.

    Series without a UID are told apart by their number, kernel and geometry only.
    """
    buckets: dict[tuple[object, ...], list[ImageHeader]] = {}
    for image in images:
        series = image.series
        derived = "DERIVED" in series.image_type
        key = (series.study_uid, series.raw_uid, series.number, series.kernel, derived, series.patient)
        buckets.setdefault(key, []).append(image)
    return list(buckets.values())


def _is_damage(why: str) -> bool:
    """Tell whether a file would have been an image of its series, had it not been damaged."""
    return why.startswith(("cut short", "no pixel", "no rescale", "no image position", "an absurd"))


def _ignored_files(broken: Iterable[_Broken], private: PatientWords) -> list[IgnoredSeries]:
    """Return one record for all files of a series that were set aside for the same reason."""
    groups: dict[tuple[str, str], list[_Broken]] = {}
    for item in broken:
        groups.setdefault((item.series_raw_uid, item.why), []).append(item)
    records: list[IgnoredSeries] = []
    for items in groups.values():
        first = min(items, key=lambda b: b.file)
        more = f" ({_count(len(items), 'file')})" if len(items) > 1 else ""
        named = first.series_uid is not None and not _is_damage(first.why)
        records.append(
            IgnoredSeries(
                series_instance_uid=first.series_uid,
                file=None if named else private.redact(first.file),
                why=_sentence(first.why + more),
            )
        )
    return records


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def reasons_in_short(ignored: Iterable[IgnoredSeries]) -> str:
    """Return the commonest reasons why nothing could be used, for a refusal in one line."""
    counts = Counter(item.why.rstrip(".").lower() for item in ignored)
    return "; ".join(why for why, _ in counts.most_common(3))
