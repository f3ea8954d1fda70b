"""DICOM files written anew in another encoding: compressed, deflated, big endian or implicit."""

from __future__ import annotations

from enum import Enum
from pathlib import Path


class Encoding(Enum):
    """A transfer syntax, by its UID."""

    IMPLICIT_LITTLE = "1.2.840.10008.1.2"
    EXPLICIT_BIG = "1.2.840.10008.1.2.2"
    DEFLATED = "1.2.840.10008.1.2.1.99"
    RLE = "1.2.840.10008.1.2.5"
    JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
    JPEG_LS = "1.2.840.10008.1.2.4.80"
    JPEG_2000 = "1.2.840.10008.1.2.4.90"


_GDCM_NAMES = {
    Encoding.RLE: "RLELossless",
    Encoding.JPEG_LOSSLESS: "JPEGLosslessProcess14_1",
    Encoding.JPEG_LS: "JPEGLSLossless",
    Encoding.JPEG_2000: "JPEG2000Lossless",
}


def recode(path: Path, encoding: Encoding) -> None:
    """Write an uncompressed little endian CT image anew in another encoding, in its place."""
    if encoding in _GDCM_NAMES:
        _compress(path, _GDCM_NAMES[encoding])
        return
    import numpy as np
    import pydicom
    from pydicom.uid import UID

    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = UID(encoding.value)
    if encoding is Encoding.EXPLICIT_BIG:
        dataset.decode()
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
        pydicom.dcmwrite(path, dataset, implicit_vr=False, little_endian=False, force_encoding=True)
        return
    dataset.save_as(path, enforce_file_format=True)


def _compress(path: Path, gdcm_name: str) -> None:
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, gdcm_name)))
    if not reader.Read():
        raise ValueError(f"{path.name}: expected a DICOM image")
    change.SetInput(reader.GetImage())
    if not change.Change():
        raise ValueError(f"{path.name}: cannot be written as {gdcm_name}")
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    if not writer.Write():
        raise ValueError(f"{path.name}: cannot be written")
