"""What the folder of a study in the output is called."""

from __future__ import annotations

import hashlib
import re

from cementct.io.files import DICOM_SUFFIXES, VOLUME_SUFFIXES
from cementct.io.privacy import PatientWords

# Names in the output folder that belong to the batch as a whole.
TAKEN = frozenset({"summary.csv", "summary.json", "summary.parquet", "."})
_NOBODY = PatientWords()


class StudyNames:
    """Hands out names, each once."""

    def __init__(self) -> None:
        self._taken = set(TAKEN)

    def name(self, input_name: str, *, private: PatientWords = _NOBODY, study_uid: str | None = None) -> str:
        """Return the name of a study's output folder.

        Parameters
        ----------
        input_name
            Name of the input's own folder or file.
        private
            The words of the patient's name and number; a name that holds them is not used.
        study_uid
            What the name is made from instead.
        """
        stem = without_suffix(input_name)
        if private.are_in(stem):
            stem = f"study-{hashlib.sha256((study_uid or '').encode()).hexdigest()[:8]}"
        stem = re.sub(r"[^A-Za-z0-9._-]", "", stem).lstrip(".") or "study"
        name, number = stem, 1
        while name in self._taken:
            number += 1
            name = f"{stem}-{number}"
        self._taken.add(name)
        return name


def without_suffix(file_name: str) -> str:
    """Return a file name without the ending that says it is a volume."""
    for suffix in (*VOLUME_SUFFIXES, *DICOM_SUFFIXES):
        if file_name.lower().endswith(suffix) and len(file_name) > len(suffix):
            return file_name[: -len(suffix)]
    return file_name
