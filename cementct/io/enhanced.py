"""The frames of enhanced multi-frame CT, each described like an image of a classic series."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from cementct.io.header import (
    Elements,
    HeaderReader,
    ImageHeader,
    acquisition_moment,
    moment_of,
    padding_of,
    safe_uid,
)
from cementct.io.images import (
    Unusable,
    check_format,
    checked_rescale,
    checked_spacing,
    content_moment,
    pixel_offset,
)
from cementct.io.limits import MAX_AXIS
from cementct.io.parse import RawHeader


def enhanced_images(path: Path, raw: RawHeader, *, file: str, shared: HeaderReader) -> list[ImageHeader]:
    """Return one image for each frame of the multi-frame file at `path`.

    Raises
    ------
    Unusable
        Where a frame lacks its place, spacing or rescale.
    """
    import pydicom

    try:
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        common = _first(dataset.get("SharedFunctionalGroupsSequence"))
        frames = list(dataset.get("PerFrameFunctionalGroupsSequence") or [])
    except Exception as error:  # damaged bytes raise anything in pydicom
        raise Unusable(f"damaged multi-frame groups ({type(error).__name__})") from error
    form = shared.format(raw)
    check_format(form)
    if form.frames != len(frames) or form.frames > MAX_AXIS:
        raise Unusable(f"{form.frames} frames, but {len(frames)} descriptions of frames")
    elements = Elements(raw.values)
    base = pixel_offset(raw, form)
    step = form.rows * form.columns * (form.bits_allocated // 8)
    padding = padding_of(elements, form)
    series = shared.series(raw)
    moment, clock = acquisition_moment(elements)
    images: list[ImageHeader] = []
    for number, groups in enumerate(frames):
        try:
            own = _Groups(common, groups)
            slope, intercept, kind = own.rescale()
            slope, intercept = checked_rescale(slope, intercept, kind)
            if own.frame_type() & {"LOCALIZER", "MIP", "MINIP"}:
                raise Unusable("a frame that is a scout view or projection")
            position, orientation, spacing = own.position(), own.orientation(), own.spacing()
        except (AttributeError, TypeError, ValueError, KeyError, IndexError) as error:
            raise Unusable(f"frame {number + 1} lacks its place, spacing or rescale") from error
        images.append(
            ImageHeader(
                file=file,
                frame=number,
                series=own.described(series),
                format=form,
                sop_uid=safe_uid(elements.text(0x00080018)) or safe_uid(elements.text(0x00020003)),
                instance_number=number + 1,
                position_lps_mm=position,
                orientation=orientation,
                spacing_mm=checked_spacing(spacing),
                rescale=shared.rescale(slope, intercept, padding),
                pixel_offset=None if base is None else base + number * step,
                acquisition_number=own.content("FrameAcquisitionNumber"),
                temporal_position=own.content("TemporalPositionIndex"),
                acquired=own.moment() or moment,
                content_time=content_moment(elements),
                clock=clock,
            )
        )
    return images


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
