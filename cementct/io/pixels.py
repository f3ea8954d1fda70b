"""Stored pixels read and turned into Hounsfield units.

Uncompressed images are read straight into the volume. Everything else goes through pydicom and its decoders,
in a child (`cementct.io.apart`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cementct.core.arrays import BoolArray, HuArray
from cementct.core.errors import UnreadableFile
from cementct.core.image import NOT_MEASURED_BELOW_HU, PADDING_HU
from cementct.io.apart import LIMIT_S, ReadingFailed, read_apart
from cementct.io.elements import safe_uid
from cementct.io.header import ImageHeader, PixelFormat, Rescale
from cementct.io.limits import check_shape
from cementct.io.privacy import PatientWords
from cementct.io.quiet import quiet
from cementct.io.tags import EXPLICIT_BIG

_NOBODY = PatientWords()
# A padding value whose HU lie between these would wipe out tissue; such a header is in error and is not
# followed. Lung and fat lie above the lower bound, the densest metal below the upper one.
PADDING_NOT_BETWEEN_HU = (-900.0, 31_000.0)

# Pixels that the slowest decoder (JPEG 2000) manages in a second, with a wide margin: it does 1e7.
SLOWEST_PIXELS_PER_S = 5e5

Stored = np.ndarray[tuple[int, ...], np.dtype[np.integer]]


def read_hu(root: Path, images: Sequence[ImageHeader], *, private: PatientWords = _NOBODY) -> HuArray:
    """Return the images as one array of Hounsfield units, shape (images, rows, columns).

    16-bit whole numbers where the rescale and the stored numbers allow it, else 32-bit floats;
    `PADDING_HU` where the header's padding value says that nothing was measured.

    Raises
    ------
    UnreadableFile
        Where a file has vanished, is cut short or cannot be decoded.
    """
    first = images[0].format
    check_shape((len(images), first.rows, first.columns), private.redact(images[0].file))
    out: HuArray = np.empty((len(images), first.rows, first.columns), dtype=np.int16)
    if not all(_stays_whole(image.rescale, image.format) for image in images):
        out = np.empty(out.shape, dtype=np.float32)
    decoder = _Decoder(root, private)
    for k, image in enumerate(images):
        stored = _read_uncompressed(root, image, out[k], private)
        if stored is None:
            stored = decoder.stored(image)
        if out.dtype == np.int16 and not _write_whole(stored, image, out[k]):
            out = out.astype(np.float32)
        if out.dtype == np.float32:
            _write_real(stored, image, out[k])
    return out


def same_pixels(root: Path, one: ImageHeader, other: ImageHeader) -> bool:
    """Tell whether two images hold the same Hounsfield units in every pixel."""
    if one.format.rows != other.format.rows or one.format.columns != other.format.columns:
        return False
    if one.frame == other.frame == 0 and _same_file(root / one.file, root / other.file):
        return True
    try:
        return bool(np.array_equal(read_hu(root, [one]), read_hu(root, [other])))
    except UnreadableFile:
        return False


def _same_file(one: Path, other: Path) -> bool:
    import filecmp

    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def _dtype(form: PixelFormat) -> np.dtype[np.integer]:
    order = ">" if form.transfer_syntax == EXPLICIT_BIG else "<"
    return np.dtype(f"{order}{'i' if form.signed else 'u'}{form.bits_allocated // 8}")


def _read_uncompressed(
    root: Path, image: ImageHeader, target: HuArray, private: PatientWords
) -> Stored | None:
    """Return the stored numbers of an uncompressed image, read into `target`'s memory where that fits.

    None where the image has to be decoded.
    """
    if image.pixel_offset is None:
        return None
    form = image.format
    dtype = _dtype(form)
    fits = target.dtype == np.int16 and dtype.itemsize == 2
    buffer = target.view(dtype) if fits else np.empty((form.rows, form.columns), dtype)
    try:
        with (root / image.file).open("rb", buffering=0) as handle:
            handle.seek(image.pixel_offset)
            count = handle.readinto(buffer.view(np.uint8).data)
    except OSError as error:
        raise UnreadableFile(f"{private.redact(image.file)}: cannot be read ({error.strerror})") from error
    if count != buffer.nbytes:
        raise UnreadableFile(
            f"{private.redact(image.file)}: expected {buffer.nbytes} bytes of pixels, found {count}"
        )
    return buffer


class _Decoder:
    """Decodes images with pydicom; frames of the same file one after another without reading it again."""

    def __init__(self, root: Path, private: PatientWords) -> None:
        self._root, self._private = root, private
        self._file = ""
        self._frames: Stored = np.empty((0, 0, 0), dtype=np.int16)

    def stored(self, image: ImageHeader) -> Stored:
        """Return the stored numbers of one image."""
        if image.file != self._file:
            self._frames = self._decode(image)
            self._file = image.file
        if image.frame >= len(self._frames):
            raise UnreadableFile(f"{self._private.redact(image.file)}: frame {image.frame + 1} is missing")
        frame: Stored = self._frames[image.frame]
        return frame

    def _decode(self, image: ImageHeader) -> Stored:
        form, name = image.format, self._private.redact(image.file)
        check_shape((form.frames, form.rows, form.columns), name)
        pixels = form.frames * form.rows * form.columns
        try:
            frames = read_apart(
                decoded_frames,
                self._root / image.file,
                form.transfer_syntax,
                voxel_bytes=pixels * form.bits_allocated // 8,
                limit_s=LIMIT_S + pixels / SLOWEST_PIXELS_PER_S,
            )
        except ReadingFailed as failure:
            raise UnreadableFile(f"{name}: {failure}") from failure
        except UndecodableFile as error:
            raise UnreadableFile(
                f"{name}: the pixels cannot be decoded "
                f"(transfer syntax {safe_uid(form.transfer_syntax)}, {error})"
            ) from error
        if frames.shape[1:] != (form.rows, form.columns):
            raise UnreadableFile(
                f"{name}: expected {form.rows} × {form.columns} pixels, decoded {frames.shape[1:]}"
            )
        return frames


class UndecodableFile(UnreadableFile):
    """Pixels cannot be decoded; the message is the kind of error that the decoder raised."""


def decoded_frames(path: Path, transfer_syntax: str) -> Stored:
    """Return the stored numbers of all frames of a file, shape (frames, rows, columns).

    Raises
    ------
    UndecodableFile
        Where they cannot be decoded.
    """
    from pydicom import dcmread
    from pydicom.pixels.utils import pixel_array

    try:
        with quiet():
            dataset = dcmread(path, force=True)
            if "TransferSyntaxUID" not in dataset.file_meta:
                from pydicom.uid import UID

                dataset.file_meta.TransferSyntaxUID = UID(transfer_syntax)
            frames = pixel_array(dataset, raw=True)
    except Exception as error:  # decoders raise anything on damaged bytes
        raise UndecodableFile(type(error).__name__) from error
    return np.asarray(frames.reshape(-1, *frames.shape[-2:]))


def _without_junk(stored: Stored, form: PixelFormat, *, in_place: bool = False) -> Stored:
    """Return stored numbers without what stands in bits that do not belong to them."""
    width = stored.dtype.itemsize * 8
    if form.bits_stored == form.bits_allocated or width < form.bits_allocated:
        return stored
    if not stored.dtype.isnative:
        stored = stored.astype(stored.dtype.newbyteorder("="))
    out = stored if in_place and stored.flags.writeable else np.empty_like(stored)
    up = width - 1 - form.high_bit
    np.left_shift(stored, up, out=out)
    return np.right_shift(out, width - form.bits_stored, out=out)


def _stays_whole(rescale: Rescale, form: PixelFormat) -> bool:
    """Tell whether rescaled numbers are whole; whether they fit is seen when they are read."""
    return (
        rescale.slope == int(rescale.slope)
        and rescale.intercept == int(rescale.intercept)
        and (form.bits_allocated <= 16)
    )


def _padding(rescale: Rescale) -> tuple[int, int] | None:
    """Return the stored bounds of padding, unless they would wipe out tissue."""
    if rescale.padding is None:
        return None
    low, high = rescale.padding
    hu = [value * rescale.slope + rescale.intercept for value in (low, high)]
    tissue_low, tissue_high = PADDING_NOT_BETWEEN_HU
    if max(hu) > tissue_low and min(hu) < tissue_high:
        return None
    return low, high


def _is_padding(stored: Stored, numbers: Stored, padding: tuple[int, int]) -> BoolArray:
    """Return where nothing was measured; a padding value may need more bits than are stored of a pixel."""
    low, high = padding
    return np.asarray(((numbers >= low) & (numbers <= high)) | ((stored >= low) & (stored <= high)))


def _write_whole(stored: Stored, image: ImageHeader, target: HuArray) -> bool:
    """Write Hounsfield units as whole numbers; where they do not fit, write nothing and return False."""
    form, rescale = image.format, image.rescale
    slope, intercept = int(rescale.slope), int(rescale.intercept)
    padding = _padding(rescale)
    numbers = _without_junk(stored, form, in_place=padding is None and form.high_bit == form.bits_stored - 1)
    unmeasured = None if padding is None else _is_padding(stored, numbers, padding)
    low, high = _bounds(numbers, slope, intercept)
    if unmeasured is not None and not _fits(low, high):
        numbers = np.where(unmeasured, numbers.dtype.type(0), numbers)
        low, high = _bounds(numbers, slope, intercept)
    if not _fits(low, high):
        return False
    if slope == 1 and numbers.dtype.itemsize == 2:
        # Both wrap round at 16 bits, and the result is known to fit.
        native = numbers.astype(numbers.dtype.newbyteorder("="), copy=False)
        np.add(native.view(np.int16), np.int64(intercept).astype(np.int16), out=target)
    else:
        target[...] = (numbers.astype(np.int32) * slope + intercept).astype(np.int16)
    if unmeasured is not None:
        target[unmeasured] = PADDING_HU
    if low <= NOT_MEASURED_BELOW_HU:
        target[target <= NOT_MEASURED_BELOW_HU] = PADDING_HU
    return True


def _bounds(numbers: Stored, slope: int, intercept: int) -> tuple[int, int]:
    """Return the lowest and the highest Hounsfield unit that numbers stand for."""
    first, second = (int(n) * slope + intercept for n in (numbers.min(), numbers.max()))
    return min(first, second), max(first, second)


def _fits(low_hu: int, high_hu: int) -> bool:
    return low_hu >= -32768 and high_hu <= 32767


def _write_real(stored: Stored, image: ImageHeader, target: HuArray) -> None:
    """Write Hounsfield units as 32-bit floats."""
    numbers = _without_junk(stored, image.format)
    padding = _padding(image.rescale)
    hu = (numbers.astype(np.float64) * image.rescale.slope + image.rescale.intercept).astype(np.float32)
    if padding is not None:
        hu[_is_padding(stored, numbers, padding)] = PADDING_HU
    hu[hu <= NOT_MEASURED_BELOW_HU] = PADDING_HU
    target[...] = hu
