"""Bones and discs drawn on the fine lattice: intensities with partial volume, and their label masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.grid import Box
from cementct.core.levels import Level
from cementct.testing.column import ColumnCoordinates, PlacedVertebra
from cementct.testing.lesions import LesionShape
from cementct.testing.noise import smooth_noise, warped
from cementct.testing.openings import paint_openings
from cementct.testing.raising import raised
from cementct.testing.sampling import Lattices, doubled
from cementct.testing.shapes import Coordinates, coverage
from cementct.testing.spec import CaseSpec
from cementct.testing.tissue import BLOOD_HU, DISC_HU, soft_tissue_hu
from cementct.testing.wear import DISC_GAS_HU, distance_to_disc_gas

# Compact bone, and its thickness in arch, processes and ribs.
CORTEX_HU = 1050.0
ARCH_CORTEX_MM = 1.2
# Joint space that stays free between facets.
FACET_GAP_MM = 0.9
# Spread of trabecular bone as a share of its mean, fine and coarse pattern.
FINE_TEXTURE = 0.30
COARSE_TEXTURE = 0.16


@dataclass(frozen=True)
class Anatomy:
    """A patient's anatomy on the fine lattice of one scan.

    Attributes
    ----------
    lattices
        The scan's lattices.
    column
        The vertebrae near the field of view.
    hu
        Intensities before the scanner.
    vertebrae, bodies
        Numbers of the vertebrae.
    discs
        Whether a voxel lies between two endplates, within their rims.
    lesions
        Number of the vertebra whose destroyed bone a voxel is.
    """

    lattices: Lattices
    column: tuple[PlacedVertebra, ...]
    hu: Float32Array
    vertebrae: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    bodies: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    discs: BoolArray
    lesions: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

    def at(self, level: Level) -> PlacedVertebra:
        """Return the vertebra of a level."""
        return next(v for v in self.column if v.level is level)


def draw_anatomy(
    spec: CaseSpec,
    column: Sequence[PlacedVertebra],
    lattices: Lattices,
    lesions: Mapping[Level, LesionShape],
    *,
    contrast: bool = False,
) -> Anatomy:
    """Return soft tissue, ribs, vertebrae with their lesions, and discs, drawn on the fine lattice."""
    near = _near(column, lattices)
    coordinates = ColumnCoordinates.on(lattices.coarse, near)
    soft = soft_tissue_hu(lattices.coarse, near, coordinates, seed=spec.seed, contrast=contrast)
    fine = lattices.fine
    hu = doubled(soft, fine.shape)
    anatomy = Anatomy(
        lattices,
        tuple(near),
        hu,
        np.zeros(fine.shape, dtype=np.uint8),
        np.zeros(fine.shape, dtype=np.uint8),
        np.zeros(fine.shape, dtype=np.bool_),
        np.zeros(fine.shape, dtype=np.uint8),
    )
    for vertebra in near:
        if vertebra.shape.ribs:
            _draw_ribs(anatomy, spec, vertebra)
    for upper, lower in pairwise(near):
        _draw_disc(anatomy, upper, lower)
    nearest = np.full(lattices.coarse.shape, 99.0, dtype=np.float32)
    for vertebra in near:
        _draw_vertebra(anatomy, spec, vertebra, nearest, lesions.get(vertebra.level))
    return anatomy


def _near(column: Sequence[PlacedVertebra], lattices: Lattices) -> list[PlacedVertebra]:
    """Return the vertebrae within 60 mm of the field of view (at least two)."""
    index = np.array([lattices.fine.to_index(v.frame.centre_lps_mm)[0] for v in column])
    margin = 60.0 / lattices.fine.spacing_mm[0]
    keep = np.flatnonzero((index > -margin) & (index < lattices.fine.shape[0] + margin))
    first, last = int(keep[0]), int(keep[-1])
    return list(column[max(0, min(first, last - 1)) : last + 1])


def coarse_box(lattices: Lattices, vertebra: PlacedVertebra, extent: tuple[tuple[float, float], ...]) -> Box:
    """Return the block of the coarse lattice that holds a block of a vertebra's local coordinates."""
    corners = np.array(np.meshgrid(*extent)).reshape(3, -1).T
    return lattices.coarse.box_around(lattices.coarse.to_index(vertebra.frame.to_lps(corners)), 2.0)


