"""One independent spine painted on a fine lattice: bones, lesions, and who owns each voxel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from benchmarks.independent_spines.anatomy import Frame, Shape, Triple, Window, posterior_rods, rib_rods
from benchmarks.independent_spines.surroundings import Column
from cementct.core.arrays import BoolArray, Float32Array, LabelArray
from cementct.core.grid import Grid

# Side of the block of trabecular texture and its spacing, voxels and mm; it repeats.
TEXTURE_VOXELS, TEXTURE_MM = 96, 0.5
# What owns a voxel that belongs to a rib, or to no bone.
RIB, NOBODY = 255, 0
# A window of the lattice, and u, v and w of its voxels.
Local = tuple[Window, Float32Array, Float32Array, Float32Array]
# Soft tissue and annulus in a disc, HU.
DISC_HU, LYTIC_HU = 85.0, 48.0


@dataclass(frozen=True)
class BoneQuality:
    """Marrow and cortex of a patient: means in HU, thickness in mm.

    `grain` is the standard deviation of trabeculae at half a millimetre, `patchy` that of large patches, HU.
    """

    marrow_hu: float
    grain_hu: float
    patchy_hu: float
    cortex_hu: float
    cortex_mm: float
    endplate_mm: float


@dataclass(frozen=True)
class Lesion:
    """A tumour in bone: lumpy ellipsoid in the vertebra's frame.

    Attributes
    ----------
    number
        Of its vertebra.
    centre_uvw_mm, radii_mm
        Place and size.
    phase
        Of the waves on its surface.
    sclerotic_share
        By volume: 0 lytic, 1 blastic.
    sclerotic_hu
        Density of its sclerotic part.
    breaks_cortex
        Whether the cortex that it reaches is gone (lytic) or part of it (sclerotic).
    """

    number: int
    centre_uvw_mm: Triple
    radii_mm: Triple
    phase: float
    sclerotic_share: float
    sclerotic_hu: float
    breaks_cortex: bool

    def depth(self, u: Float32Array, v: Float32Array, w: Float32Array) -> Float32Array:
        """Return a field that is negative inside."""
        off = [(c - m) / r for c, m, r in zip((u, v, w), self.centre_uvw_mm, self.radii_mm, strict=True)]
        return np.asarray(np.sqrt(sum(o * o for o in off)) - 1 + 0.22 * waves(u, v, w, self.phase, 11.0))

    def is_sclerotic(self, u: Float32Array, v: Float32Array, w: Float32Array) -> BoolArray:
        """Return which of its voxels (flat lists) are dense."""
        if self.sclerotic_share in (0.0, 1.0):
            return np.full(u.shape, self.sclerotic_share > 0)
        field = waves(u, v, w, self.phase + 2.0, 15.0) + 0.04 * u
        return np.asarray(field > np.quantile(field, 1 - self.sclerotic_share)) if field.size else field > 0


@dataclass
class Scene:
    """A painted scene on a fine lattice.

    Attributes
    ----------
    grid
        The lattice, canonical.
    hu
        True intensities.
    owner
        Number of the vertebra, `RIB` or `NOBODY`.
    body, lesion
        Numbers of vertebrae in their bodies and lesions.
    """

    grid: Grid
    hu: Float32Array
    owner: LabelArray
    body: LabelArray
    lesion: LabelArray


def waves(u: Float32Array, v: Float32Array, w: Float32Array, phase: float, length_mm: float) -> Float32Array:
    """Return smooth lumps within about ±1, the same for the same phase wherever the vertebra stands."""
    rng = np.random.default_rng(int(phase * 1e6))
    out = np.zeros(np.broadcast(u, v, w).shape, np.float32)
    for _ in range(5):
        a, b, c = rng.standard_normal(3) * 2 * np.pi / length_mm / 1.7
        out += np.sin(a * u + b * v + c * w + rng.uniform(0, 6.3)) / 2.2
    return out


def trabeculae(rng: np.random.Generator) -> Float32Array:
    """Return a repeating block of trabecular texture with unit deviation, its plates standing upright."""
    white = rng.standard_normal((TEXTURE_VOXELS,) * 3).astype(np.float32)
    block = ndimage.gaussian_filter(white, (1.6, 0.7, 0.7), mode="wrap")
    return np.asarray(block / block.std(), dtype=np.float32)


def paint_bones(
    scene: Scene, column: Column, quality: BoneQuality, texture: Float32Array, lesions: tuple[Lesion, ...]
) -> None:
    """Paint ribs, vertebrae and lesions over the soft tissue of a scene."""
    _paint_discs(scene, column)
    for shape, frame in zip(column.shapes, column.frames, strict=True):
        for rod in rib_rods(shape):
            window, (u, v, w) = frame.block(scene.grid, *rod.bounds())
            depth = rod.distance_mm(u, v, w)
            _paint(scene, (window, u, v, w), depth, quality, texture, owner=RIB, cortex_mm=quality.cortex_mm)
    for shape, frame in zip(column.shapes, column.frames, strict=True):
        _paint_vertebra(scene, shape, frame, quality, texture, lesions)


def vertebra_block(shape: Shape, frame: Frame, grid: Grid) -> tuple[Window, list[Float32Array]]:
    """Return the window around a whole vertebra, and its local coordinates."""
    wide = max(46.0, shape.half_width + 24)
    low = (-wide, -shape.half_depth - 9, -shape.height / 2 - 26)
    high = (wide, shape.half_depth + 48, shape.height / 2 + 18)
    return frame.block(grid, low, high)


def body_block(shape: Shape, frame: Frame, grid: Grid, margin: float) -> tuple[Window, list[Float32Array]]:
    """Return the window around a body with a margin (mm), and its local coordinates."""
    a, b, h = shape.half_width + margin, shape.half_depth + margin, shape.height / 2 + margin
    return frame.block(grid, (-a, -b, -h), (a, b, h))


def _paint_discs(scene: Scene, column: Column) -> None:
    for shape, frame in zip(column.shapes, column.frames, strict=True):
        half = shape.height / 2
        low = (-shape.half_width - 1, -shape.half_depth - 1, -half - shape.disc_below - 3)
        window, (u, v, w) = frame.block(scene.grid, low, (shape.half_width + 1, shape.half_depth + 1, 0.0))
        inside = np.clip((1 - shape.ring(u, v)) * shape.half_depth + 1.0, 0, 1)
        inside = inside * (w < 0) * (v < shape.wall_v(u, w) + 1)
        part = scene.hu[window]
        part += inside * (DISC_HU - part)


def _paint(
    scene: Scene, local: Local, depth: Float32Array, quality: BoneQuality, texture: Float32Array, *,
    owner: int, cortex_mm: float | Float32Array,
) -> None:  # fmt: skip
    step = float(np.mean(scene.grid.spacing_mm))
    window, *uvw = local
    near = depth < step
    d = depth[near]
    thick = np.broadcast_to(cortex_mm, depth.shape)[near]
    share = np.clip(0.5 - d / step, 0, 1)
    cortex = np.clip(0.5 + (d + thick) / step, 0, 1)
    u, v, w = (c[near] for c in uvw)
    index = tuple((np.rint(c / TEXTURE_MM).astype(int)) % TEXTURE_VOXELS for c in (w, v, u))
    marrow = quality.marrow_hu + quality.grain_hu * texture[index]
    marrow += quality.patchy_hu * waves(u, v, w, 0.37 * (owner + 1), 18.0)
    inner = cortex * quality.cortex_hu + (1 - cortex) * np.maximum(marrow, -90)
    part = scene.hu[window]
    part[near] = part[near] * (1 - share) + inner * share
    own = scene.owner[window]
    own[depth < 0] = owner


def _paint_vertebra(
    scene: Scene,
    shape: Shape,
    frame: Frame,
    quality: BoneQuality,
    texture: Float32Array,
    lesions: tuple[Lesion, ...],
) -> None:
    number = shape.level.verse_number
    window, (u, v, w) = vertebra_block(shape, frame, scene.grid)
    depth = np.full(u.shape, 99.0, np.float32)
    is_body = np.zeros(u.shape, np.bool_)
    cortex_mm = np.full(u.shape, 1.6 * quality.cortex_mm, np.float32)
    inner, local = body_block(shape, frame, scene.grid, 8.0)
    place = tuple(
        slice(max(i.start - o.start, 0), max(min(i.stop, o.stop) - o.start, 0))
        for i, o in zip(inner, window, strict=True)
    )
    cut = tuple(
        slice(p.start + o.start - i.start, p.stop + o.start - i.start)
        for p, i, o in zip(place, inner, window, strict=True)
    )
    local = [c[cut] for c in local]
    body = shape.body_mm(*local)
    depth[place] = body
    is_body[place] = body < 0
    near_end = np.abs(local[2]) > 0.38 * shape.height
    cortex_mm[place] = np.where(
        body < 3, np.where(near_end, quality.endplate_mm, quality.cortex_mm), 1.6 * quality.cortex_mm
    )
    for rod in posterior_rods(shape):
        part = _subwindow(frame, scene.grid, window, rod.bounds())
        d = depth[part]
        np.minimum(d, rod.distance_mm(u[part], v[part], w[part]), out=d)
    _paint(scene, (window, u, v, w), depth, quality, texture, owner=number, cortex_mm=cortex_mm)
    bone = scene.body[window]
    bone[is_body] = number
    _paint_vein(scene, shape, (window, u, v, w), is_body)
    for lesion in lesions:
        if lesion.number == number:
            _paint_lesion(scene, lesion, (window, u, v, w), depth, quality)


def _subwindow(frame: Frame, grid: Grid, outer: Window, bounds: tuple[Triple, Triple]) -> Window:
    window, _ = frame.block(grid, *bounds)
    parts = [
        slice(min(max(i.start - o.start, 0), o.stop - o.start), max(min(i.stop, o.stop) - o.start, 0))
        for i, o in zip(window, outer, strict=True)
    ]
    return parts[0], parts[1], parts[2]


def _paint_vein(scene: Scene, shape: Shape, local: Local, is_body: BoolArray) -> None:
    """Paint the basivertebral vein and the hole through which it leaves; part of the body all the same."""
    window, u, v, w = local
    inward = shape.half_depth - v
    vein = is_body & (inward < 9) & (np.hypot(u / 2.6, w / 1.5) < 1 - inward / 14)
    scene.hu[window][vein] = 35.0


def _paint_lesion(
    scene: Scene, lesion: Lesion, local: Local, depth: Float32Array, quality: BoneQuality
) -> None:
    window, u, v, w = local
    own = scene.owner[window] == lesion.number
    limit = 0.0 if lesion.breaks_cortex else -1.6 * quality.cortex_mm
    inside = own & (depth < limit) & (lesion.depth(u, v, w) < 0)
    scene.lesion[window][inside] = lesion.number
    lu, lv, lw = u[inside], v[inside], w[inside]
    dense = lesion.is_sclerotic(lu, lv, lw)
    lump = waves(lu, lv, lw, lesion.phase + 1.0, 4.0)
    values = np.where(dense, lesion.sclerotic_hu * (1 + 0.18 * lump), LYTIC_HU + 8 * lump)
    before = scene.hu[window][inside]
    # Where the cortex lay it stays dense under sclerosis.
    scene.hu[window][inside] = np.where(dense, np.maximum(values, before), values)
