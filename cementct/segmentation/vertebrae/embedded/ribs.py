"""Ribs: bone that runs from beside a vertebra out to where no transverse process reaches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cementct.core.arrays import BoolArray, as_floats
from cementct.core.image import NOT_MEASURED_BELOW_HU, Volume
from cementct.segmentation.vertebrae.embedded.place import PlacedVertebra
from cementct.segmentation.vertebrae.embedded.straighten import StraightSpine

STEP_MM = 2.0
# A rib runs through all of the strip from `INNER_MM` to `OUTER_MM` beside the midline; lumbar transverse
# processes end 35 to 48 mm from it.
INNER_MM = 24.0
ROOT_MM = 34.0
OUTER_MM = 52.0
FARTHEST_MM = 60.0
IN_FRONT_MM = 34.0
BEHIND_MM = 46.0
# Ribs of 2 mm voxels; thinner cortex is averaged with marrow.
RIB_HU = 130.0
# Within the strip; kidneys with contrast medium, iliac wings and the sacrum are larger.
SMALLEST_MM3 = 300.0
LARGEST_MM3 = 7000.0
# Where the root lies from the middle of the canal: kidneys lie in front of it.
ROOT_BACK_MM = (-16.0, 24.0)
# The root of a rib spans less than this along the spine: an iliac wing or the sacrum spans more.
LARGEST_ROOT_MM = 45.0


def find_rib_bearing(
    volume: Volume, spine: StraightSpine, placed: Sequence[PlacedVertebra]
) -> dict[int, bool]:
    """Return for the number of each vertebra whether ribs spring from it; absent where that is not seen.

    Ribs are contiguous: below a vertebra without ribs there is none with them.
    """
    strip, seen = _sample_strip(volume, spine)
    middles = [_along(spine, vertebra) for vertebra in placed]
    borne = {True: np.zeros(len(placed), dtype=int), False: np.zeros(len(placed), dtype=int)}
    for side in (True, False):
        for root in _rib_roots(strip[side]):
            distance = [
                abs(root - middle) / vertebra.spacing_mm
                for middle, vertebra in zip(middles, placed, strict=True)
            ]
            if distance and min(distance) < 0.75:
                borne[side][int(np.argmin(distance))] += 1
    verdict: dict[int, bool] = {}
    for position, (middle, vertebra) in enumerate(zip(middles, placed, strict=True)):
        window = slice(
            max(0, int((middle - 0.8 * vertebra.spacing_mm) / STEP_MM)),
            max(1, int((middle + 0.5 * vertebra.spacing_mm) / STEP_MM)),
        )
        shown = [float(seen[side][window].mean()) > 0.8 for side in (True, False)]
        count = int(borne[True][position] > 0) + int(borne[False][position] > 0)
        if count == 2 or (count == 1 and sum(shown) == 1):
            verdict[position + 1] = True
        elif count == 0 and all(shown):
            verdict[position + 1] = False
    return _contiguous(verdict)


def _contiguous(verdict: dict[int, bool]) -> dict[int, bool]:
    """Return the verdicts that agree with ribs above and none below one border."""
    numbers = sorted(verdict)
    best, border = -1, 0
    for candidate in range(len(numbers) + 1):
        agreeing = sum(verdict[n] == (i < candidate) for i, n in enumerate(numbers))
        if agreeing > best:
            best, border = agreeing, candidate
    return {n: verdict[n] for i, n in enumerate(numbers) if verdict[n] == (i < border)}


def _along(spine: StraightSpine, vertebra: PlacedVertebra) -> float:
    """Return where along the canal the middle of a vertebra lies."""
    canal = vertebra.placement.centre_mm + vertebra.placement.back * vertebra.canal_back_mm
    return float(np.argmin(np.linalg.norm(spine.curve.centre_mm - canal, axis=1)))


def _sample_strip(
    volume: Volume, spine: StraightSpine
) -> tuple[dict[bool, BoolArray], dict[bool, BoolArray]]:
    """Return bone beside the spine, (along, back, aside) per side (left is True), and where it is in view."""
    from scipy import ndimage

    curve = spine.curve
    steps = np.arange(0, spine.length, int(STEP_MM))
    back = np.arange(-IN_FRONT_MM, BEHIND_MM, STEP_MM)
    aside = np.arange(INNER_MM, FARTHEST_MM, STEP_MM)
    spacing = as_floats(volume.grid.spacing_mm)
    bone, seen = {}, {}
    for side, sign in ((True, 1.0), (False, -1.0)):
        points = (
            curve.centre_mm[steps][:, None, None]
            + curve.back[steps][:, None, None] * back[None, :, None, None]
            + curve.left[steps][:, None, None] * (sign * aside)[None, None, :, None]
        )
        index = np.moveaxis((points / spacing).astype(np.float32), -1, 0)
        hu = ndimage.map_coordinates(volume.hu, index, order=1, output=np.float32, cval=-2048)
        smoothed = ndimage.gaussian_filter(np.clip(hu, -200, 600), 0.5)
        bone[side] = np.asarray(smoothed > RIB_HU)
        view = hu[:, (back > -20) & (back < 25)][:, :, aside <= OUTER_MM + 2] > NOT_MEASURED_BELOW_HU
        seen[side] = np.asarray(view.mean(axis=(1, 2)) > 0.9)
    return bone, seen


def _rib_roots(bone: BoolArray) -> list[float]:
    """Return where along the canal the inner ends of ribs lie, in millimetres."""
    import cc3d

    pieces = cc3d.connected_components(np.ascontiguousarray(bone), connectivity=26)
    aside = np.arange(INNER_MM, FARTHEST_MM, STEP_MM)
    roots = []
    volume_mm3 = np.bincount(pieces.ravel()) * STEP_MM**3
    volume_mm3[0] = 0
    for number in np.flatnonzero((volume_mm3 >= SMALLEST_MM3) & (volume_mm3 <= LARGEST_MM3)):
        where = np.argwhere(pieces == number)
        reach = aside[where[:, 2]]
        if reach.min() > ROOT_MM or reach.max() < OUTER_MM:
            continue
        root = where[reach <= reach.min() + 8]
        low, high = _spread(root[:, 0])
        back = float(np.median(root[:, 1])) * STEP_MM - IN_FRONT_MM
        if high - low <= LARGEST_ROOT_MM and ROOT_BACK_MM[0] <= back <= ROOT_BACK_MM[1]:
            roots.append(float(np.median(root[:, 0]) * STEP_MM))
    return roots


def _spread(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, [5, 95]) * STEP_MM
    return float(low), float(high)