def fine_box(lattices: Lattices, box: Box) -> Box:
    """Return the block of the fine lattice under a block of the coarse one."""
    z0, y0, x0 = (2 * a for a in box.start)
    z1, y1, x1 = (min(2 * b, n) for b, n in zip(box.stop, lattices.fine.shape, strict=True))
    return Box((z0, y0, x0), (z1, y1, x1))


def local_shape_coordinates(
    spec: CaseSpec, vertebra: PlacedVertebra, lattices: Lattices, box: Box
) -> Coordinates:
    """Return the irregular local coordinates in which a vertebra is drawn, on a coarse block."""
    at = vertebra.coordinates(lattices.coarse.crop(box))
    return warped(at, seed=(spec.seed, vertebra.number, 1), amplitude_mm=spec.irregularity_mm)


def _draw_ribs(anatomy: Anatomy, spec: CaseSpec, vertebra: PlacedVertebra) -> None:
    box = coarse_box(anatomy.lattices, vertebra, ((-110.0, 110.0), (-60.0, 60.0), (-60.0, 30.0)))
    if box.is_empty:
        return
    at = local_shape_coordinates(spec, vertebra, anatomy.lattices, box)
    fine = fine_box(anatomy.lattices, box)
    distance = doubled(vertebra.shape.distance_to_rib(at), fine.shape)
    _blend_shell(anatomy.hu[fine.slices], distance, spec, anatomy, np.float32(0.8 * spec.marrow_hu))


def _blend_shell(
    hu: Float32Array,
    distance: Float32Array,
    spec: CaseSpec,
    anatomy: Anatomy,
    marrow: Float32Array | np.float32,
) -> None:
    """Draw a bone with a cortex of the arch's thickness into `hu`."""
    near = distance < 1.0
    voxel = float(np.mean(anatomy.lattices.fine.spacing_mm))
    outer = coverage(distance[near], voxel)
    inner = coverage(distance[near] + np.float32(ARCH_CORTEX_MM * spec.cortex_mm / 0.6), voxel)
    filling = marrow[near] if isinstance(marrow, np.ndarray) else marrow
    hu[near] = hu[near] * (1 - outer) + CORTEX_HU * (outer - inner) + filling * inner


def _draw_disc(anatomy: Anatomy, upper: PlacedVertebra, lower: PlacedVertebra) -> None:
    size = upper.shape.size
    reach = size.lower_width_mm / 2 + 6
    extent = (
        (-reach, reach),
        (-size.depth_mm / 2 - 8, size.depth_mm / 2 + 8),
        (-size.height_mm / 2 - size.disc_below_mm - 14, -size.height_mm / 2 + 12),
    )
    box = coarse_box(anatomy.lattices, upper, extent)
    if box.is_empty:
        return
    grid = anatomy.lattices.coarse.crop(box)
    above, below = upper.coordinates(grid), lower.coordinates(grid)
    under = above[2] - upper.shape.inferior_endplate_mm(above[0], above[1])
    over = lower.shape.superior_endplate_mm(below[0], below[1]) - below[2]
    share = np.clip(-under / np.maximum(-under - over, 0.5), 0.0, 1.0)
    rim_above = np.full_like(above[2], -upper.shape.size.height_mm / 2)
    rim_below = np.full_like(below[2], lower.shape.size.height_mm / 2)
    outline = (1 - share) * upper.shape.distance_to_outline((above[0], above[1], rim_above))
    outline = outline + share * lower.shape.distance_to_outline((below[0], below[1], rim_below))
    distance = np.maximum(np.maximum(under, over), outline - 0.4).astype(np.float32)
    fine = fine_box(anatomy.lattices, box)
    wide = doubled(distance, fine.shape)
    rim = doubled(np.asarray(outline, dtype=np.float32), fine.shape)
    hu = anatomy.hu[fine.slices]
    voxel = float(np.mean(anatomy.lattices.fine.spacing_mm))
    inside = coverage(wide, voxel)
    annulus = np.clip(1.0 + rim / 7.0, 0.0, 1.0)
    hu[...] = hu * (1 - inside) + inside * (DISC_HU + 25 * annulus)
    if upper.shape.wear.vacuum_disc:
        cleft = distance_to_disc_gas(share.astype(np.float32), -under - over, np.asarray(outline, np.float32))
        gas = coverage(doubled(cleft, fine.shape), voxel)
        hu[...] = hu * (1 - gas) + gas * np.float32(DISC_GAS_HU)
    anatomy.discs[fine.slices] |= wide < 0


