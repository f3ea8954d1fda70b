"""Voxels together with the grid they lie on: CT volumes, masks and label maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, HuArray, IntArray, LabelArray, read_only
from cementct.core.grid import Box, Grid, IndexTriple
from cementct.core.morphology import places_of

# What stands in a volume where the scanner measured nothing (padding outside the reconstructed circle).
# Below anything that a CT number can mean: air is -1024 at the lowest.
PADDING_HU = -2048
# Voxels at or below this were not measured; halfway between air and the padding value.
NOT_MEASURED_BELOW_HU = -1536


@dataclass(frozen=True)
class Volume:
    """A CT volume in Hounsfield units, in canonical order (z to the head, y to the back, x to the left).

    Attributes
    ----------
    hu
        Intensities, shape (z, y, x), read-only; `PADDING_HU` where nothing was measured.
    grid
        Where the voxels lie.
    """

    hu: HuArray
    grid: Grid

    def __post_init__(self) -> None:
        _check_shape(self.hu.shape, self.grid)
        object.__setattr__(self, "hu", read_only(self.hu))

    def crop(self, box: Box) -> Volume:
        """Return the voxels in `box`, as a view."""
        return Volume(self.hu[box.slices], self.grid.crop(box))

    def measured(self) -> BoolArray:
        """Return where the scanner measured something."""
        return np.asarray(self.hu > NOT_MEASURED_BELOW_HU)


@dataclass(frozen=True)
class Mask:
    """A set of voxels of a grid.

    Attributes
    ----------
    voxels
        True inside, shape (z, y, x), read-only.
    grid
        Where the voxels lie.
    """

    voxels: BoolArray
    grid: Grid

    def __post_init__(self) -> None:
        _check_shape(self.voxels.shape, self.grid)
        object.__setattr__(self, "voxels", read_only(self.voxels))

    @property
    def volume_ml(self) -> float:
        """Volume of the voxels inside, in millilitres."""
        return float(np.count_nonzero(self.voxels)) * self.grid.voxel_ml


@dataclass(frozen=True)
class Region:
    """A set of voxels of a larger grid, stored only within its own block.

    Attributes
    ----------
    box
        The block within the larger grid.
    voxels
        True inside, shape of the block, read-only.
    """

    box: Box
    voxels: BoolArray

    def __post_init__(self) -> None:
        if self.voxels.shape != self.box.shape:
            raise ValueError(
                f"a region of box shape {self.box.shape} got voxels of shape {self.voxels.shape}"
            )
        object.__setattr__(self, "voxels", read_only(self.voxels))

    @classmethod
    def of(cls, voxels: BoolArray, start: IndexTriple = (0, 0, 0)) -> Region:
        """Return the region of the true voxels of an array that begins at `start` in the grid."""
        if not voxels.any():
            return cls(Box((0, 0, 0), (0, 0, 0)), np.zeros((0, 0, 0), dtype=np.bool_))
        bounds = []
        for axis in range(3):
            hit = np.flatnonzero(voxels.any(axis=tuple(a for a in range(3) if a != axis)))
            bounds.append((int(hit[0]), int(hit[-1]) + 1))
        (z0, z1), (y0, y1), (x0, x1) = bounds
        own = Box((z0, y0, x0), (z1, y1, x1))
        z, y, x = start
        box = Box((z0 + z, y0 + y, x0 + x), (z1 + z, y1 + y, x1 + x))
        return cls(box, voxels[own.slices].copy())

    @property
    def is_empty(self) -> bool:
        """Whether no voxel is inside."""
        return not self.voxels.any()

    @property
    def count(self) -> int:
        """Number of voxels inside."""
        return int(np.count_nonzero(self.voxels))

    def indices(self) -> IntArray:
        """Return the (z, y, x) indices of the voxels inside, in the larger grid, one a row."""
        return np.asarray(places_of(self.voxels) + np.asarray(self.box.start), dtype=np.intp)

    def in_box(self, box: Box) -> BoolArray:
        """Return the region as an array that covers `box`; what lies beyond is cut off."""
        out = np.zeros(box.shape, dtype=np.bool_)
        common = self.box.intersection(box)
        if not common.is_empty:
            out[common.within(box)] = self.voxels[common.within(self.box)]
        return out


@dataclass(frozen=True)
class LabelMap:
    """Whole numbers on a grid: 0 is background, every other number one structure.

    Attributes
    ----------
    labels
        Numbers, shape (z, y, x), read-only.
    grid
        Where the voxels lie.
    """

    labels: LabelArray
    grid: Grid

    def __post_init__(self) -> None:
        _check_shape(self.labels.shape, self.grid)
        object.__setattr__(self, "labels", read_only(self.labels))

    def numbers(self) -> list[int]:
        """Return the numbers that occur, background left out, in rising order."""
        counts = np.bincount(self.labels.ravel())
        return [int(n) for n in np.flatnonzero(counts) if n != 0]

    def regions(self) -> dict[int, Region]:
        """Return the region of every number that occurs, background left out."""
        from scipy import ndimage

        found: dict[int, Region] = {}
        # Searched only within what any structure reaches: most of a scan is none.
        shadow = self.labels.max(axis=0)
        layers = self.labels.reshape(len(self.labels), -1).max(axis=1)
        hits = [np.flatnonzero(line) for line in (layers, shadow.max(axis=1), shadow.max(axis=0))]
        if not hits[0].size:
            return found
        used = tuple(slice(int(hit[0]), int(hit[-1]) + 1) for hit in hits)
        labels = self.labels[used]
        for number, block in enumerate(ndimage.find_objects(labels), start=1):
            if block is None:
                continue
            z, y, x = (slice(p.start + u.start, p.stop + u.start) for p, u in zip(block, used, strict=True))
            box = Box((z.start, y.start, x.start), (z.stop, y.stop, x.stop))
            found[number] = Region(box, np.asarray(labels[block] == number))
        return found

    def mask(self, number: int) -> Mask:
        """Return the voxels that carry `number`."""
        return Mask(np.asarray(self.labels == number), self.grid)


def _check_shape(shape: tuple[int, ...], grid: Grid) -> None:
    if shape != grid.shape:
        raise ValueError(f"expected voxels of the grid's shape {grid.shape}, got {shape}")
