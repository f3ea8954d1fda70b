"""What makes a case harder: turns, thick slices, noise, thin bone and narrow fields of view."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cementct.core.arrays import Float32Array, FloatArray, as_floats
from cementct.core.grid import Box, Grid, IndexTriple
from cementct.core.image import PADDING_HU, LabelMap, Volume
from cementct.io.resample import resample_labels
from cementct.testing.column import turn_matrix
from cementct.testing.scanner import noise_hu
from cementct.testing.spec import Scanner

Degrees = tuple[float, float, float]
AIR_HU = -1024

# Osteopenia: what is left of trabecular bone, and of the shell of cortex where the mask's rim is.
TRABECULAR_SHARE = 0.5
CORTICAL_SHARE = 0.75
# The mask's rim, mm: cortex and its partial volume.
RIM_MM = 1.5


@dataclass(frozen=True)
class Scene:
    """A volume with everything that has to stay on its grid.

    Attributes
    ----------
    volume
        The scan.
    maps
        Label maps on its grid, by name.
    canal_lps_mm
        Middle of the canal from top to bottom, shape (n, 3).
    """

    volume: Volume
    maps: dict[str, LabelMap]
    canal_lps_mm: FloatArray

    def crop(self, box: Box) -> Scene:
        """Return what lies in a block of the grid."""
        grid = self.volume.grid.crop(box)
        return replace(
            self,
            volume=self.volume.crop(box),
            maps={n: LabelMap(m.labels[box.slices].copy(), grid) for n, m in self.maps.items()},
        )


def turned_grid(grid: Grid, degrees: Degrees) -> tuple[Grid, FloatArray]:
    """Return `grid` turned with the patient about its middle, and the 4 by 4 matrix that turned it (LPS)."""
    turn = turn_matrix(degrees)
    middle = grid.to_lps([(n - 1) / 2 for n in grid.shape])
    move = np.eye(4)
    move[:3, :3], move[:3, 3] = turn, middle - turn @ middle
    return Grid.from_affine(move @ grid.affine_lps, grid.shape), move


def upright_grid(grid: Grid, spacing_mm: tuple[float, float, float]) -> Grid:
    """Return the smallest grid along the patient's axes that holds a turned grid."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape])).reshape(3, -1).T
    points = grid.to_lps(corners)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = (high - low)[::-1]
    shape: IndexTriple = tuple(int(e / s) + 1 for e, s in zip(extent, spacing_mm, strict=True))  # type: ignore[assignment]
    x, y, z = (float(v) for v in low)
    return Grid(shape, spacing_mm, (x, y, z))


def turn_scene(scene: Scene, degrees: Degrees) -> Scene:
    """Return a scan of the same patient, turned on the table; the field of view stays."""
    from scipy import ndimage

    source, move = turned_grid(scene.volume.grid, degrees)
    target = scene.volume.grid
    change = np.linalg.inv(source.affine_lps) @ target.affine_lps
    hu = np.maximum(scene.volume.hu, AIR_HU).astype(np.float32)
    inside = scene.volume.measured().astype(np.uint8)
    matrix, offset = change[:3, :3], change[:3, 3]
    image = ndimage.affine_transform(hu, matrix, offset, target.shape, order=1, mode="constant", cval=AIR_HU)
    seen = ndimage.affine_transform(inside, matrix, offset, target.shape, order=0, mode="constant")
    stored = np.round(image).astype(np.int16)
    stored[seen == 0] = PADDING_HU
    maps = {n: resample_labels(LabelMap(m.labels, source), target) for n, m in scene.maps.items()}
    canal = scene.canal_lps_mm @ move[:3, :3].T + move[:3, 3]
    return Scene(Volume(stored, target), maps, as_floats(canal))


def merge_slices(scene: Scene, count: int) -> Scene:
    """Return the scan in slices `count` times as thick; labels are where half of a slice's surface lies."""
    grid = scene.volume.grid
    n_z = grid.shape[0] // count
    shape, spacing = (n_z, *grid.shape[1:]), (grid.spacing_mm[0] * count, *grid.spacing_mm[1:])
    first = grid.to_lps(((count - 1) / 2, 0, 0))
    thick = Grid(shape, spacing, (float(first[0]), float(first[1]), float(first[2])), grid.direction)
    hu = np.asarray(scene.volume.hu[: n_z * count])
    image = hu.reshape(n_z, count, *shape[1:]).mean(axis=1, dtype=np.float32)
    unknown = ~scene.volume.measured()[: n_z * count].reshape(n_z, count, *shape[1:])
    image[unknown.any(axis=1)] = PADDING_HU
    maps = {n: LabelMap(_merged_labels(m, count, n_z), thick) for n, m in scene.maps.items()}
    return Scene(Volume(np.round(image).astype(np.int16), thick), maps, scene.canal_lps_mm)