def _draw_vertebra(
    anatomy: Anatomy,
    spec: CaseSpec,
    vertebra: PlacedVertebra,
    nearest: Float32Array,
    lesion: LesionShape | None,
) -> None:
    box = coarse_box(anatomy.lattices, vertebra, _extent(vertebra))
    if box.is_empty:
        return
    shape, fine = vertebra.shape, fine_box(anatomy.lattices, box)
    at = local_shape_coordinates(spec, vertebra, anatomy.lattices, box)
    arch = np.maximum(shape.distance_to_arch(at), FACET_GAP_MM - nearest[box.slices])
    np.minimum(nearest[box.slices], arch, out=nearest[box.slices])
    arch_fine = doubled(arch, fine.shape)
    body_fine = np.full(fine.shape, 9.0, dtype=np.float32)
    in_body = np.zeros(fine.shape, dtype=np.bool_)
    inner = _inner_box(anatomy, vertebra, box)
    if inner is not None:
        part, fine_part = inner
        near = (at[0][part], at[1][part], at[2][part])
        body = shape.distance_to_body(near)
        np.minimum(nearest[box.slices][part], body, out=nearest[box.slices][part])
        stub = np.maximum(arch[part], body_share_of_pedicles(vertebra, near))
        body_fine[fine_part] = doubled(body, body_fine[fine_part].shape)
        in_body[fine_part] = doubled(np.minimum(body, stub), in_body[fine_part].shape) < 0
        if shape.wear.osteophyte_mm:
            lips = doubled(shape.distance_to_osteophytes(near), arch_fine[fine_part].shape)
            np.minimum(arch_fine[fine_part], lips, out=arch_fine[fine_part])
    distance = np.minimum(body_fine, arch_fine)
    inside = (distance < 0) & (anatomy.vertebrae[fine.slices] == 0)
    anatomy.vertebrae[fine.slices][inside] = vertebra.number
    anatomy.bodies[fine.slices][in_body & inside] = vertebra.number
    anatomy.discs[fine.slices][inside] = False
    _paint_bone(anatomy, spec, vertebra, fine, (body_fine, arch_fine))
    if shape.wear.defects or shape.wear.basivertebral_mm:
        grid = anatomy.lattices.fine.crop(fine)
        paint_openings(anatomy.hu[fine.slices], grid, vertebra, body_fine, cortex_mm=spec.cortex_mm)
    if lesion is not None:
        tumour = lesion.distance(raised(vertebra, at))
        _paint_lesion(anatomy, fine, (doubled(tumour, fine.shape), distance), lesion)


def _extent(vertebra: PlacedVertebra) -> tuple[tuple[float, float], ...]:
    """Return the block of local coordinates that holds a whole vertebra."""
    shape = vertebra.shape
    if vertebra.level is Level.S1:
        return ((-62.0, 62.0), (-30.0, 50.0), (-68.0, 34.0))
    side = shape.pedicle_left_mm + (26.0 if vertebra.level.is_thoracic else 34.0)
    back = shape.wall_mm + shape.size.canal_depth_mm + 36.0
    top = shape.size.height_mm / 2 + shape.disc_above_mm + 8.0
    foot = (
        -shape.size.height_mm / 2 - shape.size.disc_below_mm - (22.0 if vertebra.level.is_thoracic else 12.0)
    )
    return ((-side, side), (-shape.size.depth_mm / 2 - 3.0, back), (foot, top))


