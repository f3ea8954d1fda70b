"""Which vertebrae the scan cuts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cementct.anatomy.orientation import PIECE_SHARE
from cementct.anatomy.outline import Outline
from cementct.anatomy.sampling import local_coordinates
from cementct.core.image import NOT_MEASURED_BELOW_HU, Region, Volume

# Bone this close behind the posterior wall is pedicle: together with the body it has to be whole in view, mm.
PEDICLE_DEPTH_MM = 10.0


def cut_by_scan(volume: Volume, outline: Outline) -> bool:
    """Tell whether the edge of the grid, or of what was measured, cuts the body or the pedicles."""
    if not _touches_edge(volume, outline.whole):
        return False
    left, posterior, superior = local_coordinates(volume.grid, outline.whole.box, outline.frame)
    wall = outline.wall.field
    behind = float(np.max(wall.height_mm)) + PEDICLE_DEPTH_MM
    near = outline.whole.voxels & (posterior <= behind)
    sides = [p for p in (outline.left_pedicle, outline.right_pedicle) if p is not None]
    top = max([p.superior_mm for p in sides], default=float(wall.second_mm[-1]))
    near &= (superior >= float(wall.second_mm[0])) & (superior <= top)
    widest = max([abs(p.lateral_mm) for p in sides], default=0.5 * outline.size_mm[0])
    near &= np.abs(left) <= widest
    return _touches_edge(volume, Region(outline.whole.box, near)) or _touches_edge(volume, outline.body)


def with_body_in_view(outlines: Sequence[Outline]) -> list[Outline]:
    """Leave out end vertebrae of which only the arch is in view: their widest part lies behind the wall.

    Judged in the frame of the neighbour towards the middle of the spine.
    """
    kept = list(outlines)
    for end, inner in ((0, 1), (-1, -2)):
        while len(kept) >= 2 and _is_arch_only(kept[end], kept[inner]):
            del kept[end]
    return kept


def _is_arch_only(outline: Outline, neighbour: Outline) -> bool:
    wall = float(np.mean(neighbour.wall.field.height_mm))
    small = outline.whole.count < PIECE_SHARE * neighbour.whole.count
    return small and bool(neighbour.frame.to_local(outline.frame.centre_lps_mm)[1] > wall)


def _touches_edge(volume: Volume, region: Region) -> bool:
    if region.is_empty:
        return False
    tight = Region.of(region.voxels).box
    start = np.asarray(tight.start) + region.box.start
    stop = np.asarray(tight.stop) + region.box.start
    if (start == 0).any() or (stop == volume.grid.shape).any():
        return True
    box = volume.grid.box_around([start, stop - 1], max(volume.grid.spacing_mm))
    unmeasured = volume.hu[box.slices] <= NOT_MEASURED_BELOW_HU
    if not unmeasured.any():
        return False
    from scipy import ndimage

    return bool((ndimage.binary_dilation(unmeasured) & region.in_box(box)).any())
