"""Cement-like deposits away from the spine: what veins can have carried to azygos, heart or lung.

Nothing here is ever more than possible. A deposit counts where something small, as bright as the cement that
was injected, lies in soft tissue or lung and hangs on no bone.
"""

from __future__ import annotations

import math

import numpy as np

from cementct.core.arrays import BoolArray, IntArray
from cementct.core.image import Volume
from cementct.core.morphology import dilate_box, places_of
from cementct.segmentation.model import Cement, RemotePiece

# As bright as this share of the injected cement's plateau; small deposits lose the rest to partial volume.
# Calcified rib cartilage reaches 1700 HU, 0.7 of a usual cement.
PLATEAU_SHARE = 0.8
# Never fainter than this: calcified arteries and lymph nodes reach 1300 HU (clinical.md: bone islands 1323).
LEAST_HU = 1300.0
# What hangs together above this is judged as one thing; ribs and vertebrae are far larger than a deposit.
HANGS_TOGETHER_HU = 250.0
# Volumes of such a thing, in millilitres: from the smallest leak that is listed to more than an embolus.
LEAST_ML, MOST_ML = 0.02, 4.0
# Cement of the spine and its blur reach this far, in millimetres; pieces nearer belong to it.
NEAR_CEMENT_MM = 3.0
# More pieces than this are no emboli but clips, wires or contrast; then nothing can be said.
MOST_PIECES = 12


def find_remote_pieces(volume: Volume, cement: Cement) -> tuple[RemotePiece, ...]:
    """Return what looks like cement away from the spine, the largest first; nothing without cement in it.

    Parameters
    ----------
    volume
        The post-injection volume.
    cement
        The cement that came from its vertebrae.
    """
    plateaus = [deposit.plateau_hu for deposit in cement.properties if deposit.owner]
    if not plateaus:
        return ()
    bright_hu = max(LEAST_HU, PLATEAU_SHARE * float(np.median(plateaus)))
    bright = places_of(np.asarray(volume.hu >= bright_hu))
    bright = bright[~_near_cement(bright, volume, cement)]
    if len(bright) == 0:
        return ()
    import cc3d

    labels = cc3d.connected_components(volume.hu >= HANGS_TOGETHER_HU, connectivity=26)
    statistics = cc3d.statistics(labels)
    sizes, blocks = statistics["voxel_counts"] * volume.grid.voxel_ml, statistics["bounding_boxes"]
    small = [int(n) for n in np.unique(labels[tuple(bright.T)]) if LEAST_ML <= sizes[n] <= MOST_ML]
    places = [np.argwhere(labels[blocks[n]] == n) + [cut.start for cut in blocks[n]] for n in small]
    pieces = [piece for index in places if (piece := _describe(volume, cement, index)) is not None]
    if len(pieces) > MOST_PIECES:
        return ()
    return tuple(sorted(pieces, key=lambda piece: (-piece.volume_ml, piece.centroid_lps_mm)))


def _near_cement(index_zyx: IntArray, volume: Volume, cement: Cement) -> BoolArray:
    """Tell which voxels lie so near to cement of the spine that they belong to it."""
    reach = [math.ceil(NEAR_CEMENT_MM / s) for s in volume.grid.spacing_mm]
    grown = dilate_box(np.pad(cement.fraction > 0, [(n, n) for n in reach]), [2 * n + 1 for n in reach])
    local = index_zyx - (np.asarray(cement.box.start) - reach)
    inside = np.all((local >= 0) & (local < grown.shape), axis=1)
    near = np.zeros(len(index_zyx), dtype=np.bool_)
    near[inside] = grown[tuple(local[inside].T)]
    return near


def _describe(volume: Volume, cement: Cement, index_zyx: np.ndarray) -> RemotePiece | None:
    """Return one piece, or None where it is cement of the spine or a needle."""
    box = volume.grid.box_around(index_zyx, NEAR_CEMENT_MM)
    common = box.intersection(cement.box)
    if not common.is_empty and bool((cement.fraction[common.within(cement.box)] > 0).any()):
        return None
    if any(body.region.in_box(box).any() for body in cement.foreign):
        return None
    hu = volume.hu[tuple(index_zyx.T)].astype(np.float64)
    half = index_zyx[hu >= 0.5 * hu.max()]
    x, y, z = (float(value) for value in volume.grid.to_lps(half.mean(axis=0)))
    return RemotePiece(volume_ml=len(half) * volume.grid.voxel_ml, centroid_lps_mm=(x, y, z))