def _inner_box(
    anatomy: Anatomy, vertebra: PlacedVertebra, box: Box
) -> tuple[tuple[slice, slice, slice], tuple[slice, slice, slice]] | None:
    """Return where in `box` (coarse, and in the fine block under it) the body lies."""
    size = vertebra.shape.size
    lips = vertebra.shape.wear.osteophyte_mm
    across, along, up = size.width_mm / 2 + 5, size.depth_mm / 2 + 6, size.height_mm / 2 + 4 + lips
    extent = ((-across, across), (-along, along), (-up, up))
    part = coarse_box(anatomy.lattices, vertebra, extent).intersection(box)
    if part.is_empty:
        return None
    fine = fine_box(anatomy.lattices, part).within(fine_box(anatomy.lattices, box))
    return part.within(box), fine


def body_share_of_pedicles(vertebra: PlacedVertebra, at: Coordinates) -> Float32Array:
    """Return the distance to the block before the posterior wall: pedicle bone in it is the body's."""
    shape = vertebra.shape
    left, posterior, superior = at
    plates = np.maximum(
        superior - shape.superior_endplate_mm(left, posterior),
        shape.inferior_endplate_mm(left, posterior) - superior,
    )
    sides = np.abs(left) - np.float32(shape.size.width_mm / 2 + 1.0)
    block = np.maximum(np.maximum(posterior - np.float32(shape.wall_mm), sides), plates)
    return np.asarray(block, dtype=np.float32)


def marrow_hu(spec: CaseSpec, vertebra: PlacedVertebra, at: Coordinates) -> Float32Array:
    """Return trabecular bone with its texture and the basivertebral vein, fixed to the vertebra."""
    seed = (spec.seed, vertebra.number)
    fine = smooth_noise(at, seed=(*seed, 2), scale_mm=0.9)
    wide = smooth_noise(at, seed=(*seed, 3), scale_mm=4.0)
    pattern = 1 + np.float32(FINE_TEXTURE) * fine + np.float32(COARSE_TEXTURE) * wide
    vein = vertebra.shape.distance_to_basivertebral_vein(at) < 0
    return np.where(vein, np.float32(BLOOD_HU + 10), np.float32(spec.marrow_hu) * pattern).astype(np.float32)


def _paint_bone(
    anatomy: Anatomy,
    spec: CaseSpec,
    vertebra: PlacedVertebra,
    fine: Box,
    fields: tuple[Float32Array, Float32Array],
) -> None:
    body, arch = fields
    hu = anatomy.hu[fine.slices]
    near = np.minimum(body, arch) < 0.6
    voxel = float(np.mean(anatomy.lattices.fine.spacing_mm))
    in_body, in_arch = body[near], arch[near]
    outer = coverage(np.minimum(in_body, in_arch), voxel)
    # Marrow runs on from body to pedicle, so what lies inside either cortex is marrow.
    inner = np.maximum(
        coverage(in_body + np.float32(spec.cortex_mm), voxel),
        coverage(in_arch + np.float32(ARCH_CORTEX_MM * spec.cortex_mm / 0.6), voxel),
    )
    marrow = inner > 0
    index = np.argwhere(near)[marrow]
    local = vertebra.frame.to_local(anatomy.lattices.fine.crop(fine).to_lps(index)).astype(np.float32)
    filling = np.zeros_like(inner)
    filling[marrow] = marrow_hu(spec, vertebra, raised(vertebra, (local[:, 0], local[:, 1], local[:, 2])))
    hu[near] = hu[near] * (1 - outer) + CORTEX_HU * (outer - inner) + filling * inner


def _paint_lesion(
    anatomy: Anatomy, fine: Box, fields: tuple[Float32Array, Float32Array], lesion: LesionShape
) -> None:
    """Replace bone, and tissue beside it where the tumour reaches out, by the lesion."""
    tumour, bone = fields
    voxel = float(np.mean(anatomy.lattices.fine.spacing_mm))
    hu = anatomy.hu[fine.slices]
    near = tumour < 1.0
    share = coverage(tumour[near], voxel) * coverage(bone[near] - np.float32(lesion.overhang_mm), voxel)
    hu[near] = hu[near] * (1 - share) + lesion.tissue_hu(tumour[near]) * share
    number = lesion.shape.level.verse_number
    own = anatomy.vertebrae[fine.slices] == number
    anatomy.lesions[fine.slices][(tumour < 0) & own] = number
