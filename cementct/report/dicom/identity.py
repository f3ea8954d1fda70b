"""UIDs and dates of the results: the same input gives the same objects, byte by byte."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from cementct.core.findings import StudyReport
from cementct.core.formats import DICOM_FORMATS, ReportFormat
from cementct.report.json import encode_report

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# Series numbers of the results begin here; scanners seldom number so high.
FIRST_SERIES_NUMBER = 9100


@dataclass(frozen=True)
class ResultIdentity:
    """Where the UIDs of one study's results come from.

    Attributes
    ----------
    seed
        A hash of the report, which names the series, the version and the configuration.
    first_series_number
        Series number of the first kind of result.
    """

    seed: str
    first_series_number: int = FIRST_SERIES_NUMBER

    @classmethod
    def of(
        cls,
        report: StudyReport,
        formats: Collection[ReportFormat] = (),
        first_series_number: int = FIRST_SERIES_NUMBER,
    ) -> ResultIdentity:
        """Return the identity of a report's results, made in certain forms under certain series numbers.

        Objects refer to each other, so that what one holds depends on which others are made. Names and
        places of files do not count: a study has the same results whichever way it came.
        """
        nowhere = msgspec.structs.replace(report.study, input_sha256=None)
        parts = (
            hashlib.sha256(encode_report(msgspec.structs.replace(report, study=nowhere))).hexdigest(),
            ",".join(form for form in ReportFormat if form in formats and form in DICOM_FORMATS),
            str(first_series_number),
        )
        return cls("|".join(parts), first_series_number)

    def uid(self, *names: str | int) -> str:
        """Return the UID of one thing in the results, derived from a UUID (PS3.5, B.2)."""
        text = "|".join([self.seed, *map(str, names)])
        return f"2.25.{int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], 'big')}"


def settle(dataset: Dataset, source: Dataset, identity: ResultIdentity, kind: str) -> None:
    """Give an object the date of its source and UIDs that do not change from run to run.

    Objects are stamped with the time of their writing otherwise, and with random UIDs inside; then one UID
    would have two contents.
    """
    date = str(source.get("AcquisitionDate") or source.get("SeriesDate") or source.get("StudyDate") or "")
    time = str(source.get("AcquisitionTime") or source.get("SeriesTime") or source.get("StudyTime") or "")
    for name in ("ContentDate", "InstanceCreationDate", "SeriesDate", "DateOfSecondaryCapture"):
        if name in dataset:
            setattr(dataset, name, date)
    for name in ("ContentTime", "InstanceCreationTime", "SeriesTime", "TimeOfSecondaryCapture"):
        if name in dataset:
            setattr(dataset, name, time)
    for item in dataset.get("ContributingEquipmentSequence", []):
        if "ContributionDateTime" in item:
            del item.ContributionDateTime
    organization = identity.uid(kind, "dimension-organization")
    for item in _items(dataset, "DimensionOrganizationSequence", "DimensionIndexSequence"):
        if "DimensionOrganizationUID" in item:
            item.DimensionOrganizationUID = organization


def _items(dataset: Dataset, *names: str) -> Iterator[Dataset]:
    for name in names:
        yield from dataset.get(name, [])
