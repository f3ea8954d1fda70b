"""Flat cuts through a scan, drawn as pictures: any plane, masks as outlines or washes, points and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from cementct.core.grid import Grid
from cementct.core.image import PADDING_HU, Volume

Colour = tuple[int, int, int]

# Soft tissue is dark grey and cortex white in this window, HU.
WINDOW_HU = (-160.0, 540.0)
# Distinct for every kind of colour vision (Okabe and Ito 2008).
YELLOW, ORANGE, SKY, GREEN, RED, PINK, WHITE = (
    (240, 228, 66),
    (230, 159, 0),
    (86, 180, 233),
    (47, 214, 163),
    (255, 106, 61),
    (238, 143, 196),
    (235, 235, 235),
)
GAP_PX = 8
LARGEST_BYTES = 150_000


@dataclass(frozen=True)
class Plane:
    """A rectangle in the patient: its middle, the directions to the right and down, and its size in mm."""

    middle_lps: np.ndarray
    right: np.ndarray
    down: np.ndarray
    width_mm: float
    height_mm: float
    px_per_mm: float

    def points(self) -> np.ndarray:
        """Return the positions (LPS) of all pixels, shape (rows, columns, 3)."""
        rows = int(self.height_mm * self.px_per_mm)
        columns = int(self.width_mm * self.px_per_mm)
        down = (np.arange(rows) - (rows - 1) / 2) / self.px_per_mm
        right = (np.arange(columns) - (columns - 1) / 2) / self.px_per_mm
        return self.middle_lps + down[:, None, None] * self.down + right[None, :, None] * self.right

    def pixel_of(self, points_lps: np.ndarray) -> np.ndarray:
        """Return the (column, row) of points, projected at right angles onto the plane."""
        shape = self.points().shape
        away = np.asarray(points_lps) - self.middle_lps
        along = np.stack([away @ self.right, away @ self.down], axis=-1) * self.px_per_mm
        return along + (np.array([shape[1], shape[0]]) - 1) / 2

    def cut(self, values: np.ndarray, grid: Grid, *, order: int = 1, outside: float = 0.0) -> np.ndarray:
        """Return the values of an array on a grid at all pixels."""
        index = np.moveaxis(grid.to_index(self.points()), -1, 0)
        return ndimage.map_coordinates(values, index, order=order, output=np.float32, cval=outside)


class Picture:
    """One cut, drawn upon step by step."""

    def __init__(self, grey_hu: np.ndarray) -> None:
        low, high = WINDOW_HU
        grey = np.clip((grey_hu - low) / (high - low), 0, 1)
        self.rgb = np.repeat((255 * grey)[..., None], 3, axis=2)

    @classmethod
    def of_scan(cls, volume: Volume, plane: Plane) -> Picture:
        """Return the picture of a scan on a plane."""
        return cls(plane.cut(volume.hu, volume.grid, outside=PADDING_HU))

    def wash(self, mask: np.ndarray, colour: Colour, opacity: float | np.ndarray = 0.35) -> None:
        """Lay a colour over part of the picture."""
        amount = (np.asarray(mask, dtype=np.float32) * opacity)[..., None]
        self.rgb = self.rgb * (1 - amount) + np.asarray(colour, dtype=np.float32) * amount

    def outline(self, mask: np.ndarray, colour: Colour) -> None:
        """Draw the inner border of a mask."""
        self.paint(mask & ~ndimage.binary_erosion(mask, border_value=1), colour)

    def paint(self, mask: np.ndarray, colour: Colour) -> None:
        """Colour pixels."""
        self.rgb[mask] = colour

    def line(self, pixels: np.ndarray, colour: Colour, width: int = 2) -> None:
        """Draw a line through (column, row) pixels."""
        image = self.image()
        ImageDraw.Draw(image).line([tuple(p) for p in np.asarray(pixels)], fill=colour, width=width)
        self.rgb = np.asarray(image, dtype=np.float32)

    def dots(self, pixels: np.ndarray, colour: Colour, radius: int = 2) -> None:
        """Draw a dot at each (column, row) pixel."""
        image = self.image()
        draw = ImageDraw.Draw(image)
        for x, y in np.asarray(pixels):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
        self.rgb = np.asarray(image, dtype=np.float32)

    def words(self, text: str, at: tuple[float, float], colour: Colour = WHITE, size: int = 13) -> None:
        """Write words whose upper left corner is at a (column, row) pixel."""
        image = self.image()
        font = ImageFont.load_default(size)
        ImageDraw.Draw(image).text(at, text, fill=colour, font=font, stroke_width=2, stroke_fill=(0, 0, 0))
        self.rgb = np.asarray(image, dtype=np.float32)

    def image(self) -> Image.Image:
        """Return the picture so far."""
        return Image.fromarray(np.clip(self.rgb, 0, 255).astype(np.uint8))


def save_row(pictures: Sequence[Picture], path: Path) -> None:
    """Write pictures side by side as a PNG of few colours, small enough for a repository."""
    images = [picture.image() for picture in pictures]
    width = sum(image.width for image in images) + GAP_PX * (len(images) - 1)
    row = Image.new("RGB", (width, max(image.height for image in images)), (255, 255, 255))
    left = 0
    for image in images:
        row.paste(image, (left, 0))
        left += image.width + GAP_PX
    for colours in (160, 96, 64, 32):
        row.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size <= LARGEST_BYTES:
            break
    print(f"{path.name}: {row.width} × {row.height}, {path.stat().st_size // 1000} kB")
