"""Truth from fine masks: what the contract's definitions give for cement around one vertebra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray, FloatArray, IntArray, as_floats
from cementct.core.findings import LeakType, Side
from cementct.testing.site import Site
from cementct.testing.truth import LeakTruth

# The contract's numbers: pieces this near are one leak; a leak is listed from this volume; the midline's
# breadth; what counts as touching the wall; a lesion this near to the wall, over this area, involves it.
JOIN_MM = 2.0
LISTED_ML = 0.02
MIDLINE_MM = 3.0
TOUCHING_MM = 0.3
WALL_NEAR_MM = 1.0
WALL_AREA_MM2 = 10.0

_TYPE_OF = {
    Compartment.DISC: LeakType.DISKAL,
    Compartment.CANAL: LeakType.EPIDURAL,
    Compartment.FORAMEN_LEFT: LeakType.FORAMINAL,
    Compartment.FORAMEN_RIGHT: LeakType.FORAMINAL,
}


def leak_types(
    site: Site, cement: BoolArray, track: BoolArray
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return the number of the leak type of every voxel of cement outside the vertebra, 0 elsewhere.

    Parameters
    ----------
    site
        The vertebra it came from.
    cement
        All of its cement.
    track
        Where a needle's way out of the bone runs.
    """
    out = np.zeros(cement.shape, dtype=np.uint8)
    outside = cement & ~site.own
    out[outside] = LeakType.PARAVERTEBRAL.number
    out[outside & track & (site.by_contract == Compartment.ELSEWHERE)] = LeakType.ACCESS_TRACK.number
    for compartment, kind in _TYPE_OF.items():
        out[outside & (site.by_contract == compartment)] = kind.number
    in_neighbour = outside & (site.vertebrae > 0) & (site.compartments == Compartment.BODY)
    if in_neighbour.any():
        _follow_into_neighbour(site, out, in_neighbour)
    return out


def _follow_into_neighbour(
    site: Site, types: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], inside: BoolArray
) -> None:
    """Give cement in a neighbour's body the type of the leak that it came in with."""
    from scipy import ndimage

    outside = (types > 0) & ~inside
    if not outside.any():
        return
    nearest = ndimage.distance_transform_edt(
        ~outside, sampling=site.grid.spacing_mm, return_distances=False, return_indices=True
    )
    types[inside] = types[tuple(n[inside] for n in nearest)]


def judge_leaks(
    site: Site,
    types: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    names: Mapping[int, str],
    order: Sequence[int],
) -> tuple[LeakTruth, ...]:
    """Return the leaks that typed cement voxels make, joined and listed as the contract says.

    Parameters
    ----------
    site
        The vertebra they came from.
    types
        As `leak_types` gives them.
    names
        Levels of vertebra numbers.
    order
        Numbers of all vertebrae from top to bottom.
    """
    found: list[LeakTruth] = []
    for kind in LeakType:
        for piece in _joined_pieces(types == kind.number, site.grid.spacing_mm):
            volume = piece.shape[0] * site.grid.voxel_ml
            centre = piece.mean(axis=0)
            left = float(site.frame.to_local(site.grid.to_lps(centre))[0])
            near_canal = kind in {LeakType.EPIDURAL, LeakType.FORAMINAL}
            found.append(
                LeakTruth(
                    kind,
                    Side.MIDLINE if abs(left) <= MIDLINE_MM else Side.LEFT if left > 0 else Side.RIGHT,
                    volume,
                    _point(site.grid.to_lps(centre)),
                    _between(site, piece, names, order) if kind is LeakType.DISKAL else None,
                    near_canal or volume >= LISTED_ML,
                )
            )
    return tuple(found)


def _joined_pieces(mask: BoolArray, spacing_mm: tuple[float, float, float]) -> list[FloatArray]:
    """Return the voxel indices of each piece, pieces 2 mm apart or less joined."""
    from scipy import ndimage

    if not mask.any():
        return []
    index = np.argwhere(mask)
    pad = [int(np.ceil(JOIN_MM / s)) + 1 for s in spacing_mm]
    low = index.min(axis=0) - pad
    block = np.zeros(index.max(axis=0) - low + 1 + pad, dtype=np.bool_)
    block[tuple((index - low).T)] = True
    near = ndimage.distance_transform_edt(~block, sampling=spacing_mm) <= JOIN_MM / 2 + max(spacing_mm) / 4
    pieces, count = ndimage.label(near, structure=np.ones((3, 3, 3)))
    own = pieces[tuple((index - low).T)]
    return [as_floats(index[own == n]) for n in range(1, count + 1) if np.any(own == n)]


