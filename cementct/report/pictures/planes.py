"""Flat and curved surfaces through the patient on which a picture shows the CT."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from cementct.core.arrays import FloatArray, as_floats
from cementct.core.frame import Frame
from cementct.core.grid import Triple


class View(StrEnum):
    """From where a picture looks at the patient."""

    AXIAL = "axial"
    SAGITTAL = "sagittal"
    CORONAL = "coronal"


@dataclass(frozen=True)
class EdgeMarks:
    """What lies beyond each edge of a picture, in one letter; None where it must not be said."""

    left: str | None
    right: str | None
    top: str | None
    bottom: str | None


# Radiological convention: the patient's right is on the picture's left.
EDGE_MARKS: dict[View, EdgeMarks] = {
    View.AXIAL: EdgeMarks("R", "L", "A", "P"),
    View.SAGITTAL: EdgeMarks("A", "P", "H", "F"),
    View.CORONAL: EdgeMarks("R", "L", "H", "F"),
}
NO_MARKS = EdgeMarks(None, None, None, None)


@dataclass(frozen=True)
class Surface:
    """Where each pixel of a picture lies.

    Attributes
    ----------
    view
        From where it looks at the patient.
    points_lps_mm
        Position of each pixel's centre, shape (rows, columns, 3).
    pixel_mm
        Size of a pixel along both edges.
    """

    view: View
    points_lps_mm: FloatArray
    pixel_mm: float

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        rows, columns = self.points_lps_mm.shape[:2]
        return rows, columns


@dataclass(frozen=True)
class Plane:
    """A flat rectangle in the frame of a vertebra.

    Attributes
    ----------
    view
        Axial runs parallel to the endplates, sagittal and coronal at right angles to them.
    frame
        The vertebra's frame.
    centre_local_mm
        Centre of the rectangle: (left, posterior, superior) from the centre of the body.
    width_mm, height_mm
        Its size along the picture's rows and columns.
    pixel_mm
        Size of a pixel.
    """

    view: View
    frame: Frame
    centre_local_mm: Triple
    width_mm: float
    height_mm: float
    pixel_mm: float

    @property
    def offset_mm(self) -> float:
        """Distance of the plane from the body's centre along the axis it is at right angles to."""
        return self.centre_local_mm[_NORMAL_AXIS[self.view]]

    @property
    def axes(self) -> tuple[FloatArray, FloatArray]:
        """Unit vectors (LPS) along which columns and rows of the picture rise."""
        left, posterior, superior = self.frame.axes
        if self.view is View.AXIAL:
            return left, posterior
        if self.view is View.SAGITTAL:
            return posterior, -superior
        return left, -superior

    def surface(self) -> Surface:
        """Return the positions of its pixels."""
        columns = _centred(self.width_mm, self.pixel_mm)
        rows = _centred(self.height_mm, self.pixel_mm)
        along, down = self.axes
        centre = self.frame.to_lps(self.centre_local_mm)
        points = centre + rows[:, None, None] * down + columns[None, :, None] * along
        return Surface(self.view, points, self.pixel_mm)

    def to_pixels(self, point_lps_mm: FloatArray) -> FloatArray:
        """Return (column, row) of points, projected onto the plane; the last axis holds x, y, z."""
        along, down = self.axes
        offset = as_floats(point_lps_mm) - self.frame.to_lps(self.centre_local_mm)
        size = (round(self.width_mm / self.pixel_mm), round(self.height_mm / self.pixel_mm))
        middle = (as_floats(size) - 1) / 2
        return np.stack([offset @ along, offset @ down], axis=-1) / self.pixel_mm + middle


_NORMAL_AXIS = {View.SAGITTAL: 0, View.CORONAL: 1, View.AXIAL: 2}


def _centred(length_mm: float, pixel_mm: float) -> FloatArray:
    count = round(length_mm / pixel_mm)
    return as_floats((np.arange(count) - (count - 1) / 2) * pixel_mm)
