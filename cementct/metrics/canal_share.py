"""The largest share of the spinal canal's cross-section that leaked cement takes."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import BoolArray, FloatArray
from cementct.core.frame import Frame
from cementct.core.grid import Grid

# Thickness of the cross-sections in millimetres, at the least: thin enough for a short deposit, thick enough
# to even out noise. Slices thicker than this set the thickness themselves.
SECTION_MM = 2.0
# Cross-sections that hold less canal than this share of the usual one are cut by the block or badly outlined.
WHOLE_SECTION = 0.5


def measure_canal_area_share(
    fraction: FloatArray, canal: BoolArray, grid: Grid, frame: Frame
) -> float | None:
    """Return the largest share of the canal's cross-section that a leak takes; None without a canal.

    Parameters
    ----------
    fraction
        The leak's share of each voxel, 0 elsewhere.
    canal
        The spinal canal, same shape.
    grid
        Where the voxels lie.
    frame
        The vertebra whose superior axis the cross-sections are at right angles to.
    """
    section_mm = max(SECTION_MM, *grid.spacing_mm)
    cement_at = np.argwhere(fraction > 0)
    canal_at = np.argwhere(canal)
    if len(cement_at) == 0 or len(canal_at) == 0:
        return None
    cement_mm = frame.to_local(grid.to_lps(cement_at))[:, 2]
    canal_mm = frame.to_local(grid.to_lps(canal_at))[:, 2]
    first = np.floor(min(cement_mm.min(), canal_mm.min()) / section_mm)
    shares = []
    # Sections that start half a section later catch a deposit that the first ones cut in two.
    for shift in (0.0, 0.5):
        cement_bin = (cement_mm / section_mm - first + shift).astype(np.intp)
        canal_bin = (canal_mm / section_mm - first + shift).astype(np.intp)
        count = int(max(cement_bin.max(), canal_bin.max())) + 1
        cement_sum = np.bincount(cement_bin, weights=fraction[tuple(cement_at.T)], minlength=count)
        canal_sum = np.bincount(canal_bin, minlength=count).astype(np.float64)
        usual = np.median(canal_sum[canal_sum > 0])
        whole = canal_sum >= WHOLE_SECTION * usual
        if whole.any():
            shares.append(float((cement_sum[whole] / canal_sum[whole]).max()))
    return min(1.0, max(shares)) if shares else None
