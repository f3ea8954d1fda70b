"""Results as DICOM objects: segmentation, structured report, key images and the report as PDF."""
