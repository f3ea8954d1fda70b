"""Folders that may be studies, each known by its headers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cementct.io.dicom import DicomFolder, scan_folder
from cementct.io.limits import MAX_STUDY_FILES
from cementct.io.walk import FoundFiles
from cementct.pipeline.patients import one_patient
from cementct.pipeline.timing import order_key


@dataclass(frozen=True)
class Part:
    """A folder that may be a study: what is known of it once its headers were read.

    Attributes
    ----------
    folder
        What it holds; without its series where nobody will ask for them any more.
    study_uid
        StudyInstanceUID of its latest series, or None.
    several_patients
        Whether its images are of more than one patient.
    refused
        Why it was not looked at, or None.
    """

    folder: DicomFolder
    study_uid: str | None
    several_patients: bool
    refused: str | None = None

    def without_series(self) -> Part:
        """Return the same in little memory: there may be thousands of studies with hundreds of images."""
        return replace(self, folder=replace(self.folder, series=(), ignored=()))


def scanned(root: Path, found: FoundFiles) -> Part:
    """Read the headers of a folder that may be a study."""
    if len(found.files) > MAX_STUDY_FILES:
        nothing = scan_folder(root, found=FoundFiles(root, (), ()))
        refused = f"expected at most {MAX_STUDY_FILES} files in a study, found {len(found.files)}"
        return Part(nothing, None, several_patients=False, refused=refused)
    folder = scan_folder(root, found=found)
    return Part(folder, study_uid_of(folder), several_patients=not one_patient([folder]))


def study_uid_of(folder: DicomFolder) -> str | None:
    """Return the StudyInstanceUID of the latest series, or None."""
    for series in sorted(folder.series, key=order_key, reverse=True):
        if series.header.study_uid:
            return series.header.study_uid
    return None
