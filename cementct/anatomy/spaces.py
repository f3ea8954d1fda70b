"""Stand-ins for the vertebrae above the uppermost and below the lowest in view.

The spaces beyond the ends (disc, foramina, canal) are drawn against them: the end vertebra moved on by its
own height and one disc, or the sacrum where it is in view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from cementct.anatomy.borders import Borders
from cementct.anatomy.fields import extended_at
from cementct.anatomy.model import HeightField
from cementct.core.arrays import FloatArray, as_floats
from cementct.core.frame import Frame
from cementct.core.grid import Grid
from cementct.core.image import Mask

# Height of a disc over that of the vertebra next to it, where no disc is in view to measure.
USUAL_DISC_SHARE = 0.28
# Discs are taken to be within these heights, mm.
DISC_HEIGHT_MM = (3.0, 14.0)


@dataclass(frozen=True)
class Neighbours:
    """Stand-ins beyond the ends of the spine in view.

    Attributes
    ----------
    grid
        The volume's grid.
    sacrum
        The sacrum, where it is in view and not among the vertebrae.
    """

    grid: Grid
    sacrum: Mask | None = None

    def around(self, borders: Sequence[Borders]) -> list[Borders]:
        """Return the borders with a stand-in before the first and after the last."""
        if not borders:
            return []
        disc = _disc_height(borders)
        below = None
        if self.sacrum is not None:
            below = _on_sacrum(borders[-1], self.sacrum)
        return [
            _moved_on(borders[0], 1.0, disc),
            *borders,
            below or _moved_on(borders[-1], -1.0, disc),
        ]


def _disc_height(borders: Sequence[Borders]) -> float:
    heights = [_gap(upper, lower) for upper, lower in pairwise(borders)]
    sound = [h for h in heights if DISC_HEIGHT_MM[0] <= h <= DISC_HEIGHT_MM[1]]
    if sound:
        return float(np.median(sound))
    body = float(np.median([b.high_mm - b.low_mm for b in borders]))
    return float(np.clip(USUAL_DISC_SHARE * body, *DISC_HEIGHT_MM))


def _gap(upper: Borders, lower: Borders) -> float:
    """Return the mean height of the disc between two neighbours, in millimetres."""
    first, second = np.meshgrid(np.linspace(-8, 8, 5), np.linspace(-8, 8, 5))
    low = extended_at(upper.inferior_endplate, first, second)
    points = upper.frame.to_lps(np.stack([first, second, low], axis=-1))
    local = lower.frame.to_local(points)
    return float(np.mean(local[..., 2] - extended_at(lower.superior_endplate, local[..., 0], local[..., 1])))


def _moved_on(end: Borders, sign: float, disc_mm: float) -> Borders:
    """Return the end vertebra moved along its own axis by its height and one disc.

    The face towards the spine is that of the end vertebra itself, one disc away.
    """
    pitch = end.high_mm - end.low_mm + disc_mm
    centre = end.frame.to_lps((0.0, 0.0, sign * pitch))
    frame = replace(end.frame, centre_lps_mm=_triple(centre))
    faced = end.superior_endplate if sign > 0 else end.inferior_endplate
    moved = replace(faced, height_mm=faced.height_mm + sign * (disc_mm - pitch))
    if sign > 0:
        return replace(end, frame=frame, inferior_endplate=moved)
    return replace(end, frame=frame, superior_endplate=moved)


def _on_sacrum(last: Borders, sacrum: Mask) -> Borders | None:
    """Return the first sacral segment as a stand-in: the last vertebra laid on the top of the sacrum."""
    from cementct.anatomy.endplates import FACE_SCALE_MM
    from cementct.anatomy.fields import fit_surface
    from cementct.anatomy.sampling import Extent, box_of_extent, first_surface, sample_block

    reach = Extent((-14.0, 14.0), (-12.0, 14.0), (last.low_mm - 30.0, last.low_mm))
    box = box_of_extent(sacrum.grid, last.frame, reach)
    if box.is_empty:
        return None
    block = sample_block(sacrum.voxels[box.slices], box, sacrum.grid, last.frame, extent=reach, step_mm=1.0)
    top = first_surface(block.bone[:, :, ::-1], block.superior_mm[::-1])
    if np.count_nonzero(np.isfinite(top)) < 100:
        return None
    first, second = np.meshgrid(block.left_mm, block.posterior_mm, indexing="ij")
    plane = fit_surface(first, second, top, curved=False, scale_mm=FACE_SCALE_MM)
    normal = as_floats((-plane[1], -plane[2], 1.0)) @ last.frame.axes
    half = 0.5 * (last.high_mm - last.low_mm)
    on_top = last.frame.to_lps((0.0, 0.0, plane[0]))
    up = normal / np.linalg.norm(normal)
    frame = Frame.from_axes(on_top - up * half, up, last.frame.posterior)
    local = frame.to_local(last.frame.to_lps(np.stack([first, second, top], axis=-1)))
    field = _regular(local.reshape(-1, 3), last.superior_endplate, half)
    middle = 0.5 * (last.high_mm + last.low_mm)
    return replace(_lowered(last, middle), frame=frame, superior_endplate=field)


def _regular(points: FloatArray, rim: HeightField, half_mm: float) -> HeightField:
    """Return a face under the rim of another: its mean height where the points are near, on a plane."""
    del points
    known = np.isfinite(rim.height_mm)
    return replace(rim, height_mm=np.where(known, half_mm, np.nan))


def _lowered(borders: Borders, by_mm: float) -> Borders:
    return replace(borders, low_mm=borders.low_mm - by_mm, high_mm=borders.high_mm - by_mm)


def _triple(values: FloatArray) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z
