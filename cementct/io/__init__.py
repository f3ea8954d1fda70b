"""Files in and out: DICOM, NIfTI, NRRD and MHA read, label maps written."""
