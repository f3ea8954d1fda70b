"""Scans of a case: after injection, and before it in another position with other noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from benchmarks.independent_implants.pieces import Canvas
from benchmarks.independent_implants.scanner import (
    CLIP_HU,
    Protocol,
    blur_onto,
    ct_noise,
    local_noise,
    sharpen,
    streaks,
)
from benchmarks.independent_implants.sources import (
    UNMEASURED_HU,
    Bools,
    Doubles,
    Floats,
    Source,
    read_source,
)
from cementct.core.grid import Grid
from cementct.core.image import PADDING_HU, Volume

# Noise within replaced voxels over that of their surroundings: rays through cement lose photons.
CEMENT_NOISE = 1.6
# Gas in a cavity, HU.
GAS_HU = -850.0
# A simulated field of view keeps this off the lattice's edge, mm.
EDGE_MM = 4.0


@dataclass(frozen=True)
class Pose:
    """How the patient lay before injection, against the scan after it.

    Attributes
    ----------
    shift_mm, turns_deg
        Along x, y, z, and about them.
    bend_mm
        Sideways and to the back at 75 mm from the middle: every vertebra moves a little on its own.
    """

    shift_mm: Doubles
    turns_deg: Doubles
    bend_mm: Doubles

    @classmethod
    def random(cls, rng: np.random.Generator) -> Pose:
        """Return a pose as patients are put back on a table."""
        return cls(rng.uniform(-7, 7, 3), rng.normal(0, 2.5, 3), rng.normal(0, 1.8, 2))

    def carry(self, points_mm: Doubles, middle_mm: Doubles) -> Doubles:
        """Return where points of the scan before lie in the scan after."""
        a, b, c = np.radians(self.turns_deg)
        rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
        ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
        rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
        moved = (points_mm - middle_mm) @ (rz @ ry @ rx).T
        bow = (moved[..., 2] / 75.0) ** 2
        moved[..., 0] += self.bend_mm[0] * bow
        moved[..., 1] += self.bend_mm[1] * bow
        return np.asarray(moved + middle_mm + self.shift_mm)


def choose_protocol(source: Source, rng: np.random.Generator) -> Protocol:
    """Return the scanner's settings: those of a real scan, or drawn."""
    clips = bool(rng.random() < 0.7)
    if source.hu is not None:
        z, y, _ = source.grid.spacing_mm
        return Protocol(y, z, source.fwhm_mm, 0.0, local_noise(source.hu), clips)
    sharp = float(rng.choice([0.0, 0.0, 0.35, 0.8]))
    noise = float(np.clip(np.exp(rng.normal(np.log(17), 0.4)), 8, 40))
    return Protocol(
        float(rng.choice([0.35, 0.45, 0.6, 0.75])),
        float(rng.choice([0.7, 1.0, 1.0, 1.5, 2.0, 2.5])),
        float(rng.uniform(0.9, 1.5)),
        sharp,
        noise,
        clips,
    )


def scan_real_after(source: Source, canvas: Canvas, protocol: Protocol) -> Volume:
    """Return the real scan with lesion and cement in it; all else keeps its voxels, streaks aside."""
    if source.hu is None:
        raise ValueError(f"{source.name} has no scan")
    rng = canvas.rng
    hu = _with_lesion(source.hu, source.grid, canvas, protocol, after=True)
    lattice = canvas.spine.grid
    share, value = _replacement(canvas.cement > 0, canvas.cement_hu, lattice, source.grid, protocol)
    excess = np.clip(value - share * np.maximum(hu, 0), 0, None)
    noise = ct_noise(source.grid.shape, protocol.pixel_mm, 0.3, rng) * protocol.noise_hu
    out = hu * (1 - share) + value + CEMENT_NOISE * share * noise
    measured = source.hu > UNMEASURED_HU
    out += np.where(measured, streaks(excess, source.grid, rng), 0)
    return _stored(np.where(measured, out, PADDING_HU), source.grid, clips=protocol.clips)


def scan_masks_after(tissue: Floats, canvas: Canvas, protocol: Protocol) -> Volume:
    """Return a scan of simulated tissue with lesion and cement in it."""
    rng, lattice = canvas.rng, canvas.spine.grid
    hu = np.where(canvas.lesion > 0, np.where(canvas.gas, GAS_HU, canvas.lesion_hu), tissue)
    hu = np.where(canvas.cement > 0, canvas.cement_hu, hu).astype(np.float32)
    grid = _field_of_view(lattice, protocol)
    out = blur_onto(hu, lattice, grid, fwhm_mm=protocol.fwhm_mm, slice_mm=protocol.slice_mm)
    share, value = _replacement(canvas.cement > 0, canvas.cement_hu, lattice, grid, protocol)
    excess = np.clip(value - share * 100, 0, None)
    out = sharpen(out, protocol.pixel_mm, protocol.sharpening)
    out += streaks(excess, grid, rng)
    out += (
        protocol.noise_hu
        * ct_noise(grid.shape, protocol.pixel_mm, protocol.sharpening, rng)
        * (1 + 0.6 * share)
    )
    return _stored(out, grid, clips=protocol.clips)


