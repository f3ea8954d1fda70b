"""One CT image as its header describes it: its series, where it lies, and how its pixels are stored."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec

from cementct.io.elements import Elements, safe_uid
from cementct.io.raw_header import RawHeader

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT_IMAGES = frozenset({"1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"})
DICOMDIR = "1.2.840.10008.1.3.10"
SEGMENTATIONS = frozenset({"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"})
SECONDARY_CAPTURES = "1.2.840.10008.5.1.4.1.1.7"

Position = tuple[float, float, float]
Orientation = tuple[float, float, float, float, float, float]


class Identity(NamedTuple):
    """Who the patient is, kept only to tell patients apart and to keep them out of names."""

    name: str
    number: str
    birth_date: str


class SeriesHeader(msgspec.Struct, frozen=True):
    """What all images of a series have in common.

    Attributes
    ----------
    raw_uid
        SeriesInstanceUID as it stands in the file; for comparison only.
    uid, study_uid, frame_of_reference_uid
        UIDs, or None where blank or not a UID.
    number
        Series number, or None.
    modality, sop_class_uid
        Kind of image.
    image_type
        Values of Image Type in capitals.
    kernel
        Convolution kernel, the parts joined by a space.
    thickness_mm
        Nominal slice thickness, or None.
    patient_position
        As HFS, FFP, ….
    patient
        Who it is.
    """

    raw_uid: str
    uid: str | None
    study_uid: str | None
    frame_of_reference_uid: str | None
    number: int | None
    modality: str
    sop_class_uid: str
    image_type: tuple[str, ...]
    kernel: str
    thickness_mm: float | None
    patient_position: str
    patient: Identity


class PixelFormat(msgspec.Struct, frozen=True):
    """How the pixels of an image are stored.

    Attributes
    ----------
    transfer_syntax
        UID of the encoding.
    rows, columns
        Size of one frame.
    bits_allocated, bits_stored, high_bit
        Bits of one pixel.
    signed
        Whether pixels are two's complement.
    samples
        Colours of a pixel.
    photometric
        Photometric interpretation. MONOCHROME1 says how to show pixels, not what they mean: it never
        inverts HU.
    frames
        Number of frames in the file.
    """

    transfer_syntax: str
    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    samples: int
    photometric: str
    frames: int


class Rescale(msgspec.Struct, frozen=True):
    """How stored numbers become Hounsfield units.

    Attributes
    ----------
    slope, intercept
        ``HU = stored × slope + intercept``.
    padding
        Lowest and highest stored number that stand for "not measured", or None.
    """

    slope: float
    intercept: float
    padding: tuple[int, int] | None


class ImageHeader(msgspec.Struct, frozen=True):
    """One image: a file of a classic series, or one frame of a multi-frame file.

    Attributes
    ----------
    file
        Path relative to the folder that was searched.
    frame
        Number of the frame in the file, from 0.
    series
        What it shares with its series.
    format
        How its pixels are stored.
    sop_uid
        SOPInstanceUID, or None.
    instance_number
        As in the header; for messages and for nothing else.
    position_lps_mm, orientation, spacing_mm
        ImagePositionPatient, ImageOrientationPatient, PixelSpacing (between rows, between columns).
    rescale
        How stored numbers become HU.
    pixel_offset
        Where its uncompressed pixels start in the file, or None where they have to be decoded.
    acquisition_number, temporal_position
        What may tell apart phases that lie at the same place.
    acquired, content_time
        When it was scanned and when made; None where the header does not say.
    clock
        Which element `acquired` comes from.
    """

    file: str
    frame: int
    series: SeriesHeader
    format: PixelFormat
    sop_uid: str | None
    instance_number: int | None
    position_lps_mm: Position
    orientation: Orientation
    spacing_mm: tuple[float, float]
    rescale: Rescale
    pixel_offset: int | None
    acquisition_number: int | None
    temporal_position: int | None
    acquired: datetime | None
    content_time: datetime | None
    clock: str


_SERIES_TAGS = (
    0x0020000E, 0x0020000D, 0x00200052, 0x00200011, 0x00080060, 0x00080016, 0x00080008, 0x00181210,
    0x00180050, 0x00185100, 0x00100010, 0x00100020, 0x00100030, 0x00020002,
)  # fmt: skip
_FORMAT_TAGS = (
    0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103, 0x00280002, 0x00280004,
    0x00280008,
)  # fmt: skip


class HeaderReader:
    """Turns raw headers into described images, and shares what the images of a series have in common."""

    def __init__(self) -> None:
        self._series: dict[tuple[bytes, ...], SeriesHeader] = {}
        self._formats: dict[tuple[object, ...], PixelFormat] = {}
        self._rescales: dict[tuple[object, ...], Rescale] = {}

    def series(self, raw: RawHeader) -> SeriesHeader:
        """Return what the image shares with its series."""
        values = raw.values
        key = tuple([values.get(tag, b"") for tag in _SERIES_TAGS])
        found = self._series.get(key)
        if found is None:
            found = self._series[key] = _series_header(Elements(values))
        return found

    def format(self, raw: RawHeader) -> PixelFormat:
        """Return how the image's pixels are stored."""
        values = raw.values
        key = (raw.transfer_syntax, *[values.get(tag) for tag in _FORMAT_TAGS])
        found = self._formats.get(key)
        if found is None:
            found = self._formats[key] = _pixel_format(Elements(values), raw.transfer_syntax)
        return found

    def rescale(self, slope: float, intercept: float, padding: tuple[int, int] | None) -> Rescale:
        """Return the rescale, shared where it is the same."""
        key = (slope, intercept, padding)
        found = self._rescales.get(key)
        if found is None:
            found = self._rescales[key] = Rescale(slope, intercept, padding)
        return found


