"""Which of several series of the same moment serves best, and why not the others."""

from __future__ import annotations

from collections.abc import Iterable

from cementct.io.series import Series
from cementct.pipeline.kernels import kernel_sharpness

# Slices up to this are thin enough for every measure; among them the kernel decides.
THIN_SLICES_MM = 1.5
# A softer kernel never outweighs slices more than this much thicker.
MOST_THICKER = 2.0
# Slices that differ by less than this share are equally thick.
EQUAL_THICKNESS = 0.01
# Shorter stacks hold no whole vertebral body (lowest body height of an adult, thoracic, about 15 mm).
SHORTEST_MM = 15.0


def slice_mm(series: Series) -> float:
    """Return how thick slices are for what can be seen: the larger of their thickness and their distance."""
    return max(series.spacing_mm, series.header.thickness_mm or 0.0)


def extent_mm(series: Series) -> float:
    """Return how much of the patient a series covers along its normal."""
    return series.spacing_mm * series.count


def tier(series: Series) -> int:
    """Return the class of a series: original axial 0, derived axial 1, other plane 2, too short a stack 3."""
    if extent_mm(series) < SHORTEST_MM:
        return 3
    if not series.is_axial:
        return 2
    return 1 if series.is_derived else 0


def ranked(series: Iterable[Series]) -> list[Series]:
    """Return series of one acquisition, the most useful first."""
    left = sorted(series, key=lambda s: s.key)
    order: list[Series] = []
    while left:
        best = _best(left)
        order.append(best)
        left.remove(best)
    return order


def _best(series: list[Series]) -> Series:
    lowest = min(tier(s) for s in series)
    left = [s for s in series if tier(s) == lowest]
    thinnest = min(slice_mm(s) for s in left)
    if thinnest <= THIN_SLICES_MM:
        left = [s for s in left if slice_mm(s) <= min(THIN_SLICES_MM, MOST_THICKER * thinnest)]
    else:
        left = [s for s in left if slice_mm(s) <= thinnest * (1 + EQUAL_THICKNESS)]
    return min(left, key=lambda s: (kernel_sharpness(s.header.kernel), -s.count, slice_mm(s), s.key))


def why_behind(series: Series, chosen: Series) -> str:
    """Return, as a sentence, why `chosen` was preferred to a series of the same acquisition."""
    start = "Same acquisition as the series used"
    if tier(series) != tier(chosen):
        reasons = {
            1: "but computed from other images (derived)",
            2: f"but in the {series.plane} plane",
            3: "but it covers less than a vertebra",
        }
        return f"{start}, {reasons.get(tier(series), 'but of another kind')}."
    if slice_mm(series) > max(THIN_SLICES_MM, slice_mm(chosen)) or slice_mm(series) > MOST_THICKER * slice_mm(
        chosen
    ):
        return f"{start}, with thicker slices ({slice_mm(series):g} mm)."
    if kernel_sharpness(series.header.kernel) > kernel_sharpness(chosen.header.kernel):
        return f"{start}, with a sharper kernel."
    if series.count < chosen.count:
        return f"{start}, with fewer slices ({series.count})."
    return f"{start}, and no better."
