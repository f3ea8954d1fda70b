"""Vertebrae of exact shape: an elliptic body cut flat behind, round pedicles, a tubular arch, processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from cementct.anatomy.labels import SpineLabels
from cementct.core.frame import Frame
from cementct.core.grid import Grid
from cementct.core.image import LabelMap, Volume


@dataclass(frozen=True)
class ExactVertebra:
    """Lengths of one vertebra in its own frame, whose origin lies in the middle of the ellipse, mm.

    Attributes
    ----------
    frame
        Where it lies.
    half_width, half_depth, height
        Of the body's ellipse, and its height in the middle.
    wall
        Posterior coordinate of the flat posterior wall.
    medial, lateral, inferior, superior
        Borders of both pedicles, which are elliptic tubes.
    canal_depth
        From the wall to the front of the lamina in the midline.
    wedge_deg
        Angle between the faces; positive where the front is lower.
    """

    frame: Frame
    half_width: float = 22.0
    half_depth: float = 17.0
    height: float = 26.0
    wall: float = 13.0
    medial: float = 11.0
    lateral: float = 19.0
    inferior: float = -2.0
    superior: float = 10.0
    canal_depth: float = 16.0
    wedge_deg: float = 0.0

    def face_height(self, posterior: np.ndarray) -> np.ndarray:
        """Return the height of the upper face over the middle plane."""
        return 0.5 * self.height + np.tan(np.radians(0.5 * self.wedge_deg)) * posterior

    def parts(self, points_lps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return where points lie in the body, in the whole vertebra, and in the canal beside its ring."""
        local = self.frame.to_local(points_lps)
        left, posterior, superior = local[..., 0], local[..., 1], local[..., 2]
        body = (left / self.half_width) ** 2 + (posterior / self.half_depth) ** 2 <= 1
        body &= (posterior <= self.wall) & (np.abs(superior) <= self.face_height(posterior))
        middle, radius = 0.5 * (self.medial + self.lateral), 0.5 * (self.lateral - self.medial)
        height_middle, half_height = (
            0.5 * (self.inferior + self.superior),
            0.5 * (self.superior - self.inferior),
        )
        tube = ((np.abs(left) - middle) / radius) ** 2 + ((superior - height_middle) / half_height) ** 2 <= 1
        tube &= (posterior > self.wall - 4) & (posterior <= self.wall + 0.75 * self.canal_depth)
        canal_middle = self.wall + 0.5 * self.canal_depth
        behind = posterior - canal_middle
        inner = (left / self.medial) ** 2 + (behind / (0.5 * self.canal_depth)) ** 2 <= 1
        outer = (left / (self.lateral - 1)) ** 2 + (behind / (0.5 * self.canal_depth + 6)) ** 2 <= 1
        arch = (
            outer & ~inner & (behind > 0.1 * self.canal_depth) & (superior > -14) & (superior < self.superior)
        )
        spinous = (np.abs(left) < 3) & (behind > 0.5 * self.canal_depth + 2) & (behind < 34)
        spinous &= (superior > -14) & (superior < 2)
        across = (np.abs(left) > self.lateral - 3) & (np.abs(left) < 36) & (np.abs(superior - 4) < 4)
        across &= (behind > 2) & (behind < 10)
        return body, body | tube | arch | spinous | across, inner & (posterior > self.wall)


@dataclass(frozen=True)
class ExactSpine:
    """Exact vertebrae drawn on a grid.

    Attributes
    ----------
    vertebrae
        From top to bottom.
    volume, labels
        What an engine would hand over; the numbers are 1, 2 … from the top.
    bodies
        The true bodies under the same numbers.
    """

    vertebrae: tuple[ExactVertebra, ...]
    volume: Volume
    labels: SpineLabels
    bodies: LabelMap = field(repr=False)


def column(
    count: int, pitch_mm: float = 34.0, *, bend_deg: float = 0.0, turn_deg: float = 0.0
) -> list[Frame]:
    """Return frames from top to bottom along an arc: bent forwards by a step each, and turned as a whole."""
    turn = np.radians(turn_deg)
    back, left = np.array([np.sin(turn), np.cos(turn), 0.0]), np.array([np.cos(turn), -np.sin(turn), 0.0])
    del left
    frames, centre = [], np.zeros(3)
    for i in range(count):
        tilt = np.radians(bend_deg * (i - 0.5 * (count - 1)))
        up = np.cos(tilt) * np.array([0.0, 0.0, 1.0]) - np.sin(tilt) * back
        frame = Frame.from_axes(centre, up, back)
        frames.append(frame)
        step = np.radians(bend_deg * (i + 0.5 - 0.5 * (count - 1)))
        centre = centre - pitch_mm * (np.cos(step) * np.array([0.0, 0.0, 1.0]) - np.sin(step) * back)
    return frames


def draw(
    vertebrae: Sequence[ExactVertebra],
    *,
    spacing_mm: tuple[float, float, float] = (1.0, 0.8, 0.8),
    margin_mm: tuple[float, float] = (40.0, 40.0),
    edit: Callable[..., np.ndarray] | None = None,
) -> ExactSpine:
    """Draw vertebrae on a grid that holds them with a margin above the first and below the last centre."""
    centres = np.array([v.frame.centre_lps_mm for v in vertebrae])
    low = centres.min(axis=0) - (42.0, 44.0, margin_mm[1])
    high = centres.max(axis=0) + np.array([42.0, 62.0, margin_mm[0]])
    shape = tuple(
        int(np.ceil((high - low)[axis] / s)) + 1 for axis, s in zip((2, 1, 0), spacing_mm, strict=True)
    )
    grid = Grid((shape[0], shape[1], shape[2]), spacing_mm, (float(low[0]), float(low[1]), float(low[2])))
    labels, bodies = np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=np.uint8)
    for number, vertebra in enumerate(vertebrae, start=1):
        box = grid.box_around(grid.to_index(vertebra.frame.centre_lps_mm), 66.0)
        index = np.stack(
            np.meshgrid(*[np.arange(a, b) for a, b in zip(box.start, box.stop, strict=True)], indexing="ij"),
            axis=-1,
        )
        points = grid.to_lps(index)
        body, whole, _ = vertebra.parts(points)
        if edit is not None:
            whole = edit(vertebra.frame.to_local(points), whole, number)
        labels[box.slices][whole] = number
        bodies[box.slices][body] = number
    return ExactSpine(
        tuple(vertebrae),
        Volume(np.zeros(shape, dtype=np.int16), grid),
        SpineLabels(LabelMap(labels, grid)),
        LabelMap(bodies, grid),
    )


@pytest.fixture(scope="session")
def exact() -> Callable[..., ExactSpine]:
    """Return the function that draws exact vertebrae; see `column` and `ExactVertebra` for its arguments."""

    def build(
        count: int = 3,
        *,
        bend_deg: float = 0.0,
        turn_deg: float = 0.0,
        pitch_mm: float = 34.0,
        spacing_mm: tuple[float, float, float] = (1.0, 0.8, 0.8),
        margin_mm: tuple[float, float] = (40.0, 40.0),
        edit: Callable[..., np.ndarray] | None = None,
        **lengths: float,
    ) -> ExactSpine:
        frames = column(count, pitch_mm, bend_deg=bend_deg, turn_deg=turn_deg)
        return draw(
            [ExactVertebra(f, **lengths) for f in frames],
            spacing_mm=spacing_mm,
            margin_mm=margin_mm,
            edit=edit,
        )

    return build
