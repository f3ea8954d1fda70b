"""Which found vertebra is which true one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Vertebra
from cementct.core.arrays import BoolArray
from cementct.core.grid import Box
from cementct.core.image import LabelMap, Region
from cementct.core.levels import LabelScheme, Level, level_of_number

# Found and true body are the same vertebra where they share more than this of the smaller of the two.
SAME_SHARE = 0.5
# A found vertebra that says it is cut is believed so near to the scan's upper or lower end, mm.
NEAR_END_MM = 10.0


@dataclass(frozen=True)
class Matches:
    """What became of the vertebrae of a case.

    Attributes
    ----------
    whole
        True numbers of the vertebrae from T1 to L6 whose bodies are whole in view, from top to bottom.
    pairs
        For each true number that was found, the found vertebra that shares most with it.
    missed
        Of `whole`, those that nothing was found for.
    invented, doubled
        Found ones that are no vertebra or no second one: sacral segments among them.
    in_order
        Whether the found ones run from top to bottom as the true ones do.
    """

    whole: tuple[int, ...]
    pairs: dict[int, Vertebra]
    missed: tuple[int, ...]
    invented: int
    doubled: int
    in_order: bool


def match_vertebrae(
    found: Sequence[Vertebra], vertebrae: LabelMap, bodies: LabelMap, measured: BoolArray
) -> Matches:
    """Return which found vertebra is which true one.

    A vertebra that the scan cuts counts neither as missed nor, where found, as invented; nor does S1 or a
    cervical one.
    """
    regions = bodies.regions()
    whole = tuple(
        sorted((n for n, r in regions.items() if _counts(n) and not is_cut(r, measured)), key=_rank)
    )
    best: dict[int, tuple[int, Vertebra]] = {}
    order: list[int] = []
    invented = doubled = 0
    for vertebra in found:
        number, shared = _same_body(vertebra.body, bodies, regions)
        if number is None:
            neutral = _is_neutral(vertebra, vertebrae, measured)
            invented += not neutral
            continue
        if number in best:
            doubled += 1
            if shared <= best[number][0]:
                continue
        best[number] = (shared, vertebra)
        order.append(_rank(number))
    return Matches(
        whole=whole,
        pairs={n: v for n, (_, v) in best.items()},
        missed=tuple(n for n in whole if n not in best),
        invented=invented,
        doubled=doubled,
        in_order=order == sorted(order),
    )


def _counts(number: int) -> bool:
    level = level_of_number(number, LabelScheme.VERSE)
    return level is not None and (level.is_thoracic or level.is_lumbar)


def _rank(number: int) -> int:
    level = level_of_number(number, LabelScheme.VERSE)
    return level.rank if level else number


def is_cut(region: Region, measured: BoolArray) -> bool:
    """Tell whether a body reaches the uppermost or lowest slice, or what was not measured."""
    from scipy import ndimage

    low, high = region.box.start[0], region.box.stop[0]
    if low == 0 or high == measured.shape[0]:
        return True
    z, y, x = (slice(max(0, a - 1), b + 1) for a, b in zip(region.box.start, region.box.stop, strict=True))
    unknown = ~measured[z, y, x]
    if not unknown.any():
        return False
    start = tuple(s.start for s in (z, y, x))
    stop = tuple(a + n for a, n in zip(start, unknown.shape, strict=True))
    around = region.in_box(Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2])))
    return bool(np.any(ndimage.binary_dilation(around, np.ones((3, 3, 3), dtype=np.bool_)) & unknown))


def _same_body(body: Region, bodies: LabelMap, regions: dict[int, Region]) -> tuple[int | None, int]:
    counts = np.bincount(bodies.labels[body.box.slices][body.voxels], minlength=1)
    counts[0] = 0
    number = int(counts.argmax())
    shared = int(counts[number])
    if shared == 0 or shared <= SAME_SHARE * min(body.count, regions[number].count):
        return None, 0
    return number, shared


def _is_neutral(vertebra: Vertebra, vertebrae: LabelMap, measured: BoolArray) -> bool:
    """Tell whether a found vertebra without a true body is cut by the scan, cervical or S1."""
    box = vertebra.body.box
    slices_to_end = min(box.start[0], vertebrae.grid.shape[0] - box.stop[0])
    to_end_mm = slices_to_end * vertebrae.grid.spacing_mm[0]
    if is_cut(vertebra.body, measured) or (not vertebra.complete and to_end_mm <= NEAR_END_MM):
        return True
    counts = np.bincount(vertebrae.labels[box.slices][vertebra.body.voxels], minlength=1)
    number = int(counts[1:].argmax()) + 1 if counts.size > 1 else 0
    level = level_of_number(number, LabelScheme.VERSE)
    neutral = level is Level.S1 or (level is not None and level.rank < Level.T1.rank)
    return neutral and 2 * int(counts[number]) > vertebra.body.count
