"""A rigid movement about a centre, and how to turn and shift it a little."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import FloatArray, as_floats
from cementct.core.frame import Frame


@dataclass(frozen=True)
class Movement:
    """``post = rotation @ pre + translation`` for LPS points.

    Attributes
    ----------
    rotation
        Rotation matrix, 3 by 3.
    translation_mm
        Shift after the rotation.
    """

    rotation: FloatArray
    translation_mm: FloatArray

    @classmethod
    def between_frames(cls, pre: Frame, post: Frame) -> Movement:
        """Return the movement that takes one frame onto the other."""
        rotation = post.axes.T @ pre.axes
        return cls(rotation, as_floats(post.centre_lps_mm) - rotation @ as_floats(pre.centre_lps_mm))

    def apply(self, points_lps_mm: FloatArray) -> FloatArray:
        """Return where points go; the last axis holds x, y, z."""
        return as_floats(points_lps_mm @ self.rotation.T + self.translation_mm)

    def undo(self, points_lps_mm: FloatArray) -> FloatArray:
        """Return where points came from."""
        return as_floats((points_lps_mm - self.translation_mm) @ self.rotation)

    def nudged(self, turn_rad: FloatArray, shift_mm: FloatArray, about_lps_mm: FloatArray) -> Movement:
        """Return this movement followed by a small turn about a point and a shift."""
        turn = rotation_of(turn_rad)
        return Movement(
            turn @ self.rotation,
            turn @ (self.translation_mm - about_lps_mm) + about_lps_mm + shift_mm,
        )

    def angle_to_deg(self, other: Movement) -> float:
        """Return the angle between the rotations of two movements."""
        return angle_deg(self.rotation @ other.rotation.T)


def rotation_of(turn_rad: FloatArray) -> FloatArray:
    """Return the rotation matrix of a rotation vector (Rodrigues' formula)."""
    angle = float(np.linalg.norm(turn_rad))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = turn_rad / angle
    cross = as_floats([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return as_floats(np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross))


def angle_deg(rotation: FloatArray) -> float:
    """Return the angle a rotation matrix turns by."""
    return float(np.degrees(np.arccos(np.clip((np.trace(rotation) - 1.0) / 2.0, -1.0, 1.0))))
