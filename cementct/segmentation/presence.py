"""A glance at a whole volume, without anatomy: does it show cement in a spine, or a needle in the back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, HuArray
from cementct.core.distances import depth_inside
from cementct.core.grid import Box, Grid, Triple
from cementct.core.image import Volume
from cementct.core.morphology import bounds_of
from cementct.core.threads import each
from cementct.segmentation.metal import find_metal
from cementct.segmentation.model import ForeignBody, ForeignKind

# The glance is taken at about this spacing.
GLANCE_MM = 1.5
# Solid masses are looked for from each of these levels on; the fainter, the thicker and larger they must be.
LEVELS_HU = (1750.0, 1300.0, 950.0, 780.0)
LEAST_ML = (0.10, 0.50, 0.90, 1.00)
LEAST_DEPTH_MM = (1.4, 2.6, 3.0, 2.9)
# The middle of a mass (depths over this share of the largest) is at least so bright: sclerotic metastases are
# below (654 ± 176 HU; AJR 2016).
MIDDLE_DEPTH = 0.55
FAINTEST_CEMENT_HU = 840.0
# No vertebra holds more.
MOST_ML = 16.0
# A mass no brighter than bone keeps to one body: its extent from head to foot, and across.
FAINT_HEIGHT_MM = 42.0
FAINT_WIDTH_MM = 56.0
# Where the whole trunk is in view (so wide), the spine is near its middle: off it by this share of the width.
TRUNK_FROM_MM = 240.0
OFF_MIDDLE = 0.24
BODY_ABOVE_HU = -300.0
# Around cement in a vertebra lies bone: rays in the plane from its surface meet nothing but bone and soft
# tissue over this distance, and mostly bone over the first part of it.
RAY_MM = 14.0
RAYS = 24
RAY_STEP_MM = 1.0
BONE_ABOVE_HU = 90.0
CORTEX_ABOVE_HU = 220.0
AIR_BELOW_HU = -250.0
# Share of rays that have to meet marrow or cortex, and share that may meet air or lung.
LEAST_BONE_RAYS = 0.6
MOST_AIR_RAYS = 0.15
# Behind a vertebral body lies the canal: soft tissue of this extent, with bone around it.
CANAL_WITHIN_MM = 62.0
CANAL_AREA_MM2 = (90.0, 900.0)
CANAL_BONE_HU = 150.0
# Contrast and prostheses fill more than needles and screws can; then metal is not looked for, in ml.
MOST_METAL_ML = 48.0
# Metal and its blur, one voxel around it, count as soft tissue in the search for cement.
SOFT_TISSUE_HU = 40
# A plane is searched for the canal on so many slices of a mass.
CANAL_SLICES = 5


@dataclass(frozen=True)
class CementMass:
    """One solid dense mass inside a vertebra.

    Attributes
    ----------
    centroid_lps_mm
        Its centre.
    volume_ml
        Roughly, at half its height.
    """

    centroid_lps_mm: Triple
    volume_ml: float


@dataclass(frozen=True)
class CementEvidence:
    """What a glance says about cement in a volume.

    Attributes
    ----------
    cement
        Whether cement is seen in a vertebra.
    needle
        Whether a needle, cannula or the like is seen.
    volume_ml
        Roughly how much cement.
    z_range_mm
        Lowest and highest LPS z of the cement, or None where there is none.
    masses
        One entry per solid mass, the uppermost first.
    """

    cement: bool
    needle: bool
    volume_ml: float
    z_range_mm: tuple[float, float] | None
    masses: tuple[CementMass, ...] = ()


def shows_cement(volume: Volume) -> CementEvidence:
    """Tell whether a volume shows cement in a vertebra, fast and without any anatomy.

    Parameters
    ----------
    volume
        Any CT volume in canonical order.
    """
    steps = [max(1, int(GLANCE_MM / s + 0.3)) for s in volume.grid.spacing_mm]
    glance = volume.hu[:: steps[0], :: steps[1], :: steps[2]].copy()
    if not (glance > LEVELS_HU[-1]).any():
        return CementEvidence(cement=False, needle=False, volume_ml=0.0, z_range_mm=None)
    z, y, x = (s * n for s, n in zip(volume.grid.spacing_mm, steps, strict=True))
    grid = Grid(glance.shape, (z, y, x), volume.grid.origin_lps_mm, volume.grid.direction)
    metal = _metal(glance, grid)
    needle = any(body.kind in {ForeignKind.NEEDLE, ForeignKind.WIRE} for body in metal)
    if metal:
        glance = _without(glance, metal)
    found: list[tuple[CementMass, tuple[float, float]]] = []
    taken = np.zeros(glance.shape, dtype=np.bool_)
    levels = list(zip(LEVELS_HU, LEAST_ML, LEAST_DEPTH_MM, strict=True))
    by_level = each(lambda asked: _solid_masses(glance, grid, *asked), levels)
    for level, over in zip(LEVELS_HU, by_level, strict=True):
        for box, where in over:
            if (taken[box.slices] & where).any():
                continue
            taken[box.slices] |= where
            if level < LEVELS_HU[0] and not _fits_one_body(grid, box):
                continue
            if _is_near_middle(glance, grid, box) and _is_in_vertebra(glance, grid, box, where):
                found.append(_describe(grid, box, where))
    masses = tuple(m for m, _ in sorted(found, key=lambda f: -f[0].centroid_lps_mm[2]))
    z_range = (min(r[0] for _, r in found), max(r[1] for _, r in found)) if found else None
    return CementEvidence(
        cement=bool(found),
        needle=needle,
        volume_ml=float(sum(m.volume_ml for m in masses)),
        z_range_mm=z_range,
        masses=masses,
    )


def _solid_masses(
    hu: HuArray, grid: Grid, level: float, least_ml: float, depth_mm: float
) -> list[tuple[Box, BoolArray]]:
    """Return connected masses over a level that are large and thick enough, each in its own block."""
    import cc3d

    dense = np.asarray(hu > level)
    window = bounds_of(dense)
    if window is None:
        return []
    labels = cc3d.connected_components(dense[window], connectivity=6)
    hu = hu[window]
    statistics = cc3d.statistics(labels)
    found = []
    for number in np.flatnonzero(statistics["voxel_counts"] * grid.voxel_ml >= least_ml):
        if number == 0 or statistics["voxel_counts"][number] * grid.voxel_ml > MOST_ML:
            continue
        block = statistics["bounding_boxes"][number]
        box = Box.of(block).placed_in(Box.of(window))
        where = np.asarray(labels[block] == number)
        depth = depth_inside(where, grid.spacing_mm)
        deepest = float(depth.max())
        middle = hu[block][depth >= MIDDLE_DEPTH * deepest]
        if deepest >= depth_mm and float(middle.mean()) >= FAINTEST_CEMENT_HU:
            found.append((box, where))
    return found


def _fits_one_body(grid: Grid, box: Box) -> bool:
    """Tell whether a block is no larger than a vertebral body."""
    height, depth, width = (n * s for n, s in zip(box.shape, grid.spacing_mm, strict=True))
    return height <= FAINT_HEIGHT_MM and max(depth, width) <= FAINT_WIDTH_MM


def _is_near_middle(hu: HuArray, grid: Grid, box: Box) -> bool:
    """Tell whether a mass lies near the trunk's middle, where the whole trunk is in view."""
    middle = (box.start[0] + box.stop[0]) // 2
    columns = np.flatnonzero((hu[middle] > BODY_ABOVE_HU).sum(axis=0) * grid.spacing_mm[1] > 60.0)
    if columns.size == 0:
        return True
    width = float(columns[-1] - columns[0]) * grid.spacing_mm[2]
    centre = 0.5 * float(columns[0] + columns[-1])
    off = abs(0.5 * (box.start[2] + box.stop[2]) - centre) * grid.spacing_mm[2]
    return width < TRUNK_FROM_MM or off < OFF_MIDDLE * width


