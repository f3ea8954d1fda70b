"""What one slice shows of a deposit that the next slice shows as well is no chance brightness."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from cementct.core.grid import Grid
from cementct.metrics.leak_certainty import _goes_on

SHAPE = (6, 20, 20)
AROUND = SimpleNamespace(grid=Grid(SHAPE, (2.5, 0.7, 0.7), (0.0, 0.0, 0.0)))


def parts(number: np.ndarray, filled: np.ndarray | None = None) -> SimpleNamespace:
    """Return parts as numbered, wholly filled where nothing else is said."""
    return SimpleNamespace(number=number, filled=(number > 0).astype(float) if filled is None else filled)


def test_a_part_cut_off_by_a_border_between_two_slices_goes_on_in_the_other() -> None:
    number = np.zeros(SHAPE, dtype=np.int32)
    number[2, 5:10, 5:10], number[3, 6:11, 5:10] = 1, 2
    assert _goes_on(parts(number), 0, AROUND)  # type: ignore[arg-type]
    assert _goes_on(parts(number), 1, AROUND)  # type: ignore[arg-type]


def test_a_part_alone_on_its_slice_or_merely_beside_another_does_not() -> None:
    number = np.zeros(SHAPE, dtype=np.int32)
    number[2, 5:10, 5:10], number[3, 9:16, 5:10], number[4, 9:16, 5:10] = 1, 2, 2
    assert not _goes_on(parts(number), 0, AROUND)  # type: ignore[arg-type]


def test_a_rim_too_faint_to_be_seen_does_not_count() -> None:
    number = np.zeros(SHAPE, dtype=np.int32)
    number[2, 5:10, 5:10], number[3, 5:10, 5:10] = 1, 2
    filled = np.where(number == 1, 0.8, np.where(number == 2, 0.05, 0.0))
    assert not _goes_on(parts(number, filled), 0, AROUND)  # type: ignore[arg-type]
    assert not _goes_on(parts(number, filled), 1, AROUND)  # type: ignore[arg-type]