def _between(
    site: Site, piece: FloatArray, names: Mapping[int, str], order: Sequence[int]
) -> tuple[str, str]:
    index = tuple(piece.astype(np.intp).T)
    places = site.places[index]
    in_disc = site.compartments[index] == Compartment.DISC
    if in_disc.any():
        places = places[in_disc]
    above = int(np.bincount(places).argmax())
    below = order[order.index(above) + 1]
    return names[above], names[below]


def wall_distance_mm(site: Site, cement: BoolArray) -> float | None:
    """Return the shortest distance from cement in the body to the posterior wall; 0 where it touches it."""
    m = site.measures
    behind = (site.compartments == Compartment.CANAL) & (np.abs(site.at[2]) < m.height_mm / 2 + 1)
    return _gap_mm(site, cement & site.own_body, behind)


def foramen_distance_mm(site: Site, cement: BoolArray, side: Side) -> float | None:
    """Return the shortest distance from cement to the foramina above and below on one side; 0 inside one."""
    wanted = Compartment.FORAMEN_LEFT if side is Side.LEFT else Compartment.FORAMEN_RIGHT
    m = site.measures
    near = (site.at[2] < m.spacing_above_mm) & (site.at[2] > -m.spacing_below_mm)
    foramen = (site.by_contract == wanted) & near
    if (foramen & cement).any():
        return 0.0
    return _gap_mm(site, cement, foramen)


def _gap_mm(site: Site, first: BoolArray, second: BoolArray) -> float | None:
    """Return the distance between the surfaces of two sets of voxels."""
    from scipy.spatial import cKDTree

    if not first.any() or not second.any():
        return None
    spacing = as_floats(site.grid.spacing_mm)
    tree = cKDTree(_shell_indices(second) * spacing)
    distance, _ = tree.query(_shell_indices(first) * spacing)
    gap = float(np.min(distance)) - float(spacing.mean())
    return 0.0 if gap < TOUCHING_MM else gap


def _shell_indices(mask: BoolArray) -> IntArray:
    """Return the indices of the outermost voxels of a mask."""
    from scipy import ndimage

    block = ndimage.find_objects(mask.view(np.uint8))[0]
    part = mask[block]
    shell = np.argwhere(part & ~ndimage.binary_erosion(part))
    return np.asarray(shell + [s.start for s in block], dtype=np.intp)


def wall_is_involved(site: Site, lesion: BoolArray) -> bool:
    """Tell whether a lesion destroys the posterior wall or lies within 1 mm of it over 10 mm² or more."""
    m = site.measures
    reach = max(WALL_NEAR_MM, float(np.mean(site.grid.spacing_mm)))
    # The signed distance of a body from a real scan is as small at its front as at its back.
    back = (site.at[1] > 0) & (np.abs(site.at[0]) < m.half_canal_mm)
    close = lesion & back & (site.behind_front_mm > -reach)
    # One column of voxels along the posterior direction is one patch of wall.
    patch = site.grid.spacing_mm[0] * site.grid.spacing_mm[2]
    return bool(close.any(axis=1).sum() * patch >= WALL_AREA_MM2)


def heights_mm(site: Site) -> tuple[float, float, float] | None:
    """Return the body's height at 10, 50 and 90 % of its depth in the midsagittal plane."""
    inside = site.own_body & (np.abs(site.at[0]) < 1.0)
    if not inside.any():
        return None
    depth, up = site.at[1][inside], site.at[2][inside]
    front, back = float(np.percentile(depth, 0.5)), float(np.percentile(depth, 99.5))
    found = []
    for share in (0.1, 0.5, 0.9):
        near = np.abs(depth - (front + share * (back - front))) < 0.8
        if not near.any():
            return None
        found.append(float(np.percentile(up[near], 99) - np.percentile(up[near], 1)))
    return found[0], found[1], found[2]


def _point(values: FloatArray) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z
