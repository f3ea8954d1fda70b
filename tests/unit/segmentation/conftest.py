"""A small spine of rounded blocks with cortex, arch and marrow pattern, for registration and lesions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import ndimage

from cementct.anatomy.model import CompartmentMap, HeightField, Spine, Vertebra
from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.findings import LevelSource
from cementct.core.frame import Frame
from cementct.core.grid import Box, Grid
from cementct.core.image import Region, Volume

HALF_MM = (20.0, 14.0, 11.0)
GAP_MM = 8.0
CORTEX_HU, TISSUE_HU, DISC_HU = 700.0, 40.0, 80.0


@dataclass(frozen=True)
class MadeSpine:
    """A volume with its vertebrae, and the block's axes to draw in."""

    volume: Volume
    spine: Spine
    local: tuple[np.ndarray, ...]


Lesion = Callable[[np.ndarray, np.ndarray, np.ndarray], BoolArray]


def make_spine(
    *,
    count: int = 2,
    marrow_hu: float = 160.0,
    lesion: Lesion | None = None,
    lesion_hu: float = 50.0,
    noise_hu: float = 12.0,
    spacing_mm: tuple[float, float, float] = (1.2, 1.0, 1.0),
    seed: int = 3,
) -> MadeSpine:
    """Return a spine whose uppermost vertebra holds a lesion, drawn in (left, posterior, superior) of it."""
    pitch = 2 * HALF_MM[2] + GAP_MM
    extent = np.array([pitch * count + 12.0, 78.0, 60.0])
    shape = tuple(int(n) for n in np.round(extent / spacing_mm))
    origin = (-29.5, -20.0, -extent[0] + pitch / 2 + 6.0)
    grid = Grid(shape, spacing_mm, origin)  # type: ignore[arg-type]
    index = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1)
    x, y, z = np.moveaxis(grid.to_lps(index), -1, 0)
    rng = np.random.default_rng(seed)
    pattern = ndimage.gaussian_filter(rng.standard_normal(shape), 1.0)
    pattern *= 0.15 / pattern.std()
    hu = np.full(shape, TISSUE_HU)
    vertebrae = []
    for position in range(count):
        centre = (0.0, 0.0, -pitch * position)
        body = _box_distance((x, y, z - centre[2]), HALF_MM)
        # The arch is lopsided, and each is a little longer than the one above, so that no two are alike.
        ring = np.abs(np.hypot(x / 1.2, y - 26.0) - 12.0) - 3.0
        ring = np.maximum(ring, np.maximum(np.abs(z - centre[2] - 3.0) - 6.0, 12.0 - y))
        spur = _box_distance(
            (x - 4.0 + 5 * position, y - 44.0, z - centre[2] + 4.0), (2.5 + position, 8.0, 6.0 - position)
        )
        arch = np.minimum(ring, spur)
        bone = np.minimum(body, arch)
        hu = np.where(bone < 0, CORTEX_HU, hu)
        hu = np.where(bone < -1.2, marrow_hu * (1 + pattern), hu)
        vertebrae.append(_vertebra(position, centre, body < 0, bone < 0))
    if lesion is not None:
        inside = lesion(x, y, z) & (_box_distance((x, y, z), HALF_MM) < 0)
        hu = np.where(inside, lesion_hu, hu)
    hu = ndimage.gaussian_filter(hu, [0.6 / s for s in spacing_mm])
    hu = hu + rng.normal(0, noise_hu, shape)
    empty = np.zeros((1, 1, 1), dtype=np.uint8)
    spine = Spine(
        grid, tuple(vertebrae), CompartmentMap(Box((0, 0, 0), (1, 1, 1)), empty, empty), np.zeros((0, 3))
    )
    return MadeSpine(Volume(np.round(hu).astype(np.int16), grid), spine, (x, y, z))


def _box_distance(at: tuple[np.ndarray, ...], half: tuple[float, float, float]) -> np.ndarray:
    away = np.stack([np.abs(a) - h + 3.0 for a, h in zip(at, half, strict=True)])
    return np.linalg.norm(np.maximum(away, 0), axis=0) + np.minimum(away.max(axis=0), 0) - 3.0


def _vertebra(
    position: int, centre: tuple[float, float, float], body: BoolArray, whole: BoolArray
) -> Vertebra:
    left, back, up = (np.arange(-h, h + 1.0) for h in HALF_MM)

    def flat(first: np.ndarray, second: np.ndarray, height: float) -> HeightField:
        return HeightField(first, second, np.full((first.size, second.size), height))

    wall = left[np.abs(left) <= 9]
    return Vertebra(
        position=position,
        number=101 + position,
        level=None,
        level_source=LevelSource.UNKNOWN,
        frame=Frame(centre, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
        body=Region.of(body),
        whole=Region.of(whole),
        superior_endplate=flat(left, back, HALF_MM[2]),
        inferior_endplate=flat(left, back, -HALF_MM[2]),
        posterior_wall=flat(wall, up, HALF_MM[1]),
        left_pedicle=None,
        right_pedicle=None,
        width_mm=2 * HALF_MM[0],
        depth_mm=2 * HALF_MM[1],
        height_mm=2 * HALF_MM[2],
        complete=True,
        wall_rebuilt=False,
        confidence=1.0,
    )


@pytest.fixture(scope="session")
def build_spine() -> Callable[..., MadeSpine]:
    """Return the maker of spines."""
    return make_spine


@pytest.fixture
def moved_volume() -> Callable[..., Volume]:
    """Return a maker of scans of a patient who moved: ``post = rotation @ pre + translation``."""

    def move(
        volume: Volume, rotation: np.ndarray, translation_mm: np.ndarray, noise_hu: float = 10.0
    ) -> Volume:
        grid = volume.grid
        index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)
        before = (grid.to_lps(index) - translation_mm) @ rotation
        source: Float32Array = volume.hu.astype(np.float32)
        hu = ndimage.map_coordinates(
            source, np.moveaxis(grid.to_index(before), -1, 0), order=3, mode="nearest", output=np.float32
        )
        hu += np.random.default_rng(11).normal(0, noise_hu, grid.shape)
        return Volume(np.round(hu).astype(np.int16), grid)

    return move
