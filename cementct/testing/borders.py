"""The contract's borders around a vertebra, from the phantom's geometry: where cement would be which leak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray
from cementct.core.frame import Frame
from cementct.testing.column import ColumnCoordinates

ByteArray = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

# The canal reaches this far in front of the line that joins the walls' rims (their hollow), and this share of
# its depth to the back (ligament and laminae close it there).
CANAL_BEFORE_WALL_MM = 3.0
CANAL_DEPTH_SHARE = 1.1
# The foramen ends at the front of the facet joint, at this share of the canal's depth.
FORAMEN_DEPTH_SHARE = 0.75


def centre_gaps_mm(frames: Sequence[Frame]) -> tuple[float, ...]:
    """Return the distances between the origins of neighbouring frames."""
    centres = np.asarray([f.centre_lps_mm for f in frames])
    return tuple(float(g) for g in np.sqrt((np.diff(centres, axis=0) ** 2).sum(axis=1)))


@dataclass(frozen=True)
class Borders:
    """Lengths at each vertebra of a piece of the column that place canal and foramina.

    Attributes
    ----------
    numbers
        Numbers of the vertebrae, from the top.
    half_canal_mm, canal_depth_mm, lateral_mm
        Left coordinate of the pedicle's medial border, depth of the canal, and left coordinate of the
        pedicle's lateral border.
    pedicle_low_mm, pedicle_high_mm
        Superior coordinates of the pedicles' lower and upper border, from the body's centre.
    gaps_mm
        Distances between the centres of neighbouring bodies, one fewer than vertebrae.
    """

    numbers: tuple[int, ...]
    half_canal_mm: tuple[float, ...]
    canal_depth_mm: tuple[float, ...]
    lateral_mm: tuple[float, ...]
    pedicle_low_mm: tuple[float, ...]
    pedicle_high_mm: tuple[float, ...]
    gaps_mm: tuple[float, ...]

    def by_contract(self, at: ColumnCoordinates, compartments: ByteArray) -> ByteArray:
        """Return compartments whose foramina end where pedicles begin.

        `compartments` fills the corners beside a pedicle with foramen, which suits the placing of leaks. The
        contract's foramen lies between the pedicles of neighbouring vertebrae; beside a pedicle's medial
        surface is the canal (its lateral recess).
        """
        out = compartments.copy()
        foramen = (out == Compartment.FORAMEN_LEFT) | (out == Compartment.FORAMEN_RIGHT)
        here = at.part(foramen)
        index = np.clip(np.round(here.place).astype(np.intp), 0, len(self.numbers) - 1)
        gaps = np.asarray(self.gaps_mm, dtype=np.float32)
        steps = index - here.place
        gap = np.where(steps > 0, gaps[np.maximum(index - 1, 0)], gaps[np.minimum(index, gaps.size - 1)])
        superior = steps * gap
        low, high = np.asarray(self.pedicle_low_mm)[index], np.asarray(self.pedicle_high_mm)[index]
        beside = (superior > low) & (superior < high)
        middle = (here.interpolate(self.half_canal_mm) + here.interpolate(self.lateral_mm)) / 2
        found = out[foramen]
        found[beside & (np.abs(here.left_mm) < middle)] = Compartment.CANAL
        found[beside & (np.abs(here.left_mm) >= middle)] = Compartment.ELSEWHERE
        out[foramen] = found
        return out

    def compartments(
        self, at: ColumnCoordinates, vertebrae: ByteArray, bodies: ByteArray, discs: BoolArray
    ) -> tuple[ByteArray, ByteArray]:
        """Return `Compartment` numbers and places on the grid of the arguments.

        Places are numbers of vertebrae: for bone and canal its own or the nearest, for discs and foramina
        that of the vertebra above.
        """
        out = np.zeros(vertebrae.shape, dtype=np.uint8)
        place = np.array(vertebrae, dtype=np.uint8)
        bone = vertebrae > 0
        out[bone] = Compartment.POSTERIOR_ELEMENTS
        out[discs & ~bone] = Compartment.DISC
        depth_limit = CANAL_DEPTH_SHARE * max(self.canal_depth_mm)
        near = (np.abs(at.left_mm) < max(self.lateral_mm) + 1) & (at.behind_wall_mm > -CANAL_BEFORE_WALL_MM)
        near &= at.behind_wall_mm < depth_limit
        self._mark_canal_and_foramina(at.part(near), near, out)
        out[bodies > 0] = Compartment.BODY
        self._mark_places(at, out, place)
        return out, place

    def _mark_canal_and_foramina(self, at: ColumnCoordinates, near: BoolArray, out: ByteArray) -> None:
        """Mark canal, foramina and pedicles among the voxels `near`; `at` has one value for each of them."""
        half, lateral = at.interpolate(self.half_canal_mm), at.interpolate(self.lateral_mm)
        depth = at.interpolate(self.canal_depth_mm)
        side, behind = np.abs(at.left_mm), at.behind_wall_mm
        found = out[near]
        free, bone = found == Compartment.ELSEWHERE, found == Compartment.POSTERIOR_ELEMENTS
        foramen = (
            free & (side >= half) & (side <= lateral) & (behind > 0) & (behind < FORAMEN_DEPTH_SHARE * depth)
        )
        pedicle = bone & (side >= half - 1) & (side <= lateral + 1) & (behind < 0.6 * depth)
        left = at.left_mm > 0
        found[foramen & left] = Compartment.FORAMEN_LEFT
        found[foramen & ~left] = Compartment.FORAMEN_RIGHT
        found[pedicle & left] = Compartment.PEDICLE_LEFT
        found[pedicle & ~left] = Compartment.PEDICLE_RIGHT
        found[free & (side < half) & (behind < CANAL_DEPTH_SHARE * depth)] = Compartment.CANAL
        out[near] = found

    def _mark_places(self, at: ColumnCoordinates, out: ByteArray, place: ByteArray) -> None:
        numbers = np.asarray(self.numbers, dtype=np.uint8)
        canal = out == Compartment.CANAL
        place[canal] = numbers[np.clip(np.round(at.place[canal]).astype(np.int16), 0, numbers.size - 1)]
        between = (
            (out == Compartment.DISC) | (out == Compartment.FORAMEN_LEFT) | (out == Compartment.FORAMEN_RIGHT)
        )
        place[between] = numbers[np.clip(np.floor(at.place[between]).astype(np.int16), 0, numbers.size - 1)]
