"""Whether images are of one patient, as far as headers say."""

from __future__ import annotations

from collections.abc import Iterable

from cementct.io.dicom import DicomFolder
from cementct.io.header import Identity


def one_patient(folders: Iterable[DicomFolder]) -> bool:
    """Tell whether all images may be of one patient: the same number, or the same name and birth date.

    What the header leaves out contradicts nothing.
    """
    patients: list[Identity] = []
    for folder in folders:
        of_images = {series.header.patient for series in folder.series}
        for patient in sorted(of_images or folder.patients):
            if not all(_may_be_same(patient, other) for other in patients):
                return False
            patients.append(patient)
    return True


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
