"""Which images a file holds, and why it holds none that can be used."""

from __future__ import annotations

from pathlib import Path

from cementct.io.apart import ReadingFailed, read_apart
from cementct.io.elements import Elements, acquisition_moment, content_moment, safe_uid
from cementct.io.header import (
    CT_IMAGE,
    DICOMDIR,
    ENHANCED_CT_IMAGES,
    SECONDARY_CAPTURES,
    SEGMENTATIONS,
    HeaderReader,
    ImageHeader,
    PixelFormat,
    SeriesHeader,
    padding_of,
)
from cementct.io.limits import MAX_AXIS, MAX_SPACING_MM, MIN_SPACING_MM
from cementct.io.raw_header import RawHeader
from cementct.io.tags import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE

# Image types that are pictures of a volume, or maps of something else, whatever their modality says.
PICTURE_TYPES = frozenset(
    {"MIP", "MINIP", "MPR THICK MIP", "VRT", "VOLUME RENDERED", "SSD", "SCREEN SAVE", "SCREENSHOT"}
)
MAP_TYPES = frozenset(
    {
        "PERFUSION",
        "MATERIAL DENSITY",
        "MATERIAL",
        "IODINE",
        "EFFECTIVE_Z",
        "ELECTRON_DENSITY",
        "Z_EFF",
        "RHO_Z",
    }
)
UNCOMPRESSED = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG})


class Unusable(Exception):
    """The file holds no CT image that can become part of a volume; the message is the reason."""


