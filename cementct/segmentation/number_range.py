"""Where a scan's number range ends: what is denser, cement or metal, is cut off there."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import HuArray

# A number range that ends below this is not a scanner's clip but simply the brightest thing in view.
LOWEST_CLIP_HU = 2900.0
# So many voxels at exactly the highest number make it a clip, not a peak.
CLIPPED_VOXELS = 12
# What comes this near to the clip is cut off: noise and interpolation pull it a little below.
CLIP_SLACK_HU = 3.0


def find_clip(hu: HuArray) -> float | None:
    """Return the highest number the image can hold where structures run into it, else None."""
    top = float(hu.max())
    if top < LOWEST_CLIP_HU:
        return None
    return top if np.count_nonzero(hu >= top) >= CLIPPED_VOXELS else None