def _series_header(e: Elements) -> SeriesHeader:
    raw_uid = e.text(0x0020000E)
    thickness = e.number(0x00180050)
    return SeriesHeader(
        raw_uid=raw_uid,
        uid=safe_uid(raw_uid),
        study_uid=safe_uid(e.text(0x0020000D)),
        frame_of_reference_uid=safe_uid(e.text(0x00200052)),
        number=e.whole(0x00200011),
        modality=e.text(0x00080060).upper(),
        sop_class_uid=e.text(0x00080016) or e.text(0x00020002),
        image_type=tuple(part.strip().upper() for part in e.text(0x00080008).split("\\")),
        kernel=" ".join(part.strip() for part in e.text(0x00181210).split("\\")),
        thickness_mm=thickness if thickness is not None and thickness > 0 else None,
        patient_position=e.text(0x00185100).upper(),
        patient=Identity(_name(e), e.text(0x00100020), e.text(0x00100030)),
    )


def _name(e: Elements) -> str:
    """Return the patient's name, decoded as far as the common character sets go."""
    raw = e.raw(0x00100010)
    try:
        return raw.decode("utf-8").strip(" \0")
    except UnicodeDecodeError:
        return raw.decode("latin-1").strip(" \0")


def _pixel_format(e: Elements, transfer_syntax: str) -> PixelFormat:
    allocated = e.short(0x00280100) or 0
    stored = e.short(0x00280101) or allocated
    high_bit = e.short(0x00280102)
    return PixelFormat(
        transfer_syntax=transfer_syntax,
        rows=e.short(0x00280010) or 0,
        columns=e.short(0x00280011) or 0,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=stored - 1 if high_bit is None else high_bit,
        signed=e.short(0x00280103) == 1,
        samples=e.short(0x00280002) or 1,
        photometric=e.text(0x00280004).upper(),
        frames=e.whole(0x00280008) or 1,
    )


def padding_of(elements: Elements, form: PixelFormat) -> tuple[int, int] | None:
    """Return the lowest and highest stored number that stand for "not measured"."""
    first = elements.short(0x00280120)
    if first is None:
        return None
    last = elements.short(0x00280121)
    bounds = [first, first if last is None else last]
    if form.signed:
        bounds = [b - 0x10000 if b >= 0x8000 else b for b in bounds]
    return min(bounds), max(bounds)
