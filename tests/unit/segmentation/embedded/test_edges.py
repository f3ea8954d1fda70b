"""What of a vertebra's block is hidden by cement."""

from __future__ import annotations

import numpy as np

from cementct.segmentation.vertebrae.embedded.block import Placement, VertebraBlock
from cementct.segmentation.vertebrae.embedded.edges import find_dense

MIDDLE = 20


def reach_beside_cement(*, slices_mm: float) -> tuple[int, int]:
    """Return how far, mm, to the left of a ball of cement and above it edges are hidden."""
    places = np.arange(2.0 * MIDDLE + 1) - MIDDLE
    left, back, up = np.meshgrid(places, places, places, indexing="ij")
    hu = np.where(left**2 + back**2 + up**2 <= 6**2, 2500.0, 100.0).astype(np.float32)
    placement = Placement(np.zeros(3), *np.eye(3)[::-1])
    block = VertebraBlock(hu, places, places, places, placement, np.array([0.6, 0.6, slices_mm]))
    dense = find_dense(block)
    to_the_left, upwards = dense[MIDDLE:, MIDDLE, MIDDLE], dense[MIDDLE, MIDDLE, MIDDLE:]
    return int(to_the_left.sum()) - 1 - 6, int(upwards.sum()) - 1 - 6


def test_cement_hides_the_edges_of_bone_around_it_alike_on_thin_slices() -> None:
    assert reach_beside_cement(slices_mm=0.6) == (2, 2)


def test_cement_hides_as_much_as_a_slice_above_and_below_it_on_thick_slices() -> None:
    assert reach_beside_cement(slices_mm=5.0) == (2, 5)
