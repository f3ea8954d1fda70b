"""The report as Encapsulated PDF, in the patient's study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cementct.core.findings import StudyReport
from cementct.io.quiet import quiet
from cementct.report import wording
from cementct.report.dicom.equipment import (
    MANUFACTURER,
    MODEL,
    SERIAL_NUMBER,
    contributing_equipment,
)
from cementct.report.dicom.identity import ResultIdentity, settle
from cementct.report.dicom.source import SourceImages

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def build_encapsulated_pdf(
    document: bytes, report: StudyReport, source: SourceImages, identity: ResultIdentity
) -> Dataset:
    """Return a PDF file wrapped as a DICOM object (Encapsulated PDF Storage).

    Parameters
    ----------
    document
        The PDF file.
    report
        Names the version.
    source
        The images that patient and study are taken from.
    identity
        Of its UIDs.
    """
    from highdicom.base import SOPClass
    from pydicom.uid import EncapsulatedPDFStorage

    first = source.first
    with quiet():
        made: Dataset = SOPClass(
            study_instance_uid=first.StudyInstanceUID,
            series_instance_uid=identity.uid("pdf", "series"),
            series_number=identity.first_series_number + 3,
            sop_instance_uid=identity.uid("pdf", "instance"),
            sop_class_uid=EncapsulatedPDFStorage,
            instance_number=1,
            modality="DOC",
            manufacturer=MANUFACTURER,
            manufacturer_model_name=MODEL,
            software_versions=report.software.version,
            device_serial_number=SERIAL_NUMBER,
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            series_description="cementct report as PDF",
            patient_id=first.PatientID,
            patient_name=first.PatientName,
            patient_birth_date=first.PatientBirthDate,
            patient_sex=first.PatientSex or None,
            accession_number=first.AccessionNumber,
            study_id=first.StudyID,
            study_date=first.StudyDate,
            study_time=first.StudyTime,
            referring_physician_name=first.ReferringPhysicianName,
            specific_character_set=first.get("SpecificCharacterSet"),
        )
    made.ConversionType = "WSD"
    made.ContentDate = made.ContentTime = made.AcquisitionDateTime = None
    made.BurnedInAnnotation = "NO"
    made.DocumentTitle = f"Bone cement on CT. {wording.RESEARCH_ONLY}"
    made.ConceptNameCodeSequence = []
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    made.EncapsulatedDocumentLength = len(document)
    made.ContributingEquipmentSequence = [contributing_equipment(report.software)]
    settle(made, first, identity, "pdf")
    return made
