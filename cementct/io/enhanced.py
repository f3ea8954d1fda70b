"""The frames of enhanced multi-frame CT, each described like an image of a classic series."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from cementct.io.elements import Elements, acquisition_moment, content_moment, moment_of, safe_uid
from cementct.io.header import HeaderReader, ImageHeader, padding_of
from cementct.io.images import (
    PICTURE_TYPES,
    Unusable,
    check_format,
    checked_rescale,
    checked_spacing,
    pixel_offset,
)
from cementct.io.limits import MAX_AXIS
from cementct.io.quiet import quiet
from cementct.io.raw_header import RawHeader


def enhanced_images(path: Path, raw: RawHeader, file: str) -> list[ImageHeader]:
    """Return one image for each frame of the multi-frame file at `path`.

    Raises
    ------
    Unusable
        Where a frame lacks its place, spacing or rescale.
    """
    import pydicom

    shared = HeaderReader()
    form = shared.format(raw)
    check_format(form)
    with quiet():
        try:
            dataset = pydicom.dcmread(path, stop_before_pixels=True)
            common = _first(dataset.get("SharedFunctionalGroupsSequence"))
            frames = list(dataset.get("PerFrameFunctionalGroupsSequence") or [])
        except Exception as error:  # damaged bytes raise anything in pydicom
            raise Unusable(f"damaged multi-frame groups ({type(error).__name__})") from error
        if form.frames != len(frames) or form.frames > MAX_AXIS:
            raise Unusable(f"{form.frames} frames, but {len(frames)} descriptions of frames")
        whole = _Whole(raw, file, shared)
        return [whole.image(number, _Groups(common, own)) for number, own in enumerate(frames)]


class _Whole:
    """What all frames of a file have in common."""

    def __init__(self, raw: RawHeader, file: str, shared: HeaderReader) -> None:
        self._elements = Elements(raw.values)
        self._file, self._shared = file, shared
        self._series, self._form = shared.series(raw), shared.format(raw)
        self._padding = padding_of(self._elements, self._form)
        self._offset = pixel_offset(raw, self._form)
        self._moment, self._clock = acquisition_moment(self._elements)

    def image(self, number: int, frame: _Groups) -> ImageHeader:
        """Return one frame as an image."""
        e, form = self._elements, self._form
        step = form.rows * form.columns * (form.bits_allocated // 8)
        if frame.frame_type() & {"LOCALIZER", *PICTURE_TYPES}:
            raise Unusable("a frame that is a scout view or projection")
        try:
            slope, intercept, kind = frame.rescale()
            series, acquired = frame.described(self._series), frame.moment() or self._moment
            position, orientation, spacing = frame.position(), frame.orientation(), frame.spacing()
        except (AttributeError, TypeError, ValueError, KeyError, IndexError) as error:
            raise Unusable(f"frame {number + 1} lacks its place, spacing or rescale") from error
        slope, intercept = checked_rescale(slope, intercept, kind)
        return ImageHeader(
            file=self._file,
            frame=number,
            series=series,
            format=form,
            sop_uid=safe_uid(e.text(0x00080018)) or safe_uid(e.text(0x00020003)),
            instance_number=number + 1,
            position_lps_mm=position,
            orientation=orientation,
            spacing_mm=checked_spacing(spacing),
            rescale=self._shared.rescale(slope, intercept, self._padding),
            pixel_offset=None if self._offset is None else self._offset + number * step,
            acquisition_number=frame.content("FrameAcquisitionNumber"),
            temporal_position=frame.content("TemporalPositionIndex"),
            acquired=acquired,
            content_time=content_moment(e),
            clock=self._clock,
        )


class _Groups:
    """The functional groups of one frame, the shared ones behind its own."""

    def __init__(self, common: Any, own: Any) -> None:
        self._levels = [level for level in (own, common) if level is not None]

    def _group(self, name: str) -> Any:
        for level in self._levels:
            found = _first(level.get(name))
            if found is not None:
                return found
        return None

    def position(self) -> tuple[float, float, float]:
        x, y, z = (float(v) for v in self._group("PlanePositionSequence").ImagePositionPatient)
        _check_finite(x, y, z)
        return x, y, z

    def orientation(self) -> tuple[float, float, float, float, float, float]:
        values = self._group("PlaneOrientationSequence").ImageOrientationPatient
        a, b, c, d, e, f = (float(v) for v in values)
        _check_finite(a, b, c, d, e, f)
        return a, b, c, d, e, f

    def spacing(self) -> tuple[float, ...]:
        return tuple(float(v) for v in self._group("PixelMeasuresSequence").PixelSpacing)

    def rescale(self) -> tuple[float | None, float | None, str]:
        group = self._group("PixelValueTransformationSequence")
        if group is None:
            return None, None, ""
        return float(group.RescaleSlope), float(group.RescaleIntercept), str(group.get("RescaleType", ""))

    def frame_type(self) -> set[str]:
        group = self._group("CTImageFrameTypeSequence")
        return {str(v).upper() for v in (group.get("FrameType") or [])} if group is not None else set()

    def content(self, keyword: str) -> int | None:
        group = self._group("FrameContentSequence")
        value = group.get(keyword) if group is not None else None
        return int(value) if isinstance(value, int) else None

    def moment(self) -> Any:

        group = self._group("FrameContentSequence")
        text = str(group.get("FrameAcquisitionDateTime", "") or "") if group is not None else ""
        return moment_of(text[:8], text[8:].split("+")[0].split("-")[0]) if len(text) > 8 else None

    def described(self, series: Any) -> Any:
        """Return the series' header with the kernel and thickness that enhanced files hold per frame."""
        import msgspec

        reconstruction, measures = (
            self._group("CTReconstructionSequence"),
            self._group("PixelMeasuresSequence"),
        )
        kernel = reconstruction.get("ConvolutionKernel") if reconstruction is not None else None
        thickness = measures.get("SliceThickness") if measures is not None else None
        words = [kernel] if isinstance(kernel, str) else list(kernel or [])
        return msgspec.structs.replace(
            series,
            kernel=" ".join(str(word).strip() for word in words) or series.kernel,
            thickness_mm=float(thickness) if thickness else series.thickness_mm,
        )


def _first(sequence: Any) -> Any:
    return sequence[0] if sequence else None


def _check_finite(*values: float) -> None:
    if not all(math.isfinite(v) and abs(v) < 1e6 for v in values):
        raise ValueError("a frame's place is not a finite number")
