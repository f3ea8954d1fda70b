"""Whether outlines of a body drawn after injection fit the bone in the scan before."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cementct.core.image import Region, Volume

# Dice of a body's outlines before and after injection; less alike, one of them is of something else.
LEAST_LIKENESS = 0.6
# Cortex on the surface of an outline from after injection, over that on the outline found before. A body
# that was raised in between puts endplates into the disc: 0.87–0.95 of it; well-drawn outlines 0.99 and more.
LEAST_CORTEX_SHARE = 0.98
# A surface lies on cortex where something is as bright this near.
CORTEX_REACH_MM = 1.0
# Brighter cortex is no more cortex.
MOST_HU = 400.0
# Slices further apart are not searched across.
COARSE_SLICE_MM = 2.0


def fits_as_well(volume: Volume, drawn: Region, own: Region) -> bool:
    """Tell whether an outline from after injection lies on the cortex of the scan before as well as its own.

    Parameters
    ----------
    volume
        The scan before injection.
    drawn, own
        The body as it was drawn after injection and carried back, and as it was found in this scan.
    """
    box = drawn.box.union(own.box)
    first, second = drawn.in_box(box), own.in_box(box)
    if 2 * np.count_nonzero(first & second) < LEAST_LIKENESS * (drawn.count + own.count):
        return False
    return _cortex_hu(volume, drawn) >= LEAST_CORTEX_SHARE * _cortex_hu(volume, own)


def _cortex_hu(volume: Volume, outline: Region) -> float:
    """Return the mean over an outline's surface of the brightest intensity within reach."""
    spacing = np.asarray(volume.grid.spacing_mm)
    box = volume.grid.expand(outline.box, 3 * CORTEX_REACH_MM)
    light = ndimage.gaussian_filter(volume.hu[box.slices].astype(np.float32), 0.4 / spacing)
    reach = np.maximum(1, np.rint(CORTEX_REACH_MM / spacing)).astype(int)
    reach[spacing > COARSE_SLICE_MM] = 0
    brightest = ndimage.maximum_filter(light, size=tuple(int(n) for n in 2 * reach + 1))
    inside = outline.in_box(box)
    surface = inside & ~ndimage.binary_erosion(inside)
    return float(np.clip(brightest[surface], 0.0, MOST_HU).mean()) if surface.any() else 0.0
