"""The geometry of a real spine read off its label masks, by rules simple enough to check by eye.

Nothing here comes from the product's own anatomy, so that truth and measurement stay independent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import BoolArray, FloatArray, as_floats
from cementct.core.frame import Frame
from cementct.core.grid import Grid
from cementct.core.image import LabelMap
from cementct.testing.borders import Borders, ByteArray, centre_gaps_mm
from cementct.testing.measures import Measures

# The middle of a body is where its mask is thickest: this far from the surface, as a share of the most.
CORE_SHARE = 0.6
# Half-widths of the strips along which wall, lamina, front and sides are looked for.
STRIP_MM = 4.0
# A mask is entered or left where this share of a strip's cross-section is inside.
HALF = 0.5
# A mask ends where it stays empty for this long; shorter gaps are hollows in it.
GAP_MM = 6.0
# Discs are gaps between two bodies of at most this height.
HIGHEST_DISC_MM = 18.0
# Percentile of a pedicle's voxels at which its lower border is taken: processes spring from it.
PEDICLE_RIM = 6
# Farthest lateral border of a pedicle from its medial border.
WIDEST_PEDICLE_MM = 18.0


@dataclass(frozen=True)
class RealVertebra:
    """One vertebra of a label map, measured in its own frame.

    Attributes
    ----------
    number
        VerSe number.
    frame, wall_mm
        Where it lies, and the posterior coordinate of its posterior wall.
    front_mm
        Posterior coordinate of its front (negative).
    half_width_mm, half_height_mm
        Of the body.
    canal_depth_mm, half_canal_mm, lateral_mm, pedicle_superior_mm
        Depth of the canal; left coordinates of the pedicles' borders; superior coordinate of their middle.
    pedicle_low_mm, pedicle_high_mm
        Superior coordinates of their lower and upper border.
    """

    number: int
    frame: Frame
    wall_mm: float
    front_mm: float
    half_width_mm: float
    half_height_mm: float
    canal_depth_mm: float
    half_canal_mm: float
    lateral_mm: float
    pedicle_superior_mm: float
    pedicle_low_mm: float
    pedicle_high_mm: float


def measure_real_vertebrae(vertebrae: LabelMap) -> list[RealVertebra]:
    """Return the vertebrae of a label map (VerSe numbers, canonical order) from top to bottom.

    Vertebrae too small to hold a body's core (slivers at the scan's edge) are left out.
    """
    points: dict[int, FloatArray] = {}
    cores: dict[int, FloatArray] = {}
    for number, region in vertebrae.regions().items():
        if region.count * vertebrae.grid.voxel_ml < 6.0:
            continue
        points[number] = vertebrae.grid.to_lps(region.indices())
        cores[number] = _core(region.voxels, vertebrae.grid, np.asarray(region.box.start))
    order = sorted(cores, key=lambda n: -cores[n][2])
    everything = np.concatenate([points[n] for n in order]) if order else np.zeros((0, 3))
    found = []
    for index, number in enumerate(order):
        above = cores[order[max(index - 1, 0)]]
        below = cores[order[min(index + 1, len(order) - 1)]]
        if index in {0, len(order) - 1} and len(order) < 2:
            continue
        behind = points[number].mean(axis=0) - cores[number]
        frame = Frame.from_axes(cores[number], above - below, behind)
        near = np.abs(frame.to_local(everything)[:, 2]) < 60
        found.append(
            _measure(number, frame, frame.to_local(points[number]), frame.to_local(everything[near]))
        )
    return found


def _core(voxels: BoolArray, grid: Grid, start: np.ndarray[tuple[int, ...], np.dtype[np.int_]]) -> FloatArray:
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(np.pad(voxels, 1), sampling=grid.spacing_mm)[1:-1, 1:-1, 1:-1]
    core = np.argwhere(depth > CORE_SHARE * depth.max())
    return as_floats(grid.to_lps(core.mean(axis=0) + start))


def _measure(number: int, frame: Frame, own: FloatArray, everything: FloatArray) -> RealVertebra:
    """Measure one vertebra from the local coordinates of its voxels and of those of all vertebrae."""
    left, back, up = own.T
    axis = (np.abs(left) < STRIP_MM) & (np.abs(back) < STRIP_MM)
    top, bottom = (_reach(up[axis], sign) for sign in (1, -1))
    waist = np.abs(up) < STRIP_MM
    strip = (np.abs(left) < STRIP_MM) & waist
    wall, front = _reach(back[strip], 1), -_reach(back[strip], -1)
    sides = [_reach(left[waist & (np.abs(back) < STRIP_MM)], sign) for sign in (1, -1)]
    depth = _canal_depth(wall, everything)
    slab = (back > wall + 2.0) & (back < wall + 0.45 * depth)
    borders = [_pedicle(left[slab] * sign, up[slab]) for sign in (1, -1)]
    half_canal = float(np.mean([b[0] for b in borders]))
    lateral = float(np.mean([b[1] for b in borders]))
    return RealVertebra(
        number=number,
        frame=frame,
        wall_mm=wall,
        front_mm=front,
        half_width_mm=float(np.mean(sides)),
        half_height_mm=float(np.mean([top, bottom])),
        canal_depth_mm=depth,
        half_canal_mm=half_canal,
        lateral_mm=lateral,
        pedicle_superior_mm=float(np.mean([b[2] for b in borders])),
        pedicle_low_mm=float(np.mean([b[3] for b in borders])),
        pedicle_high_mm=float(np.mean([b[4] for b in borders])),
    )


def _reach(values: FloatArray, sign: int) -> float:
    """Return how far a mask reaches without a gap from 0 in one direction, at half its density near 0."""
    # Running means over a thick slice's height, so that slices do not look like gaps.
    counts, edges = np.histogram(values * sign, bins=np.arange(-10.0, 60.5, 0.5))
    width = 7
    density = np.convolve(counts, np.ones(width) / width, mode="same")
    start = int(np.searchsorted(edges, 0.0))
    full = float(np.median(density[start - 6 : start + 6]))
    low = density[start:] < HALF * full
    # A hollow in the mask (a vein, thin labels) is no border: beyond a border it stays empty.
    stays = np.lib.stride_tricks.sliding_window_view(low, int(GAP_MM / 0.5)).all(axis=1)
    first = np.flatnonzero(stays)
    return float(edges[start + int(first[0])]) if first.size else float(edges[-1])


def _canal_depth(wall: float, everything: FloatArray) -> float:
    """Return the depth of the canal in the midline: where bone begins again behind the wall."""
    strip = everything[(np.abs(everything[:, 0]) < 3) & (np.abs(everything[:, 2]) < 14), 1]
    counts, edges = np.histogram(strip, bins=np.arange(wall + 7.0, wall + 32.0, 1.0))
    filled = np.flatnonzero(counts > 0.35 * max(counts.max(), 1))
    return float(edges[int(filled[0])] - wall) if filled.size else 16.0


def _pedicle(left: FloatArray, up: FloatArray) -> tuple[float, float, float, float, float]:
    """Return medial and lateral border, superior middle, lower and upper border of one side's pedicle."""
    side = (left > 5) & (left < 4 + 2 * WIDEST_PEDICLE_MM)
    if not side.any():
        return 11.0, 19.0, 3.0, -4.0, 10.0
    counts, edges = np.histogram(left[side], bins=np.arange(5.0, 5.0 + 2 * WIDEST_PEDICLE_MM, 1.0))
    # The pedicle is the first thick part from the midline; processes beyond it are thinner.
    thick = counts[:16].max()
    first = int(np.flatnonzero(counts >= 0.4 * thick)[0])
    thin = np.flatnonzero(counts < 0.5 * thick)
    beyond = thin[thin > max(first, int(counts[:16].argmax()))]
    medial = float(edges[first])
    lateral = float(edges[int(beyond[0])]) if beyond.size else float(edges[-1])
    lateral = float(np.clip(lateral, medial + 3.0, medial + WIDEST_PEDICLE_MM))
    inside = side & (left >= medial) & (left < lateral)
    low, high = (float(v) for v in np.percentile(up[inside], (PEDICLE_RIM, 100 - PEDICLE_RIM)))
    return medial, lateral, float(np.median(up[inside])), low, high


