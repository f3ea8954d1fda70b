"""All bad studies."""

from __future__ import annotations

from cementct.testing.hostile.case import HostileCase
from cementct.testing.hostile.dicom_cases import dicom_cases
from cementct.testing.hostile.folder_cases import folder_cases, output_cases
from cementct.testing.hostile.volume_cases import volume_cases


def hostile_cases() -> tuple[HostileCase, ...]:
    """Return all cases, those with bad inputs first."""
    return (*dicom_cases(), *volume_cases(), *folder_cases(), *output_cases())
