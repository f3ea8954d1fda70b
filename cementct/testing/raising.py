"""A body that was raised between two scans: where its marrow lay before."""

from __future__ import annotations

import numpy as np

from cementct.testing.column import PlacedVertebra
from cementct.testing.shapes import Coordinates

# Behind the posterior wall nothing was raised; before it the movement fades in over this depth.
FADE_MM = 4.0


def raised(vertebra: PlacedVertebra, at: Coordinates) -> Coordinates:
    """Return where points of a body lie once it is raised: between its endplates they move in proportion.

    Points of a vertebra that stays as it is, and of arch and pedicles, stay where they are.
    """
    later = vertebra.later
    if later is None:
        return at
    left, posterior, superior = at
    now = vertebra.shape
    low, high = now.inferior_endplate_mm(left, posterior), now.superior_endplate_mm(left, posterior)
    later_low = later.inferior_endplate_mm(left, posterior)
    later_high = later.superior_endplate_mm(left, posterior)
    share = (superior - low) / np.maximum(high - low, 1.0)
    moved = later_low + share * (later_high - later_low)
    fade = np.clip((now.wall_mm - posterior) / FADE_MM, 0.0, 1.0)
    return left, posterior, np.asarray(superior + fade * (moved - superior), dtype=np.float32)
