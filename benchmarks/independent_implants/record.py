"""The truth of an independent case, counted on the fine lattice as the contract defines it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from benchmarks.independent_implants.pieces import VOXEL_ML, Canvas, wall_at
from benchmarks.independent_implants.sources import LATTICE_MM, Bools, Doubles
from benchmarks.independent_implants.spine import FORAMEN, Spine, endplate_table
from cementct.core.findings import Destruction, LeakType, Side
from cementct.core.levels import LabelScheme, level_of_number
from cementct.testing.truth import CaseTruth, LeakTruth, VertebraTruth, category_of

# A body that comes this near to the scan's end is cut, mm.
CUT_MM = 0.7
# The contract's numbers.
LISTED_FROM_ML, ONE_LEAK_MM, MIDLINE_MM, TOUCHES_MM = 0.02, 2.0, 3.0, 0.3
MIXED_FROM, MIXED_TO = 0.2, 0.8
INVOLVED_WITHIN_MM, INVOLVED_FROM_MM2 = 1.0, 10.0
COMPRESSED_FROM = 0.20
# Masks of real patients show no sound shape of their own: a loss this near to the limit is left open.
OPEN_LOSS = (0.12, 0.28)


def record_truth(canvas: Canvas, seed: int, description: str, kept_z: tuple[float, float]) -> CaseTruth:
    """Return the truth of what was drawn.

    Parameters
    ----------
    canvas
        What was drawn.
    seed, description
        Of the case.
    kept_z
        Lowest and highest z of the scan, mm: vertebrae beyond are cut.
    """
    spine = canvas.spine
    points = {n: _points(spine, spine.body == n) for n in spine.order}
    complete = {
        n: bool(p[:, 2].min() > kept_z[0] + CUT_MM and p[:, 2].max() < kept_z[1] - CUT_MM)
        for n, p in points.items()
    }
    heights = {n: _heights(spine, n) if complete[n] else None for n in spine.order}
    vertebrae = [_vertebra(canvas, n, points[n], heights, complete=complete[n]) for n in spine.order]
    return CaseTruth(seed, description, tuple(vertebrae))


def level_name(number: int) -> str:
    """Return the level of a VerSe number."""
    level = level_of_number(number, LabelScheme.VERSE)
    return level.value if level is not None else str(number)


def _points(spine: Spine, where: Bools) -> Doubles:
    return np.asarray(spine.grid.to_lps(np.argwhere(where)))


def _mean(points: Doubles) -> tuple[float, float, float]:
    x, y, z = (float(c) for c in points.mean(axis=0))
    return x, y, z


def _vertebra(
    canvas: Canvas, number: int, points: Doubles, heights: dict[int, tuple[float, float, float] | None], *,
    complete: bool,
) -> VertebraTruth:  # fmt: skip
    spine = canvas.spine
    body = spine.body == number
    body_ml = float(body.sum()) * VOXEL_ML
    own = canvas.cement == number
    loss = _loss(spine, number, heights)
    base = VertebraTruth(
        level=level_name(number),
        number=number,
        complete=complete,
        treated=bool(own.any()),
        centroid_lps_mm=_mean(points),
        body_volume_ml=body_ml,
        heights_mm=heights[number],
        height_loss=loss,
        compressed=None if loss is None else loss >= COMPRESSED_FROM,
    )
    if not own.any():
        return base
    lesion = canvas.lesion == number
    in_body = float((own & body).sum()) * VOXEL_ML
    in_arch = float((own & (spine.labels == number) & ~body).sum()) * VOXEL_ML
    leaks = tuple(_leaks(canvas, number))
    rate = float((own & lesion).sum() / lesion.sum()) if lesion.any() else None
    return replace(
        base,
        cement_volume_ml=float(own.sum()) * VOXEL_ML,
        cement_in_body_ml=in_body,
        cement_in_pedicle_ml=in_arch,
        cement_to_body_ratio=in_body / body_ml,
        cement_opacity_hu=float(np.quantile(canvas.cement_hu[own], 0.8)),
        lesion_volume_ml=float(lesion.sum()) * VOXEL_ML if lesion.any() else None,
        filling_rate=rate,
        filling_category=category_of(rate) if rate is not None else None,
        destruction=_destruction(canvas, lesion),
        posterior_wall_involved=_wall_involved(spine, number, lesion),
        leaks=leaks,
        posterior_wall_distance_mm=_wall_distance(canvas, number, own & body, leaks),
        left_foramen_distance_mm=_foramen_distance(spine, number, own, 1),
        right_foramen_distance_mm=_foramen_distance(spine, number, own, -1),
    )


def _leaks(canvas: Canvas, number: int) -> list[LeakTruth]:
    """Return the leaks of a vertebra: pieces of one type 2 mm apart or less are one."""
    spine = canvas.spine
    window = canvas.window(number, 60.0)
    own = canvas.cement[window] == number
    reach = round(ONE_LEAK_MM / LATTICE_MM / 2)
    out = []
    for kind in LeakType:
        mask = own & (canvas.leak[window] == kind.number)
        if not mask.any():
            continue
        pieces, count = ndimage.label(
            ndimage.binary_dilation(mask, ndimage.generate_binary_structure(3, 2), iterations=reach)
        )
        for piece in range(1, count + 1):
            part = mask & (pieces == piece)
            index = np.argwhere(part) + [cut.start for cut in window]
            if not len(index):
                continue
            ml = len(index) * VOXEL_ML
            u = float(spine.u[window][part].mean()) - spine.frames[number].u_mid
            side = Side.MIDLINE if abs(u) <= MIDLINE_MM else Side.LEFT if u > 0 else Side.RIGHT
            between = None
            if kind is LeakType.DISKAL:
                above = int(np.bincount(spine.disc[window][part]).argmax())
                place = spine.order.index(above)
                between = (level_name(above), level_name(spine.order[place + 1]))
            listed = ml >= LISTED_FROM_ML or kind in {LeakType.EPIDURAL, LeakType.FORAMINAL}
            out.append(LeakTruth(kind, side, ml, _mean(spine.grid.to_lps(index)), between, listed))
    return out


def _destruction(canvas: Canvas, lesion: Bools) -> Destruction:
    if not lesion.any():
        return Destruction.NONE
    share = float(canvas.sclerotic[lesion].mean())
    if share > MIXED_TO:
        return Destruction.OSTEOBLASTIC
    return Destruction.MIXED if share >= MIXED_FROM else Destruction.OSTEOLYTIC


def _wall_points(spine: Spine, number: int) -> Doubles:
    """Return points of the body's surface that faces the canal, between the pedicles; a grid."""
    frame = spine.frames[number]
    here = spine.body == number
    inner = (spine.u < frame.medial[1]) & (spine.u > -frame.medial[-1])
    near = here & inner & (spine.v > spine.edge_v - 4)
    rows = np.rint(spine.t[near] / LATTICE_MM).astype(int)
    columns = np.rint(spine.u[near] / LATTICE_MM).astype(int)
    at = np.unique(rows * 1000 + columns + 500, return_index=True)[1]
    t, u, edge = (a[near][at] for a in (spine.t, spine.u, spine.edge_v))
    return np.asarray(spine.line.point(t.astype(float), u.astype(float), edge.astype(float) + LATTICE_MM / 2))


