"""The contract's borders around a vertebra, from the phantom's geometry: where cement would be which leak."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray, Float32Array
from cementct.testing.column import ColumnCoordinates

ByteArray = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

# The canal reaches this far in front of the line that joins the walls' rims (their hollow), and this share of
# its depth to the back (ligament and laminae close it there).
CANAL_BEFORE_WALL_MM = 3.0
CANAL_DEPTH_SHARE = 1.1
# The foramen ends at the front of the facet joint, at this share of the canal's depth.
FORAMEN_DEPTH_SHARE = 0.75


@dataclass(frozen=True)
class Borders:
    """Lengths at each vertebra of a piece of the column that place canal and foramina.

    Attributes
    ----------
    numbers
        Numbers of the vertebrae, from the top.
    half_canal_mm, canal_depth_mm, lateral_mm
        Left coordinate of the pedicle's medial border, depth of the canal, and left coordinate of the pedicle's
        lateral border.
    """

    numbers: tuple[int, ...]
    half_canal_mm: tuple[float, ...]
    canal_depth_mm: tuple[float, ...]
    lateral_mm: tuple[float, ...]

    def compartments(
        self, at: ColumnCoordinates, vertebrae: ByteArray, bodies: ByteArray, discs: BoolArray
    ) -> tuple[ByteArray, ByteArray]:
        """Return `Compartment` numbers and places on the grid of the arguments.

        Places are numbers of vertebrae: for bone and canal its own or the nearest, for discs and foramina that
        of the vertebra above.
        """
        half = at.interpolate(self.half_canal_mm)
        depth = at.interpolate(self.canal_depth_mm)
        lateral = at.interpolate(self.lateral_mm)
        side, behind = np.abs(at.left_mm), at.behind_wall_mm
        numbers = np.asarray(self.numbers, dtype=np.uint8)
        nearest = numbers[np.clip(np.round(at.place).astype(np.int16), 0, numbers.size - 1)]
        above = numbers[np.clip(np.floor(at.place).astype(np.int16), 0, numbers.size - 1)]
        bone = vertebrae > 0
        free = ~bone & ~discs
        canal = free & (side < half) & (behind > -CANAL_BEFORE_WALL_MM) & (behind < CANAL_DEPTH_SHARE * depth)
        beside = free & (side >= half) & (side <= lateral)
        foramen = beside & (behind > 0) & (behind < FORAMEN_DEPTH_SHARE * depth)
        body = bodies > 0
        pedicle = bone & ~body & (side >= half - 1) & (side <= lateral + 1) & (behind < 0.6 * depth)
        out = np.zeros(vertebrae.shape, dtype=np.uint8)
        out[bone] = Compartment.POSTERIOR_ELEMENTS
        out[pedicle & (at.left_mm > 0)] = Compartment.PEDICLE_LEFT
        out[pedicle & (at.left_mm <= 0)] = Compartment.PEDICLE_RIGHT
        out[body] = Compartment.BODY
        out[discs & ~bone] = Compartment.DISC
        out[canal] = Compartment.CANAL
        out[foramen & (at.left_mm > 0)] = Compartment.FORAMEN_LEFT
        out[foramen & (at.left_mm <= 0)] = Compartment.FORAMEN_RIGHT
        place = np.where(bone, vertebrae, np.where(canal, nearest, above)).astype(np.uint8)
        place[out == Compartment.ELSEWHERE] = 0
        return out, place


def left_of_midline(at: ColumnCoordinates) -> Float32Array:
    """Return the distance to the left of the midsagittal surface."""
    return at.left_mm
