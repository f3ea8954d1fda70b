"""Vertebra engines, side by side behind one small interface."""

from __future__ import annotations

from typing import Protocol

from cementct.anatomy.labels import SpineLabels
from cementct.core.image import Volume


class VertebraEngine(Protocol):
    """Anything that labels the vertebrae of a volume."""

    def __call__(self, volume: Volume) -> SpineLabels:
        """Return the labelled vertebrae of `volume`, on its grid; no vertebra where none is seen."""
