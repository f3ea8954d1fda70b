"""The first guess of each vertebra's place: between the planes of its two discs, in front of the canal."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cementct.core.arrays import FloatArray
from cementct.segmentation.vertebrae.embedded.block import Placement
from cementct.segmentation.vertebrae.embedded.column import BodyColumn
from cementct.segmentation.vertebrae.embedded.levels import DiscPlane, Levels
from cementct.segmentation.vertebrae.embedded.straighten import StraightSpine

# Of the spacing from the middle of a disc to the endplate next to it.
PLATE_SHARE = 0.12
# Of a vertebra that has to be in view for its match with the pattern to say something.
WELL_SEEN_SHARE = 0.85

# Depth over spacing, against the median of the same spine: more is aorta or heart with contrast medium.
DEEPEST_AGAINST_USUAL = 1.08


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
        With the pattern, around 1; NaN where much of it is not in view.
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
    spine: StraightSpine, column: BodyColumn, levels: Levels, *, first: int = 0
) -> list[PlacedVertebra]:
    """Return the vertebrae from the uppermost to the lowest, without the `first` ones from below."""
    seen = np.flatnonzero(spine.measured())
    placed = []
    for number in range(first, len(levels.matches)):
        low, high = levels.discs[number], levels.discs[number + 1]
        plate = PLATE_SHARE * (high.along_mm - low.along_mm)
        well_seen = levels.seen[number] >= WELL_SEEN_SHARE
        one = _between(spine, column, low, high)
        placed.append(
            replace(
                one,
                match=levels.matches[number] if well_seen else float("nan"),
                cut_below=low.along_mm + plate < seen[0],
                cut_above=high.along_mm - plate > seen[-1],
            )
        )
    return _with_likely_depths(placed)[::-1]


def _with_likely_depths(placed: list[PlacedVertebra]) -> list[PlacedVertebra]:
    """Return the vertebrae, depths that vessels in front have drawn out brought back to the usual."""
    usual = float(np.median([one.depth_mm / one.spacing_mm for one in placed]))
    return [
        replace(one, depth_mm=min(one.depth_mm, DEEPEST_AGAINST_USUAL * usual * one.spacing_mm))
        for one in placed
    ]


def _between(
    spine: StraightSpine,
    column: BodyColumn,
    low: DiscPlane,
    high: DiscPlane,
) -> PlacedVertebra:
    """Return a vertebra whose match and ends are not judged yet."""
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
        match=float("nan"),
        cut_above=False,
        cut_below=False,
        canal_back_mm=float((canal - centre) @ back),
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
