"""Whether images are of one patient, as far as headers say."""

from __future__ import annotations

from collections.abc import Iterable

from cementct.io.dicom import DicomFolder
from cementct.io.header import Identity


class OnePatient:
    """Takes one folder after another, and tells as soon as images of a second patient are among them.

    What the header leaves out contradicts nothing.
    """

    def __init__(self) -> None:
        self._patients: dict[Identity, None] = {}
        self.still = True

    def take(self, folder: DicomFolder) -> bool:
        """Tell whether all images so far may be of one patient: same number, or same name and birth date."""
        of_images = {series.header.patient for series in folder.series}
        for patient in sorted(of_images or folder.patients):
            if patient in self._patients:
                continue
            self.still = self.still and all(_may_be_same(patient, other) for other in self._patients)
            self._patients[patient] = None
        return self.still


def one_patient(folders: Iterable[DicomFolder]) -> bool:
    """Tell whether all images may be of one patient, as far as headers say."""
    whole = OnePatient()
    return all(whole.take(folder) for folder in folders)


def _may_be_same(one: Identity, other: Identity) -> bool:
    if one.number and other.number and one.number == other.number:
        return True
    named = _plain(one.name) == _plain(other.name) or not (one.name and other.name)
    born = one.birth_date == other.birth_date or not (one.birth_date and other.birth_date)
    if one.number and other.number:
        return bool(one.name and one.birth_date) and named and born and bool(other.name and other.birth_date)
    return named and born


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
