"""The scan before injection as the search for cement sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cementct.core.arrays import Float32Array, FloatArray, read_only
from cementct.core.grid import Box

BrightestNear = Callable[[FloatArray], float | None]


@dataclass(frozen=True)
class EarlierScan:
    """The pre-injection scan carried onto the post-injection grid, vertebra by vertebra.

    Attributes
    ----------
    box
        The block of the post-injection grid that is covered.
    hu
        Intensities before injection, shape of the box; NaN where they are unknown.
    blur_mm
        Standard deviation along z of the blur that makes the post-injection scan as dull as this one; 0 where
        its slices are no finer.
    brightest_near
        How bright the surroundings of places (LPS mm, shape (n, 3)) were before injection, also beyond the
        box, as far as soft tissue moves; None where that is not known.
    """

    box: Box
    hu: Float32Array
    blur_mm: float = 0.0
    brightest_near: BrightestNear | None = None

    def __post_init__(self) -> None:
        if self.hu.shape != self.box.shape:
            raise ValueError(f"`hu` has to cover the box of shape {self.box.shape}, got {self.hu.shape}")
        object.__setattr__(self, "hu", read_only(self.hu))
