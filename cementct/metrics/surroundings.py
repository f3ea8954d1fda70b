"""One vertebra's cement, and what each voxel around it is to that vertebra: own bone, canal, disc, else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from cementct.anatomy.model import BONE, Compartment, Spine, Vertebra
from cementct.core.arrays import BoolArray, Float32Array, FloatArray
from cementct.core.grid import Box, Grid
from cementct.segmentation.model import Cement

# How far beyond the vertebra's cement its bone and compartments are looked at, in millimetres: more than the
# deepest sliver that could be a boundary effect, so that every border near the cement is in the block.
MARGIN_MM = 6.0
# Discs are told apart by their place: `Kind.DISC + place`, the place being that of `CompartmentMap`.
KindArray = NDArray[np.uint16]


class Kind(IntEnum):
    """What a voxel is to the vertebra whose cement is looked at.

    `ACCESS_TRACK` is never a voxel's own: it is found from the shape of a piece `ELSEWHERE`.
    """

    INSIDE = 1
    CANAL = 2
    FORAMEN_LEFT = 3
    FORAMEN_RIGHT = 4
    ELSEWHERE = 5
    OTHER_BONE = 6
    ACCESS_TRACK = 7
    DISC = 16


NEURAL_KINDS = (Kind.CANAL, Kind.FORAMEN_LEFT, Kind.FORAMEN_RIGHT)


@dataclass(frozen=True)
class Surroundings:
    """The cement of one vertebra within a block of the volume, and the compartments there.

    Attributes
    ----------
    vertebra
        Where the cement came from.
    box, grid
        The block within the volume's grid, and its own grid.
    fraction
        Share of each voxel that this vertebra's cement occupies.
    region
        This vertebra's cement as drawn: the half-height outline.
    deposits
        Number of the deposit of each voxel, 0 outside this vertebra's cement.
    compartment
        `Compartment` numbers.
    kind
        `Kind` numbers.
    """

    vertebra: Vertebra
    box: Box
    grid: Grid
    fraction: Float32Array
    region: BoolArray
    deposits: NDArray[np.uint16]
    compartment: NDArray[np.uint8]
    kind: KindArray

    @property
    def spacing_mm(self) -> FloatArray:
        """Distance between voxel centres along z, y and x."""
        return np.asarray(self.grid.spacing_mm, dtype=np.float64)

    def local_mm(self, index_zyx: NDArray[np.intp] | FloatArray) -> FloatArray:
        """Return (left, posterior, superior) coordinates of indices of the block, in the vertebra's frame."""
        return self.vertebra.frame.to_local(self.grid.to_lps(index_zyx))


def surroundings_of(vertebra: Vertebra, cement: Cement, spine: Spine) -> Surroundings | None:
    """Return the cement of `vertebra` with what lies around it, or None where it has none."""
    mine = cement.owner == vertebra.number
    points = np.argwhere(mine)
    if points.size == 0:
        return None
    box = spine.grid.expand(spine.grid.box_around(points + np.asarray(cement.box.start)), MARGIN_MM)
    fraction = np.zeros(box.shape, dtype=np.float32)
    region = np.zeros(box.shape, dtype=np.bool_)
    deposits = np.zeros(box.shape, dtype=np.uint16)
    common = cement.box.intersection(box)
    here, there = common.within(box), common.within(cement.box)
    fraction[here] = np.where(mine[there], cement.fraction[there], 0)
    region[here] = cement.region[there] & mine[there]
    deposits[here] = np.where(mine[there], cement.deposits[there], 0)
    compartment, place = compartments_in(box, spine)
    return Surroundings(
        vertebra,
        box,
        spine.grid.crop(box),
        fraction,
        region,
        deposits,
        compartment,
        _kinds(vertebra, box, compartment, place),
    )


def compartments_in(box: Box, spine: Spine) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return compartment and place of every voxel of `box`, `ELSEWHERE` beyond the compartment map."""
    compartment = np.zeros(box.shape, dtype=np.uint8)
    place = np.zeros(box.shape, dtype=np.uint8)
    common = box.intersection(spine.compartments.box)
    if not common.is_empty:
        here, there = common.within(box), common.within(spine.compartments.box)
        compartment[here] = spine.compartments.compartment[there]
        place[here] = spine.compartments.place[there]
    return compartment, place


def _kinds(
    vertebra: Vertebra, box: Box, compartment: NDArray[np.uint8], place: NDArray[np.uint8]
) -> KindArray:
    kind = np.full(box.shape, Kind.ELSEWHERE, dtype=np.uint16)
    kind[vertebra.whole.in_box(box) & (compartment == Compartment.ELSEWHERE)] = Kind.INSIDE
    bone = np.isin(compartment, BONE)
    own = bone & (place == vertebra.position + 1)
    kind[own] = Kind.INSIDE
    kind[bone & ~own] = Kind.OTHER_BONE
    kind[compartment == Compartment.CANAL] = Kind.CANAL
    kind[compartment == Compartment.FORAMEN_LEFT] = Kind.FORAMEN_LEFT
    kind[compartment == Compartment.FORAMEN_RIGHT] = Kind.FORAMEN_RIGHT
    disc = compartment == Compartment.DISC
    kind[disc] = place[disc].astype(np.uint16) + np.uint16(Kind.DISC)
    return kind
