"""A right-handed frame fixed to one vertebra: its centre, and where its left, back and top are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from cementct.core.arrays import FloatArray, as_floats
from cementct.core.grid import Triple


@dataclass(frozen=True)
class Frame:
    """Origin and axes of a vertebra in the patient.

    Local coordinates are (left, posterior, superior) in millimetres from the centre, the same handedness as
    LPS: an upright, unrotated vertebra has the identity as its axes.

    Attributes
    ----------
    centre_lps_mm
        Centre of the vertebral body.
    left, posterior, superior
        Unit vectors (LPS) of the local axes.
    """

    centre_lps_mm: Triple
    left: Triple
    posterior: Triple
    superior: Triple

    def __post_init__(self) -> None:
        rows = self.axes
        if not np.allclose(rows @ rows.T, np.eye(3), atol=1e-6) or np.linalg.det(rows) < 0:
            raise ValueError(
                f"the axes of a frame have to be orthonormal and right-handed, got {rows.tolist()}"
            )

    @classmethod
    def from_axes(cls, centre_lps_mm: ArrayLike, superior: ArrayLike, posterior: ArrayLike) -> Frame:
        """Return the frame with the given superior axis and the posterior axis nearest to the given one."""
        up = as_floats(superior) / np.linalg.norm(as_floats(superior))
        back = as_floats(posterior) - up * float(np.dot(as_floats(posterior), up))
        length = float(np.linalg.norm(back))
        if length < 1e-9:
            raise ValueError("the posterior direction of a frame must not run along its superior axis")
        back = back / length
        left = np.cross(back, up)
        return cls(_triple(as_floats(centre_lps_mm)), _triple(left), _triple(back), _triple(up))

    @cached_property
    def axes(self) -> FloatArray:
        """The unit vectors left, posterior and superior, one a row."""
        return as_floats([self.left, self.posterior, self.superior])

    def to_local(self, point_lps_mm: ArrayLike) -> FloatArray:
        """Return (left, posterior, superior) coordinates of LPS points; the last axis holds x, y, z."""
        return (as_floats(point_lps_mm) - self.centre_lps_mm) @ self.axes.T

    def to_lps(self, point_local_mm: ArrayLike) -> FloatArray:
        """Return the LPS positions of (left, posterior, superior) coordinates."""
        return as_floats(point_local_mm) @ self.axes + self.centre_lps_mm


def _triple(values: FloatArray) -> Triple:
    x, y, z = (float(v) for v in values)
    return x, y, z
