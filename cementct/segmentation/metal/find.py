"""Which bright things in a block of CT are needles, wires, screws and what hangs on them."""

from __future__ import annotations

from itertools import islice

import numpy as np

from cementct.core.arrays import BoolArray, HuArray
from cementct.core.grid import Box, Grid
from cementct.core.image import Region
from cementct.core.morphology import places_of
from cementct.core.threads import each
from cementct.segmentation.metal.hardware import beyond_cement, hanging_on
from cementct.segmentation.metal.lattice import find_lattices
from cementct.segmentation.metal.rods import Rod, judge_run, rod_voxels
from cementct.segmentation.metal.shafts import SHORTEST_RUN_MM, SMALLEST_SECTION_MM2, cylindrical, free_runs
from cementct.segmentation.model import ForeignBody, ForeignKind

# Metal is at least this bright where it is resolved; a 13G cannula (2.4 mm) keeps this at 3 mm slices.
METAL_ABOVE_HU = 1500.0
# Metal in cement stands alone at a level that the cement does not reach: levels tried, in HU.
LEVELS_HU = (METAL_ABOVE_HU, 2200.0, 2900.0, 4500.0, 6500.0)
MOST_SHAFTS = 12
# Runs on one line are one shaft: this share of the shorter one lies within that distance of the longer one.
SAME_SHARE, SAME_MM = 0.5, 4.0
# Only where a higher level shows so much more of a shaft does it count: thickness is best seen at the lowest.
LONGER = 1.25


def find_metal(hu: HuArray, grid: Grid, box: Box) -> tuple[ForeignBody, ...]:
    """Return metal in a block of CT: needles, wires, screws, and hardware that hangs on screws.

    Parameters
    ----------
    hu
        Intensities of the block, shape (z, y, x).
    grid
        The block's grid.
    box
        Where the block lies in the whole volume.

    Returns
    -------
    tuple of ForeignBody
        Shafts first, each with its deep end (`tip_lps_mm`) and the direction from there outwards.
    """
    rods = _rods(hu, grid)
    taken = np.zeros(hu.shape, dtype=np.bool_)
    found = []
    for rod in rods:
        voxels = rod_voxels(rod, hu, grid) & ~taken
        if voxels.any():
            taken |= voxels
            found.append(_body(rod.kind, voxels, box, rod))
    hardware = hanging_on(hu, grid, [r for r in rods if r.kind is ForeignKind.SCREW]) & ~taken
    taken |= hardware
    lattices = find_lattices(hu, grid, taken=taken)
    others = (hardware, lattices, beyond_cement(hu) & ~taken & ~lattices)
    found += [_body(ForeignKind.IMPLANT, voxels, box) for voxels in others if voxels.any()]
    return tuple(found)


def find_straight_metal(hu: HuArray, grid: Grid, box: Box) -> tuple[ForeignBody, ...]:
    """Return only the needles, wires and screws that `find_metal` finds."""
    return tuple(body for body in find_metal(hu, grid, box) if body.kind is not ForeignKind.IMPLANT)


def _rods(hu: HuArray, grid: Grid) -> list[Rod]:
    """Return the shafts of a block, the longest first, each once."""
    index = places_of(np.asarray(hu > LEVELS_HU[0]))
    values = hu[tuple(index.T)]

    def rods_over(level: float) -> list[Rod]:
        bright = index[values > level]
        if len(bright) * grid.voxel_mm3 < SHORTEST_RUN_MM * SMALLEST_SECTION_MM2:
            return []
        runs = islice(free_runs(grid.to_lps(bright), grid.voxel_mm3), MOST_SHAFTS + 1)
        judged = (judge_run(run, hu, grid, level_hu=level) for run in runs)
        return [rod for rod in judged if rod is not None]

    rods = [rod for found in each(rods_over, LEVELS_HU) for rod in found]
    return sorted(_each_once(rods), key=lambda r: -r.free_mm)[:MOST_SHAFTS]


def _each_once(rods: list[Rod]) -> list[Rod]:
    """Return rods found at several levels (the lower first) once: as the lowest shows most of them."""
    kept: list[Rod] = []
    for rod in rods:
        same = [other for other in kept if _is_same(rod, other) or _is_same(other, rod)]
        if all(rod.free_mm > LONGER * other.free_mm for other in same):
            kept = [other for other in kept if not any(other is s for s in same)]
            kept.append(rod)
    return kept


def _is_same(rod: Rod, other: Rod) -> bool:
    """Tell whether most of a rod lies on the line of a longer one."""
    share = np.linspace(0.0, 1.0, 20)[:, None]
    points = rod.tip_mm + share * (rod.outer_mm - rod.tip_mm)
    along, across = cylindrical(points, other.tip_mm, other.outer_mm)
    length = float(np.linalg.norm(other.outer_mm - other.tip_mm))
    return float(np.mean((across < SAME_MM) & (along > -10.0) & (along < length + 10.0))) >= SAME_SHARE


def _body(kind: ForeignKind, voxels: BoolArray, box: Box, rod: Rod | None = None) -> ForeignBody:
    region = Region.of(voxels)
    placed = Region(region.box.placed_in(box), region.voxels)
    if rod is None:
        return ForeignBody(kind, placed)
    x, y, z = (float(v) for v in rod.tip_mm)
    dx, dy, dz = (float(v) for v in rod.outwards)
    return ForeignBody(kind, placed, tip_lps_mm=(x, y, z), direction_lps=(dx, dy, dz))