def see_before(name: str, source: Source, canvas: Canvas, tissue: Floats | None, pose: Pose) -> Volume:
    """Return the scan before injection: the lesion without cement, in another position, noise, slices."""
    rng, lattice = canvas.rng, canvas.spine.grid
    middle = np.asarray(lattice.to_lps((np.array(lattice.shape) - 1) / 2))
    if tissue is None:
        whole = read_source(name)
        if whole.hu is None:
            raise ValueError(f"{name} has no scan")
        z, y, _ = whole.grid.spacing_mm
        own = Protocol(y, z, whole.fwhm_mm, 0.0, local_noise(whole.hu), clips=True)
        base = _with_lesion(whole.hu, whole.grid, canvas, own)
        base_grid, extent = whole.grid, source.grid
        protocol = Protocol(
            y * 1.07, z * float(rng.choice([1.0, 1.2])), 0.0, 0.0, 0.6 * own.noise_hu, clips=True
        )
    else:
        protocol = choose_protocol(Source(name, 1.2, lattice, canvas.cement, canvas.cement, None), rng)
        hu = np.where(canvas.lesion > 0, canvas.lesion_hu, tissue).astype(np.float32)
        base = blur_onto(hu, lattice, lattice, fwhm_mm=protocol.fwhm_mm, slice_mm=protocol.slice_mm)
        base_grid, extent = lattice, _field_of_view(lattice, protocol)
    grid = extent.resized((protocol.slice_mm, protocol.pixel_mm, protocol.pixel_mm))
    out = np.empty(grid.shape, np.float32)
    plane = np.moveaxis(np.indices(grid.shape[1:]), 0, -1).astype(float)
    for z in range(grid.shape[0]):
        index = np.concatenate([np.full((*plane.shape[:2], 1), float(z)), plane], axis=-1)
        where = base_grid.to_index(pose.carry(grid.to_lps(index), middle))
        out[z] = ndimage.map_coordinates(
            base, np.moveaxis(where, -1, 0), order=1, mode="constant", cval=PADDING_HU, output=np.float32
        )
    measured = out > UNMEASURED_HU
    out = sharpen(np.where(measured, out, -1000).astype(np.float32), protocol.pixel_mm, protocol.sharpening)
    out += protocol.noise_hu * ct_noise(grid.shape, protocol.pixel_mm, protocol.sharpening, rng)
    return _stored(np.where(measured, out, PADDING_HU), grid, clips=protocol.clips)


def _with_lesion(
    hu: Floats, grid: Grid, canvas: Canvas, protocol: Protocol, *, after: bool = False
) -> Floats:
    lattice = canvas.spine.grid
    inside = np.where(canvas.gas, np.float32(GAS_HU), canvas.lesion_hu) if after else canvas.lesion_hu
    share, value = _replacement(canvas.lesion > 0, inside, lattice, grid, protocol)
    noise = ct_noise(grid.shape, protocol.pixel_mm, 0.3, canvas.rng) * protocol.noise_hu
    return np.asarray(hu * (1 - share) + value + share * noise, dtype=np.float32)


def _replacement(
    where: Bools,
    values: Floats,
    lattice: Grid,
    target: Grid,
    protocol: Protocol,
) -> tuple[Floats, Floats]:
    """Return the share of every voxel that is replaced, and what stands there times that share."""
    share, value = (np.zeros(target.shape, np.float32) for _ in range(2))
    found = ndimage.find_objects(where.astype(np.int8))
    if not found:
        return share, value
    corners = np.array(np.meshgrid(*[[c.start, c.stop - 1] for c in found[0]])).reshape(3, -1).T
    margin = 2 * max(protocol.fwhm_mm, protocol.slice_mm) + 2
    inner = lattice.box_around(corners, margin)
    outer = target.box_around(target.to_index(lattice.to_lps(corners)), margin)
    inside = where[inner.slices].astype(np.float32)
    crop, goal = lattice.crop(inner), target.crop(outer)
    for out, array in ((share, inside), (value, inside * values[inner.slices])):
        out[outer.slices] = blur_onto(
            array.astype(np.float32), crop, goal, fwhm_mm=protocol.fwhm_mm, slice_mm=protocol.slice_mm
        )
    return share, value


def _field_of_view(lattice: Grid, protocol: Protocol) -> Grid:
    """Return the scan's grid: within the lattice, as high as it."""
    x0, y0, bottom = (float(c) for c in lattice.origin_lps_mm)
    lz, ly, lx = lattice.extent_mm
    ny, nx = (int((length - 2 * EDGE_MM) / protocol.pixel_mm) for length in (ly, lx))
    nz = max(8, int((lz - 1) / protocol.slice_mm))
    return Grid(
        (nz, ny, nx),
        (protocol.slice_mm, protocol.pixel_mm, protocol.pixel_mm),
        (x0 + EDGE_MM, y0 + EDGE_MM, bottom),
    )


def _stored(hu: Floats, grid: Grid, *, clips: bool) -> Volume:
    top = CLIP_HU if clips else 30000
    return Volume(np.clip(np.rint(hu), PADDING_HU, top).astype(np.int16), grid)