def _is_in_vertebra(hu: HuArray, grid: Grid, box: Box, where: BoolArray) -> bool:
    """Tell whether bone surrounds a mass and a canal lies behind it on some of its slices."""
    slices = np.flatnonzero(where.any(axis=(1, 2)))
    tried = slices[np.linspace(0, len(slices) - 1, min(CANAL_SLICES, len(slices))).astype(int)]
    bony = 0
    canal = 0
    for z in sorted({int(i) for i in tried}):
        plane = np.asarray(hu[box.start[0] + z], dtype=np.float32)
        rows, columns = np.nonzero(where[z])
        middle = (box.start[1] + float(rows.mean()), box.start[2] + float(columns.mean()))
        bony += _bone_around(plane, grid, middle, where[z], box)
        canal += _canal_behind(plane, grid, middle)
    needed = max(1, len(set(tried.tolist())) // 3)
    return bony >= needed and canal >= needed


def _bone_around(
    plane: Float32Array, grid: Grid, middle: tuple[float, float], where: BoolArray, box: Box
) -> bool:
    """Tell whether rays from the surface of a mass run through bone and meet no air."""
    angle = np.linspace(0, 2 * np.pi, RAYS, endpoint=False)
    reach = np.arange(0.0, 60.0, RAY_STEP_MM)
    rows = middle[0] + np.outer(np.sin(angle), reach) / grid.spacing_mm[1]
    columns = middle[1] + np.outer(np.cos(angle), reach) / grid.spacing_mm[2]
    r = np.clip(np.round(rows).astype(int), 0, plane.shape[0] - 1)
    c = np.clip(np.round(columns).astype(int), 0, plane.shape[1] - 1)
    values = plane[r, c]
    mass = np.zeros(plane.shape, dtype=np.bool_)
    mass[box.start[1] : box.stop[1], box.start[2] : box.stop[2]] = where
    inside = mass[r, c]
    last = np.where(inside.any(axis=1), inside.shape[1] - 1 - inside[:, ::-1].argmax(axis=1), 0)
    bone = air = 0
    for ray, start in enumerate(last):
        begin = start + 2
        beyond = values[ray, begin : begin + int(RAY_MM / RAY_STEP_MM)]
        if beyond.size == 0:
            continue
        marrow = float(np.median(beyond[:5])) > BONE_ABOVE_HU
        cortex = bool((beyond > CORTEX_ABOVE_HU).any())
        bone += marrow or cortex
        air += bool((beyond < AIR_BELOW_HU).any())
    return bone >= LEAST_BONE_RAYS * RAYS and air <= MOST_AIR_RAYS * RAYS


def _canal_behind(plane: Float32Array, grid: Grid, middle: tuple[float, float]) -> bool:
    """Tell whether a canal, a hole of soft tissue in a ring of bone, lies behind a mass."""
    from scipy import ndimage

    reach = [int(CANAL_WITHIN_MM / s) for s in grid.spacing_mm[1:]]
    top, left = max(int(middle[0]) - reach[0] // 3, 0), max(int(middle[1]) - reach[1], 0)
    crop = plane[top : int(middle[0]) + reach[0], left : int(middle[1]) + reach[1]]
    bone = crop > CANAL_BONE_HU
    # The ring is open at the facet joints and between the laminae: gaps up to this many mm are bridged.
    rounds = max(1, round(3.0 / float(np.mean(grid.spacing_mm[1:]))))
    closed = ndimage.binary_closing(np.pad(bone, rounds), iterations=rounds)[rounds:-rounds, rounds:-rounds]
    holes = ndimage.binary_fill_holes(closed) & ~closed
    labels, count = ndimage.label(holes)
    area = grid.spacing_mm[1] * grid.spacing_mm[2]
    for number in range(1, count + 1):
        where = labels == number
        size = float(np.count_nonzero(where)) * area
        if not CANAL_AREA_MM2[0] <= size <= CANAL_AREA_MM2[1]:
            continue
        rows, columns = np.nonzero(where)
        behind = (float(rows.mean()) + top - middle[0]) * grid.spacing_mm[1]
        aside = abs(float(columns.mean()) + left - middle[1]) * grid.spacing_mm[2]
        level = float(np.median(crop[where]))
        if (
            4.0 < behind < CANAL_WITHIN_MM
            and aside < 0.8 * behind + 8.0
            and -120.0 < level < BONE_ABOVE_HU + 40
        ):
            return True
    return False


def _describe(grid: Grid, box: Box, where: BoolArray) -> tuple[CementMass, tuple[float, float]]:
    index = np.argwhere(where) + np.asarray(box.start)
    points = grid.to_lps(index)
    x, y, z = (float(v) for v in points.mean(axis=0))
    mass = CementMass((x, y, z), float(len(index)) * grid.voxel_ml)
    return mass, (float(points[:, 2].min()), float(points[:, 2].max()))


def _metal(hu: HuArray, grid: Grid) -> tuple[ForeignBody, ...]:
    """Return needles, screws and what hangs on them."""
    if np.count_nonzero(hu > LEVELS_HU[0]) * grid.voxel_ml > MOST_METAL_ML:
        return ()
    return find_metal(hu, grid, grid.box)


def _without(hu: HuArray, metal: tuple[ForeignBody, ...]) -> HuArray:
    """Return intensities in which metal and its blur are soft tissue."""
    from scipy import ndimage

    where = np.zeros(hu.shape, dtype=np.bool_)
    for body in metal:
        where[body.region.box.slices] |= body.region.voxels
    cleared = hu.copy()
    cleared[ndimage.binary_dilation(where)] = SOFT_TISSUE_HU
    return cleared