def _merged_labels(labels: LabelMap, count: int, n_z: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    from scipy import ndimage

    out = np.zeros((n_z, *labels.grid.shape[1:]), dtype=np.uint8)
    for number, region in labels.regions().items():
        # Whole merged slices around the region, and a few voxels beside it.
        low = max(0, region.box.start[0] - 3 * count) // count * count
        high = min(n_z * count, -(-(region.box.stop[0] + 3 * count) // count) * count)
        y, x = (
            slice(max(0, a - 2), b + 2)
            for a, b in zip(region.box.start[1:], region.box.stop[1:], strict=True)
        )
        own = labels.labels[low:high, y, x] == number
        depth = ndimage.distance_transform_edt(own, sampling=labels.grid.spacing_mm)
        depth -= ndimage.distance_transform_edt(~own, sampling=labels.grid.spacing_mm)
        mean = depth.reshape(-1, count, *depth.shape[1:]).mean(axis=1)
        out[low // count : high // count, y, x][mean > 0] = number
    return out


def add_noise(volume: Volume, noise: float, *, seed: int) -> Volume:
    """Return the scan with noise of a standard deviation (HU) added, as a standard kernel colours it."""
    spacing = volume.grid.spacing_mm
    scanner = Scanner(spacing[1], spacing[0], spacing[0], noise_hu=noise)
    extra = noise_hu(volume.grid.shape, scanner, seed=seed)
    hu = np.clip(np.round(volume.hu + extra), AIR_HU, 3071).astype(np.int16)
    hu[~volume.measured()] = PADDING_HU
    return Volume(hu, volume.grid)


def thin_bone(volume: Volume, vertebrae: LabelMap) -> Volume:
    """Return the scan with osteopenic vertebrae: half of the trabecular bone, and fainter cortex."""
    from scipy import ndimage

    hu = np.array(volume.hu, dtype=np.float32)
    for region in vertebrae.regions().values():
        view = hu[region.box.slices]
        spacing = vertebrae.grid.spacing_mm
        depth = ndimage.distance_transform_edt(np.pad(region.voxels, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
        core = np.clip((depth - RIM_MM) / RIM_MM, 0.0, 1.0)
        # However thick a voxel is, the outermost one holds cortex.
        core[~ndimage.binary_erosion(np.pad(region.voxels, 1))[1:-1, 1:-1, 1:-1]] = 0.0
        share: Float32Array = np.asarray(
            CORTICAL_SHARE + (TRABECULAR_SHARE - CORTICAL_SHARE) * core, np.float32
        )
        dense = region.voxels & (view > 0)
        view[dense] *= share[dense]
    return Volume(np.round(hu).astype(np.int16), volume.grid)


def slab_box(scene: Scene, slices: int, middle_z: float) -> Box:
    """Return the block of a number of slices around one slice."""
    n_z, n_y, n_x = scene.volume.grid.shape
    first = int(np.clip(round(middle_z - slices / 2), 0, max(0, n_z - slices)))
    return Box((first, 0, 0), (min(n_z, first + slices), n_y, n_x))


def narrow_box(scene: Scene, within_mm: float) -> Box:
    """Return the block that reaches `within_mm` to every side of the middle of the bodies in view."""
    grid = scene.volume.grid
    places = np.argwhere(scene.maps["bodies"].labels[::2, ::2, ::2] > 0) * 2
    middle = np.median(places, axis=0)
    n_z, n_y, n_x = grid.shape
    (y0, y1), (x0, x1) = (
        (max(0, int(m - within_mm / s)), min(n, int(m + within_mm / s) + 1))
        for m, s, n in zip(middle[1:], grid.spacing_mm[1:], (n_y, n_x), strict=True)
    )
    return Box((0, y0, x0), (n_z, y1, x1))


def body_middle_z(scene: Scene, number: int) -> float:
    """Return the slice of a body's middle."""
    z = np.flatnonzero((scene.maps["bodies"].labels == number).any(axis=(1, 2)))
    if not z.size:
        raise ValueError(f"no body {number} in view")
    return float(z.mean())
