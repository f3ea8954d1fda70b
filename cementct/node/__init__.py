"""A DICOM node: receives studies, analyses them once they are complete, and sends the results on."""
