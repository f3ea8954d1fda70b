"""How soft a reconstruction kernel is, by the names that vendors give them.

Sharp kernels overshoot at the edges of dense things and make them look larger or smaller than they are, so a
softer reconstruction is better for volumes.
"""

from __future__ import annotations

import re

# Softest 0, sharpest 1; a kernel that no vendor rule knows stands in the middle.
UNKNOWN_SHARPNESS = 0.5

# GE: names in the console's order from soft to sharp.
_GE = {
    "SOFT": 0.2, "STANDARD": 0.35, "STND": 0.35, "CHEST": 0.4, "DETAIL": 0.5, "LUNG": 0.8, "BONE": 0.8,
    "BONEPLUS": 0.9, "BONE+": 0.9, "ULTRA": 0.95, "EDGE": 1.0, "HD": 0.7,
}  # fmt: skip
# Philips: single letters from smooth to sharp, and the Y family.
_PHILIPS = {
    "A": 0.2, "B": 0.3, "C": 0.45, "D": 0.7, "E": 0.9, "F": 0.8, "L": 0.8, "EB": 0.45, "EC": 0.55, "SA": 0.1,
    "SB": 0.15, "UA": 0.2, "UB": 0.3, "UC": 0.4, "YA": 0.6, "YB": 0.7, "YC": 0.85, "YD": 0.95, "YE": 1.0,
    "IMR": 0.3, "BONE": 0.8, "SMOOTH": 0.15, "SHARP": 0.8,
}  # fmt: skip
# Siemens: B30f, Br40d, Hr60, I50f …: the number runs from 10 (smooth) to about 90 (ultra sharp).
_SIEMENS = re.compile(r"^(?:[BHIJDTQ][A-Z]?)(\d{2})[A-Z]?(?:\b|_|\\|$)")
# Canon and Toshiba: FC01 to FC18 soft tissue, FC30 to FC35 bone, FC50 to FC56 lung, FC80 and on sharp bone.
_CANON = re.compile(r"^FC(\d{2})")
_CANON_SHARPNESS = ((10, 0.3), (20, 0.35), (30, 0.5), (49, 0.8), (70, 0.75), (100, 0.9))


def kernel_sharpness(kernel: str) -> float:
    """Return how sharp a kernel is, from 0 (softest) to 1.

    Parameters
    ----------
    kernel
        As the header's Convolution Kernel names it; empty where it does not.
    """
    name = kernel.strip().upper()
    siemens = _SIEMENS.match(name)
    if siemens:
        return min(int(siemens[1]) / 90.0, 1.0)
    canon = _CANON.match(name)
    if canon:
        return next(sharpness for below, sharpness in _CANON_SHARPNESS if int(canon[1]) < below)
    first = re.split(r"[\s_/\\-]", name)[0] if name else ""
    return _GE.get(first, _PHILIPS.get(first, UNKNOWN_SHARPNESS))
