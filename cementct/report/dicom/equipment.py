"""What every DICOM result says of the tool that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cementct.core.findings import Software
from cementct.report import wording
from cementct.report.dicom.codes import PRIVATE_SCHEME, PRIVATE_SCHEME_NAME, PRIVATE_SCHEME_VERSION, Concept

if TYPE_CHECKING:
    from highdicom import AlgorithmIdentificationSequence, ContributingEquipment
    from highdicom.sr import CodedConcept
    from pydicom.dataset import Dataset

MANUFACTURER = "cementct project"
MODEL = "cementct"
# A tool has no serial number; the element may not be empty.
SERIAL_NUMBER = "0"


def coded(concept: Concept) -> CodedConcept:
    """Return a concept as highdicom wants it."""
    from highdicom.sr import CodedConcept

    return CodedConcept(concept.value, concept.scheme, concept.meaning)


def contributing_equipment(software: Software) -> ContributingEquipment:
    """Return the item that names this tool as processing equipment (DCM 109102)."""
    from highdicom import ContributingEquipment
    from pydicom.sr.codedict import codes

    return ContributingEquipment(
        manufacturer=MANUFACTURER,
        purpose_of_reference=codes.DCM.ProcessingEquipment,
        manufacturer_model_name=MODEL,
        software_versions=(software.version,),
        contribution_description=wording.RESEARCH_ONLY,
    )


def algorithm(software: Software) -> AlgorithmIdentificationSequence:
    """Return the identification of the algorithm, for segments."""
    from highdicom import AlgorithmIdentificationSequence
    from pydicom.sr.codedict import codes

    return AlgorithmIdentificationSequence(
        name=software.name, family=codes.DCM.ArtificialIntelligence, version=software.version
    )


def declare_private_scheme(dataset: Dataset) -> None:
    """Declare the private coding scheme in an object that uses it."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    item = Dataset()
    item.CodingSchemeDesignator = PRIVATE_SCHEME
    item.CodingSchemeName = PRIVATE_SCHEME_NAME
    item.CodingSchemeVersion = PRIVATE_SCHEME_VERSION
    item.CodingSchemeResponsibleOrganization = MANUFACTURER
    others = list(dataset.get("CodingSchemeIdentificationSequence", []))
    dataset.CodingSchemeIdentificationSequence = Sequence([*others, item])