class ImageReader:
    """Describes the images of one file after another."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._shared = HeaderReader()

    def series(self, raw: RawHeader) -> SeriesHeader:
        """Return what the file shares with its series."""
        return self._shared.series(raw)

    def images(self, raw: RawHeader, series: SeriesHeader, file: str) -> list[ImageHeader]:
        """Return the images of one file: one, or one for each frame.

        Raises
        ------
        Unusable
            With the reason, where none can become part of a volume.
        """
        form = self._shared.format(raw)
        _check_kind(series)
        check_format(form)
        if series.sop_class_uid in ENHANCED_CT_IMAGES or raw.multi_frame:
            from cementct.io.enhanced import enhanced_images

            try:
                return read_apart(enhanced_images, self._root / file, raw, file)
            except ReadingFailed as failure:
                raise Unusable(str(failure)) from failure
        if form.frames != 1:
            raise Unusable(f"{form.frames} frames in one file without a position for each")
        return [self._classic(raw, series, form, file)]

    def _classic(self, raw: RawHeader, series: SeriesHeader, form: PixelFormat, file: str) -> ImageHeader:
        e = Elements(raw.values)
        position, orientation = e.numbers(0x00200032, 3), e.numbers(0x00200037, 6)
        spacing = e.numbers(0x00280030, 2)
        if position is None or orientation is None:
            raise Unusable("no image position or orientation in the patient")
        slope, intercept = checked_rescale(e.number(0x00281053), e.number(0x00281052), e.text(0x00281054))
        acquired, clock = acquisition_moment(e)
        return ImageHeader(
            file=file,
            frame=0,
            series=series,
            format=form,
            sop_uid=safe_uid(e.text(0x00080018)) or safe_uid(e.text(0x00020003)),
            instance_number=e.whole(0x00200013),
            position_lps_mm=(position[0], position[1], position[2]),
            orientation=(*orientation[:3], *orientation[3:]),  # type: ignore[arg-type]
            spacing_mm=checked_spacing(spacing),
            rescale=self._shared.rescale(slope, intercept, padding_of(e, form)),
            pixel_offset=pixel_offset(raw, form),
            acquisition_number=e.whole(0x00200012),
            temporal_position=e.whole(0x00200100),
            acquired=acquired,
            content_time=content_moment(e),
            clock=clock,
        )


def _check_kind(series: SeriesHeader) -> None:
    """Set aside what is no CT volume by its kind."""
    kinds = set(series.image_type)
    sop_class = series.sop_class_uid
    if sop_class == DICOMDIR:
        raise Unusable("a DICOM directory")
    if sop_class in SEGMENTATIONS:
        raise Unusable("a segmentation, not an image; name it with an option to use it")
    if sop_class.startswith(SECONDARY_CAPTURES):
        raise Unusable("a secondary capture")
    if sop_class != CT_IMAGE and sop_class not in ENHANCED_CT_IMAGES:
        modality = series.modality if series.modality.isalnum() and len(series.modality) <= 4 else "unknown"
        if not (modality == "CT" and not sop_class):
            raise Unusable(f"not a CT image (modality {modality})")
    elif series.modality not in {"CT", ""}:
        raise Unusable("contradicts itself: a CT image of another modality")
    if "LOCALIZER" in kinds or "SCOUT" in kinds:
        raise Unusable("a scout view (localizer)")
    if kinds & PICTURE_TYPES:
        raise Unusable("a projection or rendering of a volume (such as MIP)")
    if kinds & MAP_TYPES:
        raise Unusable("a map of another quantity than attenuation")


def check_format(form: PixelFormat) -> None:
    """Set aside what cannot be the pixels of a CT image.

    Raises
    ------
    Unusable
        With the reason.
    """
    if form.rows == 0 or form.columns == 0:
        raise Unusable("no pixels")
    if max(form.rows, form.columns) > MAX_AXIS:
        raise Unusable(f"an absurd image size of {form.rows} × {form.columns}")
    if form.samples != 1 or form.photometric not in {"MONOCHROME1", "MONOCHROME2", ""}:
        raise Unusable("a colour image")
    if form.bits_allocated not in {8, 16, 32} or not 1 <= form.bits_stored <= form.bits_allocated:
        raise Unusable(f"{form.bits_stored} bits stored in {form.bits_allocated}, which is not read")
    if not form.bits_stored - 1 <= form.high_bit < form.bits_allocated:
        raise Unusable(f"a high bit of {form.high_bit} contradicts {form.bits_stored} stored bits")


def checked_rescale(slope: float | None, intercept: float | None, kind: str) -> tuple[float, float]:
    """Return slope and intercept.

    Raises
    ------
    Unusable
        Where they are missing or absurd, or lead to another unit.
    """
    if slope is None or intercept is None:
        raise Unusable("no rescale slope and intercept, so its numbers are not known to be HU")
    if not (0 < abs(slope) < 1e4 and abs(intercept) < 1e6):
        raise Unusable("an absurd rescale slope or intercept")
    if kind.upper() not in {"", "HU", "US", "UNSPECIFIED", "HU_MOD"}:
        raise Unusable("numbers that are not rescaled to HU")
    return slope, intercept


def checked_spacing(spacing: tuple[float, ...] | None) -> tuple[float, float]:
    """Return the distances between rows and between columns in millimetres.

    Raises
    ------
    Unusable
        Where they are missing or absurd.
    """
    if spacing is None:
        raise Unusable("no pixel spacing")
    if not all(MIN_SPACING_MM <= s <= MAX_SPACING_MM for s in spacing):
        raise Unusable(f"an absurd pixel spacing of {spacing[0]:g} × {spacing[1]:g} mm")
    return spacing[0], spacing[1]


def pixel_offset(raw: RawHeader, form: PixelFormat) -> int | None:
    """Return where uncompressed pixels start, or None where they have to be decoded.

    Raises
    ------
    Unusable
        Where there are no pixels, or fewer than the header promises.
    """
    if raw.pixel_offset is None:
        return None
    if raw.pixel_offset == 0:
        raise Unusable("no pixels")
    if raw.transfer_syntax not in UNCOMPRESSED or raw.pixel_length == -1:
        return None
    needed = form.rows * form.columns * form.frames * (form.bits_allocated // 8)
    there = min(raw.file_bytes - raw.pixel_offset, raw.pixel_length or 0)
    if there < needed:
        raise Unusable(f"cut short: expected {needed} bytes of pixels, found {max(there, 0)}")
    return raw.pixel_offset
