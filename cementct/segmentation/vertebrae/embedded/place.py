"""The first guess of each vertebra's place: between the planes of its two discs, in front of the canal."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cementct.core.arrays import FloatArray
from cementct.segmentation.vertebrae.embedded.block import Placement
from cementct.segmentation.vertebrae.embedded.column import BodyColumn
from cementct.segmentation.vertebrae.embedded.levels import DiscPlane, Levels
from cementct.segmentation.vertebrae.embedded.straighten import StraightSpine

END_REACH = 1.3
# Beyond the last disc a vertebra is added where the scan ends within this many spacings: a longer stretch
# without a further disc is no vertebra (sacrum, neck, or a spine that the chain has lost).
LEAST_END_SHARE = 0.33
# Of a vertebra's spacing that has to be in view beyond the last disc: less is a sliver.

DEEPEST_AGAINST_USUAL = 1.08
# Depth over spacing, against the median of the same spine: more is aorta or heart with contrast medium.


@dataclass(frozen=True)
class PlacedVertebra:
    """A vertebra before it is outlined.

    Attributes
    ----------
    placement
        First guess of its centre and axes.
    spacing_mm
        Distance between the middles of its two discs.
    depth_mm
        Of the body.
    match
        With the pattern; NaN where one of its discs is not in view.
    cut_above, cut_below
        Whether the scan ends before its upper or lower disc.
    canal_back_mm
        Back coordinate of the canal's middle in its block.
    """

    placement: Placement
    spacing_mm: float
    depth_mm: float
    match: float
    cut_above: bool
    cut_below: bool
    canal_back_mm: float


def place_vertebrae(
    spine: StraightSpine, column: BodyColumn, levels: Levels, *, ends_below: bool = False
) -> list[PlacedVertebra]:
    """Return the vertebrae from the uppermost to the lowest; none below the last disc if it `ends_below`."""
    discs = list(levels.discs)
    placed = [
        _between(spine, column, low, high, match)
        for low, high, match in zip(discs[:-1], discs[1:], levels.matches, strict=True)
    ]
    below = _beyond_end(spine, discs[0], discs[1].along_mm - discs[0].along_mm, upwards=False)
    if below is not None and not ends_below:
        placed.insert(0, _between(spine, column, below, discs[0], float("nan"), cut_below=True))
    above = _beyond_end(spine, discs[-1], discs[-1].along_mm - discs[-2].along_mm, upwards=True)
    if above is not None:
        placed.append(_between(spine, column, discs[-1], above, float("nan"), cut_above=True))
    return _with_likely_depths(placed)[::-1]


def _with_likely_depths(placed: list[PlacedVertebra]) -> list[PlacedVertebra]:
    """Return the vertebrae, depths that vessels in front have drawn out brought back to the usual."""
    usual = float(np.median([one.depth_mm / one.spacing_mm for one in placed]))
    return [
        replace(one, depth_mm=min(one.depth_mm, DEEPEST_AGAINST_USUAL * usual * one.spacing_mm))
        for one in placed
    ]


def _beyond_end(
    spine: StraightSpine, disc: DiscPlane, spacing_mm: float, *, upwards: bool
) -> DiscPlane | None:
    """Return where the disc of a vertebra cut by the scan would be, None where there is no such vertebra."""
    seen = np.flatnonzero(spine.measured())
    end = float(seen[-1] if upwards else seen[0])
    share = abs(end - disc.along_mm) / spacing_mm
    if not LEAST_END_SHARE <= share <= END_REACH:
        return None
    return DiscPlane(
        disc.along_mm + (spacing_mm if upwards else -spacing_mm), disc.sagittal_tilt, disc.coronal_tilt
    )


def _between(
    spine: StraightSpine,
    column: BodyColumn,
    low: DiscPlane,
    high: DiscPlane,
    match: float,
    *,
    cut_above: bool = False,
    cut_below: bool = False,
) -> PlacedVertebra:
    middle = (low.along_mm + high.along_mm) / 2
    step = int(np.clip(round(middle), 0, spine.length - 1))
    wall, depth = float(column.wall_mm[step]), float(column.depth_mm[step])
    to_centre = wall - depth / 2
    ends = [_disc_centre(spine, disc, to_centre) for disc in (low, high)]
    up = _unit(np.sum([_disc_normal(spine, disc) for disc in (low, high)], axis=0))
    _, _, back, _ = spine.curve.at(middle)
    back = _unit(back - up * float(back @ up))
    left = np.cross(back[::-1], up[::-1])[::-1]
    centre = (ends[0] + ends[1]) / 2
    canal = spine.curve.at(middle)[0]
    return PlacedVertebra(
        Placement(centre, left, back, up),
        float(np.linalg.norm(ends[1] - ends[0])),
        depth,
        match,
        cut_above,
        cut_below,
        float((canal - centre) @ back),
    )


def _disc_centre(spine: StraightSpine, disc: DiscPlane, back_mm: float) -> FloatArray:
    last = spine.length - 1
    centre, up, back, _ = spine.curve.at(disc.along_mm)
    beyond = disc.along_mm - float(np.clip(disc.along_mm, 0, last))
    return centre + up * beyond + back * back_mm


def _disc_normal(spine: StraightSpine, disc: DiscPlane) -> FloatArray:
    _, up, back, left = spine.curve.at(disc.along_mm)
    return _unit(up - disc.sagittal_tilt * back - disc.coronal_tilt * left)


def _unit(vector: FloatArray) -> FloatArray:
    return np.asarray(vector / np.linalg.norm(vector))
