"""A column of vertebrae made of blocks, with cement of exact shape in it: truth for leaks and distances.

Every border is a plane whose place is known, so volumes, distances and compartments have exact answers. The
frame of every vertebra has the axes of the patient; its local coordinates are (left, posterior, superior).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cementct.anatomy.model import Compartment, CompartmentMap, HeightField, Pedicle, Spine, Vertebra
from cementct.core.arrays import BoolArray, FloatArray
from cementct.core.findings import LevelSource
from cementct.core.frame import Frame
from cementct.core.grid import Box, Grid, Triple
from cementct.core.image import Region, Volume
from cementct.core.levels import Level
from cementct.segmentation.model import Cement, Deposit, DepositArray, ForeignBody

# Half sizes of a body along left, posterior and superior, and the height of a disc, in millimetres: a lumbar
# vertebra, rounded.
HALF_MM = (22.0, 16.0, 13.0)
DISC_MM = 8.0
# Half width and depth of the canal; borders of the pedicles and of the arch behind them, in millimetres.
CANAL_HALF_WIDTH_MM = 11.0
CANAL_BACK_MM = 32.0
PEDICLE_LATERAL_MM = 20.0
PEDICLE_BACK_MM = 28.0
PEDICLE_SUPERIOR_MM = (0.0, 11.0)
ARCH_BACK_MM = 38.0
# Around the column, in millimetres.
MARGIN_MM = 14.0
# Intensities in HU: soft tissue, bone and cement.
TISSUE_HU, BONE_HU, CEMENT_HU = 40.0, 200.0, 2000.0
# Width of the scanner's blur (standard deviation) in millimetres: 1.2 mm full width at half maximum.
BLUR_MM = 0.5
# Fine grid on which shapes are drawn before they are blurred and averaged over voxels, in millimetres.
FINE_MM = 0.4
# Deposits thinner than the blur are drawn from this share of their own height on, within this distance.
OWN_HEIGHT_SHARE, OWN_HEIGHT_MM = 0.5, 2.0
# Less than this is not seen at all.
SEEN_FRACTION = 0.15

# Tells of points (left, posterior, superior), last axis 3, in the middle vertebra's frame, whether they are
# in.
Shape = Callable[[FloatArray], BoolArray]


def ball(centre_mm: Triple, radius_mm: float) -> Shape:
    """Return the ball around a point."""
    return lambda p: np.asarray(((p - np.asarray(centre_mm)) ** 2).sum(axis=-1) <= radius_mm**2)


def block(first_mm: Triple, last_mm: Triple) -> Shape:
    """Return the block between two corners."""
    low, high = np.minimum(first_mm, last_mm), np.maximum(first_mm, last_mm)
    return lambda p: np.asarray(np.all((p >= low) & (p <= high), axis=-1))


def cord(points_mm: Sequence[Triple], diameter_mm: float) -> Shape:
    """Return the cord of round section along a broken line."""
    ways = list(zip(np.asarray(points_mm)[:-1], np.asarray(points_mm)[1:], strict=True))

    def inside(p: FloatArray) -> BoolArray:
        found = np.zeros(p.shape[:-1], dtype=np.bool_)
        for first, last in ways:
            along = last - first
            share = np.clip(((p - first) @ along) / float(along @ along), 0, 1)
            found |= ((p - first - share[..., None] * along) ** 2).sum(axis=-1) <= (diameter_mm / 2) ** 2
        return found

    return inside


def join(*shapes: Shape) -> Shape:
    """Return the union of shapes."""

    def inside(p: FloatArray) -> BoolArray:
        found = shapes[0](p)
        for shape in shapes[1:]:
            found = found | shape(p)
        return found

    return inside


@dataclass(frozen=True)
class BlockSpine:
    """The column: its spine as geometry, the volume's grid, and cement that can be put into it.

    Attributes
    ----------
    spine
        Vertebrae L1 and so on, the middle one at the origin of the patient's frame.
    """

    spine: Spine

    @property
    def middle(self) -> Vertebra:
        """The vertebra that shapes are placed in."""
        return self.spine.vertebrae[len(self.spine.vertebrae) // 2]

    def cement_of(
        self, shape: Shape, *, streak_like: bool = False, foreign: tuple[ForeignBody, ...] = ()
    ) -> Cement:
        """Return cement of `shape` that came from the middle vertebra, blurred as a scanner would."""
        box, fraction = self._blurred(shape)
        highest = ndimage.maximum_filter(fraction, size=_odd(OWN_HEIGHT_MM, self.spine.grid.spacing_mm))
        region = (fraction >= OWN_HEIGHT_SHARE * highest) & (fraction >= SEEN_FRACTION)
        labels, count = ndimage.label(fraction > 0, structure=np.ones((3, 3, 3)))
        deposits: DepositArray = np.asarray(labels, dtype=np.uint16)
        number = self.middle.number
        voxel_ml = self.spine.grid.voxel_ml
        return Cement(
            box=box,
            fraction=fraction,
            region=np.asarray(region),
            deposits=deposits,
            owner=np.where(deposits > 0, np.uint16(number), np.uint16(0)),
            properties=tuple(
                Deposit(
                    number=k,
                    owner=number,
                    volume_ml=float(fraction[labels == k].sum()) * voxel_ml,
                    volume_sd_ml=0.01,
                    plateau_hu=CEMENT_HU,
                    background_hu=BONE_HU,
                    clipped=False,
                    slices=int(np.unique(np.nonzero(labels == k)[0]).size),
                    streak_like=streak_like,
                    calcification_like=False,
                    owner_certain=True,
                    at_scan_edge=False,
                )
                for k in range(1, count + 1)
            ),
            foreign=foreign,
            streaks=np.zeros(box.shape, dtype=np.bool_),
            noise_hu=15.0,
        )

    def volume_with(self, cement: Cement) -> Volume:
        """Return the CT volume of the column with `cement`, without noise."""
        hu = self.volume_without_cement().hu.astype(np.float32)
        here = hu[cement.box.slices]
        here += cement.fraction * (CEMENT_HU - here)
        return Volume(hu.round().astype(np.int16), self.spine.grid)

    def volume_without_cement(self) -> Volume:
        """Return the CT volume of the column as it was before injection, without noise."""
        hu = np.full(self.spine.grid.shape, TISSUE_HU, dtype=np.int16)
        for vertebra in self.spine.vertebrae:
            hu[vertebra.whole.box.slices][vertebra.whole.voxels] = BONE_HU
        return Volume(hu, self.spine.grid)

    def volume_ml(self, shape: Shape) -> float:
        """Return the volume of a shape as it is drawn, its sharp corners cut to the fine grid."""
        return float(self._blurred(shape)[1].sum()) * self.spine.grid.voxel_ml

    @cached_property
    def _coarse_mm(self) -> FloatArray:
        return _points(self.spine.grid, self.middle.frame)

    def _blurred(self, shape: Shape) -> tuple[Box, NDArray[np.float32]]:
        grid = self.spine.grid
        spacing = np.asarray(grid.spacing_mm)
        near = Region.of(shape(self._coarse_mm))
        box = self._box_of_fine(shape) if near.is_empty else grid.expand(near.box, 5.0)
        parts = np.maximum(1, np.ceil(spacing / FINE_MM)).astype(int)
        fine = grid.crop(box).resized(_triple(spacing / parts))
        drawn = shape(_points(fine, self.middle.frame)).astype(np.float32)
        soft = ndimage.gaussian_filter(drawn, BLUR_MM / np.asarray(fine.spacing_mm), truncate=4.0)
        z, y, x = box.shape
        voxels = soft.reshape(z, parts[0], y, parts[1], x, parts[2]).mean(axis=(1, 3, 5))
        return box, np.where(voxels > 1e-3, voxels, 0).astype(np.float32)

    def _box_of_fine(self, shape: Shape) -> Box:
        fine = self.spine.grid.resized((0.5, 0.5, 0.5))
        hit = np.argwhere(shape(_points(fine, self.middle.frame)))
        points_lps_mm = fine.to_lps(hit)
        return self.spine.grid.box_around(self.spine.grid.to_index(points_lps_mm), 4.0)


def build_block_spine(
    spacing_mm: Triple = (1.0, 0.7, 0.7), *, wall_rebuilt: bool = False, offset_mm: Triple = (0.0, 0.0, 0.0)
) -> BlockSpine:
    """Return a column of three vertebrae (L1-L3) on a grid of the given spacing.

    Parameters
    ----------
    spacing_mm
        Along z, y and x.
    wall_rebuilt
        Whether the posterior wall of the middle vertebra counts as inferred.
    offset_mm
        Shift of the grid (z, y, x) against the column, so that borders cut voxels anywhere.
    """
    pitch_mm = 2 * HALF_MM[2] + DISC_MM
    low = np.array([-HALF_MM[2] - pitch_mm - MARGIN_MM, -HALF_MM[1] - MARGIN_MM, -HALF_MM[0] - MARGIN_MM])
    high = np.array([HALF_MM[2] + pitch_mm + MARGIN_MM, ARCH_BACK_MM + 2 * MARGIN_MM, HALF_MM[0] + MARGIN_MM])
    shape = np.ceil((high - low) / spacing_mm).astype(int)
    z, y, x = low + offset_mm
    grid = Grid((int(shape[0]), int(shape[1]), int(shape[2])), spacing_mm, (float(x), float(y), float(z)))
    compartment, place = _draw_compartments(grid, pitch_mm)
    vertebrae = tuple(
        _build_vertebra(position, compartment, place, (1 - position) * pitch_mm) for position in range(3)
    )
    if wall_rebuilt:
        vertebrae = (vertebrae[0], replace(vertebrae[1], wall_rebuilt=True), vertebrae[2])
    middle_mm = (HALF_MM[1] + CANAL_BACK_MM) / 2
    centreline = np.array([[0.0, middle_mm, s] for s in np.arange(pitch_mm * 1.5, -pitch_mm * 1.5, -2.0)])
    return BlockSpine(Spine(grid, vertebrae, CompartmentMap(grid.box, compartment, place), centreline))


def _draw_compartments(grid: Grid, pitch_mm: float) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    x, y, z = np.moveaxis(grid.to_lps(np.moveaxis(np.indices(grid.shape, dtype=np.float64), 0, -1)), -1, 0)
    compartment = np.zeros(grid.shape, dtype=np.uint8)
    place = np.zeros(grid.shape, dtype=np.uint8)
    side = np.abs(x)
    in_column = np.abs(z) <= HALF_MM[2] + pitch_mm
    position = np.clip(np.round(1 - z / pitch_mm), 0, 2)
    superior = z - (1 - position) * pitch_mm

    def draw(where: BoolArray, kind: Compartment, at: NDArray[np.float64]) -> None:
        chosen = where & in_column
        compartment[chosen] = kind
        place[chosen] = at[chosen].astype(np.uint8)

    of_bone = position + 1
    space = np.where(superior > (PEDICLE_SUPERIOR_MM[0] + PEDICLE_SUPERIOR_MM[1]) / 2, position, position + 1)
    disc_at = np.where(superior > 0, position, position + 1)
    in_body_plan = (side <= HALF_MM[0]) & (np.abs(y) <= HALF_MM[1])
    beside_canal = (side > CANAL_HALF_WIDTH_MM) & (side <= PEDICLE_LATERAL_MM)
    behind = (y > HALF_MM[1]) & (y <= PEDICLE_BACK_MM)
    at_pedicle = (superior >= PEDICLE_SUPERIOR_MM[0]) & (superior <= PEDICLE_SUPERIOR_MM[1])
    at_body = np.abs(superior) <= HALF_MM[2]
    draw(in_body_plan & ~at_body, Compartment.DISC, disc_at)
    draw(in_body_plan & at_body, Compartment.BODY, of_bone)
    for sign, foramen, pedicle in (
        (1, Compartment.FORAMEN_LEFT, Compartment.PEDICLE_LEFT),
        (-1, Compartment.FORAMEN_RIGHT, Compartment.PEDICLE_RIGHT),
    ):
        draw(beside_canal & behind & (x * sign > 0) & ~at_pedicle, foramen, space)
        draw(beside_canal & behind & (x * sign > 0) & at_pedicle, pedicle, of_bone)
    arch_front = np.where(side <= CANAL_HALF_WIDTH_MM, CANAL_BACK_MM, PEDICLE_BACK_MM)
    arch = (y > arch_front) & (y <= ARCH_BACK_MM) & (side <= PEDICLE_LATERAL_MM) & at_body
    draw(arch, Compartment.POSTERIOR_ELEMENTS, of_bone)
    canal = (side <= CANAL_HALF_WIDTH_MM) & (y > HALF_MM[1]) & (y <= CANAL_BACK_MM)
    draw(canal, Compartment.CANAL, of_bone)
    return compartment, place


def _build_vertebra(
    position: int, compartment: NDArray[np.uint8], place: NDArray[np.uint8], height_mm: float
) -> Vertebra:
    bone = (
        Compartment.BODY,
        Compartment.PEDICLE_LEFT,
        Compartment.PEDICLE_RIGHT,
        Compartment.POSTERIOR_ELEMENTS,
    )
    own = place == position + 1
    across = np.array([-HALF_MM[0], HALF_MM[0]])
    along = np.array([-HALF_MM[1], HALF_MM[1]])
    inner = np.array([-CANAL_HALF_WIDTH_MM, CANAL_HALF_WIDTH_MM])
    up = np.array([-HALF_MM[2], HALF_MM[2]])
    low, high = PEDICLE_SUPERIOR_MM
    level = (Level.L1, Level.L2, Level.L3)[position]
    return Vertebra(
        position=position,
        number=level.verse_number,
        level=level,
        level_source=LevelSource.LABEL_FILE,
        frame=Frame((0.0, 0.0, height_mm), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
        body=Region.of((compartment == Compartment.BODY) & own),
        whole=Region.of(np.isin(compartment, bone) & own),
        superior_endplate=HeightField(across, along, np.full((2, 2), HALF_MM[2])),
        inferior_endplate=HeightField(across, along, np.full((2, 2), -HALF_MM[2])),
        posterior_wall=HeightField(inner, up, np.full((2, 2), HALF_MM[1])),
        left_pedicle=Pedicle(CANAL_HALF_WIDTH_MM, PEDICLE_LATERAL_MM, high, low),
        right_pedicle=Pedicle(-CANAL_HALF_WIDTH_MM, -PEDICLE_LATERAL_MM, high, low),
        width_mm=2 * HALF_MM[0],
        depth_mm=2 * HALF_MM[1],
        height_mm=2 * HALF_MM[2],
        complete=True,
        wall_rebuilt=False,
        confidence=1.0,
    )


def _points(grid: Grid, frame: Frame) -> FloatArray:
    indices = np.moveaxis(np.indices(grid.shape, dtype=np.float64), 0, -1)
    return frame.to_local(grid.to_lps(indices))


def _odd(width_mm: float, spacing_mm: Triple) -> tuple[int, ...]:
    return tuple(int(2 * round(width_mm / s) + 1) for s in spacing_mm)


def _triple(values: FloatArray) -> Triple:
    z, y, x = (float(v) for v in values)
    return z, y, x
