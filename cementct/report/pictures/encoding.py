"""Grey and colour pixels as PNG, the same bytes for the same pixels."""

from __future__ import annotations

import base64
import io

import numpy as np

# zlib level of PNG files: at 6 noisy CT shrinks by 4 % more in two and a half times the time.
_COMPRESSION = 4


def encode_png(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    """Return pixels, (rows, columns) grey or (rows, columns, 3) colour, as a PNG file."""
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(pixels).save(data, format="PNG", compress_level=_COMPRESSION)
    return data.getvalue()


def data_uri(png: bytes) -> str:
    """Return a PNG file as a URI that holds all of it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