def _wall_involved(spine: Spine, number: int, lesion: Bools) -> bool:
    if not lesion.any():
        return False
    gap = np.asarray(cKDTree(_points(spine, lesion)).query(_wall_points(spine, number))[0])
    return bool((gap <= INVOLVED_WITHIN_MM + LATTICE_MM / 2).sum() * LATTICE_MM**2 >= INVOLVED_FROM_MM2)


def _wall_distance(canvas: Canvas, number: int, inside: Bools, leaks: tuple[LeakTruth, ...]) -> float | None:
    if any(leak.type is LeakType.EPIDURAL for leak in leaks):
        return 0.0
    if not inside.any():
        return None
    gap = np.asarray(cKDTree(_points(canvas.spine, inside)).query(_wall_points(canvas.spine, number))[0])
    nearest = max(0.0, float(gap.min()) - LATTICE_MM / 2)
    return 0.0 if nearest < TOUCHES_MM else nearest


def _foramen_distance(spine: Spine, number: int, own: Bools, side: int) -> float | None:
    place = spine.order.index(number)
    if not 0 < place < len(spine.order) - 1:
        return None
    top = spine.frames[spine.order[place - 1]].t_pedicle
    low = spine.frames[spine.order[place + 1]].t_pedicle
    where = (spine.zone == FORAMEN) & (spine.u * side > 0) & (spine.t < top) & (spine.t > low)
    if not where.any():
        return None
    surface = own & ~ndimage.binary_erosion(own)
    gap = np.asarray(cKDTree(_points(spine, where)).query(_points(spine, surface))[0])
    nearest = float(gap.min())
    return 0.0 if nearest < 1e-6 else max(0.0, nearest - LATTICE_MM)


def _heights(spine: Spine, number: int) -> tuple[float, float, float] | None:
    """Return heights at 10, 50 and 90 % of the depth in the midsagittal plane, mm."""
    frame = spine.frames[number]
    top, bottom = (endplate_table(spine, number, upper=upper) for upper in (True, False))
    middle = round((frame.u_mid + 75.0) / LATTICE_MM)
    strip_top, strip_low = (np.nanmedian(a[middle - 1 : middle + 2], axis=0) for a in (top, bottom))
    wall = wall_at(spine, number, frame.t_mid)
    out = []
    for share in (0.1, 0.5, 0.9):
        v = frame.v_front + share * (wall - frame.v_front)
        at = round((v + 75.0) / LATTICE_MM)
        high, low = float(np.nanmax(strip_top[at - 1 : at + 2])), float(np.nanmin(strip_low[at - 1 : at + 2]))
        if not np.isfinite(high + low):
            return None
        ends = spine.line.point(np.array([high, low]), np.full(2, frame.u_mid), np.full(2, v))
        out.append(float(np.linalg.norm(ends[0] - ends[1])))
    return out[0], out[1], out[2]


def _loss(spine: Spine, number: int, heights: dict[int, tuple[float, float, float] | None]) -> float | None:
    own = heights[number]
    place = spine.order.index(number)
    others = [heights[spine.order[p]] for p in (place - 1, place + 1) if 0 <= p < len(spine.order)]
    sound = [o for o in others if o is not None]
    if own is None or len(sound) < 2:
        return None
    expected = np.mean(sound, axis=0)
    loss = max(0.0, 1.0 - float(np.min(np.array(own) / expected)))
    return None if OPEN_LOSS[0] < loss < OPEN_LOSS[1] else loss
