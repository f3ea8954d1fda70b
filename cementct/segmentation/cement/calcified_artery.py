"""Plaques in the wall of a large artery: pieces of chalk that together lie on one tube before the spine.

Each of them is as bright as dilute cement and lies where cement leaks to, and most patients whose vertebrae
are injected are of an age to have them. No vein has their common shape: what is calcified of an aorta lies
around it, with nothing dense in the lumen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Vertebra
from cementct.core.arrays import FloatArray, IntArray
from cementct.segmentation.cement.scene import Scene

# Radii of the aorta, ectatic ones included.
RADII_MM = np.arange(8.0, 16.0, 1.0)
# An artery is looked for so far above and below the middle of a body, and so near to it.
ALONG_MM = 25.0
BESIDE_BODY_MM = 12.0
# It may press so far against an outlined body.
INTO_BODY_MM = 2.0
# How near to each other axes are tried.
CENTRES_APART_MM = 1.5
# A plaque, blurred, lies so near to the wall; so much of it has to.
WALL_MM, SHARE_ON_WALL = 2.0, 0.8
# Once the artery is known, so much of a further plaque.
SHARE_ON_KNOWN_WALL = 0.6
# What is dense in the lumen may be so much as a share of what lies on the wall.
DENSE_IN_LUMEN = 0.1
# Plaques have to surround the lumen but for a gap of this angle; if they are fewer than three, of this: two
# pieces of a cord lie on some circle or other. On 79 phantoms without plaques (tuning half) no cement did; of
# 45 plaques on 20 with them that had been taken for cement 35 are found, with a gap of 200 degrees 36.
WIDEST_GAP_DEG, WIDEST_GAP_OF_FEW_DEG = 160.0, 130.0
FEWEST_PLAQUES = 3
# So many points stand for a piece; so many of the best tubes are looked at closely.
POINTS_OF_PIECE, BEST_TUBES = 40, 40
POINTS_OF_BODY = 4000
# Smaller pieces are noise.
SMALLEST_VOXELS = 4


@dataclass(frozen=True)
class _Tube:
    """An artery in a vertebra's frame: its axis along z, millimetres."""

    centre_mm: FloatArray
    radius_mm: float

    def share_on_wall(self, points: FloatArray) -> float:
        away = np.linalg.norm(points[:, :2] - self.centre_mm, axis=1)
        return float(np.mean(np.abs(away - self.radius_mm) <= WALL_MM))


def find_plaques(
    scene: Scene, places: Mapping[int, IntArray], vertebrae: tuple[Vertebra, ...]
) -> frozenset[int]:
    """Return the numbers of the pieces that lie in the wall of one artery.

    Parameters
    ----------
    scene
        The block of CT.
    places
        The (z, y, x) indices of each dense piece of soft tissue, shape (n, 3), whatever it was taken for.
    vertebrae
        Those that an artery is looked for in front of.
    """
    points = {n: scene.grid.to_lps(index) for n, index in places.items() if len(index) >= SMALLEST_VOXELS}
    found: set[int] = set()
    for vertebra in vertebrae:
        local = {n: vertebra.frame.to_local(p) for n, p in points.items()}
        near = {n: p for n, p in local.items() if np.abs(p[:, 2]).mean() <= ALONG_MM}
        tube = _best_tube(near, _outline(scene, vertebra)) if near and not vertebra.body.is_empty else None
        if tube is not None:
            found |= {n for n, p in near.items() if tube.share_on_wall(p) >= SHARE_ON_KNOWN_WALL}
    return frozenset(found)


def _outline(scene: Scene, vertebra: Vertebra) -> FloatArray:
    """Return where the body's voxels lie across its axis, one of many, shape (n, 2)."""
    index = vertebra.body.indices() - np.asarray(scene.box.start)
    index = index[:: max(1, len(index) // POINTS_OF_BODY)]
    return np.asarray(vertebra.frame.to_local(scene.grid.to_lps(index))[:, :2], dtype=np.float64)


def _best_tube(places: Mapping[int, FloatArray], body: FloatArray) -> _Tube | None:
    """Return the tube that most of the pieces surround; None where they surround none."""
    from scipy.spatial import KDTree

    thinned = [p[:: max(1, len(p) // POINTS_OF_PIECE), :2] for p in places.values()]
    points = np.concatenate(thinned)
    first = np.cumsum([0, *(len(p) for p in thinned[:-1])])
    counts = np.array([len(p) for p in thinned], dtype=np.float64)
    weight = np.array([len(p) for p in places.values()], dtype=np.float64)
    centres = _centres(points, body)
    if not len(centres):
        return None
    to_body, _ = KDTree(body).query(centres)
    away = np.linalg.norm(points[:, None].astype(np.float32) - centres[None].astype(np.float32), axis=2)
    tried: list[tuple[float, int, float]] = []
    for radius in RADII_MM:
        at = np.flatnonzero((to_body >= radius - INTO_BODY_MM) & (to_body <= radius + BESIDE_BODY_MM))
        if not at.size:
            continue
        share = np.add.reduceat(np.abs(away[:, at] - radius) <= WALL_MM, first, axis=0) / counts[:, None]
        within = np.add.reduceat(away[:, at] < radius - 1.5 * WALL_MM, first, axis=0) / counts[:, None]
        on_wall = weight @ (share >= SHARE_ON_WALL)
        good = np.flatnonzero((weight @ within <= DENSE_IN_LUMEN * on_wall) & (on_wall > 0))
        tried += [(float(on_wall[i]), int(at[i]), float(radius)) for i in good]
    for _, centre, radius in sorted(tried, reverse=True)[:BEST_TUBES]:
        tube = _Tube(centres[centre], radius)
        wall = [p for p in thinned if tube.share_on_wall(p) >= SHARE_ON_WALL]
        widest = WIDEST_GAP_DEG if len(wall) >= FEWEST_PLAQUES else WIDEST_GAP_OF_FEW_DEG
        if _gap_deg(np.concatenate(wall) - tube.centre_mm) <= widest:
            return tube
    return None


def _centres(points: FloatArray, body: FloatArray) -> FloatArray:
    """Return the places of axes that are tried: near the points, and before the body and near it."""
    reach, beside = float(RADII_MM.max()), float(RADII_MM.max()) + BESIDE_BODY_MM
    low = np.maximum(points.min(axis=0) - reach, body.min(axis=0) - beside)
    high = np.minimum(points.max(axis=0) + reach, body.max(axis=0) + beside)
    high[1] = min(high[1], float(np.median(body[:, 1])))
    axes = [np.arange(a, b, CENTRES_APART_MM) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)


def _gap_deg(offsets: FloatArray) -> float:
    """Return the widest angle seen from the origin in which no point lies."""
    angles = np.sort(np.degrees(np.arctan2(offsets[:, 1], offsets[:, 0])))
    return float(np.diff(np.append(angles, angles[0] + 360.0)).max())
