"""A vertebra as another scan of the same patient shows it, carried over into this one."""

from __future__ import annotations

from dataclasses import dataclass

from cementct.anatomy.model import Pedicle
from cementct.core.image import Region


@dataclass(frozen=True)
class CarriedVertebra:
    """What takes the place of the outlines found in a scan.

    Attributes
    ----------
    body
        The vertebral body, on this scan's grid.
    whole
        Body, pedicles and posterior elements on this scan's grid; None: those found here are kept.
    left_pedicle, right_pedicle
        Their borders in this scan's frame of the vertebra; None: those found here are kept.
    wall_rebuilt
        Whether the posterior wall counts as rebuilt.
    """

    body: Region
    whole: Region | None = None
    left_pedicle: Pedicle | None = None
    right_pedicle: Pedicle | None = None
    wall_rebuilt: bool = True
