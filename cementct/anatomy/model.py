"""The spine as geometry: vertebrae with their walls, and the compartments around them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from cementct.anatomy.hints import GivenVertebra
from cementct.core.arrays import FloatArray, as_floats, read_only
from cementct.core.findings import LevelSource
from cementct.core.flags import QualityFlag
from cementct.core.frame import Frame
from cementct.core.grid import Box, Grid, Triple
from cementct.core.image import Mask, Region
from cementct.core.levels import Level


class Compartment(IntEnum):
    """Where a voxel near the spine lies, by the borders that define leaks."""

    ELSEWHERE = 0
    DISC = 1
    CANAL = 2
    FORAMEN_LEFT = 3
    FORAMEN_RIGHT = 4
    BODY = 5
    PEDICLE_LEFT = 6
    PEDICLE_RIGHT = 7
    POSTERIOR_ELEMENTS = 8


# The compartments that are bone.
BONE = (
    Compartment.BODY,
    Compartment.PEDICLE_LEFT,
    Compartment.PEDICLE_RIGHT,
    Compartment.POSTERIOR_ELEMENTS,
)


@dataclass(frozen=True)
class HeightField:
    """A surface as heights over a plane of a vertebra's frame.

    Attributes
    ----------
    first_mm, second_mm
        Rising sample positions along the two axes of the plane.
    height_mm
        Height over the plane, shape (first, second); NaN where the surface does not exist.
    """

    first_mm: FloatArray
    second_mm: FloatArray
    height_mm: FloatArray

    def __post_init__(self) -> None:
        if self.height_mm.shape != (self.first_mm.size, self.second_mm.size):
            raise ValueError("a height field needs one height for each pair of sample positions")
        object.__setattr__(self, "height_mm", read_only(self.height_mm))

    def at(self, first_mm: ArrayLike, second_mm: ArrayLike) -> FloatArray:
        """Return heights at the given positions by linear interpolation; NaN off the surface."""
        first, second = np.broadcast_arrays(as_floats(first_mm), as_floats(second_mm))
        rows = np.interp(first, self.first_mm, np.arange(self.first_mm.size), left=-9, right=-9)
        columns = np.interp(second, self.second_mm, np.arange(self.second_mm.size), left=-9, right=-9)
        return np.asarray(
            ndimage.map_coordinates(self.height_mm, [rows, columns], order=1, mode="constant", cval=np.nan),
            dtype=np.float64,
        )


@dataclass(frozen=True)
class Pedicle:
    """One pedicle, in its vertebra's frame.

    Attributes
    ----------
    medial_mm, lateral_mm
        Left coordinate of its border to the canal and of its outer border.
    superior_mm, inferior_mm
        Superior coordinate of its upper and lower border.
    """

    medial_mm: float
    lateral_mm: float
    superior_mm: float
    inferior_mm: float


@dataclass(frozen=True)
class Vertebra:
    """One vertebra and its walls.

    Attributes
    ----------
    position
        Place in the spine in view, 0 being the uppermost.
    number
        Its number in the label maps that are written: VerSe's, or 101, 102 … from the top.
    level, level_source
        Its name, and what that was counted from.
    frame
        Centre of the body, and its left, posterior and superior axes.
    body
        The vertebral body, cut from the pedicles at the plane of the posterior wall.
    whole
        Body, pedicles and posterior elements.
    superior_endplate, inferior_endplate
        Superior coordinate over (left, posterior): the outer faces of the body, within their rims.
    posterior_wall
        Posterior coordinate over (left, superior), bridged across the basivertebral foramen.
    left_pedicle, right_pedicle
        The patient's left and right; None where not in view or not found.
    width_mm, depth_mm, height_mm
        Extents of the body along its axes.
    complete
        False where the scan cuts the body or its pedicles.
    wall_rebuilt
        Whether the posterior wall was inferred from what is intact and from neighbours.
    confidence
        Between 0 and 1: how far geometric checks support the outline.
    flags
        Doubts about this vertebra's anatomy and name.
    by_hand
        What the user gave by hand about it; None where nothing.
    is_drawn
        Whether somebody drew its outline, or a network did; an engine that follows bone by its density leaves
        some out, and takes cement as faint as bone for it.
    """

    position: int
    number: int
    level: Level | None
    level_source: LevelSource
    frame: Frame
    body: Region
    whole: Region
    superior_endplate: HeightField
    inferior_endplate: HeightField
    posterior_wall: HeightField
    left_pedicle: Pedicle | None
    right_pedicle: Pedicle | None
    width_mm: float
    depth_mm: float
    height_mm: float
    complete: bool
    wall_rebuilt: bool
    confidence: float
    flags: tuple[QualityFlag, ...] = ()
    by_hand: GivenVertebra | None = None
    is_drawn: bool = True

    @property
    def centroid_lps_mm(self) -> Triple:
        """The centre of its body, or the one that the user gave."""
        given = self.by_hand.centre_lps_mm if self.by_hand else None
        return given or self.frame.centre_lps_mm

    @property
    def name(self) -> str:
        """Its level, or its number where the level is unknown."""
        return self.level.value if self.level else f"#{self.number}"


@dataclass(frozen=True)
class Beneath:
    """Labelled bone where canal or foramina would be: what each voxel is should bone not be there.

    Attributes
    ----------
    index
        Places in the flat arrays of the compartment map, ascending.
    compartment, place
        As in `CompartmentMap`, one value for each.
    """

    index: np.ndarray[tuple[int, ...], np.dtype[np.intp]]
    compartment: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    place: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


@dataclass(frozen=True)
class CompartmentMap:
    """To which compartment, and to which vertebra or space, each voxel near the spine belongs.

    Attributes
    ----------
    box
        The block of the volume's grid that the arrays cover.
    compartment
        `Compartment` numbers, uint8.
    place
        For bone and canal the position of the vertebra, counted from 1. For discs and foramina the position
        of the vertebra above, counted from 1: 0 is the space above the uppermost vertebra in view.
        0 in `Compartment.ELSEWHERE`. uint8.
    beneath
        What bone behind the bodies covers; None where that was not looked at.
    """

    box: Box
    compartment: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    place: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    beneath: Beneath | None = None

    def __post_init__(self) -> None:
        if self.compartment.shape != self.box.shape or self.place.shape != self.box.shape:
            raise ValueError("both arrays of a compartment map have to cover its box")
        object.__setattr__(self, "compartment", read_only(self.compartment))
        object.__setattr__(self, "place", read_only(self.place))


@dataclass(frozen=True)
class Spine:
    """All vertebrae in view of one volume, from top to bottom, and the spaces between them.

    Attributes
    ----------
    grid
        The grid of the volume, in canonical order.
    vertebrae
        From the uppermost to the lowest in view.
    compartments
        The borders that define leaks, voxel by voxel.
    canal_centreline_lps_mm
        Points along the middle of the spinal canal from top to bottom, shape (n, 3).
    orientation_contradicts_anatomy
        Whether the header's back or head is not where the anatomy has them.
    flags
        Doubts about the spine as a whole.
    other_bone
        Bone near the spine that is no vertebra's in view: ribs, sacrum, arches of vertebrae that the scan
        cuts off; None where the labels do not tell.
    """

    grid: Grid
    vertebrae: tuple[Vertebra, ...]
    compartments: CompartmentMap
    canal_centreline_lps_mm: FloatArray
    orientation_contradicts_anatomy: bool = False
    flags: tuple[QualityFlag, ...] = ()
    other_bone: Mask | None = None