def real_bodies(vertebrae: LabelMap, measured: list[RealVertebra]) -> LabelMap:
    """Return what of each vertebra lies in front of its posterior wall and within the body's sides."""
    out = np.zeros(vertebrae.grid.shape, dtype=np.uint8)
    regions = vertebrae.regions()
    for vertebra in measured:
        index = regions[vertebra.number].indices()
        left, back, up = vertebra.frame.to_local(vertebrae.grid.to_lps(index)).T
        inside = (back < vertebra.wall_mm) & (np.abs(left) < vertebra.half_width_mm + 3.0)
        inside &= (np.abs(up) < vertebra.half_height_mm + 5.0) & (back > vertebra.front_mm - 4.0)
        out[tuple(index[inside].T)] = vertebra.number
    return LabelMap(out, vertebrae.grid)


def real_discs(vertebrae: ByteArray, bodies: ByteArray, spacing_z_mm: float) -> BoolArray:
    """Return the gaps that have a body within reach above and another one within reach below."""
    reach = max(1, round(HIGHEST_DISC_MM / spacing_z_mm))
    above, below = np.zeros_like(bodies), np.zeros_like(bodies)
    for step in range(1, reach + 1):
        up, down = np.zeros_like(bodies), np.zeros_like(bodies)
        up[:-step] = bodies[step:]
        down[step:] = bodies[:-step]
        above = np.where(above == 0, up, above)
        below = np.where(below == 0, down, below)
    return np.asarray((vertebrae == 0) & (above > 0) & (below > 0) & (above != below))


def borders_of_real(measured: list[RealVertebra]) -> Borders:
    """Return the lengths that place canal and foramina."""
    return Borders(
        tuple(v.number for v in measured),
        tuple(v.half_canal_mm for v in measured),
        tuple(v.canal_depth_mm for v in measured),
        tuple(v.lateral_mm for v in measured),
        tuple(v.pedicle_low_mm for v in measured),
        tuple(v.pedicle_high_mm for v in measured),
        centre_gaps_mm([v.frame for v in measured]),
    )


def measures_of_real(measured: list[RealVertebra], index: int) -> Measures:
    """Return one vertebra's lengths as the placing of cement needs them."""
    v = measured[index]
    centre = np.asarray(v.frame.centre_lps_mm)
    gaps: Mapping[int, float] = {
        i: float(np.linalg.norm(np.asarray(measured[i].frame.centre_lps_mm) - centre))
        for i in (index - 1, index + 1)
        if 0 <= i < len(measured)
    }
    usual = 2 * v.half_height_mm + 7.0
    return Measures(
        width_mm=2 * v.half_width_mm,
        depth_mm=v.wall_mm - v.front_mm,
        height_mm=2 * v.half_height_mm,
        wall_mm=v.wall_mm,
        half_canal_mm=v.half_canal_mm,
        canal_depth_mm=v.canal_depth_mm,
        pedicle_left_mm=(v.half_canal_mm + v.lateral_mm) / 2,
        pedicle_superior_mm=v.pedicle_superior_mm,
        spacing_above_mm=gaps.get(index - 1, usual),
        spacing_below_mm=gaps.get(index + 1, usual),
    )
