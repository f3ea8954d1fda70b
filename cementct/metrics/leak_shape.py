"""The shape of a leak: where its centre is, how many slices show it, whether it is a thin cord, how thick."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cementct.core.arrays import BoolArray, FloatArray
from cementct.core.distances import depth_inside
from cementct.core.findings import Side
from cementct.core.grid import Grid

# Within this distance of the midsagittal plane a leak is called midline, in millimetres (contract).
MIDLINE_MM = 3.0
# A slice shows a leak where a voxel is filled to this share at least: it stands well above noise, and a cord
# thinner than the slices is rarely centred so well on one of them that the next holds less.
SEEN_SHARE = 0.15
# Cement in a vein is a cord 1-3 mm thick (clinical notes); the estimate from volume and length adds its blur.
MAX_CORD_DIAMETER_MM = 3.6
# A cord is at least this many times longer than thick, and this long, in millimetres.
CORD_LENGTH_TO_DIAMETER = 3.0
MIN_CORD_LENGTH_MM = 6.0
# Length is measured along points this far apart, and over gaps up to this wide, in millimetres.
PATH_STEP_MM = 1.0
PATH_JUMP_MM = 3.5
# All but a tenth of a cord's voxels lie this near to the way along it, in millimetres: its radius and a
# voxel. A sheet's lie further off.
MAX_OFF_WAY_MM = 2.2
OFF_WAY_PERCENTILE = 90.0
# Sheets are measured along rays that reach this far, in millimetres, with this step.
RAY_REACH_MM = 8.0
RAY_STEP_MM = 0.25
# Width of the blur with which the direction of the canal wall is found, in millimetres: wider than a voxel,
# narrower than the canal.
WALL_BLUR_MM = 1.0
# The thickest place is this percentile of the thickness over the leak, so that a lone noisy ray does not
# count.
THICKEST_PERCENTILE = 95.0


def side_of(left_mm: float) -> Side:
    """Return the patient's side of a point at `left_mm` from the midsagittal plane."""
    if abs(left_mm) <= MIDLINE_MM:
        return Side.MIDLINE
    return Side.LEFT if left_mm > 0 else Side.RIGHT


def count_slices_seen(points: NDArray[np.intp], fraction: FloatArray, grid: Grid) -> int:
    """Return how many slices show a leak, given the voxels (z, y, x) and fractions of it and its rim."""
    return int(np.unique(points[fraction >= SEEN_SHARE, widest_axis(grid)]).size)


def widest_axis(grid: Grid) -> int:
    """Return the axis along which slices are counted: that of the widest spacing, z where they are equal."""
    return int(np.argmax(np.asarray(grid.spacing_mm) - np.array([0.0, 1e-3, 2e-3])))


def is_vessel_like(points_mm: FloatArray, volume_ml: float) -> bool:
    """Tell whether a leak is a thin cord, straight or curved, as cement in a vein is.

    Parameters
    ----------
    points_mm
        Its voxels as drawn, in any right-angled frame, shape (n, 3).
    volume_ml
        Its volume; with the length along the cord it gives the diameter.
    """
    from scipy.spatial import cKDTree

    way_mm = find_longest_way_mm(points_mm)
    length_mm = float(np.linalg.norm(np.diff(way_mm, axis=0), axis=1).sum()) + PATH_STEP_MM
    if length_mm < MIN_CORD_LENGTH_MM or volume_ml <= 0:
        return False
    diameter_mm = float(np.sqrt(4 * volume_ml * 1000 / (np.pi * length_mm)))
    off_mm = np.percentile(cKDTree(way_mm).query(points_mm)[0], OFF_WAY_PERCENTILE)
    return bool(
        diameter_mm <= MAX_CORD_DIAMETER_MM
        and length_mm >= CORD_LENGTH_TO_DIAMETER * diameter_mm
        and off_mm <= MAX_OFF_WAY_MM
    )


def find_longest_way_mm(points_mm: FloatArray) -> FloatArray:
    """Return points along the longest way within a set of points from one end to the other, shape (n, 3)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import dijkstra
    from scipy.spatial import cKDTree

    cells = np.unique(np.round(points_mm / PATH_STEP_MM).astype(np.int64), axis=0, return_inverse=True)[1]
    counts = np.bincount(cells.ravel())
    nodes = np.stack([np.bincount(cells.ravel(), weights=points_mm[:, k]) / counts for k in range(3)], axis=1)
    pairs = cKDTree(nodes).query_pairs(PATH_JUMP_MM, output_type="ndarray")
    step_mm = np.linalg.norm(nodes[pairs[:, 0]] - nodes[pairs[:, 1]], axis=1)
    # Long steps cost more than their length, so that the way keeps to the middle of a bend.
    ways = coo_matrix((step_mm**1.5, (pairs[:, 0], pairs[:, 1])), shape=(len(nodes), len(nodes))).tocsr()
    from_first = np.ravel(dijkstra(ways, directed=False, indices=[0]))
    start = int(np.argmax(np.where(np.isfinite(from_first), from_first, -1)))
    from_start, before = dijkstra(ways, directed=False, indices=[start], return_predecessors=True)
    cost, previous = np.ravel(from_start), np.ravel(before)
    node = int(np.argmax(np.where(np.isfinite(cost), cost, -1)))
    way = [node]
    while node != start:
        node = int(previous[node])
        way.append(node)
    return np.asarray(nodes[way], dtype=np.float64)


def measure_thickness_mm(
    fraction: FloatArray, points: NDArray[np.intp], canal: BoolArray, grid: Grid
) -> float:
    """Return the extent of an epidural leak at right angles to the canal wall, at its thickest.

    A sheet thinner than the blur keeps its mass: the fractions along a ray through it add up to what it
    measures.

    Parameters
    ----------
    fraction
        The leak's share of each voxel, 0 elsewhere.
    points
        Its voxels as drawn (z, y, x).
    canal
        The spinal canal, same shape, the foramina included: their openings are no wall.
    grid
        Where the voxels lie.
    """
    spacing = np.asarray(grid.spacing_mm)
    smooth = ndimage.gaussian_filter(depth_inside(canal, spacing), WALL_BLUR_MM / spacing)
    ridge = points[fraction[tuple(points.T)] >= np.median(fraction[tuple(points.T)])]
    # Slopes are looked at only in the block that holds the ridge, with its neighbours.
    first = np.maximum(ridge.min(axis=0) - 1, 0)
    block = tuple(slice(a, b) for a, b in zip(first, ridge.max(axis=0) + 2, strict=True))
    slopes = [np.gradient(smooth[block], step, axis=axis) for axis, step in enumerate(spacing)]
    slope = np.stack([along[tuple((ridge - first).T)] for along in slopes], axis=1)
    steep = np.linalg.norm(slope, axis=1)
    ridge, slope, steep = ridge[steep > 1e-3], slope[steep > 1e-3], steep[steep > 1e-3]
    if len(ridge) == 0:
        return 0.0
    normal = slope / steep[:, None]
    steps_mm = np.arange(-RAY_REACH_MM, RAY_REACH_MM + RAY_STEP_MM / 2, RAY_STEP_MM)
    where = ridge[:, None, :] + steps_mm[None, :, None] * normal[:, None, :] / spacing
    along = ndimage.map_coordinates(fraction, where.reshape(-1, 3).T, order=1, mode="constant", cval=0.0)
    thickness_mm = along.reshape(len(ridge), -1).sum(axis=1) * RAY_STEP_MM
    return float(np.percentile(thickness_mm, THICKEST_PERCENTILE))
